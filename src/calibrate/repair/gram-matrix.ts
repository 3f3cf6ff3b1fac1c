// Sums over rows. Least squares and losses are computed from these sums, without the rows.
import { composeModel } from '../../onnx/compose.js';
import type { Provider } from '../../providers/provider.js';

/** Count, sums and sums of products over many rows; each column has its shift subtracted. */
export interface RowMoments {
  readonly width: number;
  readonly n: number;
  /** [width] */
  readonly sums: Float64Array;
  /** [width, width], symmetric. */
  readonly products: Float64Array;
}

/** A vector near the columns' means, set by the first rows. Subtracting it keeps float32 products exact enough. */
export interface Shift {
  values?: Float64Array;
}

/** Meter of moments over chunks of rows. */
export interface RowMomentsMeter {
  /** Returns a buffer and an offset for new rows of `width` numbers. The caller fills them before the next call. */
  room(rows: number): Promise<{ readonly buffer: Float32Array; readonly at: number }>;
  result(): Promise<RowMoments>;
}

/** Matrix products on ONNX Runtime, to be closed after use. */
export interface Multiplier {
  /** Returns XᵀX, [width, width], of a matrix X, [rows, width]. */
  gram(rows: Float32Array, width: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Opens a multiplier on a provider. Throws `run-failed`. */
export async function openMultiplier(provider: Provider): Promise<Multiplier> {
  const model = composeModel([['Gemm', ['a', 'a'], ['g'], { transA: 1 }]], { a: 2 }, { g: 2 });
  const session = await provider.open(model);
  return {
    async gram(data, width) {
      const { g } = await session.run({ a: { elemType: 'f32', dims: [data.length / width, width], data } });
      return g?.data as Float32Array;
    },
    close: () => session.close(),
  };
}

/** Minimum rows of a chunk, so that few calls are needed. */
const MIN_CHUNK_ROWS = 2048;
/** Largest width for which JavaScript computes the product faster than a call of ONNX Runtime. */
const MAX_WIDTH_IN_JAVASCRIPT = 24;

/** Returns a meter for rows of this width. Meters that share a `shift` can be compared. */
export function rowMomentsMeter(width: number, shift: Shift, multiplier: Multiplier): RowMomentsMeter {
  let buffer = new Float32Array(0);
  let filled = 0;
  let n = 0;
  const sums = new Float64Array(width);
  const products = new Float64Array(width * width);

  async function flush(): Promise<void> {
    if (filled === 0) return;
    const rows = buffer.subarray(0, filled * width);
    shift.values ??= means(rows, width);
    const { values } = shift;
    for (let at = 0; at < rows.length; ) {
      for (let column = 0; column < width; column++, at++) {
        const value = (rows[at] as number) - (values[column] as number);
        rows[at] = value;
        sums[column] = (sums[column] as number) + value;
      }
    }
    if (width <= MAX_WIDTH_IN_JAVASCRIPT) addProducts(rows, width, products);
    else {
      const gram = await multiplier.gram(rows, width);
      for (let index = 0; index < products.length; index++)
        products[index] = (products[index] as number) + (gram[index] as number);
    }
    n += filled;
    filled = 0;
  }

  return {
    async room(rows) {
      if ((filled + rows) * width > buffer.length) {
        await flush();
        const needed = Math.max(rows, MIN_CHUNK_ROWS) * width;
        if (needed > buffer.length) buffer = new Float32Array(needed);
      }
      const at = filled * width;
      filled += rows;
      return { buffer, at };
    },
    async result() {
      await flush();
      return { width, n, sums, products };
    },
  };
}

function means(rows: Float32Array, width: number): Float64Array {
  const sums = new Float64Array(width);
  for (let at = 0; at < rows.length; )
    for (let column = 0; column < width; column++, at++)
      sums[column] = (sums[column] as number) + (rows[at] as number);
  return sums.map((sum) => sum / (rows.length / width));
}

function addProducts(rows: Float32Array, width: number, products: Float64Array): void {
  for (let at = 0; at < rows.length; at += width) {
    for (let i = 0; i < width; i++) {
      const value = rows[at + i] as number;
      for (let j = 0; j < width; j++)
        products[i * width + j] = (products[i * width + j] as number) + value * (rows[at + j] as number);
    }
  }
}
