import { rm, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { stopIfAborted } from '../base/abort.js';
import { OnnxMishError } from '../base/error.js';
import { type Copy, type CopyOptions, copyDataFiles } from './external-data.js';
import { hasSameContent } from './same-content.js';
import { statOf } from './same-file.js';
import { checkTarget, makeFolder, writeTogether } from './write-atomically.js';

/** Copied data files that models of one run share, by target path. */
export type SharedData = Map<string, Shared>;

interface Shared {
  readonly from: string;
  /** Whether this run has written the file; false if it was there with the same content. */
  readonly copied: Promise<boolean>;
  /** Number of models that use the file, which is removed when the last one fails. */
  users: number;
}

/** Files and folders that `copyShared` has created so far. */
export interface Copied {
  readonly files: string[];
  /** New folders, outermost first. */
  readonly folders: string[];
}

/**
 * Copies data files one by one, before their model is written; a file that several models of a run share is copied
 * once. Adds each file and new folder to `copied` as soon as it exists. Throws `io`, `external-data` and `aborted`.
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
      throw new OnnxMishError('external-data', `'${other.from}' and '${from}' would both be copied here`, {
        where: to,
        fix: 'Write the models to separate folders',
      });
    }
    const copyIt = async () => {
      if (!options.force && (await hasSameContent(from, to, options.signal))) return false;
      await makeFolder(dirname(to), copied.folders);
      await writeTogether(options.force, (batch) => copyDataFiles([copy], batch, options));
      return true;
    };
    const entry: Shared = other ?? { from, copied: copyIt(), users: 0 };
    entry.users++; // counted before any await, so that no other model removes the file meanwhile
    shared.set(to, entry);
    try {
      if (await entry.copied) copied.files.push(to);
    } catch (error) {
      shared.delete(to);
      throw error;
    }
  }
}

/** Removes copied files of a failed model, unless another model of the run uses them. */
export async function removeCopied({ files, folders }: Copied, shared: SharedData): Promise<void> {
  for (const file of files) {
    const entry = shared.get(file);
    if (entry !== undefined && --entry.users > 0) continue;
    shared.delete(file);
    await rm(file, { force: true });
  }
  // A folder into which another process has written something stays.
  for (const folder of folders.toReversed()) await rmdir(folder).catch(() => {});
}

/** Returns the copies without those that are there already with the same content. Throws `io` for a file with another content. */
export async function missingCopies(
  copies: readonly Copy[],
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<Copy[]> {
  const missing: Copy[] = [];
  for (const copy of copies) {
    if (await hasSameContent(copy.from, copy.to, signal)) continue;
    if ((await statOf(copy.to)) !== undefined) await checkTarget(copy.to, false); // fail before the long run, not after
    missing.push(copy);
  }
  return missing;
}
