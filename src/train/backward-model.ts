import { composedField, floatInputField } from '../onnx/compose.js';
import { type OnnxDocument, opsetOf } from '../onnx/document.js';
import { outputField } from '../onnx/encode.js';
import { neededNodes, pruneEdits } from '../onnx/extract.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { type Edit, type Spliced, splice } from '../onnx/splice.js';
import type { Weight } from '../onnx/weights.js';
import { alive, differentiate, movingTensors } from './autodiff/differentiate.js';
import { createTape } from './autodiff/tape.js';
import { type LossTerm, squaredDifferences } from './losses.js';
import type { Probe } from './probe.js';
import { asInput } from './weight-inputs.js';

/** A model that computes the loss of a batch and the gradients of the weights. */
export interface Backward {
  readonly model: Spliced;
  /** Name of each weight's gradient output, by the weight's name. Weights that no gradient reaches are absent. */
  readonly gradients: ReadonlyMap<string, string>;
  readonly loss: string;
  /** Returns the input name for the target of a loss term. */
  readonly target: (term: string) => string;
}

const PREFIX = 'onnx-mish/backward/';
const LOSS = 'onnx-mish/loss';
const target = (name: string) => `onnx-mish/target/${name}`;

/**
 * Copies a model, turns its weights into inputs and appends the backward pass (reverse-mode differentiation). Every batch must
 * have the shapes of the probe's run. No gradient flows through nested graphs or operators that GRADIENTS does not list.
 */
export function backwardModel(
  document: OnnxDocument,
  index: GraphIndex,
  weights: readonly Weight[],
  terms: readonly LossTerm[],
  probe: Probe,
): Backward {
  const { graph } = document;
  const names = terms.map(({ name }) => name);
  const used = neededNodes(document, names);
  const nodes = graph.nodes.filter((node) => used.has(node));
  const moving = movingTensors(
    nodes,
    weights.map(({ name }) => name),
  );
  const tape = createTape(opsetOf(graph), probe.dims, PREFIX, probe.constant);
  const loss = squaredDifferences(tape, terms, target);
  const found = differentiate(tape, nodes, moving, loss.gradients);
  const gradients = new Map<string, string>();
  for (const { name } of weights) {
    const gradient = found.get(name);
    if (gradient !== undefined) gradients.set(name, gradient);
  }
  const kept = alive(tape.nodes, [loss.loss, ...gradients.values()]);
  kept.push(['Identity', [loss.loss], [LOSS]]);
  const frame = graph.nodes[0]?.frame;
  if (frame === undefined) throw new Error('a graph without nodes has no weights');
  const append = (bytes: Uint8Array): Edit => ({ start: frame.end, end: frame.end, bytes, frame });
  const prune = pruneEdits(document, names);
  const gone = new Set(prune.map(({ start }) => start));
  const inputs = weights.filter(({ name }) => gradients.has(name));
  const edits = [
    ...prune,
    ...inputs.flatMap((weight) => asInput(weight, document, index, gone, append)),
    ...terms.map(({ name }) => append(floatInputField(target(name), probe.dims(name)))),
    ...kept.map((node) => append(composedField(node))),
    ...[LOSS, ...gradients.values()].map((name) => append(outputField(name))),
  ];
  return { model: splice(document.source, edits), gradients, loss: LOSS, target };
}
