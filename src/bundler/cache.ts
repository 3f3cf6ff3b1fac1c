// Swapped models on disk, under a name made of what they came from.
import { createHash } from 'node:crypto';
import { lstat, mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { OnnxMishError } from '../base/error.js';
import { VERSION } from '../base/version.js';
import { type DataFile, dataFiles, withDataFiles } from '../files/external-data.js';
import { notAFile, onFile } from '../files/file-error.js';
import { openModel } from '../files/model-file.js';
import { readText } from '../files/read-stream.js';
import { writeModel, writeText } from '../files/write-model.js';
import type { SwapReport } from '../mish/results.js';
import { chooseForm, swapDocument } from '../mish/swap.js';
import { hashFile } from '../node/host.js';
import { scan } from '../onnx/scan.js';
import type { ByteSource } from '../onnx/source.js';
import type { MishOptions } from './request.js';

/** A swapped model, ready to be served. */
export interface SwappedModel {
  readonly path: string;
  /** The files that its external data is in: the original's own. */
  readonly data: readonly DataFile[];
  /** What its user should know. */
  readonly warning: string | undefined;
}

/** What lies beside a cached model, written after it. */
interface Entry {
  readonly bytes: number;
  /** Its SHA-256. */
  readonly sha256: string;
  /** Why nothing was swapped, if nothing was. */
  readonly unchanged?: string | undefined;
}

/**
 * A model swapped into the cache, or found there: the key is its content, the options and this package's version. `depend`
 * is told of each file that the result comes from, before it is read. Throws as `swap` does, `io` and `external-data`.
 */
export async function swapToCache(
  path: string,
  options: MishOptions,
  depend: (file: string) => void,
): Promise<SwappedModel> {
  const cache = options.cacheDir === undefined ? await findCacheDir() : resolve(options.cacheDir);
  const file = await openModel(path);
  try {
    const document = await scan(file);
    const data = await dataFiles(document, dirname(path));
    for (const one of data) depend(one.path);
    await refuseMissing(data);
    // Folding alone reads weights.
    const folded = options.fold ? await Promise.all(data.map((one) => hashFile(one.path))) : [];
    const folder = join(cache, keyOf([await hashSource(file), ...folded], options));
    const model = join(folder, basename(path).replace(/[^\w.-]+/g, '_'));
    const note = join(folder, 'entry.json');

    const known = await readEntry(folder, note, model);
    if (known !== undefined) return { path: model, data, warning: warningOf(path, known) };
    const { output, report } = await withDataFiles(path, document, (openData) =>
      swapDocument(document, { ...options, undo: options.undo ?? false, openData }),
    );
    await removeLinks([folder, model, note]);
    await onFile(folder, () => mkdir(folder, { recursive: true }));
    await writeModel(output, model, { force: true, verify: () => file.checkUnchanged() });
    // Watchers that compare times with the start of a build would take a younger file for a change.
    const { mtime } = await file.handle.stat();
    await onFile(model, () => utimes(model, mtime, mtime));
    const entry: Entry = { ...(await summaryOf(model)), unchanged: whyUnchanged(report) };
    await writeText(note, JSON.stringify(entry), true);
    await removeUnused(cache);
    return { path: model, data, warning: warningOf(path, entry) };
  } finally {
    await file.close();
  }
}

/** `node_modules/.cache/onnx-mish` of the package that a folder belongs to, where build tools keep such things. */
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

async function refuseMissing(data: readonly DataFile[]): Promise<void> {
  for (const { path, tensor } of data) {
    const there = await stat(path).catch(() => undefined);
    if (there?.isFile()) continue;
    throw new OnnxMishError('external-data', `there is no such file, and ${tensor} has its data there`, {
      where: path,
      fix: 'Put the data file back beside the model',
    });
  }
}

function keyOf(hashes: readonly string[], options: MishOptions): string {
  const { beta = 1, leaky = 'mish', only, include, exclude, opset, fold, strict, undo } = options;
  const chosen = [chooseForm(options).name, beta, leaky, only, include, exclude, opset, fold, strict, undo];
  const key = JSON.stringify([VERSION, hashes, chosen.map((value) => value ?? null)]);
  return createHash('sha256').update(key).digest('hex').slice(0, 32);
}

const BLOCK = 1 << 20;

/** SHA-256 of what is read, which is what will be swapped, whatever the name stands for by then. */
async function hashSource(source: ByteSource): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < source.size; at += BLOCK) {
    hash.update(await source.read(at, Math.min(BLOCK, source.size - at)));
  }
  return hash.digest('hex');
}

/** Size and hash of a cached model. Throws `io`, also for a link. */
async function summaryOf(model: string): Promise<Pick<Entry, 'bytes' | 'sha256'>> {
  if ((await onFile(model, () => lstat(model))).isSymbolicLink())
    throw notAFile({ isDirectory: () => false }, model);
  const file = await openModel(model);
  try {
    const sha256 = await hashSource(file);
    return { bytes: file.size, sha256 };
  } finally {
    await file.close();
  }
}

/** Takes links away where the cache's own folders and files should be: what they lead to is nobody's to replace. */
async function removeLinks(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const there = await lstat(path).catch(() => undefined);
    if (there?.isSymbolicLink()) await onFile(path, () => rm(path));
  }
}

/** Reads the note of a cached model and marks the model as used; undefined where the model is absent, changed or a link. */
async function readEntry(folder: string, note: string, model: string): Promise<Entry | undefined> {
  try {
    for (const path of [folder, note]) if ((await lstat(path)).isSymbolicLink()) return undefined;
    const entry: Entry = JSON.parse(await readText(note));
    const { bytes, sha256 } = await summaryOf(model);
    if (bytes !== entry.bytes || sha256 !== entry.sha256) return undefined;
    const now = new Date();
    await utimes(note, now, now).catch(() => {}); // a cache that may only be read
    return entry;
  } catch {
    return undefined; // it is made again
  }
}

const KEPT_DAYS = 30;

/** Models that no build has asked for in a month: a model in training leaves one behind with each change. */
async function removeUnused(cache: string): Promise<void> {
  const oldest = Date.now() - KEPT_DAYS * 24 * 3600 * 1000;
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
  const more = skipped.length > 1 ? `, and ${skipped.length - 1} more` : '';
  return ` Left alone: ${first.kind} ${first.label} (${first.why})${more}.`;
}

function warningOf(path: string, { unchanged }: Entry): string | undefined {
  if (unchanged === undefined) return undefined;
  return `${path}: there is no activation to swap, so the asset is the model as it is.${unchanged}`;
}
