import type { Subset } from '../data/split.js';
import type { SiteReport } from '../mish/results.js';
import type { Spliced } from '../onnx/splice.js';
import type { Attempt } from './attempt.js';
import type { CalibrateOptions } from './options.js';
import type { PreparedAttempts } from './prepare-attempts.js';
import type { ModelComparison } from './select/compare-with-original.js';
import { degradationOf } from './select/search-sharpness.js';

/** Reason why LeakyReLUs became mixtures though Mish was to be written. Figures are on validation samples. */
export interface LeakyReport {
  readonly sites: number;
  readonly measure: 'agreement' | 'sqnr';
  /** Figure of the model that was repaired with Mish in their place. */
  readonly mish: number | null;
  readonly mixture: number | null;
}

/** The kind of replacement that the attempts start from, with the first attempt if there was one. */
export interface ChosenLeaky {
  readonly prepared: PreparedAttempts;
  readonly first: Attempt | undefined;
  readonly leaky: LeakyReport | null;
}

/** Below this agreement with the original, or this signal-to-noise ratio in dB, a model counts as not repaired. */
const MIN_AGREEMENT_SHARE = 0.95;
const MIN_SQNR = 10;

/** Returns whether a site was a LeakyReLU with a slope and becomes Mish itself. */
export function losesSlope({ kind, leak, alpha }: SiteReport): boolean {
  return kind === 'leakyrelu' && leak === undefined && alpha !== 0;
}

/**
 * Chooses between Mish and the mixture for LeakyReLUs, unless the options do. Over wide inputs Mish loses their slope, and no
 * repair brings it back. The mixture is tried where the model with Mish is not repaired, and taken if it is nearer to the
 * original on the validation samples.
 */
export async function chooseLeaky(
  prepare: (options: Pick<CalibrateOptions, 'leaky'>) => Promise<PreparedAttempts>,
  compare: (
    candidate: Spliced,
    subset: Subset,
  ) => Promise<ModelComparison & { readonly original: ModelComparison['accuracy'] }>,
  validation: Subset,
  { leaky, to = 'mish', steps }: Pick<CalibrateOptions, 'leaky' | 'to' | 'steps'>,
): Promise<ChosenLeaky> {
  const prepared = await prepare({});
  const sites = prepared.swap.sites.filter(losesSlope).length;
  if (leaky !== undefined || to !== 'mish' || sites === 0) return { prepared, first: undefined, leaky: null };
  const measured = async ({ tryOut, plan }: PreparedAttempts) => {
    const made = await tryOut(plan, steps);
    const { agreement, sqnr } = degradationOf(await compare(made.repaired, validation));
    return { made, agreement, sqnr };
  };
  const mish = await measured(prepared);
  const measure = mish.agreement === null ? 'sqnr' : 'agreement';
  const least = measure === 'sqnr' ? MIN_SQNR : MIN_AGREEMENT_SHARE;
  const figure = mish[measure] ?? Number.NEGATIVE_INFINITY;
  if (figure >= least) return { prepared, first: mish.made, leaky: null };
  const other = await prepare({ leaky: 'mixture' });
  const mixture = await measured(other);
  if (!((mixture[measure] ?? Number.NEGATIVE_INFINITY) > figure))
    return { prepared, first: mish.made, leaky: null };
  const report = { sites, measure, mish: mish[measure], mixture: mixture[measure] } as const;
  return { prepared: other, first: mixture.made, leaky: report };
}
