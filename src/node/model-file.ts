import { type FileHandle, open } from 'node:fs/promises';
import { OnnxMishError } from '../onnx/error.js';
import { type ByteSource, toSource } from '../onnx/source.js';
import { notAFile, onFile } from './errors.js';
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

/** Opens a model file. Throws `io` when it cannot be read. The caller closes it. */
export async function openModel(path: string): Promise<ModelFile> {
  const handle = await onFile(path, () => open(path, 'r'));
  try {
    const before = await onFile(path, () => handle.stat({ bigint: true }));
    const size = Number(before.size);
    if (!before.isFile()) throw notAFile(before, path);
    const readInto = (target: Uint8Array, offset: number) => readExactly(handle, path, target, offset);
    const fromFile = async (offset: number, length: number) => {
      const bytes = new Uint8Array(length);
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
