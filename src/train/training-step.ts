import { type ScoreLayout, scoreLayout, unusableAxis } from '../metrics/score-layout.js';
import { type Node, type OnnxDocument, opsetOf } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import type { Tape } from './autodiff/tape.js';
import { axisBehind, finalActivation, softmaxAxis } from './final-activation.js';
import { binaryCrossEntropy, crossEntropy, type Loss, type LossName, meanSquaredError } from './losses.js';
import type { Probe } from './probe.js';
import { type GraphOptions, TRAIN_PREFIX, type TrainingGraph, trainingGraph } from './training-graph.js';

export type { StateTensor } from './training-graph.js';

export interface StepOptions extends GraphOptions {
  /** The output that the loss is computed from. */
  readonly output: string;
  readonly loss: LossName;
  readonly labelSmoothing?: number | undefined;
  /** Final activation that the loss includes, and that passes its input on in the copy. */
  readonly omitted?: Node | undefined;
  /** Whether the targets of a sample may be all 0, because its label is ignored. */
  readonly ignores?: boolean | undefined;
  /** Whether a teacher's outputs are mixed into the targets; predictions are then compared with the targets of the data. */
  readonly mixesTargets?: boolean | undefined;
  /** Shape of the targets of one sample, which can tell the axis of the classes. */
  readonly targetDims?: readonly number[] | undefined;
}

/** A model that performs a training step per run, with a loss of one output. */
export interface TrainingStep extends TrainingGraph {
  /** Name of the targets' input, and their shape, which equals the output's shape. */
  readonly targets: { readonly name: string; readonly dims: readonly number[] };
  /** Name of the input for the targets of the data; undefined if nothing is mixed into them. */
  readonly labels: string | undefined;
  /** The tensor that the loss reads: the output, or the input of a final activation that the loss includes. */
  readonly scores: string;
  /** Where the classes are in the scores. */
  readonly layout: ScoreLayout;
}

const TARGETS = `${TRAIN_PREFIX}targets`;
const LABELS = `${TRAIN_PREFIX}labels`;

/** Writes a copy of a model as a training step, for a loss of an output against targets of its shape. */
export function trainingStep(
  document: OnnxDocument,
  index: GraphIndex,
  probe: Probe,
  options: StepOptions,
): TrainingStep {
  const scores = scoresOf(document, index, options);
  const targets = { name: TARGETS, dims: probe.dims(scores) };
  const layout = layoutOf(document, index, probe, targets.dims, options);
  const hasLabels = options.mixesTargets === true && options.loss !== 'mse';
  const labels = hasLabels ? LABELS : undefined;
  const loss = {
    reads: [scores],
    inputs: [TARGETS, ...(hasLabels ? [LABELS] : [])].map((name) => [name, targets.dims] as const),
    add: (tape: Tape, [name = scores]: readonly string[]) =>
      lossOf(tape, name, { ...options, layout, labels }),
  };
  return { ...trainingGraph(document, index, probe, loss, options), targets, labels, scores, layout };
}

/** Returns the tensor that the loss reads: the output, or the input of a final activation that the loss includes. */
export function scoresOf(
  document: OnnxDocument,
  index: GraphIndex,
  choice: Pick<StepOptions, 'output' | 'loss'>,
): string {
  return finalActivation(document, index, choice)?.inputs[0] ?? choice.output;
}

function layoutOf(
  document: OnnxDocument,
  index: GraphIndex,
  probe: Probe,
  dims: readonly number[],
  options: StepOptions,
): ScoreLayout {
  const [, ...inner] = dims;
  const { output, loss, omitted, targetDims: targets } = options;
  if (loss !== 'cross-entropy') return scoreLayout(inner);
  const node = finalActivation(document, index, options);
  if (node === undefined && omitted === undefined) return scoreLayout(inner, { targets });
  const axis =
    omitted === undefined
      ? node && softmaxAxis(node, opsetOf(document.graph), dims)
      : axisBehind(omitted, document, index, probe, output);
  if (axis === undefined) throw unusableAxis('several axes', inner);
  return scoreLayout(inner, { axis, targets });
}

function lossOf(
  tape: Tape,
  scores: string,
  {
    loss,
    labelSmoothing: smoothing,
    layout,
    ignores,
    labels,
  }: StepOptions & Pick<TrainingStep, 'layout' | 'labels'>,
): Loss {
  if (loss === 'cross-entropy')
    return crossEntropy(tape, scores, TARGETS, { smoothing, layout, ignores, labels });
  return loss === 'bce'
    ? binaryCrossEntropy(tape, scores, TARGETS, labels)
    : meanSquaredError(tape, scores, TARGETS);
}
