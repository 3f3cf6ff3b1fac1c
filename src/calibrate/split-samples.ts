import { OnnxMishError } from '../base/error.js';
import { integer } from '../base/plural.js';
import type { Dataset, Feeds } from '../data/dataset.js';
import { type Subset, splitFeeds } from '../data/split.js';

/** Subsets of the samples of a calibration. */
export interface SampleSubsets {
  /** Samples from which weights are solved. */
  readonly train: Subset;
  /** Samples that choose between methods. */
  readonly validation: Subset;
  /** Samples that compare the results with the original. */
  readonly test: Subset;
}

/** Default of the largest number of samples. */
export const MAX_DEFAULT_SAMPLES = 20_000;
/** Number of samples up to which a quarter is held out. */
const MAX_FEW_SAMPLES = 512;
const FEW_SHARES = [0.75, 0.125, 0.125] as const;
/** Number of test samples, unless a quarter of all samples is less or an eighth is more. */
const WANTED_TEST_SAMPLES = 1000;
/** Maximum number of test samples. More take time and say little, as do more validation samples. */
const MAX_TEST_SAMPLES = 2000;
const MIN_TEST_SAMPLES = 8;
const MAX_VALIDATION_SAMPLES = 1000;

export interface SampleLimits {
  /** Maximum number of samples in all subsets. */
  readonly samples: number;
  /** Number of samples in a run. */
  readonly batch: number;
  readonly seed: number;
  /** Maximum number of test samples, at least 8; default 2,000. */
  readonly tests?: number | undefined;
}

/** Splits at most `samples` samples, in runs of `batch`. Throws `bad-data` for fewer than three runs. */
export function splitSamples(
  { feeds }: Dataset<Feeds>,
  { samples, batch, seed, tests = MAX_TEST_SAMPLES }: SampleLimits,
): SampleSubsets {
  const most = Math.max(MIN_TEST_SAMPLES, Math.min(tests, MAX_TEST_SAMPLES));
  const limit = Math.floor(samples / batch);
  const runs = Math.min(feeds.length, limit);
  const isFew = runs * batch <= MAX_FEW_SAMPLES;
  const shares = isFew && runs * batch * FEW_SHARES[2] <= most ? FEW_SHARES : sharesOf(runs, batch, most);
  const [train, validation, test] = splitFeeds(feeds, shares, { seed, limit });
  if (
    train !== undefined &&
    validation !== undefined &&
    test !== undefined &&
    train.runs > 0 &&
    test.runs > 0
  ) {
    return { train, validation, test };
  }
  throw new OnnxMishError(
    'bad-data',
    `calibrate needs at least three runs of samples, got ${integer(runs)}`,
    {
      fix: 'Give more samples; some hundreds are better',
    },
  );
}

/** Returns the shares of training, validation and test samples, with at most `most` test samples. */
function sharesOf(runs: number, batch: number, most: number): [number, number, number] {
  const all = runs * batch;
  const test = Math.min(most, Math.max(all / 8, Math.min(WANTED_TEST_SAMPLES, all / 4)));
  const validation = Math.min(MAX_VALIDATION_SAMPLES, most, all / 8);
  // Half a run more, since shares are rounded down to runs.
  const share = (samples: number) => (Math.ceil(samples / batch) + 0.5) / runs;
  return [1 - share(test) - share(validation), share(validation), share(test)];
}
