// One run of an experiment: the training of an activation with a seed.

import { isDivergence } from '../train/divergence.js';
import { createTrainer, type ModelTrainer } from '../train/train-model.js';
import type { LabelledSamples } from '../train/trainer-options.js';
import { initialWeights } from './initial-weights.js';
import { judgeRun, modelOf } from './judge-run.js';
import type { Experiment, RunKey } from './prepare.js';
import type { ExperimentRun } from './report-schema.js';

/** A finished epoch of a run. */
export type RunEpoch = ExperimentRun['epochs'][number];

/** State and callbacks of a run. */
export interface TrainRunOptions {
  /** State of the run after an epoch, to go on from. */
  readonly resume?: Uint8Array | undefined;
  /** Saves the state after an epoch. */
  readonly save?: ((checkpoint: Uint8Array) => Promise<void>) | undefined;
  /** Receives the number of finished steps and their total. */
  readonly onStep?: ((step: number, of: number) => void) | undefined;
  /** Receives the number of finished points of the loss landscape and their total. */
  readonly onPoint?: ((done: number, of: number) => void) | undefined;
  /** Receives the names of the trained weights, and the new values of those that have any. */
  readonly onInitial?:
    | ((weights: readonly string[], values: ReadonlyMap<string, ArrayLike<number>>) => void)
    | undefined;
}

/** Opens the trainer of a run. All activations of a seed get the same normal numbers and the same batches. */
export function openRun(
  experiment: Experiment,
  { activation, seed }: RunKey,
  { resume, onStep, onInitial }: TrainRunOptions = {},
  train: LabelledSamples = experiment.parts.train,
): Promise<ModelTrainer> {
  const { settings, batchNorm, curve, options, gains } = experiment;
  const { provider, session, signal } = options;
  const initial = initialWeights({ gain: gains.get(activation) ?? 1, seed });
  return createTrainer(modelOf(experiment, activation), {
    ...settings,
    ...train,
    validation: curve,
    seed,
    batchNorm,
    keep: 'last',
    provider,
    session,
    signal,
    resume,
    onProgress: onStep,
    initial: (copy, weights) => {
      const values = initial(copy, weights);
      onInitial?.(
        weights.map(({ name }) => name),
        values,
      );
      return values;
    },
  });
}

/** Trains a run. Yields each epoch, those before a checkpoint included, and returns the run. Throws as `createTrainer` does. */
export async function* trainRun(
  experiment: Experiment,
  key: RunKey,
  options: TrainRunOptions = {},
): AsyncGenerator<RunEpoch, ExperimentRun> {
  const trainer = await openRun(experiment, key, options);
  try {
    for (const epoch of trainer.epochs) yield epochOf(epoch);
    let diverged: string | null = null;
    try {
      for await (const epoch of trainer) {
        await options.save?.(trainer.checkpoint());
        yield epochOf(epoch);
      }
    } catch (error) {
      if (!isDivergence(error)) throw error;
      diverged = error.what;
    }
    const epochs = trainer.epochs.map(epochOf);
    const { activation, seed } = key;
    return {
      activation,
      seed,
      epochs,
      diverged,
      ...(diverged === null
        ? await judgeRun(experiment, key, trainer, options)
        : { test: null, units: null }),
      seconds: epochs.reduce((sum, { seconds }) => sum + seconds, 0),
    };
  } finally {
    await trainer.close();
  }
}

function epochOf({
  epoch,
  loss,
  accuracy,
  validation,
  rate,
  seconds,
}: ModelTrainer['epochs'][number]): RunEpoch {
  return {
    epoch,
    loss,
    accuracy,
    test: validation && { loss: validation.loss, accuracy: validation.accuracy },
    rate,
    seconds,
  };
}
