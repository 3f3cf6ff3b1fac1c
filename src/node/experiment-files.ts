// The files of an experiment's runs: finished runs, and checkpoints of the running ones.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { OnnxMishError, withDetails } from '../base/error.js';
import type { RunKey } from '../experiment/prepare.js';
import { type ExperimentRun, experimentSchema } from '../experiment/report-schema.js';
import { onFile, unlessAbsent } from '../files/file-error.js';
import { readRegular } from '../files/model-file.js';
import { remove } from '../files/roll-back.js';
import { statOf } from '../files/same-file.js';
import { makeFolder } from '../files/write-atomically.js';
import { writeBytes, writeText } from '../files/write-model.js';
import { decodeCheckpoint } from '../train/checkpoint.js';
import { claim, refuseBusy } from './run-lock.js';

/** Returns the folder of the runs of a report. */
export const runsFolder = (output: string): string => `${output}.runs`;

const nameOf = ({ activation, seed }: Pick<ExperimentRun, 'activation' | 'seed'>) => `${activation}-${seed}`;
const DIGEST = 'digest';

/** Reads the checkpoint of a run; undefined without one. Throws `io`, and `bad-data` for a damaged file. */
export async function readRunCheckpoint(folder: string, key: RunKey): Promise<Uint8Array | undefined> {
  const path = join(folder, `${nameOf(key)}.checkpoint`);
  const bytes = await unlessAbsent(path, () => readRegular(path));
  if (bytes !== undefined) checkRunCheckpoint(bytes, path);
  return bytes;
}

function checkRunCheckpoint(bytes: Uint8Array, path: string): void {
  try {
    decodeCheckpoint(bytes);
  } catch (error) {
    if (!(error instanceof OnnxMishError)) throw error;
    throw withDetails(error, { where: path, fix: 'Remove the file; the run starts anew', option: undefined });
  }
}

/** Writes the checkpoint of a run. Throws `io`. */
export function writeRunCheckpoint(folder: string, key: RunKey, bytes: Uint8Array): Promise<void> {
  return writeBytes(join(folder, `${nameOf(key)}.checkpoint`), bytes, true);
}

/** Writes a finished run, and removes its checkpoint. Throws `io`. */
export async function writeRun(folder: string, run: ExperimentRun): Promise<void> {
  await writeText(join(folder, `${nameOf(run)}.json`), `${JSON.stringify(run)}\n`, true);
  await remove(join(folder, `${nameOf(run)}.checkpoint`));
}

/** Removes the folder of an experiment that is done. Throws `io`. */
export async function removeRuns(folder: string): Promise<void> {
  await onFile(folder, () => rm(folder, { recursive: true, force: true }));
}

export interface RunsOptions {
  readonly digest: string;
  /** Whether to go on with the runs that are there. */
  readonly resume?: boolean | undefined;
  /** Whether to remove the runs that are there. */
  readonly force?: boolean | undefined;
}

/**
 * Opens the folder of an experiment's runs, and returns the finished ones. Throws `io` if another process works on them, and for runs
 * of an earlier experiment that would be removed, `bad-usage` for those of another experiment, and `bad-data` for damaged files.
 */
export async function openRuns(
  folder: string,
  { digest, resume = false, force = false }: RunsOptions,
): Promise<ExperimentRun[]> {
  const path = join(folder, DIGEST);
  await refuseBusy(folder);
  if (!resume && (await statOf(folder)) !== undefined) {
    if (!force) {
      throw new OnnxMishError('io', 'the runs of a stopped experiment exist', {
        where: folder,
        fix: 'Go on with them, or replace them',
        option: { resume: null, force: null },
      });
    }
    await removeRuns(folder);
  }
  await makeFolder(folder, []);
  const known = await unlessAbsent(path, () => readRegular(path));
  if (known === undefined) {
    await writeText(path, digest, true);
    await claim(folder);
    return [];
  }
  if (new TextDecoder().decode(known) !== digest) {
    throw new OnnxMishError('bad-usage', 'the runs are of another model, other data or other settings', {
      where: folder,
      fix: 'Give the same model, data and settings, or replace the runs',
      option: { force: null },
    });
  }
  await claim(folder);
  const names = (await onFile(folder, () => readdir(folder))).filter((name) => name.endsWith('.json')).sort();
  const runs: ExperimentRun[] = [];
  for (const name of names) runs.push(await readRun(join(folder, name)));
  return runs;
}

async function readRun(path: string): Promise<ExperimentRun> {
  const bytes = await readRegular(path);
  try {
    return experimentSchema.shape.runs.element.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new OnnxMishError('bad-data', 'this is not a run of an experiment', {
      where: path,
      fix: 'Remove the file; the run starts anew',
      cause,
    });
  }
}
