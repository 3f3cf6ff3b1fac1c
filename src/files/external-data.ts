import type { BigIntStats } from 'node:fs';
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { stopIfAborted } from '../base/abort.js';
import { OnnxMishError } from '../base/error.js';
import type { OptionHint } from '../base/option-hint.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { OpenData } from '../onnx/weights.js';
import { isAbsent, onFile } from './file-error.js';
import { type ModelFile, openModel, readExactly } from './model-file.js';
import { isSameFile, statOf } from './same-file.js';
import { refuseChange } from './unchanged.js';
import type { Batch } from './write-atomically.js';
import { writeExactly } from './write-model.js';

/** A file of tensors beside a model. */
export interface DataFile {
  /** As the model names it, relative to its folder. */
  readonly location: string;
  readonly path: string;
  /** A tensor that has its data there, for messages. */
  readonly tensor: string;
}

/** What a model may have read. */
export interface DataAccess {
  /**
   * Also read external data outside of the model's folder, through links too. Only for models from people who may read
   * what you may read: such a model can have any file of yours copied or computed with.
   */
  readonly allowOutsideData?: boolean | undefined;
}

const INSIDE = 'Put the data file into the model’s folder and name it relative to that';

/** What Windows takes for a drive, a stream of a file, a device, or drops from the end of a name. */
const WINDOWS_ONLY = /[:*?"<>|]|[. ]([\\/]|$)|(^|[\\/])(con|prn|aux|nul|com\d|lpt\d)(\.|[\\/]|$)/i;

/**
 * The data files of a model in a folder. Throws `external-data`, naming a tensor, for what is no regular file, and, unless
 * it is allowed, for what is not the model's to read: an absolute location, or one that leads out of the folder by `..` or
 * by a link. A file of several names counts as such a link, for nobody knows where the others are, and ONNX's own loader
 * refuses it as well.
 */
export async function dataFiles(
  document: OnnxDocument,
  folder: string,
  { allowOutsideData = false }: DataAccess = {},
): Promise<DataFile[]> {
  const found = new Map<string, DataFile>();
  for (const { tensor, scope } of document.external) {
    const location = tensor.external?.get('location') ?? '';
    if (found.has(location)) continue;
    const owner = `tensor '${tensor.name}' in ${scope}`;
    const refuse = (what: string, fix = INSIDE, option?: OptionHint) =>
      new OnnxMishError('external-data', `the data of ${owner} ${what}`, {
        where: document.source.name,
        fix,
        option,
      });
    const outside = (what: string, fix = INSIDE) => {
      if (allowOutsideData) return;
      throw refuse(what, `${fix}, or, if you trust the model, allow it`, { allowOutsideData: null });
    };
    if (location === '') throw refuse('names no file');
    if (location.includes('\0')) throw refuse(`has a NUL in its location, '${location}'`);
    if (isAbsolute(location) || /^([a-z]:|[\\/])/i.test(location)) {
      outside(`has the absolute location '${location}'`);
    } else if (process.platform === 'win32' && WINDOWS_ONLY.test(location)) {
      throw refuse(`has a location that is no file's on Windows, '${location}'`);
    }
    const path = resolve(folder, location);
    if (climbs(folder, path) || location.split(/[\\/]/).includes('..')) {
      outside(`is outside of the model’s folder: '${location}'`);
    }
    const real = await realOrAbsent(path);
    let seen: BigIntStats | undefined;
    if (real !== undefined) {
      if (climbs(await onFile(folder, () => realpath(folder)), real)) {
        outside(`is outside of the model’s folder: '${location}' is a link to '${real}'`);
      }
      const there = await lstatOf(real);
      if (there?.isSymbolicLink()) throw refuse(`became a link while it was looked at: '${location}'`);
      if (there?.isDirectory()) throw refuse(`is a folder: '${location}'`);
      if (there?.isFile() === false) throw refuse(`is a pipe, a device or a socket: '${location}'`);
      if (there !== undefined && there.nlink > 1) {
        outside(
          `has ${there.nlink} names (hard links), of which some may be outside of the model’s folder: '${location}'`,
          'Put a copy in its place',
        );
      }
      seen = there;
    }
    const file = { location, path, tensor: owner };
    if (seen !== undefined) checked.set(file, seen);
    found.set(location, file);
  }
  return [...found.values()];
}

/** What was there when a data file was checked. */
const checked = new WeakMap<DataFile, BigIntStats>();

/** Opens a data file, the one that `dataFiles` has checked: what has its name by now may be another. Throws `io`. */
export async function openDataFile(file: DataFile): Promise<ModelFile> {
  const opened = await openModel(file.path);
  try {
    const there = await onFile(file.path, () => opened.handle.stat({ bigint: true }));
    refuseChange(file.path, checked.get(file), there);
    return opened;
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** Throws `external-data` for a model with external data, where nothing says which folder it is in. */
export function refuseExternal({ external: [first], source }: OnnxDocument, fix: string): void {
  if (first === undefined) return;
  throw new OnnxMishError('external-data', `tensor '${first.tensor.name}' has its data in another file`, {
    where: source.name,
    fix,
  });
}

function climbs(from: string, to: string): boolean {
  const way = relative(from, to);
  return isAbsolute(way) || way.split(sep)[0] === '..'; // absolute: another drive
}

/**
 * Has the data files beside a model file open for reading while they are used. All are checked and each is opened when one is first
 * asked for, which throws `external-data` as `dataFiles` does, and `io`.
 */
export async function withDataFiles<T>(
  path: string,
  document: OnnxDocument,
  use: (open: OpenData) => Promise<T>,
  access?: DataAccess | undefined,
): Promise<T> {
  const folder = dirname(resolve(path));
  let checking: Promise<ReadonlyMap<string, DataFile>> | undefined;
  const check = async () =>
    new Map((await dataFiles(document, folder, access)).map((file) => [file.location, file]));
  const files = new Map<string, ModelFile>();
  try {
    return await use(async (location) => {
      const opened = files.get(location);
      if (opened !== undefined) return opened;
      checking ??= check();
      const beside = (await checking).get(location);
      const file = await (beside === undefined ? openModel(join(folder, location)) : openDataFile(beside));
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
 * What has to be copied for a model that moves from `folder` to another: nothing within one. Throws `external-data`
 * when a file is not there, or when the model itself, at `output`, would take its place.
 */
export async function plannedCopies(
  document: OnnxDocument,
  files: readonly DataFile[],
  folder: string,
  output: string,
): Promise<Copy[]> {
  const target = dirname(resolve(output));
  // Some file systems take no notice of case, or of how an accent is written.
  const plain = (path: string) => path.normalize('NFC').toLowerCase();
  const clash = files.find(({ location }) => plain(resolve(target, location)) === plain(resolve(output)));
  if (clash !== undefined) throw clashes(output, clash.tensor);
  // Under another name it may be one all the same.
  for (const { path, tensor } of files) {
    if (await isSameFile(path, output)) throw clashes(output, tensor);
  }
  if (files.length === 0 || (await isSameFile(folder, target))) return [];
  const moving = files.filter(({ location }) => !isAbsolute(location)); // that is the same from everywhere
  const taken = new Map<string, string>();
  for (const { location, tensor } of moving) {
    const to = resolve(target, location);
    const refuse = (what: string) =>
      new OnnxMishError('external-data', `the data of ${tensor} ${what}`, {
        where: output,
        fix: 'Write the output into the model’s own folder',
      });
    if (climbs(target, to)) throw refuse(`cannot be copied to '${location}', outside of the output’s folder`);
    const other = taken.get(plain(to));
    if (other !== undefined)
      throw refuse(`and that in '${other}' differ only in case or accents: '${location}'`);
    taken.set(plain(to), location);
  }
  const copies = await Promise.all(
    moving.map(async ({ location, path, tensor }) => {
      const there = await statOf(path);
      if (there?.isFile()) return { from: path, to: resolve(target, location), bytes: Number(there.size) };
      throw new OnnxMishError('external-data', `there is no such file, and ${tensor} has its data there`, {
        where: path,
        fix: 'Put the data file back beside the model, or write the output into the model’s own folder',
      });
    }),
  );
  // A location may lead from the output's folder back to what is read.
  const identity = async (path: string) => {
    const there = await statOf(path);
    return there && `${there.dev} ${there.ino}`;
  };
  const read = new Set<string | undefined>();
  for (const path of [document.source.name, ...files.map(({ path }) => path)]) read.add(await identity(path));
  for (const { to } of copies) {
    const there = await identity(to);
    if (there !== undefined && read.has(there)) {
      throw new OnnxMishError('external-data', 'a copy of a data file would take the place of what is read', {
        where: to,
        fix: 'Choose another folder',
        option: { output: null },
      });
    }
  }
  return copies;
}

function clashes(output: string, tensor: string): OnnxMishError {
  return new OnnxMishError('external-data', `this is the place of the data of ${tensor}`, {
    where: output,
    fix: 'Choose another name for the model',
    option: { output: null },
  });
}

export interface CopyOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told how many bytes have just been copied. */
  readonly onCopied: (bytes: number) => void;
}

/**
 * Copies data files, as clones where the file system can. Never hard links, which ONNX's own loader refuses. A file that
 * changes while it is read is not noticed here. Throws `io`, and `aborted`.
 */
export async function copyDataFiles(
  copies: readonly Copy[],
  batch: Batch,
  options: CopyOptions,
): Promise<void> {
  for (const { from, to, bytes } of copies) {
    stopIfAborted(options.signal, from);
    await batch.makeFolder(dirname(to));
    let done = 0;
    const onCopied = (more: number) => {
      done += more;
      options.onCopied(more);
    };
    await batch.write(to, (target) => copy({ from, to, bytes }, target, { ...options, onCopied }), {
      cloneOf: from,
    });
    if (done < bytes) options.onCopied(bytes - done); // a clone has no steps
  }
}

const BLOCK = 1024 * 1024;

/**
 * A plain copy, which unlike `copyFile` can be interrupted and tells how far it is. Where the file has holes, which take no
 * room on the disk, so has the copy.
 */
async function copy(
  { from, to, bytes }: Copy,
  target: FileHandle,
  { signal, onCopied }: CopyOptions,
): Promise<void> {
  const source = await onFile(from, () => open(from, 'r'));
  try {
    const { blocks } = await onFile(from, () => source.stat());
    const zeros = blocks * 512 < bytes ? new Uint8Array(BLOCK) : undefined; // stat counts in 512 bytes, whatever the disk
    const block = new Uint8Array(BLOCK);
    for (let at = 0; at < bytes; ) {
      stopIfAborted(signal, from);
      const part = block.subarray(0, Math.min(BLOCK, bytes - at));
      await readExactly(source, from, part, at);
      const isHole = zeros !== undefined && Buffer.compare(part, zeros.subarray(0, part.length)) === 0;
      if (!isHole) await onFile(to, () => writeExactly(target, [part], part.length, at));
      at += part.length;
      onCopied(part.length);
    }
    if (zeros !== undefined) await onFile(to, () => target.truncate(bytes)); // the last block may be a hole
  } finally {
    await source.close().catch(() => {}); // it was only read
  }
}

/** What has a name itself, links not followed; undefined where nothing has. Throws `io`. */
async function lstatOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await onFile(path, () => lstat(path, { bigint: true }));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** A path without links in it; undefined where nothing is there. Throws `io`. */
async function realOrAbsent(path: string): Promise<string | undefined> {
  try {
    return await onFile(path, () => realpath(path));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
