import { OnnxMishError } from '../base/error.js';
import { digestOf } from './digest.js';
import type { ByteSource } from './source.js';
import type { Spliced } from './spliced.js';
import { viewOf } from './view.js';

/** Returns the error for an undo that would not restore the original. */
export function changedSince(where: string): OnnxMishError {
  return new OnnxMishError(
    'cannot-undo',
    'the file has been changed since the swap, so its bytes cannot be restored',
    { where, fix: 'Use a copy of the original file' },
  );
}

/**
 * Checks the digest of an output and returns the digest of the source, which the writer stores at `seal`. Returns undefined
 * without a `seal`, and for a Blob, whose weights are not read. Throws `cannot-undo` for a wrong digest, and the
 * errors of `check`.
 */
export async function sealOf(
  model: Spliced,
  check?: () => void,
  output: ByteSource = viewOf(model),
): Promise<Uint8Array | undefined> {
  const { source, seal, digest } = model;
  if (digest !== undefined) {
    const found = await digestOf(output, check);
    if (found !== undefined && found !== digest) throw changedSince(source.name);
  }
  if (seal === undefined || source.blob !== undefined) return undefined;
  const found = await digestOf(source, check);
  return found === undefined ? undefined : new TextEncoder().encode(found);
}
