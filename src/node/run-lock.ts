// The process that works on the runs of an experiment, so that no second one does.
import { join } from 'node:path';
import { OnnxMishError } from '../base/error.js';
import { unlessAbsent } from '../files/file-error.js';
import { readRegular } from '../files/model-file.js';
import { isAlive, machine, startOf } from '../files/processes.js';
import { statOf } from '../files/same-file.js';
import { writeText } from '../files/write-model.js';

/** Name of the file with the process, in the folder of the runs. */
const NAME = 'process';

/** Returns the note of a process: its number, its start and its machine. */
const noteOf = (pid: number) => `${pid} ${startOf(pid) ?? ''} ${machine()}`;

/**
 * Throws `io` if another process of this machine works in the folder. A process of another machine cannot be seen, and one that was
 * killed counts no longer.
 */
export async function refuseBusy(folder: string): Promise<void> {
  const path = join(folder, NAME);
  const bytes = await unlessAbsent(path, () => readRegular(path));
  if (bytes === undefined) return;
  const text = new TextDecoder().decode(bytes);
  const [, number, start, where] = /^(\d{1,10}) (\d*) ([0-9a-f]{8})$/.exec(text) ?? [];
  const id = Number(number);
  if (id === process.pid || where !== machine() || !isAlive(id)) return;
  // A process with another start only has the number of the one that was noted.
  if (start !== '' && start !== (startOf(id) ?? start)) return;
  throw new OnnxMishError('io', `process ${id} works on these runs`, {
    where: folder,
    fix: 'Wait for its end or stop it, or choose another path',
    option: { output: null },
  });
}

/** Notes in the folder that this process works there. Throws `io`, also if another process was faster. */
export async function claim(folder: string): Promise<void> {
  const path = join(folder, NAME);
  const isNoted = (await statOf(path)) !== undefined;
  await refuseBusy(folder);
  // Where there was no note, the file has to be new: if two processes come at once, the second fails.
  await writeText(path, noteOf(process.pid), isNoted).catch(async (error: unknown) => {
    await refuseBusy(folder);
    throw error;
  });
}
