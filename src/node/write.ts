import type { FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import type { Span } from '../onnx/document.js';
import { OnnxMishError } from '../onnx/error.js';
import type { Spliced } from '../onnx/splice.js';
import { writeAtomically } from './atomic.js';
import { fileError, onFile } from './errors.js';

export interface WriteOptions {
  /** Replace a file that is there already. */
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told how many of how many bytes are written. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** A last check, made when all is written and nothing has its name yet. */
  readonly verify?: (() => Promise<void>) | undefined;
}

const BLOCK = 1024 * 1024;
/** Copies under way at once: reading and writing overlap, and memory stays a few blocks. */
const WORKERS = 3;

/** Writes a spliced model to a file, whole or not at all. Throws `io` or `aborted`. */
export async function writeModel(model: Spliced, path: string, options: WriteOptions = {}): Promise<void> {
  await writeAtomically(path, options.force ?? false, async (_, handle) => {
    await copyPieces(model, handle, path, options);
    await options.verify?.();
  });
}

interface Job extends Span {
  /** Offset in the output. */
  readonly to: number;
  readonly bytes?: Uint8Array;
}

async function copyPieces(
  model: Spliced,
  handle: FileHandle,
  path: string,
  options: WriteOptions,
): Promise<void> {
  const jobs = blocks(model);
  let done = 0;
  let failed = false;
  const worker = async () => {
    for (const job of jobs) {
      if (failed) return;
      checkAborted(options.signal, path);
      const bytes = job.bytes ?? (await model.source.read(job.start, job.end - job.start));
      await onFile(path, () => writeExactly(handle, bytes, job.to));
      done += bytes.length;
      options.onProgress?.(done, model.size);
    }
  };
  const stop = (error: unknown) => {
    failed = true;
    throw error;
  };
  // All of them settle before anybody closes the file under them.
  const results = await Promise.allSettled(Array.from({ length: WORKERS }, () => worker().catch(stop)));
  const failure = results.find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
}

/** The pieces in blocks, each with its place in the output. */
function* blocks(model: Spliced): Generator<Job> {
  let to = 0;
  for (const piece of model.pieces) {
    if (piece instanceof Uint8Array) {
      yield { start: 0, end: 0, to, bytes: piece };
      to += piece.length;
      continue;
    }
    for (let start = piece.start; start < piece.end; start += BLOCK) {
      const end = Math.min(start + BLOCK, piece.end);
      yield { start, end, to };
      to += end - start;
    }
  }
}

async function writeExactly(handle: FileHandle, bytes: Uint8Array, to: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, to + done);
    done += bytesWritten;
  }
}

/** Writes a spliced model to a stream, in order, no faster than it is read. */
export async function streamModel(
  model: Spliced,
  stream: Writable,
  options: WriteOptions = {},
): Promise<void> {
  let done = 0;
  for (const job of blocks(model)) {
    checkAborted(options.signal, 'standard output');
    const bytes = job.bytes ?? (await model.source.read(job.start, job.end - job.start));
    await new Promise<void>((resolve, reject) => {
      stream.write(bytes, (error) => (error ? reject(fileError(error, 'standard output')) : resolve()));
    });
    done += bytes.length;
    options.onProgress?.(done, model.size);
  }
}

function checkAborted(signal: AbortSignal | undefined, where: string): void {
  if (signal?.aborted) {
    throw new OnnxMishError('aborted', 'interrupted', { where, fix: 'Nothing was left behind' });
  }
}
