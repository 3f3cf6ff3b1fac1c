import { isAborted } from '../base/abort.js';
import { OnnxMishError, withDetails } from '../base/error.js';
import { unlessAbsent } from '../files/file-error.js';
import { readRegular } from '../files/model-file.js';
import { remove } from '../files/roll-back.js';
import { isSameFile, statOf } from '../files/same-file.js';
import { writeBytes } from '../files/write-model.js';
import type { CheckpointStore } from '../finetune/options.js';

/** File with the state of a training, beside its output. */
export interface CheckpointFile extends CheckpointStore {
  /** Calls `work`, and adds to its errors how to go on. Removes the file when the work is done. */
  during<T>(work: () => Promise<T>): Promise<T>;
}

export interface CheckpointOptions {
  /** Path of the checkpoint to go on from, or whether to go on from the one beside the output. */
  readonly resume?: string | boolean | undefined;
  /** Whether to replace a checkpoint of an earlier training. */
  readonly force?: boolean | undefined;
}

/** Returns the path of the checkpoint of an output. */
export const checkpointPath = (output: string): string => `${output}.checkpoint`;

/** Opens the checkpoint of an output. Throws `io` for a missing file to go on from, and for a file that would be replaced. */
export async function openCheckpoint(
  output: string,
  { resume = false, force = false }: CheckpointOptions,
): Promise<CheckpointFile> {
  const path = checkpointPath(output);
  const from = resume === true ? path : resume === false ? undefined : resume;
  const bytes = from === undefined ? undefined : await readCheckpoint(from);
  const isOwn = from !== undefined && (await isSameFile(from, path));
  if (!isOwn && !force && (await statOf(path)) !== undefined) {
    throw new OnnxMishError('io', 'the checkpoint of an earlier training exists', {
      where: path,
      fix: 'Go on from it, or replace it',
      option: { resume: null, force: null },
    });
  }
  let isSaved = isOwn;
  return {
    resume: bytes,
    name: from,
    async save(checkpoint) {
      await writeBytes(path, checkpoint, true);
      isSaved = true;
    },
    async during(work) {
      try {
        const result = await work();
        if (isSaved) await remove(path);
        return result;
      } catch (error) {
        throw isSaved ? withAdvice(error, path) : error;
      }
    },
  };
}

async function readCheckpoint(path: string): Promise<Uint8Array> {
  const bytes = await unlessAbsent(path, () => readRegular(path));
  if (bytes !== undefined) return bytes;
  throw new OnnxMishError('io', 'the checkpoint does not exist', {
    where: path,
    fix: 'Name the checkpoint, or start anew without it',
    option: { resume: null },
  });
}

/** Adds to an error what the checkpoint has, unless the error is about the checkpoint. */
function withAdvice(error: unknown, path: string): unknown {
  if (!(error instanceof OnnxMishError)) return error;
  const isUnusable = error.code === 'bad-data' && error.where === path;
  if (isUnusable) return error;
  const outcome = `The checkpoint '${path}' has what was done before, up to the last whole epoch`;
  if (!isAborted(error)) return withDetails(error, { outcome });
  return withDetails(error, { outcome, fix: 'Run the command again to go on', option: { resume: null } });
}
