// Sums over rows. Least squares and losses are computed from these sums, without the rows.
import { composeModel } from '../../onnx/compose.js';
import type { Provider, Session } from '../../providers/provider.js';
import type { MeteredRows, RowMeter } from './gather-rows.js';

/** Count, sums and sums of products over many rows; each column has its shift subtracted. */
export interface RowMoments extends MeteredRows {
  readonly width: number;
  readonly n: number;
  /** [width, width], symmetric. */
  readonly products: Float64Array;
}

/** A vector near the columns' means, set by the first rows. Subtracting it keeps float32 products exact enough. */
export interface Shift {
  values?: Float64Array;
}

/** A matrix in float32, row by row. */
export interface FloatMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
}

/** Matrix products on ONNX Runtime, to be closed after use. */
export interface Multiplier {
  /** Returns XᵀX, [width, width], of a matrix X, [rows, width]. */
  gram(rows: Float32Array, width: number): Promise<Float32Array>;
  /** Returns A B. */
  product(a: FloatMatrix, b: FloatMatrix): Promise<FloatMatrix>;
  /** Returns Aᵀ B. */
  crossProduct(a: FloatMatrix, b: FloatMatrix): Promise<FloatMatrix>;
  close(): Promise<void>;
}

/** Opens a multiplier on a provider. Throws `run-failed`. */
export async function openMultiplier(provider: Provider): Promise<Multiplier> {
  const opened = (transA: number, inputs: readonly ['a', 'a' | 'b']) =>
    provider.open(
      composeModel(
        [['Gemm', inputs, ['g'], { transA }]],
        Object.fromEntries(inputs.map((name) => [name, 2])),
        { g: 2 },
      ),
    );
  const gramSession = await opened(1, ['a', 'a']);
  // Few layers need these.
  let productSession: Promise<Session> | undefined;
  let crossSession: Promise<Session> | undefined;
  const run = async (
    session: Session,
    feeds: Readonly<Record<string, FloatMatrix>>,
  ): Promise<FloatMatrix> => {
    const tensors = Object.entries(feeds).map(
      ([name, { rows, columns, data }]) => [name, { elemType: 'f32', dims: [rows, columns], data }] as const,
    );
    const { g } = await session.run(Object.fromEntries(tensors));
    const [rows = 0, columns = 0] = g?.dims ?? [];
    return { rows, columns, data: g?.data as Float32Array };
  };
  return {
    async gram(data, width) {
      const a = { rows: data.length / width, columns: width, data };
      return (await run(gramSession, { a })).data;
    },
    async product(a, b) {
      productSession ??= opened(0, ['a', 'b']);
      return run(await productSession, { a, b });
    },
    async crossProduct(a, b) {
      crossSession ??= opened(1, ['a', 'b']);
      return run(await crossSession, { a, b });
    },
    async close() {
      await gramSession.close();
      await (await productSession)?.close();
      await (await crossSession)?.close();
    },
  };
}

/** Minimum rows of a chunk, so that few calls are needed. */
const MIN_CHUNK_ROWS = 2048;
/** Largest width for which JavaScript computes the product faster than a call of ONNX Runtime. */
const MAX_WIDTH_IN_JAVASCRIPT = 24;

/** Returns a meter for rows of this width. Meters that share a `shift` can be compared. */
export function rowMomentsMeter(width: number, shift: Shift, multiplier: Multiplier): RowMeter<RowMoments> {
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
