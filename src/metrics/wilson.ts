import { quantileOfT } from './student.js';

/** The 95 % interval of a share. */
export interface ShareInterval {
  readonly low: number;
  readonly high: number;
}

/** Probability of a normal value outside of a 95 % interval. */
const OUTSIDE = 0.05;

/**
 * Returns Wilson's score interval (1927) of a share of `n` independent samples. It stays within 0 and 1, and is sound for few
 * samples and for shares of 0 and 1.
 */
export function wilsonInterval(share: number, n: number): ShareInterval {
  if (!(n > 0)) return { low: 0, high: 1 };
  const z = quantileOfT(OUTSIDE, Number.POSITIVE_INFINITY);
  const centre = (share + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((share * (1 - share)) / n + z ** 2 / (4 * n ** 2));
  // At a share of 0 or 1, rounding would move the end off it.
  return {
    low: Math.max(0, Math.min(share, centre - half)),
    high: Math.min(1, Math.max(share, centre + half)),
  };
}
