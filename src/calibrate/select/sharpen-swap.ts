import { OnnxMishError } from '../../base/error.js';
import { samplesOfRun } from '../../data/dataset.js';
import { labelsOf } from '../../data/labels.js';
import { datasetOf, type Subset, splitFeeds } from '../../data/split.js';
import { type Plan, planOf } from '../../mish/plan.js';
import { type SwapOptions, swapDocument } from '../../mish/swap.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider } from '../../providers/provider.js';
import { findCandidates, refuseAutoBeta } from './candidates.js';
import { compareWithOriginal, dataFor } from './compare-with-original.js';
import { checkBudget, type SharpnessOptions, type SharpnessReport, sharpen } from './search-sharpness.js';
import type { TrialOptions } from './trial.js';

export interface SharpenSwapOptions
  extends SharpnessOptions,
    Pick<TrialOptions, 'data'>,
    Pick<SwapOptions, 'to' | 'form' | 'target' | 'strict'> {
  /** Maximum number of samples; default 512. */
  readonly samples?: number | undefined;
}

/** Shares of the search samples and the test samples. */
const SUBSET_SHARES = [2 / 3, 1 / 3];
const DEFAULT_SAMPLES = 512;

/**
 * Finds the smallest sharpness of each site for which a plain swap, without repair, is within a budget, as `sharpen`
 * does. The search uses two thirds of the samples; the result must be within the budget on the last third as well.
 * Returns the plan for `swap`. Throws as `calibrate` does, and `over-budget` if no sharpness up to 32 is enough.
 */
export async function sharpenModel(
  original: LoadedModel,
  options: SharpenSwapOptions & OnProvider,
): Promise<{ plan: Plan; sharpness: SharpnessReport }> {
  const { samples = DEFAULT_SAMPLES, seed = 0, data: _, ...rest } = options;
  const { document } = original;
  refuseAutoBeta(options);
  const { report, measuredIn } = await findCandidates(document, { ...rest, beta: 1 });
  const dataset = await dataFor(original, options);
  const affordable = Math.floor(samples / (await samplesOfRun(dataset)));
  // Runs may have more samples than the default.
  const limit = options.samples === undefined ? Math.max(SUBSET_SHARES.length, affordable) : affordable;
  const [search, test] = splitFeeds(dataset.feeds, SUBSET_SHARES, { seed, limit });
  if (search === undefined || test === undefined || search.runs === 0) {
    throw new OnnxMishError('bad-data', 'the search needs at least two runs of samples', {
      fix: 'Give more samples',
    });
  }
  checkBudget(options.budget, labelsOf(dataset) !== undefined);
  const {
    attempt,
    report: sharpness,
    notes: [why = ''],
  } = await sharpen({
    plan: { ...planOf(report), form: measuredIn },
    steps: 0,
    tryOut: async (plan) => ({
      plan,
      repaired: (await swapDocument(document, { plan, undo: false, blocked: false })).output,
    }),
    compare: (candidate, subset: Subset) =>
      compareWithOriginal(original, candidate, datasetOf(dataset, subset), options),
    search,
    test,
    original,
    options,
  });
  if (!sharpness.kept && report.sites.length > 0) {
    throw new OnnxMishError('over-budget', why, {
      where: document.source.name,
      fix: 'Nothing was written. Loosen the budget, or repair the weights as well with `onnx-mish calibrate`',
    });
  }
  return { plan: { ...attempt.plan, form: report.form }, sharpness };
}
