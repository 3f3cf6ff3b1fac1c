// The trained models, held against each other.
import { finish } from '../calibrate/finish.js';
import { spliceWithRecord } from '../mish/history.js';
import { findSites, inputOf, siteLabel } from '../mish/sites.js';
import { type Spliced, splice } from '../onnx/splice.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import { type ArmOptions, openArm, teacherOf } from './arm.js';
import { feedsOf } from './feeds.js';
import { latencyOf } from './latency-of-arms.js';
import { MAX_UNIT_SAMPLES } from './limits.js';
import type { Prepared } from './prepare.js';
import type { FinetuneReport, FinetuneRun } from './report-schema.js';
import { editedModel, type PlannedSwap } from './start.js';
import type { FinishedRun } from './trainings.js';
import { countUnits, type UnitCount } from './units.js';

/** Measures of the trained models besides their scores. */
export interface Judged {
  /** The trained model of the first seed, in the form of a swap. */
  readonly output: Spliced;
  readonly units: FinetuneReport['units'];
  readonly latency: FinetuneReport['latency'];
  readonly notes: readonly string[];
  readonly step: StepFacts;
}

/** Writes the trained model, and measures units and latency of the models of the first seed. */
export async function judgeTrained(
  original: LoadedModel,
  prepared: Prepared,
  runs: readonly FinishedRun[],
  options: ArmOptions,
): Promise<Judged> {
  const { start, swap } = prepared;
  const trained = await trainedModel([original, start.model], 'swapped', runs, prepared, options);
  const control = runs.some(({ run }) => run.arm === 'original')
    ? await trainedModel([original, original], 'original', runs, prepared, options)
    : undefined;
  const { form, bound } = swap.report;
  const { output, notes } = await finish(trained.output, original, {
    // An approximate form gets its operators on channels.
    form: form === swap.trainedIn && bound === undefined ? undefined : form,
    fold: false,
    target: options.target,
  });
  return {
    output,
    units: await unitsOf(original, trained.model, control?.model, prepared, options),
    latency:
      control === undefined
        ? null
        : await latencyOf(
            control.model,
            [await editedModel(original, output), timesExp(swap) ? trained.model : undefined],
            prepared,
            options,
          ),
    notes: [...trained.remarks, ...notes],
    step: trained.step,
  };
}

/** The output that the loss was computed from, and the number of samples in a step. */
export type StepFacts = Pick<FinetuneReport['settings'], 'output' | 'batch'>;

/** Returns the trained model of the first seed, with a record of the operation. */
async function trainedModel(
  [original, from]: readonly [original: LoadedModel, from: LoadedModel],
  arm: FinetuneRun['arm'],
  runs: readonly FinishedRun[],
  { parts, swap }: Prepared,
  options: ArmOptions,
): Promise<{ output: Spliced; model: LoadedModel; remarks: readonly string[]; step: StepFacts }> {
  const first = runs.find(({ run, state }) => run.arm === arm && state !== undefined);
  const teacher = teacherOf(original, options);
  const trainer = await openArm(from, parts, options, first?.run.seed ?? 0, {
    teacher,
    resume: first?.state,
  });
  try {
    const edits = await trainer.edits();
    const model = await editedModel(from, splice(from.document.source, edits));
    const operation = {
      operation: 'finetune',
      form: swap.report.form,
      sites: trainer.trained.length,
    } as const;
    const output = await spliceWithRecord(from.document, edits, [operation], false);
    const step = { output: trainer.output, batch: trainer.stepSamples };
    return { output, model, step, remarks: trainer.remarks.map(({ text }) => text) };
  } finally {
    await trainer.close();
  }
}

async function unitsOf(
  original: LoadedModel,
  swapped: LoadedModel,
  control: LoadedModel | undefined,
  { parts, swap }: Prepared,
  options: ArmOptions,
): Promise<FinetuneReport['units']> {
  const { to, include, exclude } = options;
  const only = [...new Set(swap.report.sites.map(({ kind }) => kind))];
  const { sites } = await findSites(original.document, { to, include, exclude, only });
  const outputs = new Set(swap.report.sites.map(({ output }) => output));
  const measured = sites.filter(
    (site) => site.scope === original.document.graph && outputs.has(site.node.outputs[0] ?? ''),
  );
  const names = measured.map(inputOf);
  const feeds = feedsOf(parts.test, original, MAX_UNIT_SAMPLES, { hasRest: true });
  const count = (model: LoadedModel) => countUnits(model, names, feeds, options);
  const [before, after] = [await count(original), await count(swapped)];
  const beside = control && (await count(control));
  return measured.flatMap((site) => {
    const find = (counts: ReadonlyMap<string, UnitCount>) => counts.get(inputOf(site));
    const [first, second, third] = [find(before), find(after), beside && find(beside)];
    if (first === undefined || second === undefined) return [];
    return {
      site: siteLabel(site),
      count: first.count,
      before: first.neverPositive,
      swapped: second.neverPositive,
      original: third?.neverPositive ?? null,
    };
  });
}

/** Returns whether a model is trained in the exp form and written in another form of the same function, so that both are timed. */
export const timesExp = ({ report, trainedIn }: Pick<PlannedSwap, 'report' | 'trainedIn'>): boolean =>
  trainedIn === 'exp' && report.form !== 'exp';
