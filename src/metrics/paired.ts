// Differences of two models on the same samples.
import { fixedPercent } from '../base/fixed-percent.js';
import { mean } from './statistics.js';
import { quantileOfT } from './student.js';

/** A difference with its 95 % interval. */
export interface Difference {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** Samples that only one of two models classifies correctly, and McNemar's two-sided p of that split. */
export interface McNemar {
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** p of the exact binomial test. */
  readonly exact: number;
  /**
   * Mid-p: the p of the exact test minus the probability of the observed split, or minus half of that for an even split (Fagerland
   * and others, 2013, with its supplement).
   */
  readonly midP: number;
}

/** Probability outside a 95 % interval. */
const OUTSIDE = 0.05;

/** Compares which samples two models classify correctly. Each value is 1 for correct, 0 for wrong. */
export function mcnemar(first: ArrayLike<number>, second: ArrayLike<number>): McNemar {
  let [onlyFirst, onlySecond] = [0, 0];
  for (let index = 0; index < first.length; index++) {
    const [a, b] = [first[index] ?? 0, second[index] ?? 0];
    if (a > b) onlyFirst++;
    else if (b > a) onlySecond++;
  }
  const count = onlyFirst + onlySecond;
  const least = Math.min(onlyFirst, onlySecond);
  if (count === 0) return { onlyFirst, onlySecond, exact: 1, midP: 1 };
  // Probabilities of a binomial with p = 1/2, added from the smallest up.
  let logarithm = -count * Math.LN2;
  let below = 0;
  let at = Math.exp(logarithm);
  for (let successes = 1; successes <= least; successes++) {
    below += at;
    logarithm += Math.log((count - successes + 1) / successes);
    at = Math.exp(logarithm);
  }
  if (onlyFirst === onlySecond) return { onlyFirst, onlySecond, exact: 1, midP: 1 - at / 2 };
  const exact = Math.min(1, 2 * (below + at));
  return { onlyFirst, onlySecond, exact, midP: exact - at };
}

/**
 * Returns the difference of two shares of the same samples, first minus second, with the adjusted Wald interval of Bonett
 * and Price (2012). The interval is sound for few samples and for splits of zero.
 */
export function differenceOfShares(first: ArrayLike<number>, second: ArrayLike<number>): Difference {
  const { onlyFirst, onlySecond } = mcnemar(first, second);
  const n = first.length;
  const [a, b] = [(onlyFirst + 1) / (n + 2), (onlySecond + 1) / (n + 2)];
  const half = quantileOfT(OUTSIDE, Number.POSITIVE_INFINITY) * Math.sqrt((a + b - (a - b) ** 2) / (n + 2));
  return {
    value: (onlyFirst - onlySecond) / n,
    low: Math.max(-1, a - b - half),
    high: Math.min(1, a - b + half),
  };
}

/** Tells whether each sample is right or wrong; with several predictions a sample, it can be right in part. */
export const isBinary = (values: ArrayLike<number>) =>
  Array.prototype.every.call(values, (value) => value === 0 || value === 1);

/**
 * Returns the difference of the shares that two models have right, first minus second. Samples may be right in part. The interval lies
 * within −1 and 1, also of one sample.
 */
export function differenceOfCorrect(first: ArrayLike<number>, second: ArrayLike<number>): Difference {
  if (isBinary(first) && isBinary(second)) return differenceOfShares(first, second);
  return betweenShares(differenceOfMeans(first, second), first.length);
}

/** Width of an interval that is only rounding. */
const MIN_WIDTH = 1e-12;

/** Tells whether an interval is a point: all values are equal, which says nothing of how much they vary. */
export const isPoint = ({ low, high }: Difference): boolean => high - low < MIN_WIDTH;

/**
 * Returns a difference of shares on `n` samples with its interval within −1 and 1. Where all samples have the same difference, the
 * interval is that of Bonett and Price, which adds a sample of 1 and one of −1.
 */
export function betweenShares(difference: Difference, n: number): Difference {
  const { value, low, high } = isPoint(difference) ? withTwoMore(difference.value, n) : difference;
  return { value, low: Math.max(-1, low), high: Math.min(1, high) };
}

function withTwoMore(value: number, n: number): Difference {
  const centre = (n * value) / (n + 2);
  const variance = (n * value ** 2 + 2) / (n + 2) - centre ** 2;
  const half = quantileOfT(OUTSIDE, Number.POSITIVE_INFINITY) * Math.sqrt(variance / (n + 2));
  return { value, low: centre - half, high: centre + half };
}

/** Returns the mean difference of paired values, first minus second, with Student's interval. */
export function differenceOfMeans(first: ArrayLike<number>, second: ArrayLike<number>): Difference {
  return meanWithInterval(Array.from(first, (value, index) => value - (second[index] ?? 0)));
}

/** Returns the mean of values with Student's interval; of one value, the interval is infinite. */
export function meanWithInterval(values: readonly number[]): Difference {
  const value = mean(values);
  const half = quantileOfT(OUTSIDE, values.length - 1 || 1) * Math.sqrt(varianceOfMean(values));
  return { value, low: value - half, high: value + half };
}

/**
 * Returns the mean difference over repetitions with its interval. `differences` has the paired differences of each
 * repetition on the same samples. The variance of the mean is that of the samples plus that of the repetitions, and the
 * degrees of freedom are Satterthwaite's. With one repetition, the interval covers the samples only.
 */
export function differenceOverRuns(differences: readonly ArrayLike<number>[]): Difference {
  const [first] = differences;
  if (first === undefined) return { value: Number.NaN, low: Number.NaN, high: Number.NaN };
  const bySample = Array.from(first, (_, index) => mean(differences.map((run) => run[index] ?? 0)));
  if (differences.length === 1) return meanWithInterval(bySample);
  const byRun = differences.map((run) => mean(Array.from(run)));
  const parts = [bySample, byRun].map((values) => [varianceOfMean(values), values.length - 1] as const);
  const total = parts.reduce((sum, [variance]) => sum + variance, 0);
  const value = mean(byRun);
  if (total === 0) return { value, low: value, high: value };
  if (total === Number.POSITIVE_INFINITY) return { value, low: -total, high: total };
  const freedom = total ** 2 / parts.reduce((sum, [variance, count]) => sum + variance ** 2 / count, 0);
  const half = quantileOfT(OUTSIDE, freedom) * Math.sqrt(total);
  return { value, low: value - half, high: value + half };
}

/** Returns the variance of the mean of values; infinite for one value. */
function varianceOfMean(values: readonly number[]): number {
  if (values.length < 2) return Number.POSITIVE_INFINITY;
  const centre = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return squares / (values.length - 1) / values.length;
}

/** Formats a number with its sign; a size that is formatted as 0 has none. */
export function signed(number: number, format: (size: number) => string): string {
  const text = format(Math.abs(number));
  return Number(text) === 0 ? text : `${number < 0 ? '−' : '+'}${text}`;
}

/** Formats a difference of shares in percentage points, with its sign. */
export const pointsText = (share: number) => signed(share, fixedPercent);
