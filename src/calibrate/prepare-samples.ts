import { plural } from '../base/plural.js';
import { countSamples, type Dataset, type Feeds, samplesOfRun } from '../data/dataset.js';
import { labelsOf } from '../data/labels.js';
import { datasetOf, drawRuns, joined, type Subset } from '../data/split.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider } from '../providers/provider.js';
import type { CalibrateOptions } from './options.js';
import { refuseAutoBeta } from './select/candidates.js';
import { checkOutputs, dataFor } from './select/compare-with-original.js';
import { checkBudget } from './select/search-sharpness.js';
import { MAX_DEFAULT_SAMPLES, type SampleSubsets, splitSamples } from './split-samples.js';
import { affordableSamples, mayTime, PART_SECONDS, repairDeadline } from './work/budget.js';
import { fitSamples } from './work/fit-samples.js';
import { type RunCosts, scaledCosts } from './work/run-costs.js';
import { drawWindows, findWindows, imagesOfWindow, type Windows } from './work/windows.js';

/** Subsets of the samples, as the parts of a calibration use them. */
export interface PreparedSubsets extends SampleSubsets {
  /** Samples that no weight was solved from: validation and test samples. */
  readonly held: Subset;
  /** Test samples on which the inputs of the sites are measured. */
  readonly measured: Subset;
}

/** The samples of a calibration. */
export interface PreparedSamples {
  readonly dataset: Dataset<Feeds>;
  /** Costs of the training samples. */
  readonly costs: RunCosts;
  readonly subsets: PreparedSubsets;
  /** When repairs have to end, as `performance.now()` counts. */
  readonly deadline: number;
  /** Number of samples in a run. */
  readonly batch: number;
  /** Number of training, validation and test samples, by the names of the report; windows of a sample count as one. */
  readonly counts: { readonly fit: number; readonly held: number; readonly judged: number };
  /** Remarks about windows. */
  readonly notes: readonly string[];
  /** Returns a subset as a data set. */
  dataOf(subset: Subset): Dataset<Feeds>;
}

/** Maximum number of elements of the largest tensor where models are compared on whole images. */
const MAX_WHOLE_ELEMENTS = 2 ** 25;
/** Minimum number of whole images to compare models on; windows replace them if these take too long. */
const MIN_WHOLE_SAMPLES = 4;
/** Maximum time of a pass over these images, in seconds. */
const WHOLE_SECONDS = 2 * PART_SECONDS.test;
const MOSTLY_SMALL = 'weights are solved from whole images: most are smaller than a window';
/** Maximum number of runs of windows that choose between methods or compare models. */
const MAX_COMPARED_WINDOWS = 64;

/** Opens the samples for a model, and splits them. Throws as `splitSamples` and `checkBudget` do. */
export async function prepareSamples(
  original: LoadedModel,
  options: CalibrateOptions & OnProvider,
): Promise<PreparedSamples> {
  const { seed = 0, samples = MAX_DEFAULT_SAMPLES } = options;
  const deadline = repairDeadline(options);
  if (options.beta === 'auto') refuseAutoBeta(options);
  checkOutputs(original.document.graph.outputs, options.outputs);
  options.onProgress?.('preparing the samples', 0, 1);
  const given = await dataFor(original, options);
  const { windows, notes } = await findWindows(original, given.feeds, options);
  const timed = { ...options, isTimed: mayTime(options) };
  const { dataset, costs } = await fitSamples(original, given, windows, timed);
  const batch = await samplesOfRun(dataset);
  const tests = affordableSamples(PART_SECONDS.test, costs.work);
  const split = splitSamples(dataset, { samples, batch, seed, tests });
  checkBudget(options.budget, labelsOf(dataset) !== undefined);
  const prepared: PreparedSamples = {
    dataset,
    costs,
    deadline,
    batch,
    notes,
    subsets: { ...split, held: joined(split.validation, split.test), measured: split.test },
    counts: {
      fit: await countSamples(dataset, split.train.feeds),
      held: await countSamples(dataset, split.validation.feeds),
      judged: await countSamples(dataset, split.test.feeds),
    },
    dataOf: (subset) => datasetOf(dataset, subset),
  };
  const ready = windows === undefined ? prepared : await inWindows(prepared, windows, seed);
  for (const note of ready.notes) options.onNote?.(note);
  return ready;
}

/** Replaces large images by windows: those that weights are solved from, and all where whole images take too much memory or time. */
async function inWindows(images: PreparedSamples, windows: Windows, seed: number): Promise<PreparedSamples> {
  const { dataset, costs, batch, subsets, counts } = images;
  const affordable = affordableSamples(PART_SECONDS.test, costs.work);
  const isAffordable =
    batch * costs.largest <= MAX_WHOLE_ELEMENTS &&
    affordableSamples(WHOLE_SECONDS, costs.work) >= MIN_WHOLE_SAMPLES;
  const cut = (subset: Subset, most?: number) => drawWindows(subset, windows, { most, seed });
  const train = await cut(subsets.train);
  const validation = await cut(subsets.validation, MAX_COMPARED_WINDOWS);
  if (train.runs === 0 || validation.runs === 0) return { ...images, notes: [MOSTLY_SMALL] };
  const limit = Math.ceil(Math.max(MIN_WHOLE_SAMPLES, affordable) / batch);
  const whole = (subset: Subset) => drawRuns(subset, limit, seed);
  const measured = await cut(subsets.test, MAX_COMPARED_WINDOWS);
  const isWhole = isAffordable || labelsOf(dataset) !== undefined || measured.runs === 0;
  const test = isWhole ? whole(subsets.test) : measured;
  const held = joined(isWhole ? whole(subsets.validation) : validation, test);
  const cuts = new Set([train, validation, measured, ...(isWhole ? [] : [held])]);
  const size = `${windows.side} × ${windows.side}`;
  const counted = `${plural(train.runs * batch, 'window')} of ${size} of the training images`;
  const judges = isWhole ? 'whole images' : `${plural(test.runs * batch, 'window')} of the test images`;
  return {
    ...images,
    costs: scaledCosts(costs, imagesOfWindow(windows)),
    subsets: { train, validation, test, held, measured },
    counts: isWhole ? { ...counts, judged: test.runs * batch } : counts,
    notes: [`weights are solved from ${counted}; ${judges} compare the models`],
    // Labels belong to whole images.
    dataOf: (subset) =>
      cuts.has(subset) ? { source: dataset.source, feeds: subset.feeds } : images.dataOf(subset),
  };
}
