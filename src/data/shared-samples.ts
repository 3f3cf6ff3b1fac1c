import { integer } from '../base/plural.js';
import { addBytes, startChecksum } from '../onnx/checksum.js';
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
  const known = new Set(await hashesOf(other));
  return (await hashesOf(part)).filter((hash) => known.has(hash)).length;
}

/** Share of equal samples from which there is a note; below it they may be chance. */
const NOTED_SHARE = 0.01;

/** Returns a note on test samples that training samples are equal to; undefined for hardly any. */
export function sharedSamplesNote(shared: number | undefined, test: number): string | undefined {
  if (shared === undefined || shared === 0 || shared < test * NOTED_SHARE) return undefined;
  const text = 'so the scores are too high: give unseen samples for the test';
  if (test === 1) return `the only test sample is also a training sample, ${text}`;
  const which = shared === test ? `all ${integer(test)}` : `${integer(shared)} of the ${integer(test)}`;
  const are = shared === 1 ? 'is also a training sample' : 'are also training samples';
  return `${which} test samples ${are}, ${text}`;
}

/** Returns a hash of each sample. */
async function hashesOf(samples: Samples): Promise<number[]> {
  const hashes: number[] = [];
  for (let from = 0; from < samples.count; from += BATCH_SAMPLES) {
    const count = Math.min(BATCH_SAMPLES, samples.count - from);
    const batch: Record<string, Tensors[string]> = {};
    const all: Uint8Array[] = [];
    for (const [name, { elemType, dims }] of Object.entries(samples.inputs)) {
      const data = arrayFor(elemType, count * elementCount(dims));
      if (data === undefined) return [];
      batch[name] = { elemType, dims: [count, ...dims], data };
      all.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    const indices = Uint32Array.from({ length: count }, (_, at) => from + at);
    await samples.read(indices, batch);
    for (let at = 0; at < count; at++) {
      const sum = startChecksum();
      for (const bytes of all)
        addBytes(sum, bytes.subarray((at * bytes.length) / count, ((at + 1) * bytes.length) / count));
      hashes.push((sum.low >>> 0) * 2 ** 21 + (sum.high >>> 11));
    }
  }
  return hashes;
}
