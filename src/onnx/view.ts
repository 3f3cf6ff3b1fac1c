import { createReader } from './reader.js';
import type { ByteSource } from './source.js';
import type { Spliced } from './spliced.js';

/** Wraps a spliced file as a source without writing it. */
export function viewOf({ source, size, pieces }: Pick<Spliced, 'source' | 'size' | 'pieces'>): ByteSource {
  const lengthOf = (piece: (typeof pieces)[number]) =>
    piece instanceof Uint8Array ? piece.length : piece.end - piece.start;
  const starts = new Float64Array(pieces.length);
  let total = 0;
  for (const [index, piece] of pieces.entries()) {
    starts[index] = total;
    total += lengthOf(piece);
  }

  /** Returns the index of the piece with the byte at `offset`. */
  function pieceAt(offset: number): number {
    let [low, high] = [0, pieces.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  return {
    name: source.name,
    size,
    async read(offset, length) {
      const out = new Uint8Array(length);
      const reader = createReader(source); // reads many small pieces per window
      let done = 0;
      for (let index = pieceAt(offset); done < length; index++) {
        const piece = pieces[index];
        if (piece === undefined) break;
        const skip = offset + done - (starts[index] ?? 0);
        const take = Math.min(lengthOf(piece) - skip, length - done);
        out.set(
          piece instanceof Uint8Array
            ? piece.subarray(skip, skip + take)
            : await reader.bytes(piece.start + skip, piece.start + skip + take),
          done,
        );
        done += take;
      }
      return out;
    },
  };
}
