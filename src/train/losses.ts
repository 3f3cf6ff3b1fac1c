import { type ScoreLayout, scoreLayout } from '../metrics/score-layout.js';
import { DataType } from '../onnx/types.js';
import { elementCount } from '../providers/tensor.js';
import type { Tape } from './autodiff/tape.js';

/** One loss term: factor × the mean squared difference between a tensor and its target. */
export interface LossTerm {
  readonly name: string;
  readonly factor: number;
}

/** A loss on a tape, and its gradient with respect to each tensor that it reads. */
export interface Loss {
  readonly loss: string;
  readonly gradients: readonly (readonly [name: string, gradient: string])[];
  /** Number of correct predictions; undefined for a loss without predictions. */
  readonly correct?: string | undefined;
  /** Number of predictions that count; undefined where all do. */
  readonly counted?: string | undefined;
}

/** Losses of a model's output against targets of the same shape. */
export type LossName = 'cross-entropy' | 'bce' | 'mse';

const flatSum = (tape: Tape, x: string) => tape.sum(tape.reshape(x, [-1]), [0]);

/** Adds the sum of loss terms to a tape. `target` names the tensor that holds a term's target. */
export function squaredDifferences(
  tape: Tape,
  terms: readonly LossTerm[],
  target: (name: string) => string,
): Loss {
  const losses: string[] = [];
  const gradients: [string, string][] = [];
  for (const { name, factor } of terms) {
    const difference = tape.node('Sub', [name, target(name)]);
    const share = tape.floats([(2 * factor) / elementCount(tape.dims(name))]);
    const gradient = tape.node('Mul', [difference, share]);
    const squares = flatSum(tape, tape.node('Mul', [difference, gradient]));
    losses.push(tape.node('Mul', [squares, tape.floats([0.5])]));
    gradients.push([name, gradient]);
  }
  return { loss: tape.total(losses), gradients };
}

export interface CrossEntropyOptions {
  /** Share of the uniform distribution in the targets; 0 by default. */
  readonly smoothing?: number | undefined;
  /** Where the classes are in the scores; by default on their second axis. */
  readonly layout?: ScoreLayout | undefined;
  /** Whether the targets of a place may be all 0; by default those of a pixel may, and those of a sample may not. */
  readonly ignores?: boolean | undefined;
  /** The targets that predictions are compared with; by default those of the loss. */
  readonly labels?: string | undefined;
}

/**
 * Adds the cross-entropy of scores to a tape, averaged over samples and places as in PyTorch. Targets are class probabilities in the
 * shape of the scores. Places whose targets are all 0 do not count: those with an ignored label, and those that augmentation leaves
 * at the edges. The loss of no places at all is 0. Scores may be −Infinity for classes whose target is 0.
 */
export function crossEntropy(
  tape: Tape,
  scores: string,
  targets: string,
  {
    smoothing = 0,
    layout = scoreLayout(tape.dims(scores).slice(1)),
    ignores,
    labels = targets,
  }: CrossEntropyOptions = {},
): Loss {
  const [samples = 1] = tape.dims(scores);
  const { classes, places, axis } = layout;
  const logs = logSoftmax(tape, scores, axis);
  // Without ignored places, the targets of each add up to 1.
  const whole = ignores === true || places > 1 ? tape.sum(targets, [axis]) : undefined;
  const counts = whole && tape.mask('Greater', whole, tape.floats([0.5]));
  const counted = counts && flatSum(tape, counts);
  const weighted = (x: string) => (whole === undefined ? x : tape.node('Mul', [x, whole]));
  const mixed =
    smoothing === 0
      ? targets
      : tape.node('Add', [
          tape.node('Mul', [targets, tape.floats([1 - smoothing])]),
          weighted(tape.floats([smoothing / classes])),
        ]);
  const share =
    counted === undefined
      ? tape.floats([1 / (samples * places)])
      : tape.node('Reciprocal', [tape.node('Max', [counted, tape.floats([1])])]);
  // A score of −Infinity, as masks give it, has no part in the loss where the target is 0.
  const zero = tape.floats([0]);
  const isTarget = tape.node('Greater', [mixed, zero]);
  const products = tape.node('Where', [isTarget, tape.node('Mul', [logs, mixed]), zero]);
  const loss = tape.node('Neg', [tape.node('Mul', [flatSum(tape, products), share])]);
  const gradient = tape.node('Mul', [tape.node('Sub', [weighted(tape.node('Exp', [logs])), mixed]), share]);
  const largest = (x: string) => tape.node('ArgMax', [x], { axis, keepdims: 1 });
  const equal = tape.node('Cast', [tape.node('Equal', [largest(scores), largest(labels)])], {
    to: DataType.FLOAT,
  });
  const right = counts === undefined ? equal : tape.node('Mul', [equal, counts]);
  return { loss, gradients: [[scores, gradient]], correct: flatSum(tape, right), counted };
}

/** Opset from which LogSoftmax uses a single axis; before, it uses all axes from `axis` on. */
const SINGLE_AXIS = 13;

/** Adds the logarithm of the softmax over one axis. */
function logSoftmax(tape: Tape, x: string, axis: number): string {
  const axes = [...tape.dims(x).keys()];
  const last = axes.length - 1;
  if (tape.opset >= SINGLE_AXIS || axis === last) return tape.node('LogSoftmax', [x], { axis });
  const perm = axes.map((at) => (at === axis ? last : at === last ? axis : at));
  const exchanged = tape.node('Transpose', [x], { perm });
  return tape.node('Transpose', [tape.node('LogSoftmax', [exchanged], { axis: last })], { perm });
}

/**
 * Adds the mean binary cross-entropy of scores before the sigmoid to a tape. Targets are 0 to 1. Predictions are compared with
 * `labels`.
 */
export function binaryCrossEntropy(tape: Tape, scores: string, targets: string, labels = targets): Loss {
  const share = tape.floats([1 / elementCount(tape.dims(scores))]);
  const product = tape.node('Mul', [scores, targets]);
  const each = tape.node('Sub', [tape.node('Softplus', [scores]), product]);
  const loss = tape.node('Mul', [flatSum(tape, each), share]);
  const difference = tape.node('Sub', [tape.node('Sigmoid', [scores]), targets]);
  const positive = (x: string, bound: number) => tape.mask('Greater', x, tape.floats([bound]));
  const wrong = tape.node('Abs', [tape.node('Sub', [positive(scores, 0), positive(labels, 0.5)])]);
  const right = tape.node('Sub', [tape.floats([elementCount(tape.dims(scores))]), flatSum(tape, wrong)]);
  return { loss, gradients: [[scores, tape.node('Mul', [difference, share])]], correct: right };
}

/** Adds the mean squared difference of an output to its targets to a tape. */
export function meanSquaredError(tape: Tape, output: string, targets: string): Loss {
  return squaredDifferences(tape, [{ name: output, factor: 1 }], () => targets);
}
