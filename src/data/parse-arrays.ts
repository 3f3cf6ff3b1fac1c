import { OnnxMishError } from '../base/error.js';
import type { Tensor } from '../providers/tensor.js';
import { readNpy } from './npy.js';

/** An array that cannot be read, such as text. Its fields throw the reason, so that an array that no one uses does no harm. */
interface UnreadableArray extends Tensor {
  readonly problem: OnnxMishError;
}

/** Reads .npy files by array name. An array that cannot be read throws `bad-data` when it is used. Throws `aborted`. */
export async function parseArrays(
  files: ReadonlyMap<string, Uint8Array>,
  signal?: AbortSignal,
): Promise<Record<string, Tensor>> {
  const arrays: [string, Tensor][] = [];
  for (const [name, bytes] of files) {
    try {
      arrays.push([name, await readNpy(bytes, name, signal)]);
    } catch (error) {
      if (!(error instanceof OnnxMishError) || error.code !== 'bad-data') throw error;
      arrays.push([name, unreadable(error)]);
    }
  }
  return Object.fromEntries(arrays);
}

/** Returns whether an array of `parseArrays` was read. */
export const isReadable = (array: Tensor | UnreadableArray): boolean => !('problem' in array);

function unreadable(problem: OnnxMishError): UnreadableArray {
  const fail = (): never => {
    throw problem;
  };
  return {
    problem,
    get elemType(): string {
      return fail();
    },
    get dims(): readonly number[] {
      return fail();
    },
    get data(): Tensor['data'] {
      return fail();
    },
  };
}
