// The runs of an experiment in this process or worker, one after the other or an epoch in turn.
import type { Experiment, RunKey } from './prepare.js';
import type { ExperimentRun } from './report-schema.js';
import { type RunEpoch, type TrainRunOptions, trainRun } from './train-run.js';

/** Progress of an experiment: a finished epoch of a run, or a finished run. */
export type ExperimentEvent =
  | { readonly kind: 'epoch'; readonly key: RunKey; readonly epoch: RunEpoch }
  | { readonly kind: 'run'; readonly key: RunKey; readonly run: ExperimentRun };

/** Choice and order of the runs. */
export interface RunExperimentOptions {
  /** The runs to do; default: all. */
  readonly keys?: readonly RunKey[] | undefined;
  /**
   * `run`, the default, trains one run after the other. `epoch` trains all activations of a seed side by side, an epoch each in turn.
   */
  readonly turns?: 'run' | 'epoch' | undefined;
  /** Returns the state and the callbacks of a run. */
  readonly optionsOf?: ((key: RunKey) => TrainRunOptions) | undefined;
}

/**
 * Trains the runs of an experiment and yields each epoch and each finished run. `prepareExperiment` makes the experiment, and
 * `experimentReport` the report from the runs. Ending the iteration closes all sessions. Throws as `createTrainer` does, and `aborted`.
 */
export async function* runExperiment(
  experiment: Experiment,
  { keys = experiment.keys, turns = 'run', optionsOf }: RunExperimentOptions = {},
): AsyncGenerator<ExperimentEvent, void> {
  const groups =
    turns === 'run'
      ? keys.map((key) => [key])
      : experiment.seeds.map((seed) => keys.filter((key) => key.seed === seed));
  for (const group of groups) {
    const open = group.map((key) => ({ key, training: trainRun(experiment, key, optionsOf?.(key)) }));
    try {
      for (let left = open; left.length > 0; ) {
        const unfinished: typeof left = [];
        for (const one of left) {
          const { key, training } = one;
          const next = await training.next();
          if (next.done) yield { kind: 'run', key, run: next.value };
          else {
            yield { kind: 'epoch', key, epoch: next.value };
            unfinished.push(one);
          }
        }
        left = unfinished;
      }
    } finally {
      for (const { training } of open) await training.return(NEVER);
    }
  }
}

/** Value for a run that is ended early, which nobody reads. */
const NEVER = undefined as never;
