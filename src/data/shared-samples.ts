import { arrayFor, elementCount, type Tensors } from '../providers/tensor.js';
import type { Samples } from './samples.js';

/** Samples that are read at a time. */
const BATCH_SAMPLES = 256;

/**
 * Counts the samples of a part that are equal to a sample of another part, by hashes of 53 bits. Returns undefined for samples that
 * are decoded at each read, because reading them costs too much.
 */
export async function sharedSamples(part: Samples, other: Samples): Promise<number | undefined> {
  if (part.digest === undefined || other.digest === undefined) return undefined;
  const known = new Set<number>();
  for await (const hash of hashes(other)) known.add(hash);
  let shared = 0;
  for await (const hash of hashes(part)) if (known.has(hash)) shared++;
  return shared;
}

/** Share of equal samples from which there is a note; below it they may be chance. */
const NOTED_SHARE = 0.01;

/** Returns a note on test samples that training samples are equal to; undefined for hardly any. */
export function sharedSamplesNote(shared: number | undefined, test: number): string | undefined {
  if (shared === undefined || shared === 0 || shared < test * NOTED_SHARE) return undefined;
  const which = shared === test ? `all ${test}` : `${shared} of the ${test}`;
  return `${which} test samples are also training samples, so the scores are too high: give unseen samples for the test`;
}

async function* hashes(samples: Samples): AsyncGenerator<number> {
  for (let from = 0; from < samples.count; from += BATCH_SAMPLES) {
    const count = Math.min(BATCH_SAMPLES, samples.count - from);
    const batch: Record<string, Tensors[string]> = {};
    for (const [name, { elemType, dims }] of Object.entries(samples.inputs)) {
      const data = arrayFor(elemType, count * elementCount(dims));
      if (data === undefined) return;
      batch[name] = { elemType, dims: [count, ...dims], data };
    }
    await samples.read(
      Uint32Array.from({ length: count }, (_, at) => from + at),
      batch,
    );
    const bytes = Object.values(batch).flatMap(({ data }) =>
      ArrayBuffer.isView(data) ? [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)] : [],
    );
    for (let at = 0; at < count; at++) {
      const rows = bytes.map((all) =>
        all.subarray((at * all.length) / count, ((at + 1) * all.length) / count),
      );
      yield hashOf(rows);
    }
  }
}

/** Returns a hash of 53 bits: two of FNV-1a's kind, with different factors. */
function hashOf(rows: readonly Uint8Array[]): number {
  let [a, b] = [0x811c9dc5, 0x9747b28c];
  for (const row of rows) {
    for (let at = 0; at < row.length; at++) {
      const byte = row[at] ?? 0;
      a = Math.imul(a ^ byte, 0x01000193);
      b = Math.imul(b ^ byte, 0x5bd1e995);
      b ^= b >>> 15;
    }
  }
  return (a >>> 0) * 2 ** 21 + ((b >>> 0) & 0x1fffff);
}
