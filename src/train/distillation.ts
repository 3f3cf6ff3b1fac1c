import type { OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import type { Weight } from '../onnx/weights.js';
import { type LossTerm, squaredDifferences } from './losses.js';
import type { Probe } from './probe.js';
import {
  type GraphLoss,
  type GraphOptions,
  lossGraph,
  TRAIN_PREFIX,
  type TrainingGraph,
  trainingGraph,
} from './training-graph.js';

/** Returns the name of the input for the target of a loss term. */
export const distillationTarget = (term: string) => `${TRAIN_PREFIX}target/${term}`;

/** Returns the loss of a distillation: the sum of squared differences between tensors and their targets. */
function lossOf(terms: readonly LossTerm[], probe: Probe): GraphLoss {
  return {
    reads: terms.map(({ name }) => name),
    inputs: terms.map(({ name }) => [distillationTarget(name), probe.dims(name)]),
    add(tape, names) {
      const targets = new Map(
        names.map((name, place) => [name, distillationTarget(terms[place]?.name ?? '')]),
      );
      const renamed = terms.map((term, place) => ({ ...term, name: names[place] ?? term.name }));
      return squaredDifferences(tape, renamed, (name) => targets.get(name) ?? '');
    },
  };
}

/** Writes a copy of a model as a training step towards another model's tensors. */
export function distillationStep(
  document: OnnxDocument,
  index: GraphIndex,
  probe: Probe,
  terms: readonly LossTerm[],
  options: GraphOptions,
): TrainingGraph {
  return trainingGraph(document, index, probe, lossOf(terms, probe), options);
}

/** Writes a copy of a model that computes only the loss of a distillation. */
export function distillationLoss(
  document: OnnxDocument,
  index: GraphIndex,
  probe: Probe,
  terms: readonly LossTerm[],
  weights: readonly Weight[],
): Pick<TrainingGraph, 'model' | 'loss'> {
  return lossGraph(document, index, probe, lossOf(terms, probe), weights);
}
