import type { BigIntStats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { OnnxMishError } from '../base/error.js';
import { isAbsent, onFile } from './file-error.js';

/** What is there under a path, links followed; undefined where nothing is. Throws `io` when that cannot be told. */
export async function statOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await onFile(path, () => stat(path, { bigint: true }));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Whether two paths lead to one file that is there, through links of either kind as well. Throws `io`. */
export async function isSameFile(first: string, second: string): Promise<boolean> {
  const [a, b] = [await statOf(first), await statOf(second)];
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

/**
 * Refuses to write over what a command reads: without `force` always, and with it where the two are one file under two
 * names, for then it is not what was asked for. Throws `io`.
 */
export async function refuseInput(input: string, output: string, force: boolean): Promise<void> {
  if (!(await isSameFile(input, output))) return;
  const itself = (await nameOf(input)) === (await nameOf(output));
  if (itself && force) return;
  throw new OnnxMishError('io', `this is the input itself${itself ? '' : ' under another name'}`, {
    where: output,
    fix: `Choose another place${itself ? ', or replace the input' : ''}`,
    option: { output: null, ...(itself ? { force: null } : {}) },
  });
}

/** A path without links in it, but for the last step. */
async function nameOf(path: string): Promise<string> {
  const full = resolve(path);
  return join(await onFile(path, () => realpath(dirname(full))), basename(full));
}
