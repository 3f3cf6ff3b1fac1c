import { readdir, rename, rm, rmdir } from 'node:fs/promises';
import { OnnxMishError, sentences, withDetails } from '../base/error.js';
import { isAbsent } from './file-error.js';

/** A file under its temporary name, and what has become of it. */
export interface Staged {
  readonly path: string;
  readonly temporary: string;
  /** Where a file that was there before is kept until all is done. */
  backup?: string;
  /** Where it is moved to first, on a file system where a file has one name only. */
  aside?: string;
  published?: boolean;
}

/** Undoes what was done so far, and gives advice on what could not be undone. */
export async function takeBack(staged: readonly Staged[], folders: readonly string[]): Promise<string[]> {
  const left: string[] = [];
  const advice: string[] = [];
  for (const { path, temporary, backup, published } of staged.toReversed()) {
    if (backup !== undefined) {
      if (!(await attempt(() => rename(backup, path)))) advice.push(`Rename '${backup}' back to '${path}'`);
      // A rename between two names of one file, which was not replaced yet, leaves both.
      else if (!(await remove(backup))) left.push(backup);
    } else if (published && !(await remove(path))) left.push(path);
    if (!(await remove(temporary))) left.push(temporary);
  }
  for (const folder of folders.toReversed()) {
    // One that somebody has put something into is not ours any more.
    const isOurs = async () => (await readdir(folder)).length === 0;
    if (!(await attempt(() => rmdir(folder))) && (await isOurs().catch(() => true))) left.push(folder);
  }
  if (left.length > 0) advice.push(`Delete what could not be removed: ${left.join(', ')}`);
  return advice;
}

/** Whether something succeeds, if need be the second time. */
async function attempt(work: () => Promise<unknown>): Promise<boolean> {
  for (let tries = 0; tries < 2; tries++) {
    try {
      await work();
      return true;
    } catch {}
  }
  return false;
}

/** Removes a file that may be there; false where it could not. */
export function remove(path: string): Promise<boolean> {
  return attempt(() =>
    rm(path, { force: true }).catch((error: unknown) => {
      if (!isAbsent(error)) throw error; // where part of the path is no folder there is nothing, either
    }),
  );
}

/** The error with what could not be undone as its outcome, in place of what it promises. */
export function withAdvice(error: unknown, advice: readonly string[]): unknown {
  if (advice.length === 0 || !(error instanceof OnnxMishError)) return error;
  return withDetails(error, { outcome: sentences(...advice) });
}
