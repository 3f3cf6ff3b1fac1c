import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { OnnxMishError } from '../base/error.js';
import { type ByteSource, toSource } from '../onnx/source.js';
import { notAFile, onFile } from './file-error.js';
import { statOf } from './same-file.js';
import { refuseChange } from './unchanged.js';

/** A model on disk, open for reading. */
export interface ModelFile extends ByteSource {
  readonly path: string;
  /** The open file, for copying ranges of it. */
  readonly handle: FileHandle;
  /** Rejects with `io` when the file has been written to, replaced or removed since it was opened. */
  checkUnchanged(): Promise<void>;
  close(): Promise<void>;
}

const SMALL = 8 * 1024 * 1024;

/** Opens a file for reading; a pipe without waiting for who writes to it. Throws `io` for what is no regular file. */
async function openRegular(path: string): Promise<FileHandle> {
  // Windows has no such flag, and no such pipes.
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

/** All bytes of a regular file. Throws `io`, for a pipe as well. */
export async function readRegular(path: string): Promise<Uint8Array> {
  const handle = await openRegular(path);
  try {
    return new Uint8Array(await onFile(path, () => handle.readFile()));
  } finally {
    await handle.close().catch(() => {}); // it was only read
  }
}

/**
 * Opens a model file. Throws `io` when it cannot be read. The caller closes it.
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
    // One read of a small file is quicker than many of its parts.
    const memory = size <= SMALL ? toSource(await fromFile(0, size)) : undefined;
    return {
      ...(memory ?? { size, read: fromFile, readInto }),
      name: path,
      path,
      handle,
      async checkUnchanged() {
        refuseChange(path, before, await onFile(path, () => handle.stat({ bigint: true })));
        refuseChange(path, before, await statOf(path)); // another file may have its name by now
      },
      close: () => handle.close().catch(() => {}), // it was only read
    };
  } catch (error) {
    await handle.close().catch(() => {});
    throw error;
  }
}

/** Memory for a part of a file, which may be as long as the file is; a sparse one costs nothing. */
function allocate(length: number, path: string): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new OnnxMishError('io', `${length} bytes of it are more than memory holds`, { where: path, cause });
  }
}

/** Fills `bytes` with what is at an offset of an open file. Throws `io`, also when the file ends before. */
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
      throw new OnnxMishError('io', `the file ends at byte ${offset + done}, before it should`, {
        where: path,
        fix: 'It was cut while it was being read',
      });
    }
    done += bytesRead;
  }
}
