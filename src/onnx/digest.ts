import type { ByteSource } from './source.js';

/** Bytes that are hashed at once; the digest depends on it. */
const BLOCK = 2 ** 20;
/** Blocks under way at once: with Web Crypto each is a thread's work. */
const AT_ONCE = 4;

/** Characters of a digest. */
export const DIGEST_LENGTH = 64;

/**
 * The SHA-256 of the SHA-256s of a source's blocks of 1 MiB, in hexadecimal: unlike a plain one it can be calculated on all cores.
 * Undefined where Web Crypto is missing, as in a page that came over plain HTTP. Rejects as the source does, and as `check` throws.
 */
export async function digestOf(source: ByteSource, check?: () => void): Promise<string | undefined> {
  const subtle = globalThis.crypto?.subtle;
  if (subtle === undefined) return undefined;
  const count = Math.ceil(source.size / BLOCK);
  const digests = new Uint8Array(32 * count);
  const hash = async (bytes: Uint8Array) =>
    new Uint8Array(await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  let next = 0;
  let failed = false;
  const worker = async () => {
    const buffer =
      source.bytes === undefined && source.readInto && new Uint8Array(Math.min(BLOCK, source.size));
    for (let index = next++; index < count && !failed; index = next++) {
      check?.();
      const start = index * BLOCK;
      const length = Math.min(BLOCK, source.size - start);
      const bytes = buffer ? buffer.subarray(0, length) : await source.read(start, length);
      if (buffer) await source.readInto?.(bytes, start);
      digests.set(await hash(bytes), 32 * index);
    }
  };
  const stop = (error: unknown) => {
    failed = true;
    throw error;
  };
  // All of them settle before anybody closes the source under them.
  const workers = await Promise.allSettled(Array.from({ length: AT_ONCE }, () => worker().catch(stop)));
  for (const one of workers) if (one.status === 'rejected') throw one.reason;
  return Array.from(await hash(digests), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
