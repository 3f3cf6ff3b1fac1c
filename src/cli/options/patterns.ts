import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/** Paths and globs, and the folder that they are relative to. */
export interface Patterns {
  readonly patterns: readonly string[];
  readonly folder: string;
}

/** Returns whether a text is a glob. The path of an existing file never is. */
export function isGlob(text: string, folder = '.'): boolean {
  return /[*?[\]{}()]|^!/.test(text) && !existsSync(resolve(folder, text));
}

/** Returns whether the second argument of `validate` is the swapped model; a glob, such as `!old/*`, chooses models. */
export function isSwapped(second: string | undefined): boolean {
  return second !== undefined && !isGlob(second);
}
