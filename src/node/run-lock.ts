// The process that works on the runs of an experiment, so that no second one does.
import { hostname } from 'node:os';
import { join } from 'node:path';
import { OnnxMishError } from '../base/error.js';
import { unlessAbsent } from '../files/file-error.js';
import { readRegular } from '../files/model-file.js';
import { statOf } from '../files/same-file.js';
import { isAlive } from '../files/temporary-names.js';
import { writeText } from '../files/write-model.js';

/** Name of the file with the process, in the folder of the runs. */
const NAME = 'process';

const self = () => `${process.pid} ${hostname()}`;

/**
 * Throws `io` if another process of this machine works in the folder. A process of another machine cannot be seen, and one that was
 * killed counts no longer.
 */
export async function refuseBusy(folder: string): Promise<void> {
  const path = join(folder, NAME);
  const bytes = await unlessAbsent(path, () => readRegular(path));
  if (bytes === undefined) return;
  const text = new TextDecoder().decode(bytes);
  const [, id = '', host] = /^(\d{1,10}) (.*)$/.exec(text) ?? [];
  if (text === self() || host !== hostname() || !isAlive(Number(id))) return;
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
  await writeText(path, self(), isNoted).catch(async (error: unknown) => {
    await refuseBusy(folder);
    throw error;
  });
}
