import { randomBytes } from 'node:crypto';
import { type FileHandle, link, lstat, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { OnnxMishError } from '../onnx/error.js';
import { notAFile, onFile } from './errors.js';

/** What a temporary's name takes over of its target's: short enough for any file system in any script. */
const NAME_PART = 64;

/**
 * Writes a file so that it appears whole or not at all: `fill` writes to a temporary beside it, which is
 * flushed and then takes the name. Without `force` a file that is there already, even one that appears
 * meanwhile, stays and the call throws `io`; with it a file is replaced, but never a folder or a device.
 * Whatever goes wrong, the temporary is removed.
 */
export async function writeAtomically(
  path: string,
  force: boolean,
  fill: (temporary: string, handle: FileHandle) => Promise<void>,
): Promise<void> {
  await checkTarget(path, force);
  const temporary = join(
    dirname(path),
    `.${basename(path).slice(0, NAME_PART)}.${randomBytes(6).toString('hex')}.tmp`,
  );
  const handle = await onFile(path, () => open(temporary, 'wx'));
  try {
    try {
      await fill(temporary, handle);
      await onFile(path, () => handle.sync());
    } finally {
      await handle.close();
    }
    await publish(temporary, path, force);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // the first failure says more
    throw error;
  }
  await flushFolder(dirname(path));
}

/** Throws `io` when `writeAtomically` would refuse this target as things are, so that work can be spared. */
export async function checkTarget(path: string, force: boolean): Promise<void> {
  // A rename would put a file in the place of /dev/null without a word.
  const there = await stat(path).catch(() => undefined);
  if (there !== undefined && !there.isFile()) throw notAFile(there, path);
  if (!force && (await exists(path))) throw taken(path);
  if (await exists(dirname(path))) return;
  throw new OnnxMishError('io', `there is no folder '${dirname(path)}'`, {
    where: path,
    fix: 'Make it first, or choose another place',
  });
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
      // A file system without hard links: between this check and the rename there is a moment.
      await checkTarget(path, force);
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
async function exists(path: string): Promise<boolean> {
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
