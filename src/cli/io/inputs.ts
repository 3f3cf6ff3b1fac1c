import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { OnnxMishError } from '../../base/error.js';
import { isGlob, type Patterns } from '../options/patterns.js';
import { FILES_WITHOUT_BREAKS, withBreaks, withoutBreaks } from './line-breaks.js';

/** A model to work on. */
export interface Input {
  readonly path: string;
  /** Base of the path below --out-dir: the folders of the glob before its first wildcard, or the model's folder. */
  readonly base: string;
}

/** Files of paths and globs. */
export interface Inputs {
  /** Each file once, sorted by path, in the same order on every machine. */
  readonly inputs: readonly Input[];
  /** Files that a glob matches but an earlier run has written. */
  readonly leftOut: readonly string[];
}

/**
 * Finds the files of paths and globs; `!glob` excludes files. A glob skips hidden folders, node_modules and the output of
 * earlier runs (with `.tag.` in the name, or below `outDir`), unless the glob names them. Throws `bad-usage` for a glob that
 * matches nothing.
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
    const pattern = text.slice(1);
    const files = isGlob(pattern, folder) ? await match(pattern, folder) : [resolve(folder, pattern)];
    for (const file of files) excluded.add(file);
  }
  if (patterns.every(negative)) {
    throw new OnnxMishError('bad-usage', 'all globs start with !, which excludes models', {
      fix: 'Add a path or glob of models to include',
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

/** Returns the absolute paths that a glob matches. */
async function match(pattern: string, folder: string): Promise<string[]> {
  const { glob } = await import('tinyglobby'); // loading it takes longer than a swap
  const files = await glob(withoutBreaks(slashes(pattern)), {
    cwd: withoutBreaks(resolve(folder)),
    fs: FILES_WITHOUT_BREAKS,
    absolute: true,
    expandDirectories: false,
    ignore: pattern.includes('node_modules') ? [] : ['**/node_modules/**'],
  });
  return files.map((file) => resolve(withBreaks(file)));
}

/** Replaces backslashes by slashes on Windows, whose shells complete paths with backslashes. */
function slashes(pattern: string): string {
  return sep === '\\' ? pattern.replaceAll('\\', '/') : pattern;
}

/** Returns the folders of a glob before the first wildcard. */
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

/** Returns whether a path is the folder or lies inside it. */
function isBelow(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return !isAbsolute(way) && way.split(sep)[0] !== '..';
}

/** Returns a path for messages: relative to the current folder, unless the pattern is absolute. */
function shown(file: string, pattern: string): string {
  return isAbsolute(pattern) ? file : relative('', file);
}

function nothingMatched(text: string, matched: number, written: number, folder: string): OnnxMishError {
  const what =
    matched === 0
      ? `no file matches '${text}'`
      : written > 0
        ? `'${text}' matches only files that an earlier run wrote`
        : `all files that '${text}' matches are excluded by a glob with !`;
  return new OnnxMishError('bad-usage', what, {
    where: relative('', folder) === '' ? undefined : relative('', folder),
    fix:
      written > 0
        ? 'Name the files without wildcards to include them'
        : 'Check the glob; ** stands for folders at any depth',
  });
}

/** Returns the path relative to `base`, for the same place under another folder. */
export function placeBelow({ path, base }: Input): string {
  return join(relative(base, dirname(resolve(path))), basename(path));
}
