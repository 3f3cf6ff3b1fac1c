import type { Random } from './random.js';

/** The q-th quantile (0 to 1) by linear interpolation between the nearest ranks; NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort(); // by value, and many times quicker than an array's sort
  const position = q * (sorted.length - 1);
  const low = sorted[Math.floor(position)] ?? Number.NaN;
  const high = sorted[Math.ceil(position)] ?? Number.NaN;
  return low + (high - low) * (position - Math.floor(position));
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export interface Ratio {
  readonly value: number;
  /** The 95 % interval. */
  readonly low: number;
  readonly high: number;
}

/**
 * The ratio of medians of paired samples, with its 95 % interval by the percentile bootstrap over pairs
 * (Efron and Tibshirani, An Introduction to the Bootstrap, 1993).
 */
export function ratioOfMedians(
  pairs: readonly (readonly [numerator: number, denominator: number])[],
  random: Random,
  resamples = 1000,
): Ratio {
  const ratio = (sample: readonly (readonly [number, number])[]) =>
    quantile(
      sample.map(([top]) => top),
      0.5,
    ) /
    quantile(
      sample.map(([, bottom]) => bottom),
      0.5,
    );
  const draws = Array.from({ length: resamples }, () =>
    ratio(pairs.map((pair) => pairs[Math.floor(random() * pairs.length)] ?? pair)),
  );
  return { value: ratio(pairs), low: quantile(draws, 0.025), high: quantile(draws, 0.975) };
}
