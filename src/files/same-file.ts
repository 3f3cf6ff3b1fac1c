import type { BigIntStats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { OnnxMishError } from '../base/error.js';
import { onFile, unlessAbsent } from './file-error.js';

/**
 * Returns the stat of a path, following links; undefined if nothing exists. Throws `io` if this cannot be determined.
 */
export function statOf(path: string): Promise<BigIntStats | undefined> {
  return unlessAbsent(path, () => stat(path, { bigint: true }));
}

/** Returns whether two paths lead to the same existing file, also through symbolic or hard links. Throws `io`. */
export async function isSameFile(first: string, second: string): Promise<boolean> {
  const [a, b] = [await statOf(first), await statOf(second)];
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

/**
 * Throws `io` if the output is the input: without `force` always, and with `force` if the paths differ, because the
 * user then did not mean to replace the input.
 */
export async function refuseInput(input: string, output: string, force: boolean): Promise<void> {
  if (!(await isSameFile(input, output))) return;
  const itself = (await nameOf(input)) === (await nameOf(output));
  if (itself && force) return;
  throw new OnnxMishError('io', `the output is the input itself${itself ? '' : ' under another name'}`, {
    where: output,
    fix: `Choose another path${itself ? ', or replace the input' : ''}`,
    option: { output: null, ...(itself ? { force: null } : {}) },
  });
}

/** Returns a path whose folders contain no links; the last part may be one. */
async function nameOf(path: string): Promise<string> {
  const full = resolve(path);
  return join(await onFile(path, () => realpath(dirname(full))), basename(full));
}
