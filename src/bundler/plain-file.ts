import { lstat, stat, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { copyDataFiles, type DataFile } from '../files/external-data.js';
import { onFile, unlessAbsent } from '../files/file-error.js';
import { writeTogether } from '../files/write-atomically.js';

/** Matches what bundlers take for a query, a fragment or a loader, or what changes in a URL. */
const MISREAD = /[?#!%]/;

/**
 * Returns the path of a data file of a model; where bundlers would misread its name, that of a copy with a plain name beside the
 * cached model. `index` tells the data files of a model apart. Throws `io`.
 */
export async function plainFile({ location, path }: DataFile, model: string, index: number): Promise<string> {
  if (!MISREAD.test(location)) return path;
  const copy = join(dirname(model), `${index}-${basename(path).replace(/[^\w.-]+/g, '_')}`);
  const { size, mtime } = await onFile(path, () => stat(path));
  const before = await unlessAbsent(copy, () => lstat(copy));
  const isSame = before?.size === size && before.mtime.getTime() === mtime.getTime();
  if (before?.isFile() && isSame) return copy;
  const copies = [{ from: path, to: copy, bytes: size }];
  await writeTogether(true, (batch) => copyDataFiles(copies, batch, { onCopied: () => {} }));
  // Watchers treat a file that is newer than the build's start as changed.
  await onFile(copy, () => utimes(copy, mtime, mtime));
  return copy;
}
