import { lstat } from 'node:fs/promises';
import { stopIfAborted } from '../base/abort.js';
import { unlessAbsent } from './file-error.js';
import { openModel } from './model-file.js';

const BLOCK_BYTES = 1024 * 1024;

/**
 * Returns whether `copy` is a regular file with the bytes of `original`. A link is not: it may lead outside of the folder.
 * Throws `io` and `aborted`.
 */
export async function hasSameContent(
  original: string,
  copy: string,
  signal?: AbortSignal | undefined,
): Promise<boolean> {
  const there = await unlessAbsent(copy, () => lstat(copy));
  if (there === undefined || !there.isFile() || there.nlink > 1) return false;
  const first = await openModel(original);
  try {
    if (first.size !== there.size) return false;
    const second = await openModel(copy);
    try {
      for (let at = 0; at < first.size; at += BLOCK_BYTES) {
        stopIfAborted(signal, copy);
        const length = Math.min(BLOCK_BYTES, first.size - at);
        const [a, b] = [await first.read(at, length), await second.read(at, length)];
        if (Buffer.compare(a, b) !== 0) return false;
      }
      return true;
    } finally {
      await second.close();
    }
  } finally {
    await first.close();
  }
}
