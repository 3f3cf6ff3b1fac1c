import { OnnxMishError } from '../base/error.js';
import { digestOf } from './digest.js';
import type { ByteSource } from './source.js';
import type { Spliced } from './spliced.js';
import { viewOf } from './view.js';

/** Thrown where what undo gives would not be the original. */
export function changedSince(where: string): OnnxMishError {
  return new OnnxMishError(
    'cannot-undo',
    'the file has been changed since the swap, so its bytes cannot be restored',
    { where, fix: 'Take the original file from where it is kept' },
  );
}

/**
 * Compares an output with the digest that it has to have, and gives what is to stand at `seal`: the digest of the source, which
 * whoever writes the output calls this for. Undefined where there is nothing to fill in: a Blob's weights are not read for
 * that. Throws `cannot-undo` for another digest, and as `check` throws.
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
