import { OnnxMishError } from '../base/error.js';
import { VERSION } from '../base/version.js';
import type { Spliced } from '../onnx/splice.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider } from '../providers/provider.js';
import type { ArmOptions } from './arm.js';
import { compareArms, conclude, type PairedResults } from './compare-arms.js';
import { type DataFileContent, withDataFile } from './data-file.js';
import { reportedData, reportedSettings } from './describe.js';
import { judgeTrained, timesExp } from './judge.js';
import { finetuneNotes } from './notes.js';
import type { FinetuneOptions } from './options.js';
import { countsOf, type Prepared, prepareFinetune, type StartFacts, startFacts } from './prepare.js';
import { FINETUNE_SCHEMA, type FinetuneReport, type FinetuneRun } from './report-schema.js';
import { type FinishedRun, trainAll } from './trainings.js';

/** Facts about the machine, for the report. */
export type FinetuneHost = Omit<FinetuneReport['host'], 'onnxruntime'>;

/** A trained model with its report. */
export interface Finetuned {
  readonly output: Spliced;
  /** File of external data that belongs to the output. */
  readonly data: DataFileContent | undefined;
  readonly report: FinetuneReport;
}

const DEFAULT_EPOCHS = 6;
const DEFAULT_OPTIMIZER: NonNullable<FinetuneOptions['optimizer']> = { kind: 'rmsprop' };
const DEFAULT_WARM_UP_SHARE = 0.05;

/** Maximum number of trainings of each arm. */
const MAX_SEEDS = 1000;

function checkSeeds(seeds = 1): void {
  if (Number.isInteger(seeds) && seeds >= 1 && seeds <= MAX_SEEDS) return;
  throw new OnnxMishError('bad-usage', `the number of seeds must be from 1 to ${MAX_SEEDS}, got ${seeds}`, {
    fix: 'Give a number such as 3',
  });
}

/**
 * Swaps the activations of a model, repairs its weights, and trains it with labels. By default the original is trained as
 * long with the same batches, and both are judged on the same test samples. The output is the swapped model of the first
 * seed; it has the form and the names of a swap, and no record for `undo`.
 *
 * Throws as `calibrateModel` and `createTrainer` do, `bad-data` for samples that cannot be split, and `bad-usage` for a
 * checkpoint of another training.
 */
export async function finetuneModel(
  original: LoadedModel,
  given: FinetuneOptions & OnProvider & { readonly host: FinetuneHost },
): Promise<Finetuned> {
  const begin = performance.now();
  checkSeeds(given.seeds);
  await given.provider.availability(); // sets `provider.version`, too
  const asked = withDefaults(given);
  const { seed = 0 } = given;
  const prepared = await prepareFinetune(original, asked);
  const { swap, start, parts, loss, digest, resumed } = prepared;
  const options = { ...asked, loss: loss.loss };
  const secondsBefore = resumed?.seconds ?? 0;
  const seconds = () => secondsBefore + (performance.now() - begin) / 1000;
  const seeds = Array.from({ length: given.seeds ?? 1 }, (_, index) => seed + index);
  const hasControl = given.control !== false && swap.report.sites.length > 0;
  const runs = await trainAll({
    parts,
    options,
    seeds,
    resumed,
    seconds,
    models: { swapped: start.model, original },
    arms: hasControl ? ['swapped', 'original'] : ['swapped'],
    timedForms: timesExp(swap) ? 2 : 1,
    scoresStart: prepared.scores === undefined,
    fixed: { digest, start: start.bytes, isRepaired: start.isRepaired, notes: [...start.notes] },
  });
  options.onProgress?.('judging', 1, undefined);
  const before = await startFacts(original, prepared, runs, options);
  const { units, latency, notes, step, ...trained } = await judgeTrained(original, prepared, runs, options);
  const { fileName } = given;
  const { output, data } =
    fileName === undefined
      ? { output: trained.output, data: undefined }
      : await withDataFile(trained.output, original, fileName);
  const remarks = remarksOn(prepared, before, options, { seeds: seeds.length, hasControl });
  const facts = {
    to: swap.report.to,
    latency,
    runs: runs.map(({ run }) => run),
    comparison: hasControl ? compareArms(pairsOf(runs, seeds)) : null,
    sites: swap.report.sites.map(({ label, kind, beta }) => ({ label, kind, beta })),
    data: reportedData(prepared, options),
  };
  return {
    output,
    data,
    report: {
      schema: FINETUNE_SCHEMA,
      created: new Date().toISOString(),
      tool: { name: 'onnx-mish', version: VERSION },
      host: { ...given.host, onnxruntime: given.provider.version },
      model: original.name,
      form: swap.report.form,
      skipped: swap.report.skipped.length,
      settings: reportedSettings(step, options, seeds),
      start: before.start,
      units,
      ...facts,
      conclusion: conclude(facts),
      notes: [
        ...new Set([
          ...(loss.reason ? [loss.reason] : []),
          ...remarks,
          ...whyNothing(swap),
          ...start.notes,
          ...notes,
        ]),
      ],
      seconds: seconds(),
      bytesIn: original.document.source.size,
      bytesOut: output.size,
    },
  };
}

/** Fills in the defaults of a fine-tuning. */
function withDefaults(given: FinetuneOptions & OnProvider): ArmOptions {
  const { epochs = DEFAULT_EPOCHS, optimizer = DEFAULT_OPTIMIZER, warmUp = DEFAULT_WARM_UP_SHARE } = given;
  // The weights are trained: long first steps of RMSProp would undo what they know.
  return {
    ...given,
    epochs,
    warmUp,
    optimizer:
      optimizer.kind === 'rmsprop' ? { ...optimizer, corrected: optimizer.corrected ?? true } : optimizer,
  };
}

/** Returns the notes of a swap that swaps nothing. */
const whyNothing = ({ report, advice }: Prepared['swap']): string[] =>
  report.sites.length > 0 ? [] : advice.map(({ text }) => text);

function pairsOf(runs: readonly FinishedRun[], seeds: readonly number[]): PairedResults[] {
  return seeds.flatMap((seed) => {
    const find = (arm: FinetuneRun['arm']) =>
      runs.find(({ run }) => run.arm === arm && run.seed === seed)?.results;
    const [swapped, original] = [find('swapped'), find('original')];
    return swapped === undefined || original === undefined ? [] : { seed, swapped, original };
  });
}

function remarksOn(
  { parts, swap }: Prepared,
  { start, validation, shared }: StartFacts,
  options: ArmOptions,
  trainings: { readonly seeds: number; readonly hasControl: boolean },
): string[] {
  return finetuneNotes({
    parts: { ...countsOf(parts), testFrom: parts.testFrom },
    validation,
    test: start.original,
    shared,
    ...trainings,
    hasTeacher: (options.teacher ?? 0) > 0,
    sites: swap.report.sites.length,
  });
}
