import { readdir, rename, rm, rmdir } from 'node:fs/promises';
import { OnnxMishError, sentences, withDetails } from '../base/error.js';
import { unlessAbsent } from './file-error.js';

/** A file with its temporary name, and the state of its replacement. */
export interface Staged {
  readonly path: string;
  readonly temporary: string;
  /** Path of the replaced file until all files are written. */
  backup?: string;
  /** Path that the replaced file is moved to first, on a file system without hard links. */
  aside?: string;
  published?: boolean;
}

/** Undoes the writes so far, and returns advice on what could not be undone. */
export async function rollBack(staged: readonly Staged[], folders: readonly string[]): Promise<string[]> {
  const left: string[] = [];
  const advice: string[] = [];
  for (const { path, temporary, backup, published } of staged.toReversed()) {
    if (backup !== undefined) {
      if (!(await attempt(() => rename(backup, path)))) advice.push(`Rename '${backup}' back to '${path}'`);
      // If the file was not replaced yet, both names are links to it, and the rename leaves both.
      else if (!(await remove(backup))) left.push(backup);
    } else if (published && !(await remove(path))) left.push(path);
    if (!(await remove(temporary))) left.push(temporary);
  }
  for (const folder of folders.toReversed()) {
    // A folder into which another process has written something stays.
    const isOurs = async () => (await readdir(folder)).length === 0;
    if (!(await attempt(() => rmdir(folder))) && (await isOurs().catch(() => true))) left.push(folder);
  }
  if (left.length > 0) advice.push(`Delete what could not be removed: ${left.join(', ')}`);
  return advice;
}

/** Returns whether `work` succeeds, at the latest on the second attempt. */
async function attempt(work: () => Promise<unknown>): Promise<boolean> {
  for (let tries = 0; tries < 2; tries++) {
    try {
      await work();
      return true;
    } catch {}
  }
  return false;
}

/** Removes a file if it exists; returns false if it could not be removed. */
export function remove(path: string): Promise<boolean> {
  // Despite `force`, `rm` fails if a folder of the path is a file; nothing exists there either.
  return attempt(() => unlessAbsent(path, () => rm(path, { force: true })));
}

/** Replaces the outcome of an error by the advice; returns the error unchanged without advice. */
export function withAdvice(error: unknown, advice: readonly string[]): unknown {
  if (advice.length === 0 || !(error instanceof OnnxMishError)) return error;
  return withDetails(error, { outcome: sentences(...advice) });
}
