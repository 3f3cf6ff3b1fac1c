// Nothing of Node in it: a page reads its samples with the same.
import { unzipSync } from 'fflate';
import { OnnxMishError } from '../onnx/error.js';

/** An .npz may say that it unpacks to anything; this much is believed. */
const MOST_BYTES = 8 * 2 ** 30;

/** The .npy files of an .npz, by the names of the arrays. Throws `bad-data`; `path` is for its message. */
export function unzip(bytes: Uint8Array, path: string): Map<string, Uint8Array> {
  let total = 0;
  try {
    const entries = unzipSync(bytes, {
      filter: ({ name, originalSize }) => {
        total += originalSize;
        if (total > MOST_BYTES) throw new Error('it unpacks to more than 8 GiB');
        return name.endsWith('.npy');
      },
    });
    if (Object.keys(entries).length === 0) throw new Error('there is no .npy in it');
    return new Map(Object.entries(entries).map(([name, data]) => [name.slice(0, -4), data]));
  } catch (cause) {
    throw new OnnxMishError('bad-data', `this is no .npz archive: ${(cause as Error).message}`, {
      where: path,
      fix: 'Give an .npz, an .npy, or a folder with input_0.pb and so on',
      cause,
    });
  }
}
