// Shares of predictions that come in clusters: the places of an image are not independent of each other.
import { mean } from './statistics.js';
import { type ShareInterval, wilsonInterval } from './wilson.js';

/**
 * Returns the 95 % interval of the share of correct predictions, where samples are independent and the predictions of a sample are not.
 * It is Wilson's interval with the effective number of predictions (L. Kish, 1965): as many independent predictions would give the share
 * the same variance, which is that of a ratio of two sums over samples (W. G. Cochran, Sampling Techniques, 1977, section 2.11). Samples without
 * predictions do not count; with one prediction each, it is Wilson's interval itself.
 */
export function clusteredInterval(correct: ArrayLike<number>, counted: ArrayLike<number>): ShareInterval {
  const samples = samplesThatCount(counted);
  const count = samples.length;
  const all = samples.reduce((sum, at) => sum + (counted[at] ?? 0), 0);
  const right = samples.reduce((sum, at) => sum + (correct[at] ?? 0), 0);
  const share = right / Math.max(1, all);
  if (count < 2 || all === count) return wilsonInterval(share, count);
  // Products of counts are exact: a distance that is 0 must not be rounding, which would count as a tiny variance.
  const squares = samples.reduce(
    (sum, at) => sum + (((correct[at] ?? 0) * all - right * (counted[at] ?? 0)) / all) ** 2,
    0,
  );
  const variance = (count * squares) / (count - 1) / all ** 2;
  // Where all samples have the same share, their number is all that is known.
  const effective = variance > 0 ? (share * (1 - share)) / variance : count;
  return wilsonInterval(share, Math.min(all, effective));
}

/**
 * Returns a value of each sample whose mean is the share of correct predictions, or the mean of another sum over predictions. The
 * variance of the values is that of the ratio of two sums: the value of a sample with the share of all samples is that share, however
 * many predictions the sample has. With one prediction each, the values are the sums themselves. Samples without predictions are left out.
 */
export function sharesOfClusters(sums: ArrayLike<number>, counted: ArrayLike<number>): Float64Array {
  const samples = samplesThatCount(counted);
  const each = mean(samples.map((at) => counted[at] ?? 0));
  const share = mean(samples.map((at) => sums[at] ?? 0)) / each;
  return Float64Array.from(samples, (at) => (sums[at] ?? 0) / each + share * (1 - (counted[at] ?? 0) / each));
}

/** Returns the numbers of the samples with a prediction that counts. */
export function samplesThatCount(counted: ArrayLike<number>): number[] {
  return Array.from(counted, (count, at) => (count > 0 ? at : -1)).filter((at) => at >= 0);
}
