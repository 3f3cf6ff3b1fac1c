import type { ByteSource } from './source.js';

/** Several sources one after the other as one source, and the offset of each in it. */
export interface JoinedSource extends ByteSource {
  /** Returns the offset of the first byte of a source. */
  offsetOf(source: ByteSource): number;
}

/** Joins sources without reading them; each source counts once. The name is the first source's. */
export function joinSources(sources: Iterable<ByteSource>): JoinedSource {
  const starts = new Map<ByteSource, number>();
  let size = 0;
  for (const source of sources) {
    if (starts.has(source) || source.size === 0) continue;
    starts.set(source, size);
    size += source.size;
  }
  const parts = [...starts];

  /** Returns the index of the source with the byte at `offset`. */
  function partAt(offset: number): number {
    let [low, high] = [0, parts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((parts[middle]?.[1] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  return {
    name: parts[0]?.[0].name ?? '',
    size,
    offsetOf: (source) => starts.get(source) ?? 0,
    async read(offset, length) {
      const out = new Uint8Array(length);
      let done = 0;
      for (let index = partAt(offset); done < length; index++) {
        const [source, start] = parts[index] as (typeof parts)[number];
        const from = offset + done - start;
        const bytes = await source.read(from, Math.min(length - done, source.size - from));
        out.set(bytes, done);
        done += bytes.length;
      }
      return out;
    },
  };
}
