import { OnnxMishError } from '../base/error.js';
import type { Tensors } from '../providers/tensor.js';
import { type AccuracyMeter, accuracyMeter, scoresAmong } from './accuracy.js';
import { binaryAccuracyMeter, oneScoreAmong } from './binary-accuracy.js';

/** Meters of the accuracy of both models by the same labels. */
export interface LabelMeters {
  readonly output: string;
  readonly original: AccuracyMeter;
  readonly swapped: AccuracyMeter;
  /** Returns the score above which a sample counts as class 1; null for an output with a score for each class. */
  threshold(): number | null;
}

/**
 * Returns meters for the first of `outputs` that looks like class scores, or else for the only one with one score per sample. The
 * original's scores decide the threshold of both models. `labels` may grow, as long as a row's label is there before the row. With
 * `drawn`, messages name no sample numbers, because the samples are a selection. Throws `bad-data` if there is no such output.
 */
export function labelMeters(
  outputs: readonly string[],
  reference: Tensors,
  labels: readonly number[],
  drawn = false,
): LabelMeters {
  const scores = scoresAmong(outputs, reference);
  if (scores !== undefined) {
    const meter = () => accuracyMeter(scores, labels, drawn);
    return { output: scores, threshold: () => null, original: meter(), swapped: meter() };
  }
  const output = oneScoreAmong(outputs, reference);
  if (output === undefined) {
    throw new OnnxMishError(
      'bad-data',
      'labels need an output with a score for each class, or one with one score per sample, and there is neither',
      { fix: 'Leave out the labels', option: { labels: null } },
    );
  }
  const original = binaryAccuracyMeter(output, labels, { drawn });
  const { threshold } = original;
  const swapped = binaryAccuracyMeter(output, labels, { thresholdOf: threshold, drawn });
  return { output, threshold, original, swapped };
}
