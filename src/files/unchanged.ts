import type { BigIntStats } from 'node:fs';
import { isAborted } from '../base/abort.js';
import { OnnxMishError } from '../base/error.js';
import { statOf } from './same-file.js';

/**
 * Remembers how files are, and gives a check that they still are: the same files, of the same size, not written to since.
 * A file that is not there has to stay away. Both throw `io`.
 */
export async function watchFiles(paths: readonly string[]): Promise<() => Promise<void>> {
  const before = new Map<string, BigIntStats | undefined>();
  for (const path of paths) before.set(path, await statOf(path));
  return async () => {
    for (const [path, then] of before) refuseChange(path, then, await statOf(path));
  };
}

/**
 * Does work on files that have to stay as they are until it is done. Throws what the work throws, and `io` when one has changed:
 * also where the work has failed, since that is why then.
 */
export async function whileUnchanged<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
  return checkedBy(await watchFiles(paths), work);
}

/** Does work and then checks; where the work fails, it is the check that tells why, if it can. */
export async function checkedBy<T>(check: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    if (!isAborted(error)) await check();
    throw error;
  }
  await check();
  return result;
}

/** Throws `io` when a file is not as it was. */
export function refuseChange(
  path: string,
  before: BigIntStats | undefined,
  now: BigIntStats | undefined,
): void {
  if (now === before || (now !== undefined && before !== undefined && isSame(before, now))) return;
  throw new OnnxMishError('io', 'the file was changed by another process while it was being read', {
    where: path,
    fix: 'Run the command again once nothing writes to it',
    outcome: 'Nothing was left behind',
  });
}

/** The time of the last change of the file's record tells of a write whose author has set the other time back. */
function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return (['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const).every((key) => a[key] === b[key]);
}
