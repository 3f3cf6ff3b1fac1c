/** Returns the q-th quantile (0 to 1), interpolated linearly between the nearest ranks; NaN for no values. */
export function quantile(values: readonly number[], q: number): number {
  return quantilesOf(values)(q);
}

/** Returns the median, the mean of both middle values for an even number; NaN for no values. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Sorts the values once and returns a function for their quantiles. */
export function quantilesOf(values: readonly number[]): (q: number) => number {
  const sorted = Float64Array.from(values).sort(); // sorts by value, and much faster than Array's sort
  return (q) => {
    const position = q * (sorted.length - 1);
    const low = sorted[Math.floor(position)] ?? Number.NaN;
    const high = sorted[Math.ceil(position)] ?? Number.NaN;
    return low + (high - low) * (position - Math.floor(position));
  };
}
