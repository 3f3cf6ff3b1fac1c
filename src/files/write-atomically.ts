import { constants, linkSync, lstatSync, renameSync } from 'node:fs';
import { copyFile, type FileHandle, link, lstat, mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { OnnxMishError, withDetails } from '../base/error.js';
import { fileError, isAbsent, notAFile, onFile } from './file-error.js';
import { remove, type Staged, takeBack, withAdvice } from './roll-back.js';
import { sweep, temporaryBeside } from './temporary-names.js';

/** Files that are written together: see `writeTogether`. */
export interface Batch {
  /** Writes a file under a temporary name beside its own. It may begin as a clone of another, where the system can. */
  write(path: string, fill: Fill, options?: { readonly cloneOf?: string }): Promise<void>;
  /** Makes a folder, and those that it is in. */
  makeFolder(path: string): Promise<void>;
}

/** Writes the content of a file; not called for a clone. */
export type Fill = (handle: FileHandle) => Promise<void>;

/**
 * Writes files so that all of them appear whole or none does: `work` has each written to a temporary beside its place, which
 * is flushed; once it is through with all, they take their names, in its order. Without `force` a file that is there already, even one
 * that appears meanwhile, stays and the call throws `io`; with it a file is replaced, but never a folder or a device. Whatever
 * goes wrong, temporaries and new folders are removed, and what was replaced is put back; where that fails as well,
 * the error names what is left. Temporaries of processes that were killed are removed from these folders on the way.
 */
export async function writeTogether(force: boolean, work: (batch: Batch) => Promise<void>): Promise<void> {
  const staged: Staged[] = [];
  const folders: string[] = []; // outermost first
  const swept = new Set<string>();
  try {
    await work({
      async write(path, fill, { cloneOf } = {}) {
        await checkTarget(path, force);
        if (await isDevice(path)) return fillDevice(path, fill);
        const folder = dirname(path);
        if (!swept.has(folder)) await sweep(folder);
        swept.add(folder);
        const file = { path, temporary: temporaryBeside(path) };
        staged.push(file);
        if (cloneOf !== undefined && (await clone(cloneOf, file))) return;
        await create(file, async (handle) => {
          await fill(handle);
          await onFile(path, () => handle.sync());
        });
      },
      makeFolder: (path) => makeFolder(path, folders),
    });
    // The last one needs no way back: its renaming either happens or does not.
    if (force) for (const file of staged.slice(0, -1)) await keep(file);
    for (const file of staged) publish(file, force);
    // Names that were taken by linking are second ones.
    for (const { path, temporary } of force ? [] : staged) {
      await onFile(path, () => rm(temporary, { force: true }));
    }
  } catch (error) {
    throw withAdvice(error, await takeBack(staged, folders));
  }
  for (const { backup } of staged) if (backup !== undefined) await remove(backup);
  for (const folder of new Set(staged.map(({ path }) => dirname(path)))) await flushFolder(folder);
}

/** Writes one file, whole or not at all, as `writeTogether` does. */
export function writeAtomically(path: string, force: boolean, fill: Fill): Promise<void> {
  return writeTogether(force, ({ write }) => write(path, fill));
}

/**
 * Has a temporary file in the folder of `path` while it is used. Throws what `use` throws, and `io` with `advice` when it cannot
 * be written.
 */
export async function withTemporary<T>(
  path: string,
  fill: Fill,
  advice: string,
  use: (temporary: string) => Promise<T>,
): Promise<T> {
  const folder = dirname(path);
  await sweep(folder);
  const file: Staged = { path: folder, temporary: temporaryBeside(path) };
  try {
    await create(file, fill).catch((error: unknown) => {
      if (!(error instanceof OnnxMishError) || error.code !== 'io') throw error;
      throw withDetails(error, { fix: advice, option: undefined, outcome: undefined });
    });
    const result = await use(file.temporary);
    await takeBack([file], []);
    return result;
  } catch (error) {
    throw withAdvice(error, await takeBack([file], []));
  }
}

/** Throws `io` when a file could not be written here as things are, so that work can be spared. */
export async function checkTarget(path: string, force: boolean): Promise<void> {
  // A rename would put a file in the place of /dev/null without a word.
  const there = await unlessAbsent(path, () => stat(path));
  if (there?.isCharacterDevice()) return;
  if (there !== undefined && !there.isFile()) throw notAFile(there, path);
  if (!force && (await exists(path))) throw taken(path);
  if (await exists(dirname(path))) return;
  throw new OnnxMishError('io', `there is no folder '${dirname(path)}'`, {
    where: path,
    fix: 'Make it first, or choose another place',
  });
}

/** Whether a path names a device such as /dev/null, which is written to as it is. Throws `io`. */
export async function isDevice(path: string): Promise<boolean> {
  return (await unlessAbsent(path, () => stat(path)))?.isCharacterDevice() ?? false;
}

async function fillDevice(path: string, fill: Fill): Promise<void> {
  const flags = constants.O_WRONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);
  const handle = await onFile(path, () => open(path, flags));
  try {
    await fill(handle);
  } finally {
    await handle.close().catch(() => {}); // it keeps nothing
  }
}

async function create({ path, temporary }: Staged, fill: Fill): Promise<void> {
  const handle = await onFile(path, () => open(temporary, 'wx'));
  try {
    await fill(handle);
  } catch (error) {
    await handle.close().catch(() => {}); // the first failure says more
    throw error;
  }
  await onFile(path, () => handle.close());
}

/** Copy on write, where the file system can; it takes no time and no space. */
async function clone(from: string, { temporary }: Staged): Promise<boolean> {
  try {
    await copyFile(from, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    const handle = await open(temporary, 'r+');
    await handle.sync().finally(() => handle.close());
    return true;
  } catch {
    await rm(temporary, { force: true }).catch(() => {});
    return false;
  }
}

/** Gives a file its name. It does not wait, so that between the names of several there is hardly a moment to be killed in. */
function publish(file: Staged, force: boolean): void {
  const { path, temporary, aside } = file;
  try {
    if (aside !== undefined) {
      renameSync(path, aside);
      file.backup = aside;
    }
    if (force) renameSync(temporary, path);
    else linkIfFree(temporary, path);
    file.published = true;
  } catch (error) {
    throw fileError(error, path);
  }
}

/** Unlike rename, link refuses a name that is taken, with no moment in between. */
function linkIfFree(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    // A file system without hard links: between this check and the rename there is a moment.
    const isTaken = (error as NodeJS.ErrnoException).code === 'EEXIST';
    if (isTaken || lstatSync(path, { throwIfNoEntry: false }) !== undefined) throw taken(path);
    renameSync(temporary, path);
  }
}

/** A second name for a file that is about to be replaced; where there are no hard links it is moved aside when it is. */
async function keep(file: Staged): Promise<void> {
  const { path } = file;
  if (!(await exists(path))) return;
  const backup = temporaryBeside(path, 'old');
  try {
    await link(path, backup);
    file.backup = backup;
  } catch {
    file.aside = backup;
  }
}

/** Makes a folder and those above it; adds the ones that were not there to `made`, outermost first. Throws `io`. */
export async function makeFolder(folder: string, made: string[]): Promise<void> {
  if (await exists(folder)) return;
  await makeFolder(dirname(folder), made);
  try {
    await mkdir(folder);
    made.push(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return; // somebody else was quicker
    await onFile(folder, () => Promise.reject(error));
  }
}

/** Makes the new name itself durable. Not every system can open a folder, and the file is whole either way. */
async function flushFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {}
}

/** Whether something has this name, a dangling link included. Throws `io` when that cannot be told. */
async function exists(path: string): Promise<boolean> {
  return (await unlessAbsent(path, () => lstat(path))) !== undefined;
}

async function unlessAbsent<T>(path: string, look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (isAbsent(error)) return undefined;
    return onFile(path, () => Promise.reject(error));
  }
}

function taken(path: string): OnnxMishError {
  return new OnnxMishError('io', 'the file exists already', {
    where: path,
    fix: 'Choose another place, or overwrite it',
    option: { output: null, force: null },
  });
}
