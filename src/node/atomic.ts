import { randomBytes } from 'node:crypto';
import { type FileHandle, link, lstat, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { OnnxMishError } from '../onnx/error.js';
import { onFile } from './errors.js';

/**
 * Writes a file so that it appears whole or not at all: `fill` writes to a temporary beside it, which is
 * flushed and then takes the name. Without `force` a file that is there already, even one that appears
 * meanwhile, stays and the call throws `io`. Whatever goes wrong, the temporary is removed.
 */
export async function writeAtomically(
  path: string,
  force: boolean,
  fill: (temporary: string, handle: FileHandle) => Promise<void>,
): Promise<void> {
  if (!force && (await exists(path))) throw taken(path);
  const temporary = join(
    dirname(path),
    `.${basename(path).slice(0, 200)}.${randomBytes(6).toString('hex')}.tmp`,
  );
  try {
    const handle = await onFile(path, () => open(temporary, 'wx'));
    try {
      await fill(temporary, handle);
      await onFile(path, () => handle.sync());
    } finally {
      await handle.close();
    }
    await publish(temporary, path, force);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await flushFolder(dirname(path));
}

async function publish(temporary: string, path: string, force: boolean): Promise<void> {
  if (!force) {
    try {
      // Unlike rename, link refuses a name that is taken, with no moment in between.
      await link(temporary, path);
      await rm(temporary);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw taken(path);
      // A file system without hard links: the check at the start has to do.
    }
  }
  await onFile(path, () => rename(temporary, path));
}

/** Makes the new name itself durable. Not every system can open a folder, and the file is whole either way. */
async function flushFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {}
}

/** Whether something has this name, a dangling link included. */
export async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

function taken(path: string): OnnxMishError {
  return new OnnxMishError('io', 'the file exists already', {
    where: path,
    fix: 'Choose another name with -o, or overwrite it with --force',
  });
}
