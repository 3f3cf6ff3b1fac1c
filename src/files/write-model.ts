import type { FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { aborted, stopIfAborted } from '../base/abort.js';
import type { Span } from '../onnx/document.js';
import { concat } from '../onnx/encode.js';
import { sealOf } from '../onnx/seal.js';
import type { ByteSource } from '../onnx/source.js';
import type { Spliced } from '../onnx/splice.js';
import { fileError, onFile } from './file-error.js';
import { flush } from './flush.js';
import { writeAtomically } from './write-atomically.js';

export interface WriteOptions {
  /** Whether to replace an existing file. */
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Receives the number of written bytes and the total. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Check that runs after all bytes are written, before the rename; it throws to discard the file. */
  readonly verify?: (() => Promise<void>) | undefined;
}

const BLOCK_BYTES = 2 * 1024 * 1024;
/** Bytes between flushes, so that the last flush is short. */
const FLUSH_BYTES = 64 * 1024 * 1024;
/** Maximum buffers of one vectored write (IOV_MAX). */
const MAX_PARTS = 1024;
/** Number of concurrent copies: reading and writing overlap, and memory stays at a few blocks. */
const WORKERS = 3;

/**
 * Writes a spliced model to a file, completely or not at all. Throws `io` or `aborted`.
 *
 * @example
 * import { swap } from 'onnx-mish';
 * import { writeModel } from 'onnx-mish/node';
 *
 * const { output } = await swap(bytes);
 * await writeModel(output, 'model.mish.onnx');
 */
export async function writeModel(model: Spliced, path: string, options: WriteOptions = {}): Promise<void> {
  await writeAtomically(path, options.force ?? false, async (handle) => {
    await fillWithModel(model, handle, path, options);
    await options.verify?.();
  });
}

/** Writes a text file, completely or not at all. Throws `io`, also for an existing file unless `force`. */
export function writeText(path: string, text: string, force: boolean): Promise<void> {
  return writeBytes(path, new TextEncoder().encode(text), force);
}

/** Writes bytes to a file, completely or not at all. Throws `io`, also for an existing file unless `force`. */
export async function writeBytes(path: string, bytes: Uint8Array, force: boolean): Promise<void> {
  await writeAtomically(path, force, fillWithBytes(bytes, path));
}

/** Returns a function that writes bytes into an open file; `path` is for messages. */
export function fillWithBytes(bytes: Uint8Array, path: string): (handle: FileHandle) => Promise<void> {
  return (handle) => onFile(path, () => writeExactly(handle, [bytes], bytes.length, 0));
}

/** Consecutive pieces of the output, at most one block. */
interface Job {
  /** Offset in the output. */
  readonly to: number;
  readonly parts: readonly (Span | Uint8Array)[];
}

/**
 * Writes a spliced model into an open file; `path` is for messages. Meanwhile it calculates the digest that the model
 * contains or is compared with. Throws `io`, `aborted`, or `cannot-undo` for a different digest.
 */
export async function fillWithModel(
  model: Spliced,
  handle: FileHandle,
  path: string,
  options: WriteOptions,
): Promise<void> {
  const jobs = blocks(model);
  let done = 0;
  let failed = false;
  let flushed = 0;
  let flushing: Promise<void> | undefined;
  const worker = async () => {
    const block = model.source.readInto && new Uint8Array(BLOCK_BYTES);
    for (const { to, parts } of jobs) {
      if (failed) return;
      stopIfAborted(options.signal, path);
      const buffers = await readParts(model.source, parts, block);
      const length = buffers.reduce((sum, bytes) => sum + bytes.length, 0);
      await onFile(path, () => writeExactly(handle, buffers, length, to));
      done += length;
      options.onProgress?.(done, model.size);
      if (done - flushed < FLUSH_BYTES || flushing !== undefined) continue;
      flushed = done;
      flushing = onFile(path, () => flush(handle, 'datasync')).then(() => {
        flushing = undefined;
      });
      flushing.catch(() => {}); // awaited below
    }
  };
  const stop = (error: unknown) => {
    failed = true;
    throw error;
  };
  const check = () => {
    if (failed) throw aborted(path); // the first error is more useful
    stopIfAborted(options.signal, path);
  };
  // All copies end before the file is closed.
  const copying = Array.from({ length: WORKERS }, () => worker().catch(stop));
  const sealing = sealOf(model, check).catch(stop);
  sealing.catch(() => {}); // awaited below
  const copies = await Promise.allSettled(copying);
  const [sealed] = await Promise.allSettled([sealing]);
  const flushes = await Promise.allSettled([flushing]);
  const failure = [...copies, sealed, ...flushes].find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
  if (sealed.status === 'fulfilled' && sealed.value !== undefined) {
    const { value } = sealed;
    await onFile(path, () => writeExactly(handle, [value], value.length, model.seal ?? 0));
  }
}

/** Yields the pieces in blocks, each with its offset in the output. Splits large pieces and combines small ones. */
function* blocks(model: Pick<Spliced, 'pieces'>): Generator<Job> {
  let to = 0;
  let parts: (Span | Uint8Array)[] = [];
  let length = 0;
  for (const piece of model.pieces) {
    const size = piece instanceof Uint8Array ? piece.length : piece.end - piece.start;
    for (let done = 0; done < size; ) {
      const take = Math.min(BLOCK_BYTES - length, size - done);
      parts.push(
        piece instanceof Uint8Array
          ? piece.subarray(done, done + take)
          : { start: piece.start + done, end: piece.start + done + take },
      );
      done += take;
      length += take;
      if (length < BLOCK_BYTES && parts.length < MAX_PARTS) continue;
      yield { to, parts };
      to += length;
      [parts, length] = [[], 0];
    }
  }
  if (length > 0) yield { to, parts };
}

/** Returns the bytes of a block's parts; those from the source are read into `block`, if given. */
async function readParts(
  source: ByteSource,
  parts: Job['parts'],
  block?: Uint8Array | undefined,
): Promise<Uint8Array[]> {
  const buffers: Uint8Array[] = [];
  const spans = parts.filter((part): part is Span => !(part instanceof Uint8Array));
  const [from = 0, to = 0] = [spans[0]?.start, spans.at(-1)?.end];
  // Small pieces close to each other are read at once.
  const isWhole = block !== undefined && spans.length > 1 && to - from <= block.length;
  if (isWhole) await source.readInto?.(block.subarray(0, to - from), from);
  let used = 0;
  for (const part of parts) {
    if (part instanceof Uint8Array) buffers.push(part);
    else if (source.bytes !== undefined) buffers.push(source.bytes.subarray(part.start, part.end));
    else if (isWhole) buffers.push(block.subarray(part.start - from, part.end - from));
    else if (block !== undefined && source.readInto !== undefined) {
      const target = block.subarray(used, used + part.end - part.start);
      await source.readInto(target, part.start);
      used += target.length;
      buffers.push(target);
    } else buffers.push(await source.read(part.start, part.end - part.start));
  }
  return buffers;
}

/** Writes all buffers at an offset, also if the system writes only some of them at once. */
export async function writeExactly(
  handle: FileHandle,
  buffers: readonly Uint8Array[],
  length: number,
  to: number,
): Promise<void> {
  const { bytesWritten } = await handle.writev([...buffers], to);
  if (bytesWritten === length) return;
  // After a short write, as on a full disk, the rest is written one by one, which reveals the error.
  let skip = bytesWritten;
  let at = to + bytesWritten;
  for (const buffer of buffers) {
    const rest = buffer.subarray(Math.min(skip, buffer.length));
    skip -= buffer.length - rest.length;
    for (let done = 0; done < rest.length; ) {
      const { bytesWritten } = await handle.write(rest, done, rest.length - done, at);
      if (bytesWritten === 0) throw Object.assign(new Error('nothing was written'), { code: 'ENOSPC' });
      done += bytesWritten;
      at += bytesWritten;
    }
  }
}

/**
 * Writes a spliced model to a stream, in order and no faster than the stream is read; `name` is for messages. `force` and
 * `verify` have no effect. Throws `io`, `aborted`, and `cannot-undo` for a wrong digest, before anything is written.
 *
 * @example
 * import { swap } from 'onnx-mish';
 * import { streamModel } from 'onnx-mish/node';
 *
 * const { output } = await swap(bytes);
 * await streamModel(output, process.stdout);
 */
export async function streamModel(
  model: Spliced,
  stream: Writable,
  options: WriteOptions = {},
  name = 'standard output',
): Promise<void> {
  const check = () => stopIfAborted(options.signal, name);
  const sealing = sealOf(model, check);
  sealing.catch(() => {}); // awaited below
  if (model.digest !== undefined) await sealing;
  let done = 0;
  const put = async ({ parts }: Pick<Job, 'parts'>) => {
    check();
    const bytes = concat(await readParts(model.source, parts));
    await new Promise<void>((resolve, reject) => {
      stream.write(bytes, (error) => (error ? reject(fileError(error, name)) : resolve()));
    });
    done += bytes.length;
    options.onProgress?.(done, model.size);
  };
  // The last piece has space for the digest.
  const last = model.seal === undefined ? undefined : model.pieces.at(-1);
  for (const job of blocks(last === undefined ? model : { pieces: model.pieces.slice(0, -1) }))
    await put(job);
  if (!(last instanceof Uint8Array)) return;
  const bytes = last.slice();
  const sealed = await sealing;
  if (sealed !== undefined) bytes.set(sealed, (model.seal ?? 0) - (model.size - last.length));
  await put({ parts: [bytes] });
}
