// Prepares a fine-tuning: splits the data, swaps the model and scores it before training.
import { OnnxMishError } from '../base/error.js';
import { sharedSamples } from '../data/shared-samples.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider, ValueInfo } from '../providers/provider.js';
import { withSession } from '../providers/with-session.js';
import { type ChosenLoss, chooseLoss } from '../train/choose-loss.js';
import { type ArmOptions, evaluatePart, openArm, scoreOf } from './arm.js';
import type { FinetuneCheckpoint } from './checkpoint.js';
import { dataDigest, finetuneDigest } from './digest.js';
import type { LabelledData } from './options.js';
import type { FinetuneRun, Score } from './report-schema.js';
import { type DataParts, splitData } from './split-data.js';
import { modelFromCopy, type PlannedSwap, plainSwap, repairedSwap } from './start.js';
import { tellDoubt } from './tell-doubt.js';
import { type FinishedRun, resumedCheckpoint } from './trainings.js';

/** Model from which the trainings of the swapped arm start. */
interface Start {
  readonly model: LoadedModel;
  readonly bytes: Uint8Array;
  readonly isRepaired: boolean;
  readonly notes: readonly string[];
}

/** Everything before the trainings. */
export interface Prepared {
  readonly parts: DataParts;
  readonly source: LabelledData['source'];
  readonly swap: PlannedSwap;
  readonly start: Start;
  readonly loss: ChosenLoss;
  readonly digest: string;
  readonly resumed: FinetuneCheckpoint | undefined;
  /** Scores before training; undefined where the trainings measure them. */
  readonly scores: StartScores | undefined;
}

/** Scores before training, on the test part, and of the original on the validation part. */
interface StartScores {
  readonly original: Score;
  readonly plain: Score;
  readonly repaired: Score | null;
  readonly validation: Score | null;
}

/** Prepares the trainings. Checks the data and the options before the long work. */
export async function prepareFinetune(original: LoadedModel, given: ArmOptions): Promise<Prepared> {
  const { seed = 0, validation = DEFAULT_VALIDATION_SHARE } = given;
  if (validation === 0 && given.patience !== undefined)
    throw new OnnxMishError('bad-usage', 'the patience needs a validation part', {
      fix: 'Give a share for validation, or leave out the patience',
    });
  const inputs = await inputsForSamples(original, given);
  const data = await given.data(inputs);
  const test = await given.test?.(inputs);
  const parts = splitData(data, test, { validation, seed });
  const loss = await chooseLoss(original, parts.train, given);
  if (loss.reason !== undefined) given.onDoubt?.({ text: loss.reason, option: { loss: null } });
  const options = { ...given, loss: loss.loss };
  await tellDoubt(original, parts.train, data.source, options);
  const digest = await finetuneDigest(original, options, {
    data: await dataDigest(data),
    test: test && (await dataDigest(test)),
    parts: countsOf(parts),
  });
  const resumed = resumedCheckpoint(options.checkpoint ?? {}, digest);
  // Without a repair, trainings in turns begin at once, and measure the scores themselves.
  const isLater = options.inTurns === true && options.calibrate === false;
  const first = isLater ? undefined : await evaluateParts(original, parts, options, options.onDoubt);
  const swap = await plainSwap(original, options);
  for (const advice of swap.advice) options.onDoubt?.(advice);
  const plain = isLater ? undefined : (await evaluateParts(swap.plain, parts, options)).test;
  const start = await startOf(original, swap, parts, options, resumed);
  const repaired = start.isRepaired ? (await evaluateParts(start.model, parts, options)).test : null;
  const scores = first && plain && { original: first.test, plain, repaired, validation: first.validation };
  return { parts, source: data.source, swap, start, loss, digest, resumed, scores };
}

/** Returns the inputs of a model, which samples go to. Throws `bad-usage` for a model without inputs, and as `open` of a provider does. */
export async function inputsForSamples(
  model: LoadedModel,
  options: OnProvider & Pick<ArmOptions, 'session' | 'signal'>,
): Promise<readonly ValueInfo[]> {
  const inputs = await withSession(model.file, options, (session) => session.inputs);
  if (inputs.length > 0) return inputs;
  throw new OnnxMishError('bad-usage', 'the model has no inputs', {
    where: model.name,
    fix: 'Give a model that reads samples',
  });
}

/** Facts about the models before training, and about the test part. */
export interface StartFacts {
  readonly start: Pick<StartScores, 'original' | 'plain' | 'repaired'>;
  readonly validation: Score | null;
  /** Number of test samples that equal a training sample; undefined if it is not known. */
  readonly shared: number | undefined;
}

/** Returns the facts for the report that no training needs. */
export async function startFacts(
  original: LoadedModel,
  prepared: Prepared,
  runs: readonly FinishedRun[],
  options: ArmOptions,
): Promise<StartFacts> {
  const { validation, ...start } = await startScores(original, prepared, runs, options);
  const { test, train } = prepared.parts;
  return { start, validation, shared: await sharedSamples(test.inputs, train.inputs) };
}

/** Returns the scores before training; measures those that neither the preparation nor the trainings did. */
async function startScores(
  original: LoadedModel,
  { scores, parts, swap }: Prepared,
  runs: readonly FinishedRun[],
  options: ArmOptions,
): Promise<StartScores> {
  if (scores !== undefined) return scores;
  const measured = (arm: FinetuneRun['arm']) =>
    runs.find(({ run, start }) => run.arm === arm && start !== undefined);
  const [first, second] = [measured('original'), measured('swapped')];
  const whole =
    first?.start === undefined
      ? await evaluateParts(original, parts, options)
      : { test: first.start, validation: first.run.before };
  const plain = second?.start ?? (await evaluateParts(swap.plain, parts, options)).test;
  return { original: whole.test, plain, repaired: null, validation: whole.validation };
}

const DEFAULT_VALIDATION_SHARE = 0.1;

/** Returns the numbers of samples in the parts. */
export function countsOf({ train, validation, test }: DataParts) {
  return { train: train.count, validation: validation?.count ?? 0, test: test.count };
}

async function evaluateParts(
  model: LoadedModel,
  parts: DataParts,
  options: ArmOptions,
  onDoubt?: ArmOptions['onDoubt'],
): Promise<{ test: Score; validation: Score | null }> {
  const trainer = await openArm(model, parts, options, options.seed ?? 0, { onDoubt });
  try {
    const test = scoreOf(await evaluatePart(trainer, parts.test));
    const { validation } = parts;
    return {
      test,
      validation: validation === undefined ? null : scoreOf(await evaluatePart(trainer, validation)),
    };
  } finally {
    await trainer.close();
  }
}

async function startOf(
  original: LoadedModel,
  swap: PlannedSwap,
  { train }: DataParts,
  options: ArmOptions,
  resumed: FinetuneCheckpoint | undefined,
): Promise<Start> {
  const { plain, trainedIn, report } = swap;
  const bytesOf = ({ file }: LoadedModel) => file as Uint8Array; // models of start.ts are in memory
  if (resumed !== undefined) {
    const { start, isRepaired, notes } = resumed;
    return { model: await modelFromCopy(original, start), bytes: start, isRepaired, notes };
  }
  if (options.calibrate === false || report.sites.length === 0)
    return { model: plain, bytes: bytesOf(plain), isRepaired: false, notes: [] };
  const repaired = await repairedSwap(original, trainedIn, train, plain, options);
  return { ...repaired, bytes: bytesOf(repaired.model) };
}
