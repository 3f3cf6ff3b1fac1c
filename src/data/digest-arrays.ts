import type { Tensors, TypedArray } from '../providers/tensor.js';
import { hashFeeds } from './hash-feeds.js';

/** Array with the name, the element type and the shape that its digest covers. */
export interface NamedArray {
  readonly name: string;
  readonly elemType: string;
  readonly dims: readonly number[];
  readonly data: TypedArray;
}

/** Elements that are hashed at a time. */
const CHUNK_ELEMENTS = 2 ** 20;

/** Returns the SHA-256 of arrays, in hexadecimal. Copies only a part of an array at a time. */
export function digestArrays(arrays: readonly NamedArray[]): Promise<string> {
  async function* parts(): AsyncGenerator<Tensors> {
    for (const { name, elemType, dims, data } of arrays) {
      yield { [name]: { elemType, dims, data: [] } };
      for (let from = 0; from < data.length; from += CHUNK_ELEMENTS)
        yield { [name]: { elemType, dims: [from], data: data.subarray(from, from + CHUNK_ELEMENTS) } };
    }
  }
  return hashFeeds({ length: arrays.length, [Symbol.asyncIterator]: parts });
}
