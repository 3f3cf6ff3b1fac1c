import { OnnxMishError } from '../../base/error.js';
import type { Subset } from '../../data/split.js';
import { median } from '../../metrics/statistics.js';
import type { Plan } from '../../mish/plan.js';
import type { SiteReport } from '../../mish/results.js';
import type { SwapOptions } from '../../mish/swap.js';
import type { Spliced } from '../../onnx/splice.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider } from '../../providers/provider.js';
import { type Limit, type LimitVerdict, limitVerdicts } from './budget.js';
import type { CompareCandidate, ModelComparison } from './compare-with-original.js';
import { degradationOf } from './degradation.js';
import { rankModel } from './rank.js';
import type { TrialOptions } from './trial.js';

/** A trial of the search: a sharpness for each site, and its verdicts. */
export interface SharpnessTrial {
  /** Sharpness of a site of average degradation. */
  readonly scale: number;
  readonly median: number;
  /** Whether the trial made gradient steps. */
  readonly tuned: boolean;
  readonly verdicts: readonly LimitVerdict[];
}

/** Report of the search for the smallest sharpness within a budget. */
export interface SharpnessReport {
  readonly budget: readonly Limit[];
  readonly trials: readonly SharpnessTrial[];
  /** Whether the result is within the budget on the test samples. */
  readonly kept: boolean;
  readonly verdicts: readonly LimitVerdict[];
}

/** Returns the median of sharpnesses; 1 for none. */
export const medianBeta = (betas: readonly number[]) => (betas.length === 0 ? 1 : median(betas));

/** A trial's model. */
interface Tried {
  readonly repaired: Spliced;
}

/** Options of the search. */
export interface SharpnessOptions
  extends Omit<TrialOptions, 'data'>,
    Pick<SwapOptions, 'only' | 'include' | 'exclude' | 'leaky'> {
  /** Budget; default agreement>=0.98, or sqnr>=30 if no output looks like class scores. */
  readonly budget?: readonly Limit[] | undefined;
  /** Seed that selects the samples; default 0. */
  readonly seed?: number | undefined;
  /** Receives the name of the step, the number of its finished units and their total. */
  readonly onProgress?: ((step: string, done: number, of: number) => void) | undefined;
}

export interface SharpenOptions<T extends Tried> {
  readonly plan: Plan;
  readonly steps: number;
  /** Swaps the plan's sites and repairs the model with `steps` gradient steps; the search compares `repaired`. */
  readonly tryOut: (plan: Plan, steps: number) => Promise<T>;
  readonly compare: CompareCandidate;
  /** Samples that the search uses. */
  readonly search: Subset;
  /** Samples on which the result must be within the budget as well. */
  readonly test: Subset;
  readonly original: LoadedModel;
  readonly options: SharpnessOptions & OnProvider;
}

/** Sharpnesses to try, from Mish (1) to nearly ReLU (32). */
const SCALES = [1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 12, 16, 24, 32];
const MAX_SCALE = Math.max(...SCALES);
/** Why no sharpness is tried. */
export const KEEPS_SLOPES =
  'the budget is exceeded, and no β was tried: where LeakyReLU becomes Mish, a sharper one loses its slope';
/** Number of samples for estimating the degradation of each site. */
const ESTIMATE_SAMPLES = 32;
/** Noise-to-signal ratio of a site whose swap changes nothing: far below any measured ratio. */
const MIN_NOISE_RATIO = 1e-9;

/**
 * Finds the smallest sharpness of each site within a budget after repair. The error of mish_β against ReLU at x is that
 * of Mish at βx, divided by β; its mean square falls as β⁻³. Let h_i be the output's noise from swapping site i alone, at
 * β = 1. For a given Σ β_i, the sum Σ h_i β_i⁻³ is smallest if β_i is proportional to h_i^¼. So a single scale remains.
 * The search bisects the scale with least squares alone, then lowers the scale with gradient steps. A LeakyReLU that
 * becomes Mish, not the mixture, keeps β = 1: a sharper Mish would be ReLU.
 */
export async function sharpen<T extends Tried>(
  input: SharpenOptions<T>,
): Promise<{ attempt: T; report: SharpnessReport; notes: string[] }> {
  const { plan, steps, tryOut, compare, search, test, options } = input;
  const weights = await weightsOf(input);
  const trials: SharpnessTrial[] = [];
  let budget = options.budget;
  const attempts = new Map<string, { attempt: T; kept: boolean }>();
  const at = async (index: number, tuned: boolean) => {
    const key = `${index} ${tuned}`;
    const earlier = attempts.get(key);
    if (earlier !== undefined) return earlier;
    const scale = SCALES[index] ?? 1;
    const sites = plan.sites.map((site, place) => ({
      ...site,
      beta: rounded(scale, weights[place] ?? null),
    }));
    options.onProgress?.(`trying β around ${scale}`, 0, 1);
    const attempt = await tryOut({ ...plan, beta: 1, sites }, tuned ? steps : 0);
    const comparison = await compare(attempt.repaired, search);
    budget ??= defaultBudget(comparison);
    const verdicts = limitVerdicts(budget, degradationOf(comparison));
    trials.push({ scale, median: medianBeta(sites.map(({ beta }) => beta)), tuned, verdicts });
    const result = { attempt, kept: verdicts.every(({ kept }) => kept) };
    attempts.set(key, result);
    return result;
  };

  const isTried = weights.length === 0 || weights.some((weight) => weight !== null);
  const top = isTried ? SCALES.length - 1 : 0;
  let found = await at(0, steps > 0);
  let place = 0;
  if (!found.kept && isTried) {
    let [low, high] = [1, top];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((await at(middle, false)).kept) high = middle;
      else low = middle + 1;
    }
    place = low;
    found = await at(place, steps > 0);
    // Gradient steps may allow a smaller sharpness.
    while (found.kept && place > 1 && steps > 0) {
      const softer = await at(place - 1, true);
      if (!softer.kept) break;
      [found, place] = [softer, place - 1];
    }
  }
  const check = async () =>
    limitVerdicts(budget ?? [], degradationOf(await compare(found.attempt.repaired, test)));
  let verdicts = await check();
  while (!verdicts.every(({ kept }) => kept) && place < top) {
    place++;
    found = await at(place, steps > 0);
    verdicts = await check();
  }
  const kept = verdicts.every((verdict) => verdict.kept);
  const notes = kept ? [] : [isTried ? `no sharpness up to ${MAX_SCALE} is within the budget` : KEEPS_SLOPES];
  return { attempt: found.attempt, report: { budget: budget ?? [], trials, kept, verdicts }, notes };
}

/** Returns whether a site was a LeakyReLU with a slope and becomes Mish itself. */
export function losesSlope({ kind, leak, alpha }: SiteReport): boolean {
  return kind === 'leakyrelu' && leak === undefined && alpha !== 0;
}

/** Returns the factor of each site, to multiply the scale by; null for a site that keeps a sharpness of 1. */
async function weightsOf<T extends Tried>({
  plan,
  original,
  search,
  options,
}: SharpenOptions<T>): Promise<(number | null)[]> {
  const { only, include, exclude, leaky, provider, session, signal, seed } = options;
  const data = () => ({ source: 'npz', feeds: search.feeds }) as const;
  const ranking = await rankModel(original, {
    only,
    include,
    exclude,
    leaky,
    data,
    provider,
    session,
    signal,
    seed,
    form: plan.form,
    samples: 4 * ESTIMATE_SAMPLES,
    estimateSamples: ESTIMATE_SAMPLES,
    top: 0,
    onProgress: ({ site, sites }) =>
      options.onProgress?.('estimating the degradation by each site', site - 1, sites),
  });
  const noises = plan.sites.map(({ scope, output }) => {
    const site = ranking.sites.find((one) => one.scope === scope && one.output === output);
    if (site === undefined || losesSlope(site)) return null;
    const { sqnr = null, maxAbs = null } = site.estimate ?? {};
    if (maxAbs === 0) return MIN_NOISE_RATIO;
    return sqnr === null ? 1 : 10 ** (-sqnr / 10);
  });
  const sharpened = noises.filter((noise) => noise !== null);
  const logs = sharpened.reduce((sum, noise) => sum + Math.log(noise), 0);
  const mean = Math.exp(logs / Math.max(1, sharpened.length));
  return noises.map((noise) => (noise === null ? null : (noise / mean) ** 0.25));
}

/** Returns a sharpness of at least 1, rounded to three digits. */
function rounded(scale: number, weight: number | null): number {
  return weight === null || scale === 1 ? 1 : Math.max(1, Number((scale * weight).toPrecision(3)));
}

/** Returns the budget of a search without a given budget. */
export function defaultBudget({ drift }: ModelComparison): Limit[] {
  const scores = drift.some(({ top1 }) => top1 !== null);
  return [scores ? { measure: 'agreement', limit: 0.98 } : { measure: 'sqnr', limit: 30 }];
}

/** Throws `bad-usage` if the budget needs labels and the data has none. */
export function checkBudget(budget: readonly Limit[] | undefined, labelled: boolean): void {
  if (labelled || !budget?.some(({ measure }) => measure === 'top1-drop')) return;
  throw new OnnxMishError('bad-usage', 'top1-drop needs labels', {
    fix: 'Name the array of the labels',
    option: { labels: null },
  });
}
