import type { OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import type { Tape } from './autodiff/tape.js';
import { finalActivation } from './final-activation.js';
import { binaryCrossEntropy, crossEntropy, type Loss, type LossName, meanSquaredError } from './losses.js';
import type { Probe } from './probe.js';
import { type GraphOptions, TRAIN_PREFIX, type TrainingGraph, trainingGraph } from './training-graph.js';

export type { StateTensor } from './training-graph.js';

export interface StepOptions extends GraphOptions {
  /** The output that the loss is computed from. */
  readonly output: string;
  readonly loss: LossName;
  readonly labelSmoothing?: number | undefined;
}

/** A model that performs a training step per run, with a loss of one output. */
export interface TrainingStep extends TrainingGraph {
  /** Name of the targets' input, and their shape, which equals the output's shape. */
  readonly targets: { readonly name: string; readonly dims: readonly number[] };
  /** The tensor that the loss reads: the output, or the input of a final activation that the loss includes. */
  readonly scores: string;
}

const TARGETS = `${TRAIN_PREFIX}targets`;

/** Writes a copy of a model as a training step, for a loss of an output against targets of its shape. */
export function trainingStep(
  document: OnnxDocument,
  index: GraphIndex,
  probe: Probe,
  options: StepOptions,
): TrainingStep {
  const scores = scoresOf(document, index, options);
  const targets = { name: TARGETS, dims: probe.dims(scores) };
  const loss = {
    reads: [scores],
    inputs: [[targets.name, targets.dims] as const],
    add: (tape: Tape, [name = scores]: readonly string[]) => lossOf(tape, name, options),
  };
  return { ...trainingGraph(document, index, probe, loss, options), targets, scores };
}

/** Returns the tensor that the loss reads: the output, or the input of a final activation that the loss includes. */
export function scoresOf(
  document: OnnxDocument,
  index: GraphIndex,
  { output, loss }: Pick<StepOptions, 'output' | 'loss'>,
): string {
  return finalActivation(document, index, output, loss)?.inputs[0] ?? output;
}

function lossOf(tape: Tape, scores: string, { loss, labelSmoothing }: StepOptions): Loss {
  if (loss === 'cross-entropy') return crossEntropy(tape, scores, TARGETS, labelSmoothing);
  return loss === 'bce' ? binaryCrossEntropy(tape, scores, TARGETS) : meanSquaredError(tape, scores, TARGETS);
}
