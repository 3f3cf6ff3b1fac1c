import { OnnxMishError } from '../base/error.js';
import type { SampleLabels } from '../data/labels.js';
import type { Tensors } from '../providers/tensor.js';
import { type AccuracyMeter, accuracyMeter, scoresAmong } from './accuracy.js';
import { binaryAccuracyMeter, oneScoreAmong } from './binary-accuracy.js';
import { type Difference, differenceOfCorrect, isBinary, mcnemar } from './paired.js';
import { placeAccuracyMeter, placeScoresAmong } from './place-accuracy.js';

/** Meters of the accuracy of both models by the same labels. */
export interface LabelMeters {
  readonly output: string;
  readonly original: AccuracyMeter;
  readonly swapped: AccuracyMeter;
  /** Returns the score above which a sample counts as class 1; null for an output with a score for each class. */
  threshold(): number | null;
}

/**
 * Returns meters for the first of `outputs` that looks like class scores, or else for the only one with one score per sample; for
 * labels of places, for the first that has them. The original's scores decide the threshold of both models. The labels may grow, as
 * long as a row's are there before the row. With `drawn`, messages name no sample numbers, because the samples are a selection.
 * Throws `bad-data` if no output fits the labels.
 */
export function labelMeters(
  outputs: readonly string[],
  reference: Tensors,
  { values, places }: SampleLabels,
  drawn = false,
): LabelMeters {
  if (places !== undefined) {
    const output = placeScoresAmong(outputs, reference, places);
    if (output === undefined)
      throw places.dims.length === 0
        ? without(NEITHER)
        : without(
            `labels of shape [${places.dims}] need an output with a score for each class at each of these places, and there is none`,
          );
    const original = placeAccuracyMeter(output, values, places, { drawn });
    const { threshold } = original;
    return {
      output,
      threshold,
      original,
      swapped: placeAccuracyMeter(output, values, places, { thresholdOf: threshold, drawn }),
    };
  }
  const scores = scoresAmong(outputs, reference);
  if (scores !== undefined) {
    const meter = () => accuracyMeter(scores, values, drawn);
    return { output: scores, threshold: () => null, original: meter(), swapped: meter() };
  }
  const output = oneScoreAmong(outputs, reference);
  if (output === undefined) throw without(NEITHER);
  const original = binaryAccuracyMeter(output, values, { drawn });
  const { threshold } = original;
  const swapped = binaryAccuracyMeter(output, values, { thresholdOf: threshold, drawn });
  return { output, threshold, original, swapped };
}

const NEITHER =
  'labels need an output with a score for each class, or one with one score per sample, and there is neither';

const without = (what: string) =>
  new OnnxMishError('bad-data', what, {
    ...{ fix: 'Leave out the labels', option: { labels: null } },
  });

/**
 * Returns the swapped model's accuracy minus the original's on the same samples, and McNemar's mid-p; null where samples can be right
 * in part, because they have a label for each place.
 */
export function accuracyDifference({
  original,
  swapped,
}: LabelMeters): Difference & { readonly midP: number | null } {
  const [before, after] = [original.correct(), swapped.correct()];
  const midP = isBinary(before) && isBinary(after) ? mcnemar(after, before).midP : null;
  return { ...differenceOfCorrect(after, before), midP };
}
