import { constants as bufferConstants } from 'node:buffer';
import { close, constants, createReadStream, fstat, open } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { stopIfAborted } from '../base/abort.js';
import { OnnxMishError } from '../base/error.js';
import { integer } from '../base/plural.js';
import { fileError, notAFile } from './file-error.js';
import { statOf } from './same-file.js';

/** Matches paths of descriptors that this process received open; the file behind them has no path. */
const DESCRIPTOR = /^\/(dev\/(stdin|stdout|stderr|fd\/\d+)|proc\/(self|\d+)\/fd\/\d+)$/;

/** Returns whether a path can be read only once, from start to end: a pipe, a device, or a received descriptor. */
export async function isStream(path: string): Promise<boolean> {
  if (DESCRIPTOR.test(path)) return true;
  const there = await statOf(path);
  return there !== undefined && !there.isFile() && !there.isDirectory();
}

const STDIN = /^\/(dev\/(stdin|fd\/0)|proc\/self\/fd\/0)$/;

export interface StreamOptions {
  /** Ends the wait for a writer. */
  readonly signal?: AbortSignal | undefined;
  /** Maximum bytes to read. */
  readonly maxBytes?: number | undefined;
}

/**
 * Reads all bytes of a file, pipe or device, or of standard input for `-`. Waits for a pipe's writer until `signal`
 * is aborted. Throws `io` if it cannot be read or has more than `maxBytes` bytes, and `aborted`.
 */
export async function readAll(
  path: string,
  { signal, maxBytes = Infinity }: StreamOptions = {},
): Promise<Buffer> {
  const name = path === '-' ? 'standard input' : path;
  stopIfAborted(signal, name);
  try {
    const stream = path === '-' || STDIN.test(path) ? process.stdin : await openStream(path, maxBytes);
    const stop = () => void stream.destroy(new Error('stopped'));
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of stream) {
        size += chunk.length;
        if (size > maxBytes) throw tooLong(size, maxBytes, name);
        chunks.push(chunk);
      }
    } finally {
      signal?.removeEventListener('abort', stop);
    }
    return Buffer.concat(chunks, size);
  } catch (error) {
    stopIfAborted(signal, name);
    throw fileError(error, name);
  }
}

function tooLong(size: number, maxBytes: number, where: string): OnnxMishError {
  return new OnnxMishError(
    'io',
    `the file has ${integer(size)} bytes or more, and the limit is ${integer(maxBytes)}`,
    {
      where,
      fix: 'Check the path',
    },
  );
}

const openFile = promisify(open);
const statFile = promisify(fstat);
/** Flag to open without waiting; 0 on Windows, which has neither this flag nor such pipes. */
const NO_WAIT = constants.O_NONBLOCK ?? 0;

async function openStream(path: string, maxBytes: number): Promise<Readable> {
  const fd = await openFile(path, constants.O_RDONLY | NO_WAIT);
  try {
    const there = await statFile(fd);
    if (there.isDirectory()) throw notAFile(there, path);
    if (there.isFile() && there.size > maxBytes) throw tooLong(there.size, maxBytes, path);
    // The event loop waits for the pipe: a waiting thread could not be ended, and would keep the process alive.
    if (there.isFIFO()) return new Socket({ fd, readable: true, writable: false });
    return createReadStream('', { fd, highWaterMark: 1 << 20 });
  } catch (error) {
    close(fd);
    throw error;
  }
}

/**
 * Reads the text of a file, pipe or device, or of standard input for `-`: UTF-8, or UTF-16 with a byte order mark, as Windows
 * PowerShell redirects it. Throws like `readAll`, and `io` for text that is too long for a string.
 */
export async function readText(path: string, signal?: AbortSignal | undefined): Promise<string> {
  const bytes = await readAll(path, { signal, maxBytes: bufferConstants.MAX_STRING_LENGTH });
  const mark = bytes.toString('latin1', 0, 2);
  return new TextDecoder(UTF16[mark] ?? 'utf-8').decode(bytes);
}

/** Encodings by their byte order mark. */
const UTF16: Readonly<Record<string, string>> = { '\xff\xfe': 'utf-16le', '\xfe\xff': 'utf-16be' };

/** Throws `io` for a file that is too long for a string, for readers that do not use `readText`. */
export async function refuseLongText(path: string): Promise<void> {
  const size = Number((await statOf(path))?.size ?? 0);
  const maxBytes = bufferConstants.MAX_STRING_LENGTH;
  if (size > maxBytes) throw tooLong(size, maxBytes, path);
}
