import { quantile } from '../base/quantile.js';
import type { Random } from '../base/random.js';

export { median, quantile, quantilesOf } from '../base/quantile.js';

/** Returns the mean; NaN without values. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Ratio of two medians with its interval. */
export interface Ratio {
  readonly value: number;
  /** Lower end of the 95 % interval. */
  readonly low: number;
  readonly high: number;
}

/**
 * Returns the ratio of medians of paired samples, with its 95 % interval. The interval is from a percentile bootstrap
 * over pairs (Efron and Tibshirani, An Introduction to the Bootstrap, 1993). Each side is sorted once. A resample is
 * a list of counts per pair; counting along the sorted order gives its median in linear time.
 */
export function ratioOfMedians(
  pairs: readonly (readonly [numerator: number, denominator: number])[],
  random: Random,
  resamples = 1000,
): Ratio {
  const sides = [sorted(pairs.map(([top]) => top)), sorted(pairs.map(([, bottom]) => bottom))] as const;
  const ratio = (drawn: Uint32Array) => countedMedian(sides[0], drawn) / countedMedian(sides[1], drawn);
  const drawn = new Uint32Array(pairs.length);
  const draws = Array.from({ length: resamples }, () => {
    drawn.fill(0);
    for (let count = 0; count < drawn.length; count++) {
      const pair = Math.floor(random() * drawn.length);
      drawn[pair] = (drawn[pair] ?? 0) + 1;
    }
    return ratio(drawn);
  });
  return { value: ratio(drawn.fill(1)), low: quantile(draws, 0.025), high: quantile(draws, 0.975) };
}

interface Sorted {
  readonly values: readonly number[];
  /** Indices of the pairs, sorted by value. */
  readonly order: readonly number[];
}

function sorted(values: readonly number[]): Sorted {
  const order = values.map((_, pair) => pair);
  return { values, order: order.sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0)) };
}

/** Returns the median of a resample in which pair i occurs `drawn[i]` times. */
function countedMedian({ values, order }: Sorted, drawn: Uint32Array): number {
  const low = (order.length - 1) >> 1; // the middle value, or the two middle values
  const high = order.length >> 1;
  let passed = 0;
  let below = Number.NaN;
  for (const pair of order) {
    const count = drawn[pair] ?? 0;
    if (count === 0) continue;
    passed += count;
    const value = values[pair] ?? Number.NaN;
    if (Number.isNaN(below) && passed > low) below = value;
    if (passed > high) return (below + value) / 2;
  }
  return Number.NaN;
}

/** Returns the median difference between successive times; undefined for fewer than two. */
export function medianGap(times: readonly number[]): number | undefined {
  const gaps = times.slice(1).map((time, at) => time - (times[at] ?? 0));
  return gaps.length === 0 ? undefined : quantile(gaps, 0.5);
}
