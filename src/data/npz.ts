// Nothing of Node in it: a page reads its samples with the same.
import { unzipSync } from 'fflate';
import { OnnxMishError } from '../base/error.js';

const GIB = 2 ** 30;
/** An .npz may say that it unpacks to anything; this much is believed, */
const MOST_BYTES = 8 * GIB;
/** and more than this only up to so many times its size. */
const MANY_BYTES = GIB;
const MOST_TIMES = 100;
/** What a byte of deflated data can stand for at the most (https://zlib.net/zlib_tech.html), and a few that are the frame. */
const DEFLATE_TIMES = 1032;
const DEFLATE_FRAME = 64;
/** Bytes of an entry in the directory, less its name. */
const ENTRY = 46;

/**
 * The .npy files of an .npz, by the names of the arrays. Throws `bad-data`, for an archive that would unpack to far more than
 * it has as well, before memory is taken for it; `path` is for its message.
 */
export function unzip(bytes: Uint8Array, path: string): Map<string, Uint8Array> {
  let packed = 0;
  let unpacked = 0;
  try {
    const entries = unzipSync(bytes, {
      filter: ({ name, size, originalSize }) => {
        // Also what ends the reading of a directory that claims millions of entries.
        packed += ENTRY + name.length + size;
        unpacked += originalSize;
        if (packed > bytes.length) throw new Error('its entries overlap, or it was cut');
        if (originalSize > DEFLATE_TIMES * size + DEFLATE_FRAME)
          throw new Error(`'${name}' cannot be ${originalSize} bytes long`);
        if (unpacked > MOST_BYTES) throw new Error('it unpacks to more than 8 GiB');
        if (unpacked > MANY_BYTES && unpacked > MOST_TIMES * bytes.length)
          throw new Error(`it unpacks to more than ${MOST_TIMES} times its size`);
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
