import { constants } from 'node:fs';
import { copyFile, mkdir, open, realpath, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { stopIfAborted } from '../onnx/abort.js';
import type { OnnxDocument } from '../onnx/document.js';
import { OnnxMishError } from '../onnx/error.js';
import type { OpenData } from '../onnx/weights.js';
import { writeAtomically } from './atomic.js';
import { onFile } from './errors.js';
import { type ModelFile, openModel } from './model-file.js';
import { writeExactly } from './write.js';

/** A file of tensors beside a model. */
export interface DataFile {
  /** As the model names it, relative to its folder. */
  readonly location: string;
  readonly path: string;
  /** A tensor that has its data there, for messages. */
  readonly tensor: string;
}

/**
 * The data files of a model in a folder. Throws `external-data` for a location that is empty, absolute or
 * leads out of the folder, by `..` or through a link: what it names is not the model's to read.
 */
export async function dataFiles(document: OnnxDocument, folder: string): Promise<DataFile[]> {
  const found = new Map<string, DataFile>();
  for (const { tensor, scope } of document.external) {
    const location = tensor.external?.get('location') ?? '';
    if (found.has(location)) continue;
    const owner = `tensor '${tensor.name}' in ${scope}`;
    const refuse = (what: string) =>
      new OnnxMishError('external-data', `the data of ${owner} ${what}`, {
        where: document.source.name,
        fix: 'Put the data file into the model’s folder and name it relative to that',
      });
    if (location === '') throw refuse('names no file');
    if (location.includes('\0') || isAbsolute(location) || /^([a-z]:|[\\/])/i.test(location)) {
      throw refuse(`has the absolute location '${location}'`);
    }
    const path = resolve(folder, location);
    const climbs = (from: string, to: string) => relative(from, to).split(sep)[0] === '..';
    if (climbs(folder, path) || location.split(/[\\/]/).includes('..')) {
      throw refuse(`is outside of the model’s folder: '${location}'`);
    }
    const real = await realpath(path).catch(() => undefined);
    if (real !== undefined && climbs(await realpath(folder), real)) {
      throw refuse(`is outside of the model’s folder: '${location}' is a link to '${real}'`);
    }
    found.set(location, { location, path, tensor: owner });
  }
  return [...found.values()];
}

/**
 * Has the data files beside a model open for reading while they are used; each is opened when it is first asked for. There
 * are none beside bytes. Throws `external-data` as `dataFiles` does, and `io`.
 */
export async function withDataFiles<T>(
  model: string | Uint8Array,
  document: OnnxDocument,
  use: (open: OpenData | undefined) => Promise<T>,
): Promise<T> {
  if (typeof model !== 'string') return use(undefined);
  const folder = dirname(resolve(model));
  const paths = new Map((await dataFiles(document, folder)).map(({ location, path }) => [location, path]));
  const files = new Map<string, ModelFile>();
  try {
    return await use(async (location) => {
      const known = files.get(location);
      if (known !== undefined) return known;
      const file = await openModel(paths.get(location) ?? join(folder, location));
      files.set(location, file);
      return file;
    });
  } finally {
    for (const file of files.values()) await file.close();
  }
}

/** A data file to make available to a model in another folder. */
export interface Copy {
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
}

/**
 * What has to be copied for a model that moves to another folder: nothing within one. Throws `external-data`
 * when a file is not there, or when the model itself, at `output`, would take its place.
 */
export async function plannedCopies(document: OnnxDocument, folder: string, output: string): Promise<Copy[]> {
  const files = await dataFiles(document, folder);
  const target = dirname(resolve(output));
  const clash = files.find(({ location }) => join(target, location) === resolve(output));
  if (clash !== undefined) {
    throw new OnnxMishError('external-data', `this is the place of the data of ${clash.tensor}`, {
      where: output,
      fix: 'Choose another name for the model with -o',
    });
  }
  if (files.length === 0 || (await samePlace(folder, target))) return [];
  return Promise.all(
    files.map(async ({ location, path, tensor }) => {
      const there = await stat(path).catch(() => undefined);
      if (there?.isFile()) return { from: path, to: join(target, location), bytes: there.size };
      throw new OnnxMishError('external-data', `there is no such file, and ${tensor} has its data there`, {
        where: path,
        fix: 'Put the data file back beside the model, or write the output into the model’s own folder',
      });
    }),
  );
}

/** What `copyDataFiles` has made so far. */
export interface Copied {
  readonly files: string[];
  /** Outermost first. */
  readonly folders: string[];
}

/** The data files that models of one run have in common, by where they are copied to. */
export type SharedData = Map<string, Shared>;

interface Shared {
  readonly from: string;
  readonly copied: Promise<void>;
  /** Models that have it; the file goes when the last one fails. */
  users: number;
}

/**
 * Copies data files, as clones where the file system can. Never hard links, which ONNX's own loader refuses.
 * Adds each file, and each folder made for it, to `copied` as soon as it is there.
 */
export async function copyDataFiles(
  copies: readonly Copy[],
  copied: Copied,
  options: {
    readonly force: boolean;
    readonly signal?: AbortSignal | undefined;
    /** Told how many bytes have just been copied. */
    readonly onCopied: (bytes: number) => void;
    /** What other models of this run copy: a file that several have is copied once. */
    readonly shared?: SharedData | undefined;
  },
): Promise<void> {
  const { shared = new Map() } = options;
  for (const { from, to, bytes } of copies) {
    stopIfAborted(options.signal, from);
    const other = shared.get(to);
    if (other !== undefined && other.from !== from) {
      throw new OnnxMishError('external-data', `this is where '${other.from}' goes, too`, {
        where: to,
        fix: `Write the models to folders of their own, for '${from}' is another file`,
      });
    }
    const copyIt = async () => {
      await makeFolder(dirname(to), copied.folders);
      await writeAtomically(to, options.force, async (temporary) => {
        if (await clone(from, temporary)) options.onCopied(bytes);
        else await copy(from, temporary, to, options);
      });
    };
    const one: Shared = other ?? { from, copied: copyIt(), users: 0 };
    one.users++; // before anything is waited for, so that nobody removes it meanwhile
    shared.set(to, one);
    try {
      await one.copied;
    } catch (error) {
      shared.delete(to);
      throw error;
    }
    copied.files.push(to);
  }
}

/** Removes what was copied, for data without its model is of no use, unless another model of the run has it, too. */
export async function removeCopied(
  { files, folders }: Copied,
  shared: SharedData = new Map(),
): Promise<void> {
  for (const file of files) {
    const one = shared.get(file);
    if (one !== undefined && --one.users > 0) continue;
    shared.delete(file);
    await rm(file, { force: true });
  }
  // One that somebody has put something into is not ours any more.
  for (const folder of folders.toReversed()) await rmdir(folder).catch(() => {});
}

/** Makes a folder and those above it; adds the ones that were not there to `made`, outermost first. Throws `io`. */
export async function makeFolder(folder: string, made: string[]): Promise<void> {
  const first = await onFile(folder, () => mkdir(folder, { recursive: true }));
  if (first === undefined) return;
  const below = relative(first, folder).split(sep).filter(Boolean);
  made.push(...[first, ...below.map((_, index) => join(first, ...below.slice(0, index + 1)))]);
}

/** Copy on write, where the file system can; it takes no time and no space. */
async function clone(from: string, to: string): Promise<boolean> {
  return copyFile(from, to, constants.COPYFILE_FICLONE_FORCE).then(
    () => true,
    () => false,
  );
}

const BLOCK = 4 * 1024 * 1024;

/** A plain copy, which unlike `copyFile` can be interrupted and tells how far it is. */
async function copy(
  from: string,
  temporary: string,
  to: string,
  { signal, onCopied }: Pick<Parameters<typeof copyDataFiles>[2], 'signal' | 'onCopied'>,
): Promise<void> {
  const source = await onFile(from, () => open(from, 'r'));
  try {
    // The attempt at a clone has removed the temporary.
    const target = await onFile(to, () => open(temporary, 'w'));
    try {
      const block = new Uint8Array(BLOCK);
      for (let at = 0; ; ) {
        stopIfAborted(signal, from);
        const { bytesRead } = await onFile(from, () => source.read(block, 0, BLOCK, at));
        if (bytesRead === 0) break;
        await onFile(to, () => writeExactly(target, [block.subarray(0, bytesRead)], bytesRead, at));
        at += bytesRead;
        onCopied(bytesRead);
      }
      await onFile(to, () => target.sync());
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function samePlace(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([realpath(a), realpath(b).catch(() => resolve(b))]);
  return first === second;
}
