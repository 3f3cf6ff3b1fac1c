import { OnnxMishError } from '../base/error.js';
import { ownProperty } from '../base/own.js';
import type { SampleLabels } from '../data/labels.js';
import type { Tensors } from '../providers/tensor.js';
import { type AccuracyMeter, accuracyMeter, scoresAmong } from './accuracy.js';
import { binaryAccuracyMeter, oneScoreAmong } from './binary-accuracy.js';
import { type Difference, differenceOfCorrect, isBinary, mcnemar } from './paired.js';
import { placeAccuracyMeter, placeScoresAmong } from './place-accuracy.js';

/** Meters of the accuracy of both models by the same labels. */
export interface LabelMeters extends Omit<OutputMeters, 'elements'> {
  /** Adds the outputs of a run. Throws what the meters throw. */
  add(reference: Tensors, got: Tensors): void;
}

/** Meters of both models for one output. */
interface OutputMeters {
  readonly output: string;
  /** Number of elements of the output in the first run. */
  readonly elements: number;
  readonly original: AccuracyMeter;
  readonly swapped: AccuracyMeter;
  /** Returns the score above which a sample counts as class 1; null for an output with a score for each class. */
  threshold(): number | null;
}

/** Facts about the run whose outputs are given. */
export interface LabelledRun {
  /** Number of samples. Outputs with another number of rows, such as a table of weights, do not count beside those with as many. */
  readonly samples?: number | undefined;
  /** Whether the samples are a selection, so that messages name no sample numbers; default false. */
  readonly drawn?: boolean | undefined;
}

/**
 * Returns meters for one of `outputs` that looks like class scores, or else for the only one with one score per sample; for labels of
 * places, and for labels some of which do not count, for one with scores at these places. Of several such outputs, such as features
 * beside scores, the meters are of the one on which the original is right most often. The original's scores decide the threshold of both
 * models. The labels may grow, as long as a row's are there before the row. Throws `bad-data` if no output fits the labels.
 */
export function labelMeters(
  outputs: readonly string[],
  reference: Tensors,
  labels: SampleLabels,
  options: LabelledRun = {},
): LabelMeters {
  let candidates = candidatesFor(outputs, reference, labels, options);
  const best = () => candidates.reduce((most, other) => (rightOf(other) > rightOf(most) ? other : most));
  return {
    get output() {
      return best().output;
    },
    get original() {
      return best().original;
    },
    get swapped() {
      return best().swapped;
    },
    threshold: () => best().threshold(),
    add(before, after) {
      candidates = fitting(candidates, labels, ({ output, original }) =>
        original.add(ownProperty(before, output)),
      );
      for (const { output, swapped } of candidates) swapped.add(ownProperty(after, output));
    },
  };
}

/**
 * Checks the labels of a whole data set, of which only some samples may be drawn. Throws `bad-data` as the meters of `labelMeters` do, for
 * labels outside the classes of each output that they may be of.
 */
export function checkLabels(
  outputs: readonly string[],
  reference: Tensors,
  labels: SampleLabels,
  { samples }: Pick<LabelledRun, 'samples'> = {},
): void {
  const candidates = candidatesFor(outputs, reference, labels, { samples });
  fitting(candidates, labels, ({ output, original }) => original.check(ownProperty(reference, output)));
}

/** Returns the outputs that `use` takes; the labels of one output may be outside the classes of another. Throws if it takes none. */
function fitting(
  candidates: readonly OutputMeters[],
  { places }: SampleLabels,
  use: (one: OutputMeters) => void,
): OutputMeters[] {
  const failed: { readonly error: unknown; readonly elements: number }[] = [];
  const found = candidates.filter((one) => {
    try {
      use(one);
      return true;
    } catch (error) {
      failed.push({ error, elements: one.elements });
      return false;
    }
  });
  if (found.length > 0) return found;
  if (failed.length > 1 && places === undefined) throw without(NO_FIT);
  // The error of a place says which label to ignore: one that is outside of the most classes.
  throw failed.reduce((most, other) => (other.elements > most.elements ? other : most)).error;
}

/** Returns how many samples the original has right. */
function rightOf({ original }: OutputMeters): number {
  let right = 0;
  for (const share of original.correct()) right += share;
  return right;
}

/** Returns meters for each output that the labels may be of, at least one. */
function candidatesFor(
  all: readonly string[],
  reference: Tensors,
  { values, places }: SampleLabels,
  { samples, drawn = false }: LabelledRun,
): readonly OutputMeters[] {
  const ofSamples = all.filter(
    (name) => samples !== undefined && ownProperty(reference, name)?.dims[0] === samples,
  );
  const outputs = ofSamples.length > 0 ? ofSamples : all;
  const sized = (output: string) => ({ output, elements: ownProperty(reference, output)?.data.length ?? 0 });
  if (places !== undefined) {
    const found = placeScoresAmong(outputs, reference, places);
    if (found.length === 0)
      throw places.dims.length === 0
        ? without(NEITHER)
        : without(
            `labels of shape [${places.dims}] need an output with a score for each class at each of these places, and there is none`,
          );
    return found.map((output) => {
      const original = placeAccuracyMeter(output, values, places, { drawn });
      const { threshold } = original;
      const swapped = placeAccuracyMeter(output, values, places, { thresholdOf: threshold, drawn });
      return { ...sized(output), threshold, original, swapped };
    });
  }
  const scores = scoresAmong(outputs, reference);
  if (scores.length > 0) {
    return scores.map((output) => {
      const meter = () => accuracyMeter(output, values, drawn);
      return { ...sized(output), threshold: () => null, original: meter(), swapped: meter() };
    });
  }
  const output = oneScoreAmong(outputs, reference);
  if (output === undefined) throw without(NEITHER);
  const original = binaryAccuracyMeter(output, values, { drawn });
  const { threshold } = original;
  const swapped = binaryAccuracyMeter(output, values, { thresholdOf: threshold, drawn });
  return [{ ...sized(output), threshold, original, swapped }];
}

const NO_FIT = 'the labels are outside the classes of each output that looks like class scores';
const NEITHER =
  'labels need an output with a score for each class, or one with one score per sample, and there is neither';

const without = (what: string) =>
  new OnnxMishError('bad-data', what, {
    fix: 'Leave out the labels',
    option: { labels: null },
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
