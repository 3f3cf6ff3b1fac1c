import { elementCount } from '../providers/tensor.js';
import type { Tape } from './autodiff/tape.js';
import { type ScoreLayout, scoreLayout } from './score-layout.js';

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

/**
 * Adds the cross-entropy of scores to a tape, averaged over samples and places as in PyTorch. Targets are class probabilities in the
 * shape of the scores. Label smoothing mixes the targets with the uniform distribution. Of many places, those whose targets are all 0
 * do not count; augmentation leaves such places at the edges.
 */
export function crossEntropy(
  tape: Tape,
  scores: string,
  targets: string,
  smoothing = 0,
  layout: ScoreLayout = scoreLayout(tape.dims(scores).slice(1)),
): Loss {
  const [samples = 1] = tape.dims(scores);
  const { classes, places, axis } = layout;
  const logs = tape.node('LogSoftmax', [scores], { axis });
  // With one place, the targets add up to 1.
  const whole = places === 1 ? undefined : tape.sum(targets, [axis]);
  const weighted = (x: string) => (whole === undefined ? x : tape.node('Mul', [x, whole]));
  const mixed =
    smoothing === 0
      ? targets
      : tape.node('Add', [
          tape.node('Mul', [targets, tape.floats([1 - smoothing])]),
          weighted(tape.floats([smoothing / classes])),
        ]);
  const share = tape.floats([1 / (samples * places)]);
  const loss = tape.node('Neg', [tape.node('Mul', [flatSum(tape, tape.node('Mul', [logs, mixed])), share])]);
  const gradient = tape.node('Mul', [tape.node('Sub', [weighted(tape.node('Exp', [logs])), mixed]), share]);
  const largest = (x: string) => tape.node('ArgMax', [x], { axis, keepdims: 0 });
  const right = tape.node('Cast', [tape.node('Equal', [largest(scores), largest(targets)])], { to: 1 });
  return { loss, gradients: [[scores, gradient]], correct: flatSum(tape, right) };
}

/** Adds the mean binary cross-entropy of scores before the sigmoid to a tape. Targets are 0 to 1. */
export function binaryCrossEntropy(tape: Tape, scores: string, targets: string): Loss {
  const share = tape.floats([1 / elementCount(tape.dims(scores))]);
  const product = tape.node('Mul', [scores, targets]);
  const each = tape.node('Sub', [tape.node('Softplus', [scores]), product]);
  const loss = tape.node('Mul', [flatSum(tape, each), share]);
  const difference = tape.node('Sub', [tape.node('Sigmoid', [scores]), targets]);
  const positive = (x: string, bound: number) => tape.mask('Greater', x, tape.floats([bound]));
  const wrong = tape.node('Abs', [tape.node('Sub', [positive(scores, 0), positive(targets, 0.5)])]);
  const right = tape.node('Sub', [tape.floats([elementCount(tape.dims(scores))]), flatSum(tape, wrong)]);
  return { loss, gradients: [[scores, tape.node('Mul', [difference, share])]], correct: right };
}

/** Adds the mean squared difference of an output to its targets to a tape. */
export function meanSquaredError(tape: Tape, output: string, targets: string): Loss {
  return squaredDifferences(tape, [{ name: output, factor: 1 }], () => targets);
}
