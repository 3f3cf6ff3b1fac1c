import type { BigIntStats } from 'node:fs';
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import { stopIfAborted } from '../base/abort.js';
import { OnnxMishError } from '../base/error.js';
import type { OnnxDocument } from '../onnx/document.js';
import { type OpenData, readOutsideNumbers } from '../onnx/outside-numbers.js';
import { onFile, unlessAbsent } from './file-error.js';
import { type ModelFile, openModel, readExactly } from './model-file.js';
import { isSameFile, statOf } from './same-file.js';
import { refuseChange } from './unchanged.js';
import { isWindowsPath } from './windows-name.js';
import type { Batch } from './write-atomically.js';
import { writeExactly } from './write-model.js';

/** An external data file of a model. */
export interface DataFile {
  /** Location in the model, relative to the model's folder. */
  readonly location: string;
  readonly path: string;
  /** Name of a tensor with data in this file, for messages. */
  readonly tensor: string;
}

/** Permissions for external data. */
export interface DataAccess {
  /**
   * Whether to read external data outside of the model's folder, also through links. Only for trusted models: such a
   * model can have any file of yours copied or used in a calculation.
   */
  readonly allowOutsideData?: boolean | undefined;
}

const INSIDE = 'Put the data file into the model’s folder, and write its location relative to that folder';

/**
 * Returns the external data files of a model in a folder. Throws `external-data` with the name of a tensor if a file
 * is not a regular file. Unless outside data is allowed, also throws for an absolute location, and for one that
 * leaves the folder by `..` or by a link. A file with several hard links counts as outside, because its other names
 * are unknown; ONNX's loader rejects it, too.
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
    const refuse = (what: string, fix = INSIDE, option?: OnnxMishError['option']) =>
      new OnnxMishError('external-data', `the data of ${owner} ${what}`, {
        where: document.source.name,
        fix,
        option,
      });
    const outside = (what: string, fix = INSIDE) => {
      if (allowOutsideData) return;
      throw refuse(what, `${fix}, or, if you trust the model, allow it`, { allowOutsideData: null });
    };
    if (location === '') throw refuse('has an empty location');
    if (location.includes('\0')) throw refuse(`has a NUL character in its location, '${location}'`);
    if (isAbsolute(location) || /^([a-z]:|[\\/])/i.test(location)) {
      outside(`has the absolute location '${location}'`);
    } else if (process.platform === 'win32' && !isWindowsPath(location)) {
      throw refuse(`has a location that is not a valid file name on Windows: '${location}'`);
    }
    const path = resolve(folder, location);
    if (climbs(folder, path) || location.split(/[\\/]/).includes('..')) {
      outside(`is outside of the model’s folder: '${location}'`);
    }
    const real = await unlessAbsent(path, () => realpath(path));
    let seen: BigIntStats | undefined;
    if (real !== undefined) {
      if (climbs(await onFile(folder, () => realpath(folder)), real)) {
        outside(`is outside of the model’s folder: '${location}' is a link to '${real}'`);
      }
      const there = await unlessAbsent(real, () => lstat(real, { bigint: true }));
      if (there?.isSymbolicLink()) throw refuse(`became a link during the check: '${location}'`);
      if (there?.isDirectory()) throw refuse(`is a folder: '${location}'`);
      if (there?.isFile() === false) throw refuse(`is a pipe, a device or a socket: '${location}'`);
      if (there !== undefined && there.nlink > 1) {
        outside(
          `has ${there.nlink} hard links, and some may be outside of the model’s folder: '${location}'`,
          'Replace it by a copy',
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

/** State of each data file when it was checked. */
const checked = new WeakMap<DataFile, BigIntStats>();

/** Opens a data file that `dataFiles` has checked. Throws `io` if the path now names another file. */
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

/** Throws `external-data` for a model with external data whose folder is unknown. */
export function refuseExternal({ external: [first], source }: OnnxDocument, fix: string): void {
  if (first === undefined) return;
  throw new OnnxMishError('external-data', `tensor '${first.tensor.name}' has its data in another file`, {
    where: source.name,
    fix,
  });
}

function climbs(from: string, to: string): boolean {
  const way = relative(from, to);
  return isAbsolute(way) || way.split(sep)[0] === '..'; // an absolute result means another drive
}

/**
 * Opens the data files of a model for reading while `use` runs, and reads the numbers in them first. Checks all files, and opens each
 * on first access.
 * Throws `external-data` like `dataFiles`, and `io`.
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
    const open: OpenData = async (location) => {
      const opened = files.get(location);
      if (opened !== undefined) return opened;
      checking ??= check();
      const checkedFile = (await checking).get(location);
      if (checkedFile === undefined) {
        throw new OnnxMishError('external-data', `no tensor of the model has its data in '${location}'`, {
          where: path,
        });
      }
      const file = await openDataFile(checkedFile);
      files.set(location, file);
      return file;
    };
    await readOutsideNumbers(document, open);
    return await use(open);
  } finally {
    for (const file of files.values()) await file.close();
  }
}

/** Returns the size of a data file in bytes. Throws `external-data`, with further advice if given, when it is missing. */
export async function dataFileBytes(
  { path, tensor }: Pick<DataFile, 'path' | 'tensor'>,
  moreAdvice = '',
): Promise<number> {
  const there = await statOf(path);
  if (there?.isFile()) return Number(there.size);
  throw new OnnxMishError('external-data', `the file does not exist, and ${tensor} needs it`, {
    where: path,
    fix: `Put the data file back beside the model${moreAdvice}`,
  });
}

/** A data file to copy to another folder. */
export interface Copy {
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
}

/**
 * Returns the data files to copy for a model that moves from `folder` to another; none within one folder. Throws
 * `external-data` if a data file is missing, or if the model at `output` would replace one.
 */
export async function plannedCopies(
  document: OnnxDocument,
  files: readonly DataFile[],
  folder: string,
  output: string,
): Promise<Copy[]> {
  const target = dirname(resolve(output));
  // Some file systems ignore case or the encoding of accents.
  const plain = (path: string) => path.normalize('NFC').toLowerCase();
  const clash = files.find(({ location }) => plain(resolve(target, location)) === plain(resolve(output)));
  if (clash !== undefined) throw clashes(output, clash.tensor);
  // Two different paths may name the same folder.
  for (const { path, tensor } of files) {
    if (await isSameFile(path, output)) throw clashes(output, tensor);
  }
  if (files.length === 0 || (await isSameFile(folder, target))) return [];
  const relatives = files.filter(({ location }) => !isAbsolute(location)); // an absolute location is valid from every folder
  // Two locations may name one file, as net.bin and ./net.bin do.
  const moving = [...new Map(relatives.map((file) => [file.path, file])).values()];
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
      throw refuse(`is in '${location}', which differs from '${other}' only in case or accents`);
    taken.set(plain(to), location);
  }
  const copies = await Promise.all(
    moving.map(async ({ location, path, tensor }) => {
      const bytes = await dataFileBytes(
        { path, tensor },
        ', or write the output into the model’s own folder',
      );
      return { from: path, to: resolve(target, location), bytes };
    }),
  );
  // A location in the output's folder may lead back to a file that is read.
  const identity = async (path: string) => {
    const there = await statOf(path);
    return there && `${there.dev} ${there.ino}`;
  };
  const read = new Set<string | undefined>();
  for (const path of [document.source.name, ...files.map(({ path }) => path)]) read.add(await identity(path));
  for (const { to } of copies) {
    const there = await identity(to);
    if (there !== undefined && read.has(there)) {
      throw new OnnxMishError('external-data', 'a copy of a data file would overwrite a file that is read', {
        where: to,
        fix: 'Choose another folder',
        option: { output: null },
      });
    }
  }
  return copies;
}

function clashes(output: string, tensor: string): OnnxMishError {
  return new OnnxMishError('external-data', `the model would overwrite the data of ${tensor}`, {
    where: output,
    fix: 'Choose another name for the model',
    option: { output: null },
  });
}

export interface CopyOptions {
  readonly signal?: AbortSignal | undefined;
  /** Receives the number of bytes copied since the last call. */
  readonly onCopied: (bytes: number) => void;
}

/**
 * Copies data files, as clones if the file system can. Never makes hard links, which ONNX's loader rejects. Does not
 * notice if a file changes while it is read. Throws `io` and `aborted`.
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
    if (done < bytes) options.onCopied(bytes - done); // a clone reports no progress
  }
}

const BLOCK_BYTES = 1024 * 1024;

/**
 * Copies a file. Unlike `copyFile`, the copy can be interrupted and reports progress. Holes in the file, which use no
 * disk space, stay holes.
 */
async function copy(
  { from, to, bytes }: Copy,
  target: FileHandle,
  { signal, onCopied }: CopyOptions,
): Promise<void> {
  const source = await onFile(from, () => open(from, 'r'));
  try {
    const { blocks } = await onFile(from, () => source.stat());
    const zeros = blocks * 512 < bytes ? new Uint8Array(BLOCK_BYTES) : undefined; // stat counts blocks of 512 bytes on every disk
    const block = new Uint8Array(BLOCK_BYTES);
    for (let at = 0; at < bytes; ) {
      stopIfAborted(signal, from);
      const part = block.subarray(0, Math.min(BLOCK_BYTES, bytes - at));
      await readExactly(source, from, part, at);
      const isHole = zeros !== undefined && Buffer.compare(part, zeros.subarray(0, part.length)) === 0;
      if (!isHole) await onFile(to, () => writeExactly(target, [part], part.length, at));
      at += part.length;
      onCopied(part.length);
    }
    if (zeros !== undefined) await onFile(to, () => target.truncate(bytes)); // the last block may be a hole
  } finally {
    await source.close().catch(() => {}); // the file was only read
  }
}
