import { OnnxMishError } from '../../base/error.js';
import type { Part } from '../../data/split.js';
import { top1Drop } from '../../metrics/accuracy.js';
import type { Plan } from '../../mish/plan.js';
import type { SwapOptions } from '../../mish/swap.js';
import type { Spliced } from '../../onnx/splice.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider } from '../../providers/provider.js';
import { judgeHarm, type Limit, type LimitVerdict } from './budget.js';
import type { Judgement } from './compare-with-original.js';
import { rankModel } from './rank.js';
import { type Harm, type TrialOptions, worst } from './trial.js';

/** One set of sharpnesses that was tried. */
export interface SharpnessTrial {
  /** The sharpness of a site of middling harm. */
  readonly scale: number;
  readonly median: number;
  /** Whether gradient steps were made. */
  readonly tuned: boolean;
  readonly verdicts: readonly LimitVerdict[];
}

/** How the smallest sharpness that keeps a budget was looked for. */
export interface SharpnessReport {
  readonly budget: readonly Limit[];
  readonly trials: readonly SharpnessTrial[];
  /** Whether the result keeps the budget on the samples that no weight was solved from. */
  readonly kept: boolean;
  readonly verdicts: readonly LimitVerdict[];
}

/** What a search needs of what it tries. */
interface Tried {
  readonly repaired: Spliced;
}

/** How to search. */
export interface SharpnessOptions
  extends Omit<TrialOptions, 'data'>,
    Pick<SwapOptions, 'only' | 'include' | 'exclude' | 'leaky'> {
  /** What has to be kept: agreement>=0.98 unless given, or sqnr>=30 where no output looks like class scores. */
  readonly budget?: readonly Limit[] | undefined;
  /** By which samples are drawn; 0 unless given. */
  readonly seed?: number | undefined;
  /** Told what is being done, and how many of how many steps are. */
  readonly onProgress?: ((step: string, done: number, of: number) => void) | undefined;
}

export interface SharpenOptions<T extends Tried> {
  readonly plan: Plan;
  readonly steps: number;
  /** Swaps as the plan says; what is judged is `repaired`. */
  readonly tryOut: (plan: Plan, steps: number) => Promise<T>;
  readonly judge: (
    candidate: Spliced,
    part: Part,
  ) => Promise<Judgement & { readonly original: Judgement['accuracy'] }>;
  /** What the search goes by. */
  readonly searched: Part;
  /** What has to keep the budget as well: no weights were solved from it. */
  readonly judged: Part;
  readonly original: LoadedModel;
  readonly options: SharpnessOptions & OnProvider;
}

/** From Mish to what is ReLU for most purposes. */
const SCALES = [1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 12, 16, 24, 32];
/** Samples by which the harm of each site is estimated. */
const SAMPLES = 32;
/** For a site whose swap changes nothing; as good as any that is far below what can be measured. */
const HARMLESS = 1e-9;

/**
 * Finds for each site the smallest sharpness with which a budget holds after repair. mish_β differs from what it replaces by
 * mish's own difference at βx, over β: a mean square that falls as β⁻³. For sites whose swap alone, at β = 1, costs the
 * output h_i, the sum Σ h_i β_i⁻³ is least for its Σ β_i where β_i is as h_i^¼: so that one scale is left to look for, by
 * bisection with least squares alone, and then downwards with the gradient steps as well. A LeakyRelu that becomes Mish and
 * not the mixture stays at 1: a sharper one would be ReLU.
 */
export async function sharpen<T extends Tried>(
  input: SharpenOptions<T>,
): Promise<{ attempt: T; report: SharpnessReport; notes: string[] }> {
  const { plan, steps, tryOut, judge, searched, judged, options } = input;
  const weights = await weightsOf(input);
  const trials: SharpnessTrial[] = [];
  let budget = options.budget;
  const attempts = new Map<string, { attempt: T; kept: boolean }>();
  const at = async (index: number, tuned: boolean) => {
    const key = `${index} ${tuned}`;
    const known = attempts.get(key);
    if (known !== undefined) return known;
    const scale = SCALES[index] ?? 1;
    const sites = plan.sites.map((site, place) => ({
      ...site,
      beta: rounded(scale, weights[place] ?? null),
    }));
    options.onProgress?.(`trying β around ${scale}`, 0, 1);
    const attempt = await tryOut({ ...plan, beta: 1, sites }, tuned ? steps : 0);
    const judgement = await judge(attempt.repaired, searched);
    budget ??= defaultBudget(judgement);
    const verdicts = judgeHarm(budget, harmOf(judgement));
    const betas = sites.map(({ beta }) => beta).sort((a, b) => a - b);
    trials.push({ scale, median: betas[Math.floor(betas.length / 2)] ?? 1, tuned, verdicts });
    const result = { attempt, kept: verdicts.every(({ kept }) => kept) };
    attempts.set(key, result);
    return result;
  };

  const top = SCALES.length - 1;
  let found = await at(0, steps > 0);
  let place = 0;
  if (!found.kept) {
    let [low, high] = [1, top];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((await at(middle, false)).kept) high = middle;
      else low = middle + 1;
    }
    place = low;
    found = await at(place, steps > 0);
    // The gradient steps may allow less; or the samples by which weights were chosen were too kind.
    while (found.kept && place > 1 && steps > 0) {
      const softer = await at(place - 1, true);
      if (!softer.kept) break;
      [found, place] = [softer, place - 1];
    }
  }
  const check = async () => judgeHarm(budget ?? [], harmOf(await judge(found.attempt.repaired, judged)));
  let verdicts = await check();
  while (!verdicts.every(({ kept }) => kept) && place < top) {
    place++;
    found = await at(place, steps > 0);
    verdicts = await check();
  }
  const kept = verdicts.every((verdict) => verdict.kept);
  const notes = kept ? [] : ['no sharpness that was tried keeps the budget'];
  return { attempt: found.attempt, report: { budget: budget ?? [], trials, kept, verdicts }, notes };
}

/** How each site's sharpness goes with the scale; null for one that stays at 1. */
async function weightsOf<T extends Tried>({
  plan,
  original,
  searched,
  options,
}: SharpenOptions<T>): Promise<(number | null)[]> {
  const { only, include, exclude, leaky, provider, session, signal, seed } = options;
  const data = () => ({ source: 'npz', feeds: searched.feeds }) as const;
  const ranking = await rankModel(original, {
    ...{ only, include, exclude, leaky, data, provider, session, signal, seed },
    ...{ form: plan.form, samples: 4 * SAMPLES, estimateSamples: SAMPLES, top: 0 },
    onProgress: ({ site, sites }) => options.onProgress?.('estimating the harm of each site', site, sites),
  });
  const harms = plan.sites.map(({ scope, output }) => {
    const site = ranking.sites.find((one) => one.scope === scope && one.output === output);
    if (site === undefined || (site.kind === 'leakyrelu' && site.leak === undefined && site.alpha !== 0))
      return null;
    const { sqnr = null, maxAbs = null } = site.estimate ?? {};
    if (maxAbs === 0) return HARMLESS;
    return sqnr === null ? 1 : 10 ** (-sqnr / 10);
  });
  const known = harms.filter((harm) => harm !== null);
  const mean = Math.exp(known.reduce((sum, harm) => sum + Math.log(harm), 0) / Math.max(1, known.length));
  return harms.map((harm) => (harm === null ? null : (harm / mean) ** 0.25));
}

/** A sharpness of three digits, from 1 up. */
function rounded(scale: number, weight: number | null): number {
  return weight === null || scale === 1 ? 1 : Math.max(1, Number((scale * weight).toPrecision(3)));
}

function harmOf({
  drift,
  accuracy,
  original,
}: Judgement & { readonly original: Judgement['accuracy'] }): Harm {
  const lost = accuracy === null || original === null ? null : top1Drop(original, accuracy);
  return { ...worst(drift), top1Drop: lost };
}

function defaultBudget({ drift }: Judgement): Limit[] {
  const scores = drift.some(({ top1 }) => top1 !== null);
  return [scores ? { measure: 'agreement', limit: 0.98 } : { measure: 'sqnr', limit: 30 }];
}

/** Throws `bad-usage` for a budget that needs labels where there are none. */
export function checkBudget(budget: readonly Limit[] | undefined, labelled: boolean): void {
  if (labelled || !budget?.some(({ measure }) => measure === 'top1-drop')) return;
  throw new OnnxMishError('bad-usage', 'top1-drop needs labels', {
    fix: 'Name their array',
    option: { labels: null },
  });
}
