import { constants } from 'node:fs';
import { copyFile, mkdir, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { OnnxDocument } from '../onnx/document.js';
import { OnnxMishError } from '../onnx/error.js';
import { writeAtomically } from './atomic.js';
import { onFile } from './errors.js';

/** A file of tensors beside a model. */
export interface DataFile {
  /** As the model names it, relative to its folder. */
  readonly location: string;
  readonly path: string;
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
    const refuse = (what: string) =>
      new OnnxMishError('external-data', `the data of tensor '${tensor.name}' in ${scope} ${what}`, {
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
    found.set(location, { location, path });
  }
  return [...found.values()];
}

/**
 * Makes the data files available to a model written to another folder: copies, cloned where the file system
 * can. Never hard links, which ONNX's own loader refuses. Adds each to `copied` as soon as it is there.
 */
export async function copyDataFiles(
  files: readonly DataFile[],
  from: string,
  to: string,
  force: boolean,
  copied: string[],
): Promise<void> {
  if (files.length === 0 || (await samePlace(from, to))) return;
  for (const { location, path } of files) {
    const target = join(to, location);
    await onFile(target, () => mkdir(dirname(target), { recursive: true }));
    await writeAtomically(target, force, async (temporary) => {
      await onFile(path, () => copyFile(path, temporary, constants.COPYFILE_FICLONE));
    });
    copied.push(target);
  }
}

async function samePlace(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([realpath(a), realpath(b).catch(() => resolve(b))]);
  return first === second;
}
