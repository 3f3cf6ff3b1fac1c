import type { Subset } from '../data/split.js';
import { wilsonInterval } from '../metrics/wilson.js';
import type { CalibrateOptions } from './options.js';
import type { PreparedAttempts } from './prepare-attempts.js';
import type { CompareCandidate } from './select/compare-with-original.js';
import { type Degradation, degradationOf, degradationScore } from './select/degradation.js';
import { losesSlope } from './select/search-sharpness.js';

/** Reason why LeakyReLUs became mixtures though Mish was to be written. Figures are on validation samples, before gradient steps. */
export interface LeakyReport {
  readonly sites: number;
  readonly measure: 'agreement' | 'sqnr';
  /** Figure of the model that was repaired with Mish in their place. */
  readonly mish: number | null;
  readonly mixture: number | null;
}

/** The kind of replacement that the attempts start from. */
export interface ChosenLeaky {
  readonly prepared: PreparedAttempts;
  readonly leaky: LeakyReport | null;
}

/**
 * Below this agreement with the original, or this signal-to-noise ratio in dB, a model counts as not repaired. Classifiers
 * that agree on 99 % lose at most 0.2 points of their accuracy, about. The ratio decides as well, since agreement on a hundred
 * samples is a matter of luck.
 */
const MIN_AGREEMENT_SHARE = 0.99;
const MIN_SQNR = 30;
/** Share of the time for solving layers that each of the two attempts has. */
const SHARE = 0.5;
/** Ratio in dB by which the mixture has to be nearer: it is not Mish itself, and takes more operators. */
const MIN_SQNR_GAIN = 3;

/**
 * Chooses between Mish and the mixture for LeakyReLUs, unless the options do. Over wide inputs Mish loses their slope, and no
 * repair brings it back. The mixture is tried where least squares alone do not repair the model with Mish, and taken if it is
 * clearly nearer to the original on the validation samples, of which there are `samples`.
 */
export async function chooseLeaky(
  prepare: (options: Pick<CalibrateOptions, 'leaky'>) => Promise<PreparedAttempts>,
  compare: CompareCandidate,
  validation: Subset,
  samples: number,
  { leaky, to = 'mish' }: Pick<CalibrateOptions, 'leaky' | 'to'>,
): Promise<ChosenLeaky> {
  const prepared = await prepare({});
  const sites = prepared.swap.sites.filter(losesSlope).length;
  if (leaky !== undefined || to !== 'mish' || sites === 0) return { prepared, leaky: null };
  const measured = async ({ tryOut, plan }: PreparedAttempts) =>
    degradationOf(await compare((await tryOut(plan, 0, SHARE)).repaired, validation));
  const mish = await measured(prepared);
  if (isRepaired(mish)) return { prepared, leaky: null };
  const other = await prepare({ leaky: 'mixture' });
  const mixture = await measured(other);
  if (!isNearer(mixture, mish, samples)) return { prepared, leaky: null };
  const measure = (mixture.agreement ?? 0) > (mish.agreement ?? 1) ? 'agreement' : 'sqnr';
  const report = { sites, measure, mish: mish[measure], mixture: mixture[measure] } as const;
  return { prepared: other, leaky: report };
}

function isRepaired(degradation: Degradation): boolean {
  return (degradation.agreement ?? 1) >= MIN_AGREEMENT_SHARE && degradationScore(degradation) >= MIN_SQNR;
}

/** The agreement may be lower by chance: one of 64 samples decided against a model that was 16 dB nearer. */
function isNearer(candidate: Degradation, other: Degradation, samples: number): boolean {
  const [share, shareBefore] = [candidate.agreement ?? 0, other.agreement ?? 0];
  if (wilsonInterval(share, samples).high < shareBefore) return false;
  const [after, before] = [degradationScore(candidate), degradationScore(other)];
  return after === before ? share > shareBefore : after >= before + MIN_SQNR_GAIN;
}
