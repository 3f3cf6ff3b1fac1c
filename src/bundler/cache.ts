// Caches swapped models on disk, by a hash of model, options and version.
import { lstat, mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { integer } from '../base/plural.js';
import { type DataFile, dataFileBytes, dataFiles, withDataFiles } from '../files/external-data.js';
import { notAFile, onFile } from '../files/file-error.js';
import { openModel } from '../files/model-file.js';
import { readText } from '../files/read-stream.js';
import { writeModel, writeText } from '../files/write-model.js';
import { costOf } from '../mish/costs.js';
import type { SwapReport } from '../mish/results.js';
import { swapDocument } from '../mish/swap.js';
import { scan } from '../onnx/scan.js';
import { cacheKey, hashSource } from './cache-key.js';
import type { MishOptions } from './request.js';

/** A swapped model in the cache. */
export interface CachedModel {
  readonly path: string;
  /** External data files; these are the original's files, not copies. */
  readonly data: readonly DataFile[];
  /** Text on the time of the swapped model on CPUs; undefined for a model from the cache. */
  readonly cost?: string | undefined;
  /** Warning for the user of the bundler. */
  readonly warning: string | undefined;
}

/** Contents of `entry.json` beside a cached model; it is written after the model. */
interface Entry {
  readonly bytes: number;
  /** SHA-256 of the cached model. */
  readonly sha256: string;
  /** Sentence about what was skipped, with a space before it, if nothing was swapped; undefined if something was. */
  readonly unchanged?: string | undefined;
}

/**
 * Swaps a model into the cache, or returns the cached one. The key is a hash of the model, its name, the options and this
 * package's version. Calls `depend` with each file that the result depends on, before reading it. Throws what `swap`
 * throws, `io` and `external-data`.
 */
export async function swapToCache(
  path: string,
  options: MishOptions,
  depend: (file: string) => void,
): Promise<CachedModel> {
  const cache = options.cacheDir === undefined ? await findCacheDir() : resolve(options.cacheDir);
  const file = await openModel(path);
  try {
    const document = await scan(file);
    const data = await dataFiles(document, dirname(path));
    for (const one of data) depend(one.path);
    for (const one of data) await dataFileBytes(one); // throws for a missing file, which the bundler already watches
    await withDataFiles(path, document, async () => {}); // reads the numbers, which the key needs
    const name = basename(path).replace(/[^\w.-]+/g, '_');
    const folder = join(cache, await cacheKey(name, document, data, options));
    const model = join(folder, name);
    const note = join(folder, 'entry.json');

    const known = await readEntry(folder, note, model);
    if (known !== undefined) return { path: model, data, warning: warningOf(path, known) };
    const { entry, cost } = await shared(folder, async () => {
      const { output, report } = await withDataFiles(path, document, (openData) =>
        swapDocument(document, { ...options, undo: options.undo ?? false, openData }),
      );
      await removeLinks([folder, model, note]);
      await onFile(folder, () => mkdir(folder, { recursive: true }));
      await writeModel(output, model, { force: true, verify: () => file.checkUnchanged() });
      // Watchers treat a file that is newer than the build's start as changed.
      const { mtime } = await file.handle.stat();
      await onFile(model, () => utimes(model, mtime, mtime));
      const written: Entry = { ...(await summaryOf(model)), unchanged: whyUnchanged(report) };
      await writeText(note, JSON.stringify(written), true);
      await removeUnused(cache);
      return { entry: written, cost: costOf(report) };
    });
    return { path: model, data, cost, warning: warningOf(path, entry) };
  } finally {
    await file.close();
  }
}

/** Entry of a cached model that was just written, and the cost of its form. */
interface Written {
  readonly entry: Entry;
  readonly cost: CachedModel['cost'];
}

/** Entries that are being written, by folder. */
const inProgress = new Map<string, Promise<Written>>();

/** Writes an entry, or waits for the build of this process that writes it: Windows cannot replace a file that another build reads. */
function shared(folder: string, write: () => Promise<Written>): Promise<Written> {
  const running = inProgress.get(folder) ?? write().finally(() => inProgress.delete(folder));
  inProgress.set(folder, running);
  return running;
}

/** Returns `node_modules/.cache/onnx-mish` of the nearest package at or above a folder, the usual place for caches. */
export async function findCacheDir(from = process.cwd()): Promise<string> {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const isPackage = await stat(join(folder, 'package.json')).then(
      (there) => there.isFile(),
      () => false,
    );
    if (isPackage) return join(folder, 'node_modules', '.cache', 'onnx-mish');
    if (folder === dirname(folder)) return join(resolve(from), 'node_modules', '.cache', 'onnx-mish');
  }
}

/** Returns size and hash of a cached model. Throws `io`, also for a symbolic link. */
async function summaryOf(model: string): Promise<Pick<Entry, 'bytes' | 'sha256'>> {
  const there = await onFile(model, () => lstat(model));
  if (there.isSymbolicLink()) throw notAFile(there, model);
  const file = await openModel(model);
  try {
    const sha256 = await hashSource(file);
    return { bytes: file.size, sha256 };
  } finally {
    await file.close();
  }
}

/**
 * Removes symbolic links in the place of the cache's folders and files, so that no file outside the cache is
 * overwritten.
 */
async function removeLinks(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const there = await lstat(path).catch(() => undefined);
    if (there?.isSymbolicLink()) await onFile(path, () => rm(path));
  }
}

/**
 * Reads the entry of a cached model and marks the model as used. Returns undefined if the model is missing, changed
 * or a symbolic link.
 */
async function readEntry(folder: string, note: string, model: string): Promise<Entry | undefined> {
  try {
    for (const path of [folder, note]) if ((await lstat(path)).isSymbolicLink()) return undefined;
    const entry: Entry = JSON.parse(await readText(note));
    const { bytes, sha256 } = await summaryOf(model);
    if (bytes !== entry.bytes || sha256 !== entry.sha256) return undefined;
    const now = new Date();
    await utimes(note, now, now).catch(() => {}); // the cache may be read-only
    return entry;
  } catch {
    return undefined; // the model is swapped again
  }
}

const MAX_UNUSED_DAYS = 30;

/** Removes models that no build has used for a month. A model in training adds one with each change. */
async function removeUnused(cache: string): Promise<void> {
  const oldest = Date.now() - MAX_UNUSED_DAYS * 24 * 3600 * 1000;
  for (const name of await readdir(cache).catch(() => [])) {
    const used = await lstat(join(cache, name, 'entry.json')).catch(() => undefined);
    if (used === undefined || used.mtimeMs >= oldest) continue;
    await rm(join(cache, name), { recursive: true, force: true }).catch(() => {});
  }
}

function whyUnchanged({ sites, skipped }: SwapReport): string | undefined {
  if (sites.length > 0) return undefined;
  const [first] = skipped;
  if (first === undefined) return '';
  const more = skipped.length > 1 ? `, and ${integer(skipped.length - 1)} more` : '';
  const why = [first.why, ...Object.keys(first.option ?? {})].join(': ');
  return ` Skipped: ${first.kind} ${first.label} (${why})${more}.`;
}

function warningOf(path: string, { unchanged }: Entry): string | undefined {
  if (unchanged === undefined) return undefined;
  return `${path}: the model has no activation to swap, so the asset is the unchanged model.${unchanged}`;
}
