import { type FileHandle, open } from 'node:fs/promises';
import { OnnxMishError } from '../onnx/error.js';
import { type ByteSource, toSource } from '../onnx/source.js';
import { notAFile, onFile } from './errors.js';

/** A model on disk, open for reading. */
export interface ModelFile extends ByteSource {
  readonly path: string;
  /** The open file, for copying ranges of it. */
  readonly handle: FileHandle;
  /** Rejects with `io` when the file has been written to since it was opened. */
  checkUnchanged(): Promise<void>;
  close(): Promise<void>;
}

const SMALL = 8 * 1024 * 1024;

/** Opens a model file. Throws `io` when it cannot be read. The caller closes it. */
export async function openModel(path: string): Promise<ModelFile> {
  const handle = await onFile(path, () => open(path, 'r'));
  try {
    const before = await onFile(path, () => handle.stat());
    if (!before.isFile()) throw notAFile(before, path);
    const readInto = (target: Uint8Array, offset: number) => readExactly(handle, path, target, offset);
    const fromFile = async (offset: number, length: number) => {
      const bytes = new Uint8Array(length);
      await readInto(bytes, offset);
      return bytes;
    };
    // One read of a small file is quicker than many of its parts.
    const memory = before.size <= SMALL ? toSource(await fromFile(0, before.size)) : undefined;
    return {
      ...(memory ?? { size: before.size, read: fromFile, readInto }),
      name: path,
      path,
      handle,
      async checkUnchanged() {
        const now = await onFile(path, () => handle.stat());
        if (now.size === before.size && now.mtimeMs === before.mtimeMs) return;
        throw new OnnxMishError('io', 'the file was changed by another process while it was being read', {
          where: path,
          fix: 'Run the command again once nothing writes to it; nothing was left behind',
        });
      },
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readExactly(
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
