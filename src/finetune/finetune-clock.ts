// The time that is left of a fine-tuning.
import type { LoadedModel } from '../providers/loaded-model.js';
import type { Epoch } from '../train/epoch.js';
import type { PartTimes } from '../train/part-times.js';
import { stepTimer } from '../train/step-timer.js';
import { DEFAULT_BATCH_SAMPLES } from '../train/trainer-options.js';
import { type TrainingsClock, trainingsClock } from '../train/trainings-clock.js';
import { type ArmOptions, openArm } from './arm.js';
import { LATENCY_LIMITS, MAX_UNIT_SAMPLES, RUN_SAMPLES } from './limits.js';
import type { FinetuneRun } from './report-schema.js';
import { type DataParts, excerptOf } from './split-data.js';

type RunName = Pick<FinetuneRun, 'arm' | 'seed'>;

/** Reports the progress of the trainings of a fine-tuning. */
export interface FinetuneClock extends Pick<TrainingsClock<RunName>, 'begun' | 'scored' | 'finished'> {
  /** Adds the seconds that the steps of an epoch took before the trainings. */
  measured(arm: RunName['arm'], epochSeconds: number): void;
  step(run: RunName, step: number, of: number): void;
  epoch(run: RunName, epoch: Pick<Epoch, 'epoch' | 'seconds'>): void;
}

/** Parts of trainings that decide their time. */
export interface TimedTrainings {
  readonly parts: Readonly<Record<'train' | 'test', Pick<DataParts['train'], 'count'>>> & {
    readonly validation: Pick<DataParts['train'], 'count'> | undefined;
  };
  readonly options: Pick<ArmOptions, 'epochs' | 'onProgress' | 'onEstimate'>;
  readonly seeds: readonly number[];
  readonly arms: readonly RunName['arm'][];
  /** Number of forms of the swapped model whose runs are timed in the end, beside the original's. */
  readonly timedForms: number;
}

/** Number of steps after which the time is estimated. */
const ESTIMATE_STEPS = 20;
/** Minimum number of samples that the models of a pair run for the latency. */
const LATENCY_SAMPLES = LATENCY_LIMITS.minPairs * 2 * RUN_SAMPLES;

/**
 * Creates the clock of all trainings, some of which have finished. It passes name, share and seconds left to `onProgress`, and once an
 * estimate of the whole to `onEstimate`.
 */
export function finetuneClock(
  { parts, options, seeds, arms, timedForms }: TimedTrainings,
  finished: readonly RunName[],
  now?: () => number,
): FinetuneClock {
  const runs = seeds.flatMap((seed) => arms.map((arm) => ({ arm, seed, kind: arm })));
  const { train, validation, test } = parts;
  const judged = Math.min(MAX_UNIT_SAMPLES, test.count);
  /** Returns the seconds of the measures that follow the trainings. */
  const judging = (secondsOf: PartTimes['get']): number => {
    const [arm = 'swapped'] = arms;
    const pass = secondsOf(arm, 'end') / Math.max(1, test.count);
    // Each trained model is opened again.
    const open = arms.reduce(
      (sum, one) => sum + Math.max(0, secondsOf(one, 'open') - secondsOf(one, 'score')),
      0,
    );
    const units = open + (arms.length + 1) * judged * pass;
    if (arms.length === 1) return units;
    const { minSeconds, maxSeconds } = LATENCY_LIMITS;
    const timed = Math.min(maxSeconds, Math.max(minSeconds, LATENCY_SAMPLES * pass));
    return units + timedForms * timed;
  };
  const clock = trainingsClock(runs, {
    epochs: options.epochs,
    after: judging,
    now,
    samples: { train: train.count, score: validation?.count ?? 0, end: test.count, point: 0 },
  });
  const find = ({ arm, seed }: RunName) => {
    const found = runs.find((one) => one.arm === arm && one.seed === seed);
    if (found === undefined) throw new RangeError(`the clock lacks the training of ${arm} with seed ${seed}`);
    return found;
  };
  for (const run of finished) clock.finished(find(run));
  let isEstimated = finished.length > 0;
  return {
    begun: (run) => clock.begun(find(run)),
    scored: (run) => clock.scored(find(run)),
    finished: (run) => clock.finished(find(run)),
    measured: (arm, steps) => clock.measured(arm, { steps }),
    step(run, step, of) {
      clock.step(find(run), step, of);
      const left = clock.secondsLeft();
      const name = run.arm === 'swapped' ? 'training' : 'training the original';
      options.onProgress?.(name, clock.share(), left);
      // The first step alone tells no time.
      if (isEstimated || left === undefined || step < Math.min(ESTIMATE_STEPS, of - 1)) return;
      isEstimated = true;
      options.onEstimate?.(left);
    },
    epoch: (run, { epoch, seconds }) => clock.epoch(find(run), epoch, seconds),
  };
}

/** Maximum number of steps that are timed, and the minimum. */
const TIMED_STEPS = 20;
const MIN_TIMED_STEPS = 3;
/** Number of steps of a training for each that is timed. */
const STEPS_PER_TIMED = 25;

/** Times some steps of the original, whose training comes later. Does nothing for a short training. Throws as `createTrainer` does. */
export async function timeControl(
  original: LoadedModel,
  parts: DataParts,
  options: ArmOptions,
  clock: Pick<FinetuneClock, 'measured'>,
): Promise<void> {
  const { train } = parts;
  const { batch = DEFAULT_BATCH_SAMPLES, epochs, onProgress, onEstimate } = options;
  if (onProgress === undefined && onEstimate === undefined) return;
  const steps = Math.min(TIMED_STEPS, Math.floor((epochs * train.count) / batch / STEPS_PER_TIMED));
  if (steps < MIN_TIMED_STEPS) return;
  const few = { ...parts, train: excerptOf(train, steps * batch), validation: undefined };
  const timer = stepTimer();
  const short = { ...options, epochs: 1, warmUp: 0 };
  const trainer = await openArm(original, few, short, options.seed ?? 0, { onStep: timer.onStep });
  try {
    clock.measured('original', await timer.epochSeconds(trainer, few.train.count, train.count));
  } finally {
    await trainer.close();
  }
}
