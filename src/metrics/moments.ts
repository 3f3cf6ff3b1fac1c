import { type Tensor, toNumbers } from '../providers/tensor.js';

/** Statistics of all elements. */
export interface Moments {
  readonly mean: number;
  /** Population standard deviation. */
  readonly std: number;
  readonly min: number;
  readonly max: number;
}

/** Accumulates tensors; `result` is null if there were no elements, or one is not a number or not finite. */
export interface MomentsMeter {
  add(tensor: Tensor | undefined): void;
  result(): Moments | null;
}

/** Returns a meter for one tensor over runs. It uses one pass without cancellation (Welford, 1962). */
export function momentsMeter(): MomentsMeter {
  let n = 0;
  let mean = 0;
  let squares = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let numeric = true;
  return {
    add(tensor) {
      const values = tensor && toNumbers(tensor);
      if (values === undefined) {
        numeric = false;
        return;
      }
      for (let index = 0; index < values.length; index++) {
        const value = values[index] ?? 0;
        n++;
        const before = value - mean;
        mean += before / n;
        squares += before * (value - mean);
        if (value < min) min = value;
        if (value > max) max = value;
      }
    },
    result() {
      const std = Math.sqrt(squares / n);
      const usable = numeric && n > 0 && [mean, std, min, max].every(Number.isFinite);
      return usable ? { mean, std, min, max } : null;
    },
  };
}
