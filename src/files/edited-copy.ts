import { dirname } from 'node:path';
import type { Spliced } from '../onnx/splice.js';
import { withTemporary } from './write-atomically.js';
import { fillWithModel } from './write-model.js';

/**
 * Returns a function that writes a changed model beside its source, where its external data is, and removes it after
 * use. Throws `io`.
 */
export function withCopyBeside(source: string) {
  return <T>(edited: Spliced, use: (path: string) => Promise<T>): Promise<T> =>
    withTemporary(source, (handle) => fillWithModel(edited, handle, dirname(source), {}), ADVICE, use);
}

const ADVICE =
  'Move the model and its data to a writable folder with free space. A changed model is run from a temporary file beside its external data';
