// Trains the runs of an experiment on several workers.
import type { ExperimentClock } from '../experiment/clock.js';
import type { RunKey } from '../experiment/prepare.js';
import type { ExperimentRun } from '../experiment/report-schema.js';
import type { RunProgress, RunWorker } from './experiment-workers.js';

export interface TrainRunsOptions {
  readonly workers: readonly RunWorker[];
  readonly keys: readonly RunKey[];
  readonly clock: ExperimentClock;
  /** Receives the estimate of the seconds of all runs, before the first starts. */
  readonly onEstimate: (seconds: number) => void;
  /** Called after each epoch, point of a landscape and run. */
  readonly onProgress: (work: string) => void;
}

/**
 * Measures each activation, then trains all runs; a worker that is free takes the next. An error ends all workers. Throws what a worker
 * throws.
 */
export async function trainRuns(options: TrainRunsOptions): Promise<ExperimentRun[]> {
  const { workers, keys, clock, onEstimate, onProgress } = options;
  const nameOf = ({ activation, seed }: RunKey) => `${activation}, seed ${seed}`;
  const progress: RunProgress = {
    onEpoch(key, epoch) {
      clock.epoch(key, epoch);
      onProgress(`${nameOf(key)}, epoch ${epoch.epoch}`);
    },
    onPoint(key, done, of) {
      clock.point(key, done);
      onProgress(`${nameOf(key)}, landscape ${Math.floor((100 * done) / of)} %`);
    },
  };
  const runs: ExperimentRun[] = [];
  try {
    const activations = [...new Set(keys.map(({ activation }) => activation))];
    await inTurns(workers, activations, async (worker, activation) =>
      clock.measured(activation, await worker.measure(activation)),
    );
    onEstimate(clock.secondsLeft() ?? 0);
    await inTurns(workers, keys, async (worker, key) => {
      clock.begun(key);
      runs.push(await worker.train(key, progress));
      clock.finished(key);
      onProgress(nameOf(key));
    });
    return runs;
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
  }
}

/** Gives each item to the next free worker. After an error no worker takes another item. */
async function inTurns<T>(
  workers: readonly RunWorker[],
  items: readonly T[],
  work: (worker: RunWorker, item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const failed = new AbortController();
  const serve = async (worker: RunWorker) => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      if (failed.signal.aborted) return;
      await work(worker, item);
    }
  };
  await Promise.all(
    workers.map((worker) =>
      serve(worker).catch((error: unknown) => {
        failed.abort();
        throw error;
      }),
    ),
  );
}
