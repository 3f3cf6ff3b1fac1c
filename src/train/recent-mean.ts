/** The mean of the later values of a series, in constant memory. */
export interface RecentMean {
  add(value: number): void;
  /** Returns the mean of the last half to three quarters of the values; 0 without values. */
  value(): number;
}

/**
 * Creates the mean of a series whose first values are not like the others: the first steps of a training wait for compilers.
 */
export function recentMean(): RecentMean {
  let all = { count: 0, sum: 0 };
  let marked = all;
  let from = all;
  return {
    add(value) {
      all = { count: all.count + 1, sum: all.sum + value };
      if (all.count < 2 * marked.count) return;
      from = marked;
      marked = all;
    },
    value: () => (all.sum - from.sum) / Math.max(1, all.count - from.count),
  };
}
