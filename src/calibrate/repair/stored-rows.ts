import type { MeteredRows, RowMeter } from './gather-rows.js';

/** The rows themselves, for layers whose moments would take too much memory. */
export interface StoredRows extends MeteredRows {
  readonly width: number;
  readonly n: number;
  /** Some rows each, row by row. */
  readonly chunks: readonly Float32Array[];
}

/** Maximum number of elements of a layer's training rows. */
const MAX_STORED_ELEMENTS = 2 ** 25;

/** Returns how many training rows of this width memory holds, at most `rows`. */
export function storableRows(rows: number, width: number): number {
  return Math.max(1, Math.min(rows, Math.floor(MAX_STORED_ELEMENTS / width)));
}

/** Returns a meter that keeps all rows. */
export function storedRowsMeter(width: number): RowMeter<StoredRows> {
  const chunks: Float32Array[] = [];
  return {
    async room(rows) {
      const buffer = new Float32Array(rows * width);
      chunks.push(buffer);
      return { buffer, at: 0 };
    },
    async result() {
      const sums = new Float64Array(width);
      let n = 0;
      for (const chunk of chunks) {
        n += chunk.length / width;
        for (let at = 0; at < chunk.length; )
          for (let column = 0; column < width; column++, at++)
            sums[column] = (sums[column] as number) + (chunk[at] as number);
      }
      return { width, n, sums, chunks };
    },
  };
}
