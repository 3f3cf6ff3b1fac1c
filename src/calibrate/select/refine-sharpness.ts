import { plural } from '../../base/plural.js';
import type { Subset } from '../../data/split.js';
import { wilsonInterval } from '../../metrics/wilson.js';
import type { Plan } from '../../mish/plan.js';
import type { SiteReport } from '../../mish/results.js';
import type { Spliced } from '../../onnx/splice.js';
import { type Limit, type LimitVerdict, limitText, limitVerdicts } from './budget.js';
import type { CompareCandidate } from './compare-with-original.js';
import { degradationOf } from './degradation.js';
import {
  defaultBudget,
  KEEPS_SLOPES,
  medianBeta,
  type SharpnessReport,
  type SharpnessTrial,
} from './search-sharpness.js';

type PlanSite = Plan['sites'][number];

export interface RefineOptions<T> {
  readonly plan: Plan;
  readonly steps: number | undefined;
  /** Returns the sharpness that the weights around a site have taken. */
  readonly betaOf: (site: Pick<SiteReport, 'scope' | 'output'>) => number;
  /** Returns whether a sharper Mish at a site comes nearer to the original. */
  readonly sharpens: (site: PlanSite) => boolean;
  /** Swaps the plan's sites and repairs the model. */
  readonly tryOut: (plan: Plan, steps: number | undefined) => Promise<T>;
  readonly compare: CompareCandidate;
  /** Samples that no weight was solved from. */
  readonly held: Subset;
  /** Number of these samples. */
  readonly rows: number;
  readonly budget: readonly Limit[] | undefined;
  readonly onProgress: (step: string, done: number, of: number) => void;
}

/** Factors of every sharpness to try. With larger ones, Mish would hardly differ from ReLU. */
const FACTORS = [1, 1.5, 2.5, 4] as const;

/**
 * Multiplies the sharpness of all sites by the smallest factor with which a budget holds after repair: 1, 1.5, 2.5 or 4. It tries
 * 1, then 2.5, and 1.5 if 2.5 holds. These two make no gradient steps; the chosen factor does. A share holds if the lower end of its
 * 95 % interval is within the limit, where the samples suffice to show that.
 */
export async function refineSharpness<T extends { readonly repaired: Spliced }>(
  input: RefineOptions<T>,
): Promise<{ attempt: T; report: SharpnessReport; notes: string[] }> {
  const { plan, steps, tryOut, compare, betaOf, sharpens, rows } = input;
  const trials: SharpnessTrial[] = [];
  let budget = input.budget;
  const at = async (factor: number, tuned: boolean) => {
    const sites = plan.sites.map((site) => ({ ...site, beta: sharpens(site) ? factor : 1 }));
    input.onProgress(`trying ${factor} times β`, 0, 1);
    const attempt = await tryOut({ ...plan, beta: 1, sites }, tuned ? steps : 0);
    const comparison = await compare(attempt.repaired, input.held);
    budget ??= defaultBudget(comparison);
    const verdicts = limitVerdicts(budget, degradationOf(comparison)).map((one) => byLowerEnd(one, rows));
    const betas = sites.map((site) => totalBeta(site.beta, betaOf(site)));
    trials.push({ scale: factor, median: medianBeta(betas), tuned, verdicts });
    return { attempt, verdicts, kept: verdicts.every(({ kept }) => kept) };
  };
  const isTuned = steps !== 0;
  let found = await at(FACTORS[0], isTuned);
  if (!found.kept && plan.sites.some(sharpens)) {
    const [, low, middle, high] = FACTORS;
    const first = await at(middle, false);
    const second = first.kept ? await at(low, false) : undefined;
    const factor = second?.kept ? low : first.kept ? middle : high;
    const solved = second?.kept ? second : first;
    const tuned = isTuned || factor === high ? await at(factor, isTuned) : solved;
    found = tuned.kept || !solved.kept ? tuned : solved;
  }
  const { attempt, verdicts, kept } = found;
  return {
    attempt,
    report: { budget: budget ?? [], trials, kept, verdicts },
    notes: notesOn(verdicts, rows, plan.sites.length === 0 || plan.sites.some(sharpens)),
  };
}

/** Decides a share by the lower end of its interval, unless even a share of 1 would not hold by so few samples. */
function byLowerEnd(verdict: LimitVerdict, rows: number): LimitVerdict {
  const { measure, limit, value, kept } = verdict;
  if (measure !== 'agreement' || value === null) return verdict;
  const { low } = wilsonInterval(value, rows);
  return { ...verdict, low, kept: kept && (low >= limit || isTooFew(limit, rows)) };
}

function isTooFew(limit: number, rows: number): boolean {
  return wilsonInterval(1, rows).low < limit;
}

function notesOn(verdicts: readonly LimitVerdict[], rows: number, isTried: boolean): string[] {
  const few = verdicts.filter(({ measure, limit }) => measure === 'agreement' && isTooFew(limit, rows));
  const missed = verdicts.filter(({ kept }) => !kept);
  return [
    ...few.map(
      (verdict) =>
        `${plural(rows, 'sample')} ${rows === 1 ? 'is' : 'are'} too few to show ${limitText(verdict)} with 95 % confidence: the share itself decided`,
    ),
    ...(missed.length > 0
      ? [
          isTried
            ? `no sharpness up to ${FACTORS.at(-1)} times that of the inputs is within the budget: ${missed.map(limitText).join(', ')}`
            : KEEPS_SLOPES,
        ]
      : []),
  ];
}

/** Returns a site's sharpness from that of its nodes and that in its weights, rounded to three digits. */
export function totalBeta(inNodes: number, inWeights: number): number {
  return inNodes === 1 ? inWeights : inWeights === 1 ? inNodes : Number((inNodes * inWeights).toPrecision(3));
}
