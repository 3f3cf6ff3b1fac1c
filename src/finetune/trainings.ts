// All trainings of a fine-tuning: each arm with each seed, with a checkpoint after each epoch.
import { OnnxMishError, withDetails } from '../base/error.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import { asDivergence, isDivergence } from '../train/divergence.js';
import type { Epoch } from '../train/epoch.js';
import type { ModelTrainer } from '../train/train-model.js';
import {
  type ArmOptions,
  evaluatePart,
  movedWeights,
  openArm,
  resultsOf,
  scoreOf,
  teacherOf,
} from './arm.js';
import { decodeFinetuneCheckpoint, encodeFinetuneCheckpoint, type FinetuneCheckpoint } from './checkpoint.js';
import type { SampleResults } from './compare-arms.js';
import { type FinetuneClock, finetuneClock, timeControl } from './finetune-clock.js';
import type { CheckpointStore, FinetuneStep } from './options.js';
import type { FinetuneRun, Score } from './report-schema.js';
import type { DataParts } from './split-data.js';

/** A finished training. */
export interface FinishedRun {
  readonly run: FinetuneRun;
  readonly results: SampleResults;
  /** Score on the test part before training; undefined where it was not measured. */
  readonly start: Score | undefined;
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
  /** Number of forms of the swapped model whose runs are timed after the trainings. */
  readonly timedForms: number;
  /** The parts of a checkpoint that do not change. */
  readonly fixed: Pick<FinetuneCheckpoint, 'digest' | 'start' | 'isRepaired' | 'notes'>;
  readonly resumed: FinetuneCheckpoint | undefined;
  /** Whether each model is scored on the test part before its training. */
  readonly scoresStart: boolean;
  /** Returns the seconds since the start of the command. */
  readonly seconds: () => number;
}

/** Decodes the checkpoint of a stopped training. Throws `bad-data`, and `bad-usage` for another model, data or options. */
export function resumedCheckpoint(
  { resume, name }: Pick<CheckpointStore, 'resume' | 'name'>,
  digest: string,
): FinetuneCheckpoint | undefined {
  if (resume === undefined) return undefined;
  const checkpoint = named(name, () => decodeFinetuneCheckpoint(resume));
  if (checkpoint.digest === digest) return checkpoint;
  throw new OnnxMishError('bad-usage', 'the checkpoint is of another model, other data or other options', {
    where: name,
    fix: 'Resume with the same model, data and options, or start anew',
  });
}

/** Calls a function, and adds the name of a checkpoint to its errors. */
function named<T>(name: string | undefined, use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw error instanceof OnnxMishError ? withDetails(error, { where: name }) : error;
  }
}

/** Trains each arm with each seed, and goes on from a checkpoint. Throws as `createTrainer` does, and `aborted`. */
export async function trainAll(trainings: Trainings): Promise<FinishedRun[]> {
  const { seeds, arms, resumed, options } = trainings;
  const finished: FinishedRun[] = (resumed?.runs ?? []).map(({ run, losses, correct }, index) => ({
    run,
    results: { losses, correct },
    start: undefined,
    state: resumed?.finished[index],
  }));
  const groups = seeds.flatMap((seed) => {
    const turns = arms.map((arm) => ({ seed, arm }));
    return options.inTurns === true ? [turns] : turns.map((turn) => [turn]);
  });
  const resumedAt = finished.length;
  if (resumed === undefined) await saveRepair(trainings);
  const clock = finetuneClock(
    trainings,
    finished.map(({ run }) => run),
  );
  const isControlLater = options.inTurns !== true && arms.includes('original') && resumedAt === 0;
  if (isControlLater) await timeControl(trainings.models.original, trainings.parts, options, clock);
  let place = 0;
  for (const group of groups) {
    const left = group.slice(Math.max(0, resumedAt - place));
    const isCurrent = place <= resumedAt && resumedAt < place + group.length;
    place += group.length;
    if (left.length === 0) continue;
    const current = isCurrent && resumed !== undefined && resumed.current.length > 0 ? resumed : undefined;
    finished.push(...(await trainGroup(trainings, left, { finished, current, clock })));
  }
  return finished;
}

/** Saves the start of the trainings if it was repaired, which may take longer than an epoch. */
async function saveRepair({ fixed, options, seconds }: Trainings): Promise<void> {
  if (!fixed.isRepaired) return;
  const none = { runs: [], finished: [], before: null, current: new Uint8Array(0) };
  await options.checkpoint?.save(encodeFinetuneCheckpoint({ ...fixed, ...none, seconds: seconds() }));
}

/** Trainings that have finished, the state to go on from, and the clock of all. */
interface Progress {
  readonly finished: readonly FinishedRun[];
  /** Checkpoint within these trainings. */
  readonly current: FinetuneCheckpoint | undefined;
  readonly clock: FinetuneClock;
}

/** A training in progress. */
interface OpenRun {
  readonly arm: FinetuneRun['arm'];
  readonly seed: number;
  readonly trainer: ModelTrainer;
  readonly before: FinetuneCheckpoint['before'];
  readonly start: Score | undefined;
}

/** Trains one run, or some runs in turns, an epoch each. */
async function trainGroup(
  trainings: Trainings,
  turns: readonly Pick<OpenRun, 'seed' | 'arm'>[],
  progress: Progress,
): Promise<FinishedRun[]> {
  const { options, seconds, fixed } = trainings;
  const { clock } = progress;
  const states = [
    { resume: progress.current?.current, before: progress.current?.before },
    { resume: progress.current?.other, before: progress.current?.otherBefore },
  ];
  const open: OpenRun[] = [];
  try {
    for (const [place, turn] of turns.entries()) {
      clock.begun(turn);
      const run = await openRun(trainings, turn, states[place], (step) => {
        options.onStep?.({ ...step, ...turn });
        clock.step(turn, step.step, step.of);
      });
      open.push(run);
      for (const epoch of run.trainer.epochs) clock.epoch(turn, epoch);
    }
    for await (const { arm, seed, before, epoch } of inTurns(open)) {
      const [current, other] = open;
      await options.checkpoint?.save(
        encodeFinetuneCheckpoint({
          ...fixed,
          before: current?.before ?? null,
          seconds: seconds(),
          current: current?.trainer.checkpoint() ?? new Uint8Array(0),
          ...(other && { other: other.trainer.checkpoint(), otherBefore: other.before }),
          ...encodedRuns(progress.finished),
        }),
      );
      clock.scored({ arm, seed });
      clock.epoch({ arm, seed }, epoch);
      options.onEpoch?.({ arm, seed, before, epoch: withoutSteps(epoch) });
    }
    const runs: FinishedRun[] = [];
    for (const run of open) {
      runs.push(await finishRun(trainings, run));
      clock.finished(run);
    }
    return runs;
  } finally {
    for (const { trainer } of open) await trainer.close();
  }
}

async function openRun(
  { models, parts, options, scoresStart, seeds }: Trainings,
  { seed, arm }: Pick<OpenRun, 'seed' | 'arm'>,
  {
    resume,
    before,
  }: { readonly resume?: Uint8Array | undefined; readonly before?: OpenRun['before'] | undefined } = {},
  onStep: (step: Pick<FinetuneStep, 'step' | 'of' | 'loss'>) => void,
): Promise<OpenRun> {
  const isScored = scoresStart && resume === undefined;
  // `prepareFinetune` gives the advice where it scores the models.
  const tells = isScored && arm === 'swapped' && seed === seeds[0];
  const trainer = await openArm(models[arm], parts, options, seed, {
    teacher: teacherOf(models.original, options),
    resume,
    onDoubt: tells ? options.onDoubt : undefined,
    onStep: (step, of, _, loss) => onStep({ step, of, loss }),
  });
  try {
    const score = resume === undefined ? await beforeTraining(trainer, parts) : (before ?? null);
    const start = isScored ? scoreOf(await evaluatePart(trainer, parts.test)) : undefined;
    return { arm, seed, trainer, before: score, start };
  } catch (error) {
    await trainer.close();
    throw error;
  }
}

/** Trains the run with the fewest epochs next, until all are done. */
async function* inTurns(open: readonly OpenRun[]): AsyncGenerator<OpenRun & { readonly epoch: Epoch }> {
  const left = new Map(open.map((run) => [run, run.trainer[Symbol.asyncIterator]()]));
  while (left.size > 0) {
    const [[run, epochs] = []] = [...left].toSorted(
      ([a], [b]) => a.trainer.epochs.length - b.trainer.epochs.length,
    );
    if (run === undefined || epochs === undefined) return;
    const next = await epochs.next().catch((error: unknown) => {
      throw inArm(error, run);
    });
    if (next.done === true) left.delete(run);
    else yield { ...run, epoch: next.value };
  }
}

/** Adds to the error of a divergence which training it was; returns any other error as it is. */
function inArm(error: unknown, { arm, seed }: Pick<OpenRun, 'arm' | 'seed'>): unknown {
  if (!isDivergence(error)) return error;
  const training = `the training of the ${arm} model with seed ${seed}`;
  const where = error.where === undefined ? training : `${error.where}, in ${training}`;
  return asDivergence(withDetails(error, { where }));
}

async function finishRun(
  { models, parts, seeds }: Trainings,
  { arm, seed, trainer, before, start }: OpenRun,
): Promise<FinishedRun> {
  const evaluation = await evaluatePart(trainer, parts.test);
  return {
    run: {
      arm,
      seed,
      before,
      epochs: trainer.epochs.map(withoutSteps),
      test: scoreOf(evaluation),
      moved: await movedWeights(models[arm], trainer),
      seconds: trainer.epochs.reduce((sum, epoch) => sum + epoch.seconds, 0),
    },
    results: resultsOf(evaluation),
    start,
    state: seed === seeds[0] ? trainer.checkpoint() : undefined,
  };
}

const withoutSteps = ({ steps: _, ...epoch }: Epoch) => epoch;

async function beforeTraining(
  trainer: ModelTrainer,
  { validation }: DataParts,
): Promise<FinetuneCheckpoint['before']> {
  return validation === undefined ? null : scoreOf(await evaluatePart(trainer, validation));
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
