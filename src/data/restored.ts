// How well a model's output is its input again, as that of an autoencoder or of a net that removes noise.
import { median } from '../base/quantile.js';
import { type Tensor, toNumbers } from '../providers/tensor.js';

/** Largest median residual of a model that restores its input. An output that never changes has about 1. */
const MAX_RESIDUAL = 0.3;
/** Largest ratio of the residuals, as a geometric mean, that counts as better. */
const MAX_RATIO = 0.95;
/** Smallest distance of the mean logarithm of the ratios from 0, in standard errors. */
const MIN_ERRORS = 2.5;
/** Smallest number of samples for a conclusion. */
const MIN_SAMPLES = 8;

/**
 * Returns the residual of each sample: the mean squared difference of output and input, over the variance of the input. The output
 * is the first one with the input's shape; without such an output, there are no residuals. A sample that does not vary has none.
 */
export function residualsOf(input: Tensor, outputs: readonly Tensor[]): (number | undefined)[] {
  const output = outputs.find(
    ({ dims, elemType }) => elemType === input.elemType && isSame(dims, input.dims),
  );
  const [from, to] = [toNumbers(input), output && toNumbers(output)];
  const [rows = 0, ...inner] = input.dims;
  if (from === undefined || to === undefined || rows === 0 || inner.length === 0) return [];
  const width = from.length / rows;
  return Array.from({ length: rows }, (_, row) => residual(from, to, row * width, width));
}

const isSame = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((dim, axis) => dim === b[axis]);

function residual(from: ArrayLike<number>, to: ArrayLike<number>, begin: number, width: number) {
  let mean = 0;
  for (let at = begin; at < begin + width; at++) mean += (from[at] ?? 0) / width;
  let [variance, difference] = [0, 0];
  for (let at = begin; at < begin + width; at++) {
    variance += ((from[at] ?? 0) - mean) ** 2;
    difference += ((to[at] ?? 0) - (from[at] ?? 0)) ** 2;
  }
  const share = difference / variance;
  return share > 0 && Number.isFinite(share) ? share : undefined;
}

/**
 * Returns whether a model restores samples, and does so better than the same samples in another range. A training makes a
 * model best in the range of its samples: elsewhere, its biases are too small or too large. Both lists are by sample.
 */
export function restoresBetter(
  here: readonly (number | undefined)[],
  elsewhere: readonly (number | undefined)[],
): boolean {
  const logs: number[] = [];
  const known: number[] = [];
  for (const [at, value] of here.entries()) {
    const other = elsewhere[at];
    if (value === undefined || other === undefined) continue;
    known.push(value);
    logs.push(Math.log(value / other));
  }
  const count = logs.length;
  if (count < MIN_SAMPLES || median(known) > MAX_RESIDUAL) return false;
  const mean = logs.reduce((sum, value) => sum + value, 0) / count;
  const variance = logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  return Math.exp(mean) <= MAX_RATIO && mean <= -MIN_ERRORS * Math.sqrt(variance / count);
}
