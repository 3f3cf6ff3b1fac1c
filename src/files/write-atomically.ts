import { constants, linkSync, lstatSync, renameSync } from 'node:fs';
import {
  copyFile,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readlink,
  realpath,
  rm,
} from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { OnnxMishError, withDetails } from '../base/error.js';
import { emptyName, fileError, notAFile, onFile, unlessAbsent } from './file-error.js';
import { flush } from './flush.js';
import { remove, rollBack, type Staged, withAdvice } from './roll-back.js';
import { statOf } from './same-file.js';
import { removeStaleTemporaries, temporaryBeside } from './temporary-names.js';

interface WriteChoice {
  readonly cloneOf?: string;
  readonly throughLink?: boolean;
}

/** A group of files that are written together: see `writeTogether`. */
export interface Batch {
  /**
   * Writes a file under a temporary name beside its target. With `cloneOf`, the file starts as a clone of another, if
   * the system can. With `throughLink`, a symbolic link stays, and the file that it leads to is replaced.
   */
  write(path: string, fill: Fill, options?: WriteChoice): Promise<void>;
  /** Creates a folder and its parents. */
  makeFolder(path: string): Promise<void>;
}

/** Writes the content of a file; it is not called for a clone. */
export type Fill = (handle: FileHandle) => Promise<void>;

/**
 * Writes files so that either all of them appear or none. `work` writes each to a temporary file, which is flushed;
 * after `work`, they are renamed in order. Without `force`, an existing file stays, even one that appears meanwhile,
 * and the call throws `io`. With `force`, files are replaced, but never folders or devices. After an error, temporary
 * files and new folders are removed, and replaced files restored; if that fails, the error names what is left.
 * Temporary files of killed processes in these folders are removed, too.
 */
export async function writeTogether(force: boolean, work: (batch: Batch) => Promise<void>): Promise<void> {
  const staged: Staged[] = [];
  const folders: string[] = []; // outermost first
  const swept = new Set<string>();
  try {
    await work({
      async write(name, fill, { cloneOf, throughLink } = {}) {
        await checkTarget(name, force);
        if (await isDevice(name)) return fillDevice(name, fill);
        const path = throughLink ? await targetOf(name) : name;
        if (path !== name) await checkTarget(path, force);
        const folder = dirname(path);
        if (!swept.has(folder)) await removeStaleTemporaries(folder);
        swept.add(folder);
        const file = { path, temporary: temporaryBeside(path) };
        staged.push(file);
        if (cloneOf !== undefined && (await clone(cloneOf, file))) return;
        await create(file, async (handle) => {
          await fill(handle);
          await onFile(path, () => flush(handle));
        });
      },
      makeFolder: (path) => makeFolder(path, folders),
    });
    // The last file needs no backup: its rename either happens or does not.
    if (force) for (const file of staged.slice(0, -1)) await keep(file);
    for (const file of staged) publish(file, force);
    // Linking leaves the temporary name as a second name of the file.
    for (const { path, temporary } of force ? [] : staged) {
      await onFile(path, () => rm(temporary, { force: true }));
    }
  } catch (error) {
    throw withAdvice(error, await rollBack(staged, folders));
  }
  for (const { backup } of staged) if (backup !== undefined) await remove(backup);
  for (const folder of new Set(staged.map(({ path }) => dirname(path)))) await flushFolder(folder);
}

/** Writes one file completely or not at all, like `writeTogether`, also through a symbolic link. */
export function writeAtomically(path: string, force: boolean, fill: Fill): Promise<void> {
  return writeTogether(force, ({ write }) => write(path, fill, { throughLink: true }));
}

/**
 * Creates a temporary file in the folder of `path` and removes it after `use`. Throws what `use` throws, and `io`
 * with `advice` if it cannot be written.
 */
export async function withTemporary<T>(
  path: string,
  fill: Fill,
  advice: string,
  use: (temporary: string) => Promise<T>,
): Promise<T> {
  const folder = dirname(path);
  await removeStaleTemporaries(folder);
  const file: Staged = { path: folder, temporary: temporaryBeside(path) };
  try {
    await create(file, fill).catch((error: unknown) => {
      if (!(error instanceof OnnxMishError) || error.code !== 'io') throw error;
      throw withDetails(error, { fix: advice, option: undefined, outcome: undefined });
    });
    const result = await use(file.temporary);
    await rollBack([file], []);
    return result;
  } catch (error) {
    throw withAdvice(error, await rollBack([file], []));
  }
}

/** Throws `io` if a file cannot be written at this path. Called early, so that no work is wasted. */
export async function checkTarget(path: string, force: boolean): Promise<void> {
  if (path === '') throw emptyName();
  // A rename would silently replace /dev/null by a file.
  const there = await statOf(path);
  if (there?.isCharacterDevice()) return;
  if (there !== undefined && !there.isFile()) throw notAFile(there, path);
  if (!force && (await exists(path))) throw taken(path);
  const folder = await statOf(dirname(path));
  if (folder?.isDirectory()) return;
  if (folder !== undefined) await onFile(path, () => lstat(path)); // throws, since a part of the path is a file
  throw new OnnxMishError('io', `the folder '${dirname(path)}' does not exist`, {
    where: path,
    fix: 'Make the folder first, or choose another path',
  });
}

/**
 * Returns the file that a symbolic link leads to, also one that does not exist yet; the path itself without a link.
 * Other programs (cp, esbuild) write through a link, too.
 */
async function targetOf(path: string): Promise<string> {
  const link = (await unlessAbsent(path, () => lstat(path)))?.isSymbolicLink() ?? false;
  if (!link) return path;
  const target = await unlessAbsent(path, () => realpath(path));
  if (target !== undefined) return target;
  return resolve(await realpath(dirname(path)), await readlink(path));
}

/** Returns whether a path names a device such as /dev/null, which is written to directly. Throws `io`. */
export async function isDevice(path: string): Promise<boolean> {
  return (await statOf(path))?.isCharacterDevice() ?? false;
}

async function fillDevice(path: string, fill: Fill): Promise<void> {
  const flags = constants.O_WRONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);
  const handle = await onFile(path, () => open(path, flags));
  try {
    await fill(handle);
  } finally {
    await handle.close().catch(() => {}); // a device stores nothing that closing could lose
  }
}

async function create({ path, temporary }: Staged, fill: Fill): Promise<void> {
  const handle = await onFile(path, () => open(temporary, 'wx'));
  try {
    await fill(handle);
  } catch (error) {
    await handle.close().catch(() => {}); // the first error is more useful
    throw error;
  }
  await onFile(path, () => handle.close());
}

/** Clones a file by copy-on-write, if the file system can; a clone takes no time and no space. */
async function clone(from: string, { temporary }: Staged): Promise<boolean> {
  try {
    await copyFile(from, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    const handle = await open(temporary, 'r+');
    await flush(handle).finally(() => handle.close());
    return true;
  } catch {
    await rm(temporary, { force: true }).catch(() => {});
    return false;
  }
}

/**
 * Renames a temporary file to its target. Synchronous, so that a kill can hardly come between the renames of several
 * files.
 */
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

/** Links a file to its target: unlike rename, link atomically fails if the target exists. */
function linkIfFree(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    // On a file system without hard links, another process can create the target between this check and the rename.
    const isTaken = (error as NodeJS.ErrnoException).code === 'EEXIST';
    if (isTaken || lstatSync(path, { throwIfNoEntry: false }) !== undefined) throw taken(path);
    renameSync(temporary, path);
  }
}

/** Gives a file that will be replaced a second name; without hard links, it is moved aside when replaced. */
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

/** Creates a folder and its parents; adds the new ones to `made`, outermost first. Throws `io`. */
export async function makeFolder(folder: string, made: string[]): Promise<void> {
  if (await exists(folder)) return;
  await makeFolder(dirname(folder), made);
  try {
    await mkdir(folder);
    made.push(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return; // another process has created the folder
    throw fileError(error, folder);
  }
}

/**
 * Flushes a folder, so that the new names are durable. Some systems cannot open a folder; the files are complete
 * anyway.
 */
async function flushFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await flush(handle).finally(() => handle.close());
  } catch {}
}

/** Returns whether a path exists, also as a dangling link. Throws `io` if this cannot be determined. */
async function exists(path: string): Promise<boolean> {
  return (await unlessAbsent(path, () => lstat(path))) !== undefined;
}

function taken(path: string): OnnxMishError {
  return new OnnxMishError('io', 'the file exists already', {
    where: path,
    fix: 'Choose another path, or overwrite the file',
    option: { output: null, force: null },
  });
}
