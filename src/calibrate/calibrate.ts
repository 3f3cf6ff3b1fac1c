import type { Dataset, Feeds } from '../data/dataset.js';
import { datasetOf, joined, type Subset } from '../data/split.js';
import type { AccuracyWithIntervals } from '../metrics/accuracy.js';
import type { FoldReport, SiteReport, SkipReport, SwapReport } from '../mish/results.js';
import { commonBeta } from '../mish/swap.js';
import type { Spliced } from '../onnx/splice.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider } from '../providers/provider.js';
import { type SiteWithCurvedShare, withCurvedShares } from './activations/curved-share.js';
import { chooseLeaky, type LeakyReport, losesSlope } from './choose-leaky.js';
import type { Tuned } from './distil.js';
import { finish } from './finish.js';
import type { CalibrateOptions } from './options.js';
import { prepareAttempts } from './prepare-attempts.js';
import type { SkippedLayer } from './repair/body-layers.js';
import type { LayerRepair } from './repair/repair-layers.js';
import type { CurvedReport } from './scale/sharpened.js';
import { refuseAutoBeta } from './select/candidates.js';
import {
  checkOutputs,
  compareWithOriginal,
  dataFor,
  isNoWorse,
  type ModelComparison,
} from './select/compare-with-original.js';
import { refineSharpness, totalBeta } from './select/refine-sharpness.js';
import { checkBudget, type SharpnessReport } from './select/search-sharpness.js';
import { samplesOfRun } from './select/trial.js';
import { MAX_DEFAULT_SAMPLES, splitSamples } from './split-samples.js';
import { affordableSamples, PART_SECONDS } from './work/budget.js';
import { fitRuns } from './work/fit-runs.js';
import { measureRunCosts } from './work/run-costs.js';

export const CALIBRATION_SCHEMA = 'onnx-mish/calibration@1';

/** Report of a calibration. */
export interface Calibration {
  readonly schema: typeof CALIBRATION_SCHEMA;
  /** The activation that was written. */
  readonly to: SwapReport['to'];
  readonly form: SwapReport['form'];
  /** Sharpness of all sites; null if sites differ. */
  readonly beta: number | null;
  /** Sharpness that follows from the inputs of the sites; null if the options give one. */
  readonly curved: CurvedReport | null;
  readonly sites: readonly SiteWithCurvedShare[];
  readonly skipped: readonly SkipReport[];
  /** Why LeakyReLUs became mixtures; null if they did not, or if the options say so. */
  readonly leaky: LeakyReport | null;
  /** Number of samples in each subset. */
  readonly samples: {
    readonly source: Dataset<Feeds>['source'];
    readonly seed: number;
    /** Training samples: the weights are solved from them. */
    readonly fit: number;
    /** Validation samples: they choose between the methods. */
    readonly held: number;
    /** Test samples: they compare the swapped and the calibrated model with the original. */
    readonly judged: number;
  };
  /** Search for the sharpness; null without a search. */
  readonly sharpness: SharpnessReport | null;
  /** Repaired layers in topological order. */
  readonly layers: readonly LayerRepair[];
  readonly leftAlone: readonly SkippedLayer[];
  /** Number of gradient steps, with the validation loss before and after; null without gradient steps. */
  readonly tuning: Omit<Tuned, 'edits'> | null;
  /** Sites whose sharpness was folded into the weights around them, and sites where folding failed; null unless requested. */
  readonly fold: FoldReport | null;
  /** Remarks, such as why there were no gradient steps. */
  readonly notes: readonly string[];
  /** Accuracy of the original by the labels; null without labels. */
  readonly original: AccuracyWithIntervals | null;
  readonly swapped: ModelComparison;
  readonly calibrated: ModelComparison;
  /** The model that was written: the plain swap, if the calibrated model was worse on the test samples. */
  readonly kept: 'calibrated' | 'swapped';
  /** Duration in seconds. */
  readonly seconds: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/**
 * Swaps the activations of a model and repairs its weights without labels. The linear layers after the sites are
 * solved by least squares, to match the original's outputs; then gradient steps move all layers together. New weights
 * come from the training samples, and replace the old if they lower the loss on the validation samples. If the result
 * is further from the original than the plain swap on the test samples, the output is the plain swap.
 *
 * The output's source is a copy in memory. New weights keep their element type, and are written into the model even if
 * the old weights were external. The output has no record for `undo`: the old weights are gone.
 *
 * Throws as `swap` does, `bad-data` for unfit samples or fewer than three runs, `run-failed`, `aborted`.
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
  const { seed = 0, samples = MAX_DEFAULT_SAMPLES, steps, onProgress = () => {} } = options;
  if (options.beta === 'auto') refuseAutoBeta(options);
  checkOutputs(original.document.graph.outputs, options.outputs);
  const given = await dataFor(original, options);
  const { dataset, costs } = fitRuns(given, await measureRunCosts(original, given.feeds, options));
  const batch = await samplesOfRun(dataset);
  const tests = affordableSamples(PART_SECONDS.test, costs.work);
  const subsets = splitSamples(dataset, { samples, batch, seed, tests });
  const { train, validation, test } = subsets;
  checkBudget(options.budget, dataset.labels !== undefined);
  const compare = (candidate: Spliced, subset: Subset) =>
    compareWithOriginal(original, candidate, datasetOf(dataset, subset), {
      ...options,
      onRun: (done, of) => onProgress('comparing the outputs', done, of),
    });
  const prepare = (more: Pick<CalibrateOptions, 'leaky'>) =>
    prepareAttempts(original, subsets, costs, { ...options, ...more });
  const { prepared, leaky } = await chooseLeaky(prepare, compare, validation, options);
  const { swap, measuredIn, plan, base } = prepared;
  const count = (subset: Subset) => Math.round(subset.runs * batch);
  const held = joined(validation, test);
  const sharpened =
    options.beta === 'auto'
      ? await refineSharpness({
          ...{ plan, steps, tryOut: prepared.tryOut, compare, held, onProgress, budget: options.budget },
          ...{ rows: count(held), betaOf: base.betaOf, sharpens: tendsTo(swap.sites) },
        })
      : undefined;
  const chosen = sharpened?.attempt ?? (await prepared.tryOut(plan, steps));
  const counts = { fit: count(train), held: count(validation), judged: count(test) };
  const [before, after] = [await compare(chosen.swapped, test), await compare(chosen.repaired, test)];
  const better = isNoWorse(after.drift, before.drift);
  const kept = better ? chosen.repaired : chosen.swapped;
  // An approximate form gets its operators on channels.
  const form = swap.form === measuredIn && swap.bound === undefined ? undefined : swap.form;
  const { fold, target } = options;
  const finished = await finish(kept, original, { form, fold, target });
  const { skipped } = chosen.swap;
  const sites = chosen.swap.sites.map((site) => ({ ...site, beta: totalBeta(site.beta, base.betaOf(site)) }));
  return {
    output: finished.output,
    report: {
      schema: CALIBRATION_SCHEMA,
      ...{ to: swap.to, form: swap.form },
      beta: commonBeta(sites).beta ?? (sites.length === 0 ? swap.beta : null),
      curved: base.report,
      sites: await withCurvedShares(sites, original, kept, test, {
        ...options,
        onProgress: (done, of) =>
          onProgress('measuring what goes into the sites', Math.min(done, of - 1), of),
      }),
      skipped,
      samples: { source: dataset.source, seed, ...counts },
      leaky,
      sharpness: sharpened?.report ?? null,
      layers: chosen.layers,
      leftAlone: chosen.leftAlone,
      tuning: chosen.tuning,
      fold: finished.fold,
      notes: [...chosen.notes, ...(sharpened?.notes ?? []), ...finished.notes],
      original: before.original,
      swapped: withoutOriginal(before),
      calibrated: withoutOriginal(after),
      kept: better ? 'calibrated' : 'swapped',
    },
  };
}

/** Returns a function that tells whether a sharper Mish at a site comes nearer to its original activation. */
function tendsTo(sites: readonly SiteReport[]) {
  const key = ({ scope, output }: Pick<SiteReport, 'scope' | 'output'>) => `${scope} ${output}`;
  const fixed = new Set(sites.filter(losesSlope).map(key));
  return (site: Pick<SiteReport, 'scope' | 'output'>) => !fixed.has(key(site));
}

function withoutOriginal({ drift, accuracy, difference }: ModelComparison): ModelComparison {
  return { drift, accuracy, difference };
}
