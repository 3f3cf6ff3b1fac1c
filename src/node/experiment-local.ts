import { measureRun } from '../experiment/estimate.js';
import type { Experiment } from '../experiment/prepare.js';
import { trainRun } from '../experiment/train-run.js';
import { readRunCheckpoint, writeRun, writeRunCheckpoint } from './experiment-files.js';
import type { RunWorker } from './experiment-workers.js';

/** Returns a worker that trains in this process, with the files of its runs in a folder. */
export function localWorker(experiment: Experiment, folder: string): RunWorker {
  return {
    measure: (activation) => measureRun(experiment, activation),
    async train(key, { onEpoch, onPoint }) {
      const training = trainRun(experiment, key, {
        resume: await readRunCheckpoint(folder, key),
        save: (bytes) => writeRunCheckpoint(folder, key, bytes),
        onPoint: (done, of) => onPoint(key, done, of),
      });
      for (;;) {
        const next = await training.next();
        if (!next.done) onEpoch(key, next.value);
        else {
          await writeRun(folder, next.value);
          return next.value;
        }
      }
    },
    close: async () => {},
  };
}
