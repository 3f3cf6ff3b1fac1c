import { type FloatArray, type Tensor, toFloats } from '../providers/tensor.js';

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

/** Number of elements that are read twice while the processor's cache holds them. */
const BLOCK_ELEMENTS = 4096;

/**
 * Returns a meter for one tensor over runs. Each block of elements has its own mean, and blocks are merged without
 * cancellation (Chan, Golub & LeVeque, 1979).
 */
export function momentsMeter(): MomentsMeter {
  let n = 0;
  let mean = 0;
  let squares = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let numeric = true;
  return {
    add(tensor) {
      const values = tensor && toFloats(tensor);
      if (values === undefined) {
        numeric = false;
        return;
      }
      for (let start = 0; start < values.length; start += BLOCK_ELEMENTS) {
        const end = Math.min(start + BLOCK_ELEMENTS, values.length);
        const block = momentsOf(values, start, end);
        const before = n;
        n += end - start;
        const distance = block.mean - mean;
        mean += distance * ((end - start) / n);
        squares += block.squares + distance * (((end - start) / n) * before) * distance;
        if (block.min < min) min = block.min;
        if (block.max > max) max = block.max;
      }
    },
    result() {
      const std = Math.sqrt(squares / n);
      const usable = numeric && n > 0 && [mean, std, min, max].every(Number.isFinite);
      return usable ? { mean, std, min, max } : null;
    },
  };
}

/** Returns the moments of a block, with the sum of squared distances from its mean. */
function momentsOf(values: FloatArray, start: number, end: number) {
  const first = values[start] ?? 0; // sums of distances from an element do not overflow
  let sum = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let index = start; index < end; index++) {
    const value = values[index] ?? 0;
    sum += value - first;
    min = value < min ? value : min; // an `if` makes V8 store these numbers in memory
    max = value > max ? value : max;
  }
  const mean = first + sum / (end - start);
  let squares = 0;
  for (let index = start; index < end; index++) {
    const distance = (values[index] ?? 0) - mean;
    squares += distance * distance;
  }
  return { mean, squares, min, max };
}
