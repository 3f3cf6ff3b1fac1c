import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Spliced } from '../onnx/splice.js';
import { writeModel } from './write.js';

/**
 * Has a changed model for a while: as bytes, or, where tensors of it are in other files, as a file beside its source,
 * since that is where they are found. Throws `io`.
 */
export async function withChanged<T>(
  source: string | Uint8Array,
  changed: Spliced,
  external: boolean,
  use: (model: string | Uint8Array) => Promise<T>,
): Promise<T> {
  if (typeof source !== 'string' || !external) return use(await changed.bytes());
  const path = join(dirname(source), `.${basename(source)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await writeModel(changed, path);
    return await use(path);
  } finally {
    await rm(path, { force: true });
  }
}
