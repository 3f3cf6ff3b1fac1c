import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { OnnxMishError } from '../base/error.js';
import { integer } from '../base/plural.js';
import { type ByteSource, toSource } from '../onnx/source.js';
import { notAFile, onFile } from './file-error.js';
import { statOf } from './same-file.js';
import { refuseChange } from './unchanged.js';

/** A model file that is open for reading. */
export interface ModelFile extends ByteSource {
  readonly path: string;
  /** Handle of the file, to copy ranges of it. */
  readonly handle: FileHandle;
  /** Rejects with `io` if the file was written, replaced or removed since it was opened. */
  checkUnchanged(): Promise<void>;
  close(): Promise<void>;
}

const MAX_BYTES_IN_MEMORY = 8 * 1024 * 1024;

/** Opens a file for reading, without waiting for a pipe's writer. Throws `io` if it is not a regular file. */
async function openRegular(path: string): Promise<FileHandle> {
  // Windows has neither this flag nor such pipes.
  const handle = await onFile(path, () => open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)));
  try {
    const there = await onFile(path, () => handle.stat());
    if (!there.isFile()) throw notAFile(there, path);
    return handle;
  } catch (error) {
    await handle.close().catch(() => {});
    throw error;
  }
}

/** Reads all bytes of a regular file. Throws `io`, also for a pipe. */
export async function readRegular(path: string): Promise<Uint8Array> {
  const handle = await openRegular(path);
  try {
    return new Uint8Array(await onFile(path, () => handle.readFile()));
  } finally {
    await handle.close().catch(() => {}); // the file was only read
  }
}

/**
 * Opens a model file, which the caller closes. Throws `io` if it cannot be read.
 *
 * @example
 * import { inspect } from 'onnx-mish';
 * import { openModel } from 'onnx-mish/node';
 *
 * const file = await openModel('model.onnx');
 * try {
 *   console.log(await inspect(file));
 * } finally {
 *   await file.close();
 * }
 */
export async function openModel(path: string): Promise<ModelFile> {
  const handle = await openRegular(path);
  try {
    const before = await onFile(path, () => handle.stat({ bigint: true }));
    const size = Number(before.size);
    const readInto = (target: Uint8Array, offset: number) => readExactly(handle, path, target, offset);
    const fromFile = async (offset: number, length: number) => {
      const bytes = allocate(length, path);
      await readInto(bytes, offset);
      return bytes;
    };
    // Reading a small file whole is faster than reading many parts.
    const memory = size <= MAX_BYTES_IN_MEMORY ? toSource(await fromFile(0, size)) : undefined;
    return {
      ...(memory ?? { size, read: fromFile, readInto }),
      name: path,
      path,
      handle,
      async checkUnchanged() {
        refuseChange(path, before, await onFile(path, () => handle.stat({ bigint: true })));
        refuseChange(path, before, await statOf(path)); // the path may name another file now
      },
      close: () => handle.close().catch(() => {}), // the file was only read
    };
  } catch (error) {
    await handle.close().catch(() => {});
    throw error;
  }
}

/**
 * Allocates memory for a part of a file. The part may be as long as the file, and a sparse file of any length costs
 * nothing.
 */
function allocate(length: number, path: string): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new OnnxMishError('io', `${integer(length)} bytes of the file do not fit into memory`, {
      where: path,
      cause,
    });
  }
}

/** Fills `bytes` from an offset of an open file. Throws `io`, also if the file ends too early. */
export async function readExactly(
  handle: FileHandle,
  path: string,
  bytes: Uint8Array,
  offset: number,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await onFile(path, () =>
      handle.read(bytes, done, bytes.length - done, offset + done),
    );
    if (bytesRead === 0) {
      throw new OnnxMishError('io', `the file ends too early, at byte ${offset + done}`, {
        where: path,
        fix: 'Run the command again: the file was truncated while it was read',
      });
    }
    done += bytesRead;
  }
}
