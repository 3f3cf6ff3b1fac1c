import { OnnxMishError } from '../../base/error.js';
import { datasetOf, type Part, splitFeeds } from '../../data/split.js';
import { type Plan, planOf } from '../../mish/plan.js';
import { type SwapOptions, swapDocument } from '../../mish/swap.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider } from '../../providers/provider.js';
import { findCandidates } from './candidates.js';
import { dataFor, judgeModel } from './compare-with-original.js';
import { checkBudget, type SharpnessOptions, type SharpnessReport, sharpen } from './search-sharpness.js';
import { samplesOfRun, type TrialOptions } from './trial.js';

export interface SharpenSwapOptions
  extends SharpnessOptions,
    Pick<TrialOptions, 'data'>,
    Pick<SwapOptions, 'form' | 'target' | 'strict'> {
  /** Samples to use at the most; 512 unless given. */
  readonly samples?: number | undefined;
}

const SHARES = [2 / 3, 1 / 3];
const SAMPLES = 512;

/**
 * Finds for each site the smallest sharpness with which a plain swap of all of them keeps a budget, without any repair, as
 * `sharpen` does: on two thirds of the samples, and on the last third as well. Gives the plan for `swap`. Throws as
 * `calibrate` does, and `over-budget` where no sharpness up to 32 is enough.
 */
export async function sharpenModel(
  original: LoadedModel,
  options: SharpenSwapOptions & OnProvider,
): Promise<{ plan: Plan; sharpness: SharpnessReport }> {
  const { samples = SAMPLES, seed = 0, data: _, ...rest } = options;
  const { document } = original;
  const { report, measuredIn } = await findCandidates(document, { ...rest, beta: 1 });
  const dataset = await dataFor(original, options);
  const limit = Math.floor(samples / (await samplesOfRun(dataset)));
  const [searched, judged] = splitFeeds(dataset.feeds, SHARES, { seed, limit });
  if (searched === undefined || judged === undefined || searched.runs === 0) {
    throw new OnnxMishError('bad-data', 'the samples are too few to hold some out', { fix: 'Give more' });
  }
  checkBudget(options.budget, dataset.labels !== undefined);
  const { attempt, report: sharpness } = await sharpen({
    plan: { ...planOf(report), form: measuredIn },
    steps: 0,
    tryOut: async (plan) => ({
      plan,
      repaired: (await swapDocument(document, { plan, undo: false })).output,
    }),
    judge: (candidate, part: Part) => judgeModel(original, candidate, datasetOf(dataset, part), options),
    ...{ searched, judged, original },
    options,
  });
  if (!sharpness.kept && report.sites.length > 0) {
    throw new OnnxMishError('over-budget', 'no sharpness up to 32 keeps the budget', {
      where: document.source.name,
      fix: 'Nothing was written. Loosen the budget, or repair the weights as well with `onnx-mish calibrate`',
    });
  }
  return { plan: { ...attempt.plan, form: report.form }, sharpness };
}
