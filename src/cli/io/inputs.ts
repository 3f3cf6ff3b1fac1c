import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { OnnxMishError } from '../../base/error.js';
import { isGlob, type Patterns, type Shard } from '../options/patterns.js';

/** A model to work on. */
export interface Input {
  readonly path: string;
  /** The folder from which its place under --out-dir is counted: the glob's as far as it is plain, else its own. */
  readonly base: string;
}

export interface Inputs {
  /** Each file once, in the order of their paths, which is the same on every machine. */
  readonly inputs: readonly Input[];
  /** What globs matched and an earlier run had written. */
  readonly leftOut: readonly string[];
}

/**
 * The files that paths and globs name. `!glob` leaves out what it matches. A glob takes no file that an earlier run wrote,
 * which is one with `.tag.` in its name or below `outDir`, unless it says so itself, and none in node_modules or hidden
 * folders. Throws `bad-usage` for a glob that matches nothing.
 */
export async function expandInputs(
  { patterns, folder }: Patterns,
  { tag, outDir }: { tag?: string | undefined; outDir?: string | undefined } = {},
): Promise<Inputs> {
  const found = new Map<string, Input>();
  const leftOut = new Set<string>();
  const negative = (text: string) => text.startsWith('!') && isGlob(text, folder);
  const excluded = new Set<string>();
  for (const text of patterns.filter(negative)) {
    for (const file of await match(text.slice(1), folder)) excluded.add(file);
  }
  if (patterns.every(negative)) {
    throw new OnnxMishError('bad-usage', 'there are only globs with !, which leave models out', {
      fix: 'Name those to take as well',
    });
  }
  for (const text of patterns.filter((text) => !negative(text))) {
    const plain = !isGlob(text, folder);
    const base = plain ? dirname(resolve(folder, text)) : resolve(folder, plainPart(text));
    const all = plain ? [resolve(folder, text)] : await match(text, folder);
    const files = all.filter((file) => !excluded.has(file));
    const written = plain ? [] : files.filter((file) => wasWritten(file, text, base, { tag, outDir }));
    const taken = files.filter((file) => !written.includes(file));
    if (taken.length === 0) throw nothingMatched(text, all.length, written.length, folder);
    for (const file of written) leftOut.add(file);
    for (const file of taken) {
      if (!found.has(file)) found.set(file, { path: shown(file, text), base });
    }
  }
  const inputs = [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { inputs, leftOut: [...leftOut].filter((file) => !found.has(file)) };
}

/** The files, absolute, that a glob matches. */
async function match(pattern: string, folder: string): Promise<string[]> {
  const { glob } = await import('tinyglobby'); // takes longer to load than a model takes to swap
  const files = await glob(slashes(pattern), {
    cwd: resolve(folder),
    absolute: true,
    expandDirectories: false,
    ignore: pattern.includes('node_modules') ? [] : ['**/node_modules/**'],
  });
  return files.map((file) => resolve(file));
}

/** Globs are written with slashes; on Windows a backslash is one, too, for that is what its shells complete. */
function slashes(pattern: string): string {
  return sep === '\\' ? pattern.replaceAll('\\', '/') : pattern;
}

/** The folders of a glob before the first that is not plain. */
function plainPart(pattern: string): string {
  const parts = slashes(pattern).split('/');
  const plain = parts.slice(
    0,
    parts.findIndex((part) => /[*?[\]{}()\\]/.test(part)),
  );
  return plain.length === 1 && plain[0] === '' ? '/' : plain.join('/');
}

function wasWritten(
  file: string,
  pattern: string,
  base: string,
  { tag, outDir }: { tag?: string | undefined; outDir?: string | undefined },
): boolean {
  const below = outDir !== undefined && !isBelow(base, resolve(outDir)) && isBelow(file, resolve(outDir));
  const tagged =
    tag !== undefined &&
    basename(file).split('.').slice(1, -1).includes(tag) &&
    !basename(slashes(pattern)).includes(`.${tag}.`);
  return below || tagged;
}

/** Whether a path is a folder or something in it. */
function isBelow(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return !isAbsolute(way) && way.split(sep)[0] !== '..';
}

/** A file as the user would write it: from the current folder, unless it was given in full. */
function shown(file: string, pattern: string): string {
  return isAbsolute(pattern) ? file : relative('', file);
}

function nothingMatched(text: string, matched: number, written: number, folder: string): OnnxMishError {
  const what =
    matched === 0
      ? `no file matches '${text}'`
      : written > 0
        ? `'${text}' matches only what an earlier run wrote`
        : `all that '${text}' matches is left out by a glob with !`;
  return new OnnxMishError('bad-usage', what, {
    where: relative('', folder) === '' ? undefined : relative('', folder),
    fix:
      written > 0
        ? 'Name such files in full to take them'
        : 'Check the glob; ** stands for folders at any depth',
  });
}

/** Every `count`-th item, the first of them at `index`: the shards differ by one item at the most. */
export function shardOf<T>(items: readonly T[], shard: Shard | undefined): T[] {
  return items.filter((_, at) => shard === undefined || at % shard.count === shard.index - 1);
}

/** The part of a path from `base` on, for a place under another folder. */
export function placeBelow({ path, base }: Input): string {
  return join(relative(base, dirname(resolve(path))), basename(path));
}
