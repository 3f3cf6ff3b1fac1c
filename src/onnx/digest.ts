import { toHex } from '../base/sha256.js';
import type { ByteSource } from './source.js';

/** Bytes of a block; the digest depends on this number. */
const BLOCK_BYTES = 2 ** 20;
/** Number of blocks hashed concurrently; Web Crypto uses a thread for each. */
const AT_ONCE = 4;

/** Bytes of a SHA-256. */
const HASH_BYTES = 32;
/** Length of a digest in characters. */
export const DIGEST_LENGTH = 2 * HASH_BYTES;

/**
 * Computes the hexadecimal SHA-256 of the SHA-256 hashes of a source's 1 MiB blocks, using several cores. Returns undefined
 * without Web Crypto, as on a page from plain HTTP. Rejects with the errors of the source and of `check`.
 */
export async function digestOf(source: ByteSource, check?: () => void): Promise<string | undefined> {
  const subtle = globalThis.crypto?.subtle;
  if (subtle === undefined) return undefined;
  const count = Math.ceil(source.size / BLOCK_BYTES);
  const digests = new Uint8Array(HASH_BYTES * count);
  const hash = async (bytes: Uint8Array) =>
    new Uint8Array(await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  let next = 0;
  let failed = false;
  const worker = async () => {
    const buffer =
      source.bytes === undefined && source.readInto && new Uint8Array(Math.min(BLOCK_BYTES, source.size));
    for (let index = next++; index < count && !failed; index = next++) {
      check?.();
      const start = index * BLOCK_BYTES;
      const length = Math.min(BLOCK_BYTES, source.size - start);
      const bytes = buffer ? buffer.subarray(0, length) : await source.read(start, length);
      if (buffer) await source.readInto?.(bytes, start);
      digests.set(await hash(bytes), HASH_BYTES * index);
    }
  };
  const stop = (error: unknown) => {
    failed = true;
    throw error;
  };
  // Wait for all workers: the caller may close the source afterwards.
  const workers = await Promise.allSettled(Array.from({ length: AT_ONCE }, () => worker().catch(stop)));
  for (const one of workers) if (one.status === 'rejected') throw one.reason;
  return toHex(await hash(digests));
}
