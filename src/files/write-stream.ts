import { constants, createWriteStream, open } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { aborted, stopIfAborted } from '../base/abort.js';
import { fileError } from './file-error.js';

const openFile = promisify(open);
/** Milliseconds between checks whether a pipe has a reader. */
const POLL_MS = 50;

/**
 * Opens a pipe or device, runs `write`, and waits until all bytes are taken. Waits for a pipe's reader until `signal`
 * is aborted, without a thread that could not be ended. Throws what `write` throws, `io` and `aborted`.
 */
export async function withSink(
  path: string,
  write: (sink: Writable) => Promise<void>,
  signal?: AbortSignal | undefined,
): Promise<void> {
  let sink: Writable | undefined;
  const stop = () => void sink?.destroy(aborted(path));
  try {
    sink = await openSink(path, signal);
    const opened = sink;
    opened.on('error', () => {}); // the writer receives the error
    signal?.addEventListener('abort', stop, { once: true });
    await write(opened);
    await new Promise<void>((resolve, reject) => {
      opened.once('error', reject);
      opened.end(resolve);
    });
  } catch (error) {
    sink?.destroy();
    stopIfAborted(signal, path);
    throw fileError(error, path);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** Returns the descriptor of this process that a path names. */
function descriptorOf(path: string): number | undefined {
  const [, name, number] = /^\/(?:dev\/(stdout|stderr)|(?:dev|proc\/self)\/fd\/(\d+))$/.exec(path) ?? [];
  if (name !== undefined) return name === 'stdout' ? 1 : 2;
  return number === undefined ? undefined : Number(number);
}

async function openSink(path: string, signal: AbortSignal | undefined): Promise<Writable> {
  const there = await stat(path);
  const fd = there.isFile() ? descriptorOf(path) : undefined;
  // Opening the file again would truncate it, and lose what a shell has written before.
  if (fd !== undefined) return createWriteStream('', { fd, autoClose: false });
  if (!there.isFIFO()) return createWriteStream(path);
  for (;;) {
    stopIfAborted(signal, path);
    try {
      const fd = await openFile(path, constants.O_WRONLY | (constants.O_NONBLOCK ?? 0));
      return new Socket({ fd, readable: false, writable: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error; // the pipe has no reader yet
      await sleep(POLL_MS);
    }
  }
}
