// The time that is left of an experiment.

import { MAX_UNIT_SAMPLES } from '../finetune/limits.js';
import type { TrainingTimes } from '../train/part-times.js';
import { type TrainingsClock, trainingsClock } from '../train/trainings-clock.js';
import { DEFAULT_LANDSCAPE_IMAGES } from './judge-run.js';
import { DEFAULT_POINTS } from './landscape.js';
import type { Experiment, RunKey } from './prepare.js';
import type { RunEpoch } from './train-run.js';

/** Estimates the time that is left, from what was measured before and from the runs. */
export interface ExperimentClock
  extends Pick<
    TrainingsClock<RunKey>,
    'begun' | 'step' | 'scored' | 'point' | 'finished' | 'secondsLeft' | 'share'
  > {
  /** Adds a measurement of an activation. */
  measured(activation: string, times: TrainingTimes): void;
  /** Notes a finished epoch of a run. */
  epoch(key: RunKey, epoch: Pick<RunEpoch, 'epoch' | 'seconds'>): void;
}

/** The parts of an experiment that decide its time. */
export type TimedExperiment = Pick<Experiment, 'seeds'> & {
  readonly settings: Pick<Experiment['settings'], 'epochs'>;
  readonly options: Pick<Experiment['options'], 'landscape'>;
  readonly curve: Pick<Experiment['curve'], 'count'>;
  readonly parts: Readonly<Record<'train' | 'test', Pick<Experiment['curve'], 'count'>>>;
};

/** Creates the clock of some runs on a number of workers. Keys are equal by activation and seed: other processes send copies of them. */
export function experimentClock(
  experiment: TimedExperiment,
  keys: readonly RunKey[],
  workers: number,
  now?: () => number,
): ExperimentClock {
  const { settings, seeds, curve, parts } = experiment;
  const { points, images } = landscapeSize(experiment);
  const trainings = keys.map((key) => ({
    key,
    kind: key.activation,
    points: key.seed === seeds[0] ? points : 0,
  }));
  const clock = trainingsClock(trainings, {
    epochs: settings.epochs,
    workers,
    now,
    samples: {
      train: parts.train.count,
      score: curve.count,
      point: images,
      end: parts.test.count + Math.min(MAX_UNIT_SAMPLES, parts.test.count),
    },
  });
  const find = ({ activation, seed }: RunKey) => {
    const found = trainings.find(({ key }) => key.activation === activation && key.seed === seed);
    if (found === undefined)
      throw new RangeError(`the clock lacks the run of ${activation} with seed ${seed}`);
    return found;
  };
  return {
    measured: clock.measured,
    begun: (key) => clock.begun(find(key)),
    step: (key, step, of) => clock.step(find(key), step, of),
    scored: (key) => clock.scored(find(key)),
    epoch: (key, { epoch, seconds }) => clock.epoch(find(key), epoch, seconds),
    point: (key, done) => clock.point(find(key), done),
    finished: (key) => clock.finished(find(key)),
    secondsLeft: clock.secondsLeft,
    share: clock.share,
  };
}

/** Returns the numbers of points and of images of a loss landscape. */
export function landscapeSize({
  options: { landscape = {} },
  parts,
}: Pick<TimedExperiment, 'options' | 'parts'>) {
  if (landscape === false) return { points: 0, images: 0 };
  const { points = DEFAULT_POINTS, images = DEFAULT_LANDSCAPE_IMAGES } = landscape;
  return { points: points ** 2, images: Math.min(images, parts.test.count) };
}
