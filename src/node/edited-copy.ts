import { dirname } from 'node:path';
import { withTemporary } from '../files/write-atomically.js';
import { fillWithModel } from '../files/write-model.js';
import type { Spliced } from '../onnx/splice.js';

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
  const advice =
    'A model with external data is tried out beside its data: move both to where there is room and leave to write';
  return withTemporary(source, (handle) => fillWithModel(changed, handle, dirname(source), {}), advice, use);
}
