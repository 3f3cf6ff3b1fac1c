import { dirname } from 'node:path';
import type { Spliced } from '../onnx/splice.js';
import { withTemporary } from './write-atomically.js';
import { fillWithModel } from './write-model.js';

/** Writes changed models beside their source for a while, where its external data is found. Both steps throw `io`. */
export function withCopyBeside(source: string) {
  return <T>(edited: Spliced, use: (path: string) => Promise<T>): Promise<T> =>
    withTemporary(source, (handle) => fillWithModel(edited, handle, dirname(source), {}), ADVICE, use);
}

const ADVICE =
  'A model with external data is tried out beside its data: move both to where there is room and leave to write';
