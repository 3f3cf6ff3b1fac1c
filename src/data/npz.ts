// Imports nothing from Node: a page reads its samples with the same code.

import { isAborted } from '../base/abort.js';
import { breathe } from '../base/breathe.js';
import { crc32 } from '../base/crc32.js';
import { OnnxMishError } from '../base/error.js';
import { type Entry, packedData, readDirectory } from './zip-directory.js';

const GIB = 2 ** 30;
/** Maximum unpacked bytes of an .npz, whatever its size. */
const MOST_BYTES = 8 * GIB;
/** Unpacked bytes beyond which an .npz may unpack to at most `MOST_TIMES` times its size. */
const MANY_BYTES = GIB;
const MOST_TIMES = 100;
/** Maximum unpacked bytes per byte of deflated data (https://zlib.net/zlib_tech.html), plus a few for the frame. */
const DEFLATE_TIMES = 1032;
const DEFLATE_FRAME = 64;
/** Bytes of a directory entry without its name. */
const ENTRY = 46;
/** Packed bytes to inflate at once; `BLOCK`: bytes to add to the CRC between calls of `breathe`. */
const PACKED_BLOCK = 2 ** 16;
const BLOCK = 2 ** 22;

/**
 * Returns the .npy files of an .npz, by array name. Throws `bad-data` before allocating memory for an archive that
 * would unpack to far more than its size, and for a wrong CRC; and `aborted`. `path` is for messages.
 */
export async function unzip(
  bytes: Uint8Array,
  path: string,
  signal?: AbortSignal,
): Promise<Map<string, Uint8Array>> {
  let packed = 0;
  let unpacked = 0;
  try {
    const arrays: Entry[] = [];
    for (const entry of readDirectory(bytes)) {
      const { name, size, originalSize } = entry;
      // The check also ends the reading of a directory that claims millions of entries.
      packed += ENTRY + name.length + size;
      unpacked += originalSize;
      if (packed > bytes.length) throw new Error('its entries overlap, or it is truncated');
      if (originalSize > DEFLATE_TIMES * size + DEFLATE_FRAME)
        throw new Error(`'${name}' cannot be ${originalSize} bytes long`);
      if (unpacked > MOST_BYTES) throw new Error('it unpacks to more than 8 GiB');
      if (unpacked > MANY_BYTES && unpacked > MOST_TIMES * bytes.length)
        throw new Error(`it unpacks to more than ${MOST_TIMES} times its size`);
      if (name.endsWith('.npy')) arrays.push(entry);
    }
    if (arrays.length === 0) throw new Error('it contains no .npy');
    const found = new Map<string, Uint8Array>();
    for (const entry of arrays) found.set(entry.name.slice(0, -4), await unpack(bytes, entry, path, signal));
    return found;
  } catch (cause) {
    if (isAborted(cause)) throw cause;
    throw new OnnxMishError('bad-data', `not an .npz archive: ${(cause as Error).message}`, {
      where: path,
      fix: 'Give an archive that numpy.savez wrote, or an .npy',
      cause,
    });
  }
}

/** Unpacks an entry in steps, and calls `breathe` between them. */
async function unpack(
  bytes: Uint8Array,
  entry: Entry,
  path: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const { name, method, size, originalSize, crc } = entry;
  const data = packedData(bytes, entry);
  if (method === 8) return inflate(data, entry, path, signal);
  if (method !== 0) throw new Error(`'${name}' has a compression other than deflate`);
  if (size !== originalSize) throw new Error(`'${name}' has two sizes`);
  let sum = 0;
  for (let at = 0; at < data.length; at += BLOCK) {
    sum = crc32(data.subarray(at, at + BLOCK), sum);
    await breathe(signal, path);
  }
  if (sum !== crc) throw new Error(`'${name}' is damaged: its CRC-32 differs from the archive's`);
  return data;
}

/** Inflates an entry. The data is wrapped as a gzip file, so that the platform checks the CRC and the length. */
async function inflate(
  data: Uint8Array,
  { name, originalSize, crc }: Entry,
  path: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const out = new Uint8Array(originalSize);
  const reader = gzipFile(data, crc, originalSize).pipeThrough(new DecompressionStream('gzip')).getReader();
  try {
    let filled = 0;
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (filled + next.value.length > originalSize) throw new Error('it is longer than the archive says');
      out.set(next.value, filled);
      filled += next.value.length;
      await breathe(signal, path);
    }
    if (filled !== originalSize) throw new Error('it is shorter than the archive says');
    return out;
  } catch (cause) {
    if (isAborted(cause)) throw cause;
    throw new Error(`'${name}' is damaged (${(cause as Error).message})`, { cause });
  } finally {
    await reader.cancel().catch(() => {}); // the stream has failed already
  }
}

/** Header of a gzip file: magic number, deflate, no flags, no time, no level, unknown system (RFC 1952). */
const GZIP_HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);

/** Streams deflated data between the header and the trailer of a gzip file. */
function gzipFile(data: Uint8Array, crc: number, size: number): ReadableStream<BufferSource> {
  const trailer = new DataView(new ArrayBuffer(8));
  trailer.setUint32(0, crc, true);
  trailer.setUint32(4, size % 2 ** 32, true);
  let at = 0;
  return new ReadableStream<BufferSource>({
    start: (controller) => controller.enqueue(GZIP_HEADER),
    pull(controller) {
      if (at < data.length) controller.enqueue(data.slice(at, at + PACKED_BLOCK));
      else {
        controller.enqueue(trailer);
        controller.close();
      }
      at += PACKED_BLOCK;
    },
  });
}
