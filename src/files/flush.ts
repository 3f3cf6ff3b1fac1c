import { fsync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';

/**
 * Waits until the operating system has stored a file. Yarn's Plug'n'Play exchanges Node's file handles for handles that cannot
 * do so; `fsync` then does it by the file's number. Throws as the system does.
 */
export async function flush(handle: FileHandle, what: 'sync' | 'datasync' = 'sync'): Promise<void> {
  try {
    await handle[what]();
  } catch (error) {
    // Errors of the system have a code.
    if (!(error instanceof Error) || 'code' in error || !/not implemented/i.test(error.message)) throw error;
    await promisify(fsync)(handle.fd);
  }
}
