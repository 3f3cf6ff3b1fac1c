import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/** Paths and globs, and the folder that they are relative to. */
export interface Patterns {
  readonly patterns: readonly string[];
  readonly folder: string;
}

/** Whether a text is a glob rather than the name of a file; a file that is there is never one. */
export function isGlob(text: string, folder = '.'): boolean {
  return /[*?[\]{}()]|^!/.test(text) && !existsSync(resolve(folder, text));
}

/** A part of the models, for one machine of several. */
export interface Shard {
  /** From 1 up. */
  readonly index: number;
  readonly count: number;
}
