import type { BigIntStats } from 'node:fs';
import { isAborted } from '../base/abort.js';
import { OnnxMishError } from '../base/error.js';
import { statOf } from './same-file.js';

/**
 * Records the state of files, and returns a check that throws `io` if one was replaced, resized or written since. A
 * missing file must stay missing. Throws `io`.
 */
export async function watchFiles(paths: readonly string[]): Promise<() => Promise<void>> {
  const before = new Map<string, BigIntStats | undefined>();
  for (const path of paths) before.set(path, await statOf(path));
  return async () => {
    for (const [path, then] of before) refuseChange(path, then, await statOf(path));
  };
}

/**
 * Runs `work` on files that must not change meanwhile. Throws what the work throws, and `io` if a file has changed.
 * If the work fails and a file has changed, the change is reported, because it is the cause.
 */
export async function whileUnchanged<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
  return checkedBy(await watchFiles(paths), work);
}

/** Runs `work` and then `check`. If both fail, throws the error of `check`, which is the cause. */
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

/** Throws `io` if a file differs from its recorded state. */
export function refuseChange(
  path: string,
  before: BigIntStats | undefined,
  now: BigIntStats | undefined,
): void {
  if (now === before || (now !== undefined && before !== undefined && isSame(before, now))) return;
  throw new OnnxMishError('io', 'the file was changed by another process while it was being read', {
    where: path,
    fix: 'Run the command again when no other process writes to the file',
    outcome: 'Nothing was left behind',
  });
}

/**
 * Returns whether two stats describe the same content. The change time (ctime) reveals a write whose author has
 * restored the modification time.
 */
function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return (['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const).every((key) => a[key] === b[key]);
}
