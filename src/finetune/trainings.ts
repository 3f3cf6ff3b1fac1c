// All trainings of a fine-tuning: each arm with each seed, with a checkpoint after each epoch.
import { OnnxMishError } from '../base/error.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { ModelTrainer } from '../train/train-model.js';
import { type ArmOptions, movedWeights, openArm, resultsOf, scoreOf, teacherOf } from './arm.js';
import { decodeFinetuneCheckpoint, encodeFinetuneCheckpoint, type FinetuneCheckpoint } from './checkpoint.js';
import type { SampleResults } from './compare-arms.js';
import type { FinetuneRun } from './report-schema.js';
import type { DataParts } from './split-data.js';

/** A finished training. */
export interface FinishedRun {
  readonly run: FinetuneRun;
  readonly results: SampleResults;
  /** State of the trainer, from which the trained model can be had; undefined where it is not needed. */
  readonly state: Uint8Array | undefined;
}

/** Models, data and order of the trainings. */
export interface Trainings {
  readonly models: Readonly<Record<FinetuneRun['arm'], LoadedModel>>;
  readonly parts: DataParts;
  readonly options: ArmOptions;
  /** Seeds, the first of which gives the result. */
  readonly seeds: readonly number[];
  readonly arms: readonly FinetuneRun['arm'][];
  /** The parts of a checkpoint that do not change. */
  readonly fixed: Pick<FinetuneCheckpoint, 'digest' | 'start' | 'isRepaired' | 'notes'>;
  readonly resumed: FinetuneCheckpoint | undefined;
  /** Returns the seconds since the start of the command. */
  readonly seconds: () => number;
}

/** Decodes the checkpoint of a stopped training. Throws `bad-data`, and `bad-usage` for another model, data or options. */
export function resumedCheckpoint(
  bytes: Uint8Array | undefined,
  digest: string,
): FinetuneCheckpoint | undefined {
  if (bytes === undefined) return undefined;
  const checkpoint = decodeFinetuneCheckpoint(bytes);
  if (checkpoint.digest === digest) return checkpoint;
  throw new OnnxMishError('bad-usage', 'the checkpoint is of another model, other data or other options', {
    fix: 'Resume with the same model, data and options, or start anew',
  });
}

/** Trains each arm with each seed, and goes on from a checkpoint. Throws as `createTrainer` does, and `aborted`. */
export async function trainAll(trainings: Trainings): Promise<FinishedRun[]> {
  const { seeds, arms, resumed } = trainings;
  const finished: FinishedRun[] = (resumed?.runs ?? []).map(({ run, losses, correct }, index) => ({
    run,
    results: { losses, correct },
    state: resumed?.finished[index],
  }));
  const plan = seeds.flatMap((seed) => arms.map((arm) => ({ seed, arm })));
  const resumedAt = finished.length;
  for (const [place, { seed, arm }] of plan.entries()) {
    if (place < resumedAt) continue;
    const current =
      place === resumedAt && resumed !== undefined && resumed.current.length > 0 ? resumed : undefined;
    finished.push(await trainOne(trainings, { seed, arm, finished, current, count: plan.length }));
  }
  return finished;
}

interface Turn {
  readonly seed: number;
  readonly arm: FinetuneRun['arm'];
  readonly finished: readonly FinishedRun[];
  /** Checkpoint within this training. */
  readonly current: FinetuneCheckpoint | undefined;
  /** Number of all trainings. */
  readonly count: number;
}

async function trainOne(trainings: Trainings, turn: Turn): Promise<FinishedRun> {
  const { models, parts, options, seeds, seconds, fixed } = trainings;
  const { seed, arm, finished, current, count } = turn;
  const model = models[arm];
  const trainer = await openArm(model, parts, options, seed, {
    teacher: teacherOf(models.original, options),
    resume: current?.current,
    onStep: (step, of, left) => tellProgress(options, { arm, step, of, left, done: finished.length, count }),
  });
  try {
    const before = current === undefined ? await beforeTraining(trainer, parts) : current.before;
    for await (const _ of trainer) {
      await options.checkpoint?.save(
        encodeFinetuneCheckpoint({
          ...{ ...fixed, before, seconds: seconds(), current: trainer.checkpoint() },
          ...encodedRuns(finished),
        }),
      );
    }
    const evaluation = await trainer.evaluate(parts.test);
    return {
      run: {
        ...{ arm, seed, before, epochs: trainer.epochs.map(({ steps: _, ...epoch }) => epoch) },
        test: scoreOf(evaluation),
        moved: await movedWeights(model, trainer),
        seconds: trainer.epochs.reduce((sum, epoch) => sum + epoch.seconds, 0),
      },
      results: resultsOf(evaluation, parts.test),
      state: seed === seeds[0] ? trainer.checkpoint() : undefined,
    };
  } finally {
    await trainer.close();
  }
}

async function beforeTraining(
  trainer: ModelTrainer,
  { validation }: DataParts,
): Promise<FinetuneCheckpoint['before']> {
  return validation === undefined ? null : scoreOf(await trainer.evaluate(validation));
}

function encodedRuns(finished: readonly FinishedRun[]): Pick<FinetuneCheckpoint, 'runs' | 'finished'> {
  return {
    finished: finished.map(({ state }) => state),
    runs: finished.map(({ run, results: { losses, correct } }) => ({
      run,
      losses: Array.from(losses),
      correct: correct && Array.from(correct),
    })),
  };
}

/** Number of steps after which the time is estimated. */
const ESTIMATE_STEPS = 20;

interface StepOfRun {
  readonly arm: FinetuneRun['arm'];
  readonly step: number;
  readonly of: number;
  readonly left: number;
  readonly done: number;
  readonly count: number;
}

/** Reports the share of all trainings, the seconds left, and once an estimate of the whole time. */
function tellProgress(options: ArmOptions, { arm, step, of, left, done, count }: StepOfRun): void {
  const whole = step < of ? (left * of) / (of - step) : 0;
  const all = left + (count - done - 1) * whole;
  const name = arm === 'swapped' ? 'training' : 'training the control';
  options.onProgress?.(name, (done + step / of) / count, step < of ? all : undefined);
  if (step === Math.min(ESTIMATE_STEPS, of - 1) && done === 0) options.onEstimate?.(all);
}
