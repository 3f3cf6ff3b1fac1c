import type { Subset } from '../data/split.js';
import type { FormName } from '../mish/forms.js';
import { type SiteReport, type SwapReport, siteKey } from '../mish/results.js';
import { commonBeta } from '../mish/swap.js';
import type { Spliced } from '../onnx/splice.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider } from '../providers/provider.js';
import { withCurvedShares } from './activations/curved-share.js';
import { CALIBRATION_SCHEMA, type Calibration } from './calibration.js';
import { chooseLeaky } from './choose-leaky.js';
import type { CalibrateOptions } from './options.js';
import { prepareAttempts } from './prepare-attempts.js';
import type { PreparedSamples } from './prepare-samples.js';
import { hasChannels } from './scale/sharpened.js';
import { compareWithOriginal, isNoWorse, type ModelComparison } from './select/compare-with-original.js';
import { refineSharpness, totalBeta } from './select/refine-sharpness.js';
import { losesSlope } from './select/search-sharpness.js';
import { leanSession } from './work/fit-runs.js';

/** Result of a repair, without what only a whole calibration knows. */
export interface RepairedSwap {
  readonly report: Omit<Calibration, 'seconds' | 'bytesIn' | 'bytesOut'>;
  /** The model that was kept, in the form of the measurements. */
  readonly kept: Spliced;
  /** Form to convert it to; undefined if it has the form already. */
  readonly form: FormName | undefined;
  /** Report of the swap, with the sharpness of the nodes. */
  readonly swap: SwapReport;
}

/** Swaps the sites of a model, repairs the result, and keeps it if it is nearer to the original than without. */
export async function repairSwap(
  original: LoadedModel,
  samples: PreparedSamples,
  given: CalibrateOptions & OnProvider,
): Promise<RepairedSwap> {
  const options = { ...given, session: leanSession(samples.costs, given.session) };
  const { seed = 0, steps, onProgress = () => {} } = options;
  const { dataset, subsets, batch, counts } = samples;
  const { validation, held, test } = subsets;
  const compare = (candidate: Spliced, subset: Subset) =>
    compareWithOriginal(original, candidate, samples.dataOf(subset), {
      ...options,
      onRun: (done, of) => onProgress('comparing the outputs', done, of),
    });
  const prepare = (more: Pick<CalibrateOptions, 'leaky'>) =>
    prepareAttempts(original, samples, { ...options, ...more });
  const count = (subset: Subset) => Math.round(subset.runs * batch);
  const { prepared, leaky } = await chooseLeaky(prepare, compare, validation, count(validation), options);
  const { swap, measuredIn, plan, base } = prepared;
  const sharpened =
    options.beta === 'auto'
      ? await refineSharpness({
          plan,
          steps,
          tryOut: prepared.tryOut,
          compare,
          held,
          onProgress,
          budget: options.budget,
          rows: count(held),
          betaOf: base.betaOf,
          sharpens: comesNearer(swap.sites),
        })
      : undefined;
  const chosen = sharpened?.attempt ?? (await prepared.tryOut(plan, steps));
  const [before, after] = [await compare(chosen.swapped, test), await compare(chosen.repaired, test)];
  const better = isNoWorse(after.drift, before.drift);
  const kept = better ? chosen.repaired : chosen.swapped;
  // The attempts write an approximate form with scalar operators; `retarget` makes operators on channels of them.
  const form = swap.form === measuredIn && swap.bound === undefined ? undefined : swap.form;
  const { skipped } = chosen.swap;
  const sites = chosen.swap.sites.map((site) => ({ ...site, beta: totalBeta(site.beta, base.betaOf(site)) }));
  return {
    kept,
    form,
    swap: chosen.swap,
    report: {
      schema: CALIBRATION_SCHEMA,
      to: swap.to,
      form: swap.form,
      beta: sharedBeta(sites, swap, hasChannels(base.report?.folded ?? [])),
      curved: base.report,
      sites: await withCurvedShares(sites, chosen.swap, original, kept, subsets.measured, {
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
      fold: null,
      notes: [
        ...prepared.unmatched.map(({ text }) => text),
        ...(samples.dataset.notes ?? []),
        ...samples.notes,
        ...chosen.notes,
        ...(sharpened?.notes ?? []),
        ...notesOnProblems(after),
      ],
      original: before.original,
      swapped: withoutOriginal(before),
      calibrated: withoutOriginal(after),
      kept: better ? 'calibrated' : 'swapped',
    },
  };
}

/** Returns a note where no output can be compared, as that of a detector that gives another number of boxes. */
function notesOnProblems({ drift }: ModelComparison): string[] {
  const problems = drift.flatMap(({ output, problem }) =>
    problem === null ? [] : `'${output}': ${problem}`,
  );
  if (problems.length === 0 || problems.length < drift.length) return [];
  return [
    `no output can be compared with the original’s (${problems.join('; ')}), so nothing tells whether the repair helped; calibrate a model whose outputs are tensors of one shape, such as those from which boxes are selected`,
  ];
}

/** Returns the sharpness of all sites; null if sites or their channels differ. */
function sharedBeta(sites: readonly SiteReport[], swap: SwapReport, differs: boolean): number | null {
  if (differs) return null;
  return commonBeta(sites).beta ?? (sites.length === 0 ? swap.beta : null);
}

/** Returns a function that tells whether a sharper Mish at a site comes nearer to its original activation. */
function comesNearer(sites: readonly SiteReport[]) {
  const fixed = new Set(sites.filter(losesSlope).map(siteKey));
  return (site: Pick<SiteReport, 'scope' | 'output'>) => !fixed.has(siteKey(site));
}

/** Leaves out the accuracy of the original. */
export function withoutOriginal({ drift, accuracy, difference }: ModelComparison): ModelComparison {
  return { drift, accuracy, difference };
}
