import { rm, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { stopIfAborted } from '../base/abort.js';
import { OnnxMishError } from '../base/error.js';
import { type Copy, type CopyOptions, copyDataFiles } from './external-data.js';
import { makeFolder, writeTogether } from './write-atomically.js';

/** The data files that models of one run have in common, by where they are copied to. */
export type SharedData = Map<string, Shared>;

interface Shared {
  readonly from: string;
  readonly copied: Promise<void>;
  /** Models that have it; the file goes when the last one fails. */
  users: number;
}

/** What `copyShared` has made so far. */
export interface Copied {
  readonly files: string[];
  /** Outermost first. */
  readonly folders: string[];
}

/**
 * Copies data files, each on its own, before its model is written: one that several models of a run have is copied once. Adds
 * each file, and each folder made for it, to `copied` as soon as it is there. Throws `io`, `external-data` and `aborted`.
 */
export async function copyShared(
  copies: readonly Copy[],
  copied: Copied,
  shared: SharedData,
  options: CopyOptions & { readonly force: boolean },
): Promise<void> {
  for (const copy of copies) {
    const { from, to } = copy;
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
      await writeTogether(options.force, (batch) => copyDataFiles([copy], batch, options));
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
export async function removeCopied({ files, folders }: Copied, shared: SharedData): Promise<void> {
  for (const file of files) {
    const one = shared.get(file);
    if (one !== undefined && --one.users > 0) continue;
    shared.delete(file);
    await rm(file, { force: true });
  }
  // One that somebody has put something into is not ours any more.
  for (const folder of folders.toReversed()) await rmdir(folder).catch(() => {});
}
