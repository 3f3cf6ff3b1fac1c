import { OnnxMishError } from '../base/error.js';
import type { Dataset, Feeds } from '../data/dataset.js';
import { datasetOf, joined, type Part, splitFeeds } from '../data/split.js';
import type { Accuracy } from '../metrics/accuracy.js';
import { foldDocument } from '../mish/fold.js';
import type { FormName } from '../mish/forms.js';
import { type Plan, planOf } from '../mish/plan.js';
import type { FoldReport, SkipReport, SwapReport } from '../mish/results.js';
import { retarget } from '../mish/retarget.js';
import { scan } from '../onnx/scan.js';
import type { Spliced } from '../onnx/splice.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider } from '../providers/provider.js';
import { type BentSite, withBends } from './activations/curved-share.js';
import { attempt, type Common } from './attempt.js';
import type { Tuned } from './distil.js';
import { forTarget } from './for-target.js';
import type { CalibrateOptions } from './options.js';
import type { LeftAlone } from './repair/body-layers.js';
import type { LayerRepair } from './repair/repair-layers.js';
import { findCandidates } from './select/candidates.js';
import { dataFor, isNoWorse, type Judgement, judgeModel } from './select/compare-with-original.js';
import { checkBudget, type SharpnessReport, sharpen } from './select/search-sharpness.js';
import { samplesOfRun } from './select/trial.js';

export const CALIBRATION_SCHEMA = 'onnx-mish/calibration@1';

/** What a calibration did. */
export interface Calibration {
  readonly schema: typeof CALIBRATION_SCHEMA;
  readonly form: SwapReport['form'];
  /** Null where each site has its own. */
  readonly beta: number | null;
  readonly sites: readonly BentSite[];
  readonly skipped: readonly SkipReport[];
  /** What the samples were for. */
  readonly samples: {
    readonly source: Dataset<Feeds>['source'];
    readonly seed: number;
    /** What weights were solved from. */
    readonly fit: number;
    /** What chose between ways to solve them. */
    readonly held: number;
    /** What the models were judged by in the end. */
    readonly judged: number;
  };
  /** How the sharpness was found; null where it was given. */
  readonly sharpness: SharpnessReport | null;
  /** In topological order. */
  readonly layers: readonly LayerRepair[];
  readonly leftAlone: readonly LeftAlone[];
  /** The gradient steps, with the loss on held-out samples before and after; null where none were made. */
  readonly tuning: Omit<Tuned, 'edits'> | null;
  /** Sites whose sharpness went into the weights around them, and those where it could not; null where it was not asked for. */
  readonly fold: FoldReport | null;
  /** What a reader has to know: why there was no tuning, say. */
  readonly notes: readonly string[];
  /** Accuracy of the original by the labels; null without them. */
  readonly original: Accuracy | null;
  readonly swapped: Judgement;
  readonly calibrated: Judgement;
  /** What the output is: the plain swap where the calibrated model was no better on the judged samples. */
  readonly kept: 'calibrated' | 'swapped';
  /** Seconds that it took. */
  readonly seconds: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

const SHARES = [0.75, 0.125, 0.125] as const;
const SAMPLES = 512;
const ROWS = 15_000;
const STEPS = 200;

/**
 * Swaps the activations of a model and repairs what that does to it, without labels: the linear layers after the sites are
 * solved anew, by least squares, so that their outputs are what the original's were; then gradient steps move all of them
 * together. Samples are split: weights come from the first part, are kept where the second says they help, and the result
 * has to be at least as near to the original as the plain swap on the third, or the output is the plain swap.
 *
 * The output's source is a copy in memory. Weights that are solved anew are written in their own element type, into the file even
 * where they were external. There is no record for `undo`: the old weights are gone.
 *
 * Throws as `swap` does, `bad-data` for samples that do not fit or are fewer than three runs, `run-failed`, `aborted`.
 */
export async function calibrateModel(
  model: LoadedModel,
  options: CalibrateOptions & OnProvider,
): Promise<{ output: Spliced; report: Calibration }> {
  const start = performance.now();
  const { output, report } = await repairSwap(model, options);
  const seconds = (performance.now() - start) / 1000;
  const sizes = { bytesIn: model.document.source.size, bytesOut: output.size };
  return { output, report: { ...report, seconds, ...sizes } };
}

async function repairSwap(
  original: LoadedModel,
  options: CalibrateOptions & OnProvider,
): Promise<{ output: Spliced; report: Omit<Calibration, 'seconds' | 'bytesIn' | 'bytesOut'> }> {
  const { seed = 0, samples = SAMPLES, rows = ROWS, steps = STEPS, provider, session, signal } = options;
  const { onProgress = () => {} } = options;
  const beta = options.beta === 'auto' ? undefined : options.beta;
  const { report: swap, measuredIn } = await findCandidates(original.document, { ...options, beta });
  const plan = { ...planOf(swap), form: measuredIn };
  const dataset = await dataFor(original, options);
  const batch = await samplesOfRun(dataset);
  const [fit, held, judged] = splitFeeds(dataset.feeds, SHARES, { seed, limit: Math.floor(samples / batch) });
  if (
    fit === undefined ||
    held === undefined ||
    judged === undefined ||
    fit.runs === 0 ||
    judged.runs === 0
  ) {
    throw new OnnxMishError(
      'bad-data',
      `${dataset.feeds.length} runs of ${samples} samples at the most are too few to split`,
      {
        fix: 'Give at least three; some hundreds are better',
      },
    );
  }
  checkBudget(options.budget, dataset.labels !== undefined);
  const common: Common = { original, fit, held, seed, provider, session, signal };
  const tryOut = (one: Plan, count: number) => attempt(one, rows, count, common, options);
  const judge = (candidate: Spliced, part: Part) =>
    judgeModel(original, candidate, datasetOf(dataset, part), options);
  // A budget takes many samples to tell: those that weights were solved from speak as well.
  const both = joined(fit, held);
  const sharpened =
    options.beta === 'auto'
      ? await sharpen({
          plan,
          steps,
          tryOut,
          judge,
          searched: both,
          judged: joined(held, judged),
          original,
          options,
        })
      : undefined;
  const chosen = sharpened?.attempt ?? (await tryOut(plan, steps));

  const count = (part: Part) => Math.round(part.runs * batch);
  const counts = { fit: count(fit), held: count(held), judged: count(judged) };
  onProgress('comparing the outputs', 0, 1);
  const [before, after] = [await judge(chosen.swapped, judged), await judge(chosen.repaired, judged)];
  const better = isNoWorse(after.drift, before.drift);
  const kept = better ? chosen.repaired : chosen.swapped;
  const written = swap.form === measuredIn ? kept : await inForm(await kept.bytes(), swap.form);
  const folded = options.fold
    ? await foldDocument(await scan(await written.bytes()), { openData: original.openData, undo: false })
    : undefined;
  const plain = folded?.output ?? written;
  const { output, notes } = await forTarget(plain, options.target);
  const { sites, skipped } = chosen.swap;
  return {
    output,
    report: {
      schema: CALIBRATION_SCHEMA,
      form: swap.form,
      beta: options.beta === 'auto' ? null : swap.beta,
      sites: await withBends(sites, original, kept, judged, options),
      skipped,
      samples: { source: dataset.source, seed, ...counts },
      sharpness: sharpened?.report ?? null,
      layers: chosen.layers,
      leftAlone: chosen.leftAlone,
      tuning: chosen.tuning,
      fold: folded?.report ?? null,
      notes: [...chosen.notes, ...(sharpened?.notes ?? []), ...notes],
      original: before.original,
      swapped: { drift: before.drift, accuracy: before.accuracy },
      calibrated: { drift: after.drift, accuracy: after.accuracy },
      kept: better ? 'calibrated' : 'swapped',
    },
  };
}

async function inForm(bytes: Uint8Array, form: FormName): Promise<Spliced> {
  return (await retarget(bytes, { form, undo: false })).output;
}
