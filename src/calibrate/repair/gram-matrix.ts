// Sums over rows, from which least squares are solved and losses are computed without the rows themselves.
import { composeModel } from '../../onnx/compose.js';
import type { Provider } from '../../providers/provider.js';

/** Count, sums and sums of products of the columns of many rows, each column less its shift. */
export interface Moments {
  readonly width: number;
  readonly n: number;
  /** [width] */
  readonly sums: Float64Array;
  /** [width, width], symmetric. */
  readonly products: Float64Array;
}

/** A shift near the means, common to moments that are to be compared; set by the first rows. It keeps float32 products exact enough. */
export interface Shift {
  values?: Float64Array;
}

/** Adds up moments, chunk after chunk. */
export interface MomentsMeter {
  /** Room for so many rows of `width` numbers, to be filled before anything else is called. */
  room(rows: number): Promise<{ readonly buffer: Float32Array; readonly at: number }>;
  result(): Promise<Moments>;
}

/** Products of chunks on ONNX Runtime, to be closed after use. */
export interface Multiplier {
  /** The product of the transpose of [rows, width] with itself. */
  gram(rows: Float32Array, width: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/** A multiplier on a provider. Throws `run-failed`. */
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

/** Rows of one chunk: enough for the product to be worth a call. */
const CHUNK = 2048;
/** Up to this width the product is quicker made here than asked for. */
const NARROW = 24;

/** A meter for rows of this width; those that share a `shift` can be compared. */
export function momentsMeter(width: number, shift: Shift, multiplier: Multiplier): MomentsMeter {
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
    if (width <= NARROW) addProducts(rows, width, products);
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
        const needed = Math.max(rows, CHUNK) * width;
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
