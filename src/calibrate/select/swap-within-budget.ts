import { OnnxMishError } from '../../base/error.js';
import { plural } from '../../base/plural.js';
import { type Plan, planOf } from '../../mish/plan.js';
import type { SiteReport, SkipReport, SwapReport } from '../../mish/results.js';
import type { SwapOptions } from '../../mish/swap.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider } from '../../providers/provider.js';
import { backtrack } from './backtrack.js';
import { type Limit, type LimitVerdict, limitText, limitVerdicts } from './budget.js';
import { findCandidates } from './candidates.js';
import { type Degradation, degradationScore } from './degradation.js';
import { findLargestSet } from './find-largest-set.js';
import { type Drawn, type Trial, type TrialOptions, withTrial } from './trial.js';

export interface KeepOptions
  extends TrialOptions,
    Pick<
      SwapOptions,
      | 'to'
      | 'alpha'
      | 'only'
      | 'include'
      | 'exclude'
      | 'form'
      | 'target'
      | 'beta'
      | 'leaky'
      | 'strict'
      | 'int8'
    > {
  /** Limits, all of which must hold; `parseBudget` parses them from text. */
  readonly budget: readonly Limit[];
  /** Maximum number of samples; default 512. A third of the samples is held out from the search. */
  readonly samples?: number | undefined;
  /** Seed that selects and splits the samples; default 0. */
  readonly seed?: number | undefined;
  readonly onProgress?: ((progress: KeepProgress) => void) | undefined;
}

export interface KeepProgress {
  readonly stage: 'ranking' | 'searching' | 'checking';
  /** Number of the model in this stage, from 1; `models` is their maximum. */
  readonly model: number;
  readonly models: number;
  /** Number of swapped sites in this model. */
  readonly sites: number;
}

/** Degradation from swapping a set of sites, on some of the samples, and its verdicts. */
export interface JudgedSet {
  readonly sites: number;
  readonly samples: number;
  readonly harm: Degradation;
  readonly verdicts: readonly LimitVerdict[];
}

/** Result of `swapWithinBudget`: the sites that can be swapped within a budget. */
export interface BudgetResult {
  readonly budget: readonly Limit[];
  readonly data: Drawn;
  /** Number of all sites. */
  readonly of: number;
  /** Plan for `swap`; empty if no site is within the budget. */
  readonly plan: Plan;
  /** Sites to swap, in the order of the graph. */
  readonly sites: readonly SiteReport[];
  /** Sites that the budget excludes. */
  readonly left: readonly SkipReport[];
  /** Number of excluded sites that the search chose, and that exceeded the budget on the held-out samples. */
  readonly takenBack: number;
  /** Degradation on the samples of the search; null if no site is swapped. */
  readonly searched: JudgedSet | null;
  /** Degradation on the held-out samples; null if no site is swapped. */
  readonly heldOut: JudgedSet | null;
  /** Degradation from swapping all sites, on the samples of the search; null if the model has no sites. */
  readonly everything: JudgedSet | null;
  /** If no site is swapped: the least degrading site, swapped alone. */
  readonly mostHarmless: {
    readonly label: string;
    readonly searched: JudgedSet;
    readonly heldOut: JudgedSet;
  } | null;
  /** Number of models that were run. */
  readonly evaluations: number;
  /** Remarks on the figures, in sentences. */
  readonly notes: readonly string[];
}

export const KEEP_SAMPLES = 512;
/** Number of samples for sorting single sites: an order needs fewer samples than a measurement. */
const RANK_SAMPLES = 64;
const HELD_OUT_SHARE = 1 / 3;

/**
 * Searches for the largest set of sites whose swap is within a budget of drift, agreement or accuracy against the
 * original. `model` is the original; no model is written: pass `plan` to `swap`. Sites in nested graphs and functions are
 * included.
 *
 * The search uses two thirds of the samples. It swaps each site alone, sorts the sites by degradation, and calls
 * `findLargestSet`. The result must be within the budget on the last third, the held-out samples, as well. If not, the
 * search removes sites, the most degrading site first, by the worse of its measurements. Only then do the held-out
 * samples influence the choice, and their figures are slightly too good. Usually 2 n models are run, and at most
 * 7 n + log2(n) + 4. A NaN in an output exceeds every budget.
 *
 * Throws `bad-usage` for a budget that the samples or outputs cannot measure, `bad-data` for fewer than two runs or unfit
 * data, `run-failed` if the original does not run, `skipped` under `strict`, `unsupported-form`, `io`,
 * `provider-unavailable`, `aborted`, and as `scan` does.
 */
export async function swapModelWithinBudget(
  model: LoadedModel,
  options: KeepOptions & OnProvider,
): Promise<BudgetResult> {
  const { budget, samples = KEEP_SAMPLES, seed = 0 } = options;
  if (budget.length === 0) {
    throw new OnnxMishError('bad-usage', 'the budget is empty', { fix: 'Give at least one limit' });
  }
  const { openData } = model;
  const { report, measuredIn } = await findCandidates(model.document, { ...options, openData });
  const { to } = report;
  return withTrial(model, { ...options, to }, { samples, seed, shares }, async (trial) => {
    if (trial.parts.length < 2) {
      throw new OnnxMishError(
        'bad-data',
        'the search needs at least two runs of samples, one of them held out',
        {
          fix: 'Give more samples, if possible some hundreds',
        },
      );
    }
    checkMeasurable(budget, trial);
    const { int8, ...rest } = options;
    const { form, beta } = report;
    const result = await search(report.sites, trial, { ...rest, to, form, beta, measuredIn });
    return int8 === undefined ? result : { ...result, plan: { ...result.plan, int8 } };
  });
}

/** Returns the shares of the subsets: the other search samples, the samples for sorting sites, the held-out samples. */
function shares(runs: number, batch: number): number[] {
  if (runs < 2) return [1];
  const heldOut = Math.max(1, Math.floor(runs * HELD_OUT_SHARE));
  const ranking = Math.ceil(RANK_SAMPLES / batch);
  const rest = runs - heldOut - ranking;
  const share = (count: number) => (count + 0.5) / runs; // 0.5 guards against rounding down
  return rest > 0 ? [rest / runs, share(ranking), share(heldOut)] : [1 - heldOut / runs, share(heldOut)];
}

/** Throws `bad-usage` for a limit on a figure that cannot be measured on this data. */
function checkMeasurable(budget: readonly Limit[], { unchanged }: Trial): void {
  for (const limit of budget) {
    if (limit.measure === 'top1-drop' && unchanged.top1Drop === null) {
      throw new OnnxMishError('bad-usage', `${limitText(limit)} needs labels`, {
        fix: 'Name the array of the labels, or give images in a subfolder for each class',
        option: { labels: null, images: null },
      });
    }
    if (limit.measure === 'agreement' && unchanged.agreement === null) {
      throw new OnnxMishError('bad-usage', `${limitText(limit)}: no output looks like class scores`, {
        fix: 'Limit sqnr>=30 (dB), cosine>=0.99 or max-abs<=0.01 instead',
      });
    }
  }
}

type Setting = Omit<KeepOptions, 'to' | 'int8'> &
  Pick<SwapReport, 'to' | 'form' | 'beta'> & { readonly measuredIn: Plan['form'] };

async function search(sites: readonly SiteReport[], trial: Trial, options: Setting): Promise<BudgetResult> {
  const { budget, form, measuredIn, onProgress } = options;
  const heldOutPart = trial.parts.length - 1;
  const searchParts = Array.from({ length: heldOutPart }, (_, part) => part);
  let evaluations = 0;
  const measure = async (set: readonly SiteReport[], parts: readonly number[], as = measuredIn) => {
    evaluations++;
    const harm = (await trial.measure(set, parts, as)).at(-1);
    if (harm === undefined) throw new OnnxMishError('bad-data', 'the data set has no samples');
    const samples = parts.reduce((sum, part) => sum + (trial.parts[part]?.samples ?? 0), 0);
    return { sites: set.length, samples, harm, verdicts: limitVerdicts(budget, harm) };
  };
  const isWithin = ({ verdicts }: JudgedSet) => verdicts.every(({ kept }) => kept);

  const alone: JudgedSite[] = [];
  for (const [index, site] of sites.entries()) {
    onProgress?.({ stage: 'ranking', model: index + 1, models: sites.length, sites: 1 });
    alone.push({ site, judged: await measure([site], searchParts.slice(-1)) });
  }
  const score = ({ judged }: JudgedSite) => degradationScore(judged.harm);
  alone.sort((a, b) => (score(a) === score(b) ? 0 : score(b) - score(a)));
  const order = alone.map(({ site }) => site);

  const start = evaluations;
  const models = Math.ceil(Math.log2(Math.max(1, order.length))) + order.length;
  const found = await findLargestSet({
    order,
    keeps: isWithin,
    evaluate: (set) => measure(set, searchParts),
    patience: Math.max(8, Math.ceil(order.length / 4)),
    onEvaluate: (count) =>
      onProgress?.({ stage: 'searching', model: evaluations - start + 1, models, sites: count }),
  });

  let checks = 0;
  let heldOut: JudgedSet | null = null;
  let searched: JudgedSet | null = null;
  /** Returns whether a set is within the budget on both subsets, in the form that will be written. */
  const holds = async (set: readonly SiteReport[]) => {
    onProgress?.({ stage: 'checking', model: ++checks, models: 2 * found.items.length, sites: set.length });
    heldOut = await measure(set, [heldOutPart], form);
    if (!isWithin(heldOut)) return false;
    const measured = set === found.items && form === measuredIn ? found.result : undefined;
    searched = measured ?? (await measure(set, searchParts, form));
    return isWithin(searched);
  };
  const chosen = await backtrack(found.items, holds, (set) =>
    reorder(set, alone, (site) => measure([site], [heldOutPart])),
  );
  const [nearest] = order;
  const mostHarmless =
    chosen.length > 0 || nearest === undefined
      ? null
      : {
          label: nearest.label,
          searched: await measure([nearest], searchParts, form),
          heldOut: await measure([nearest], [heldOutPart], form),
        };

  const takenBack = found.items.length - chosen.length;
  const swapped = new Set(chosen);
  const inOrder = sites.filter((site) => swapped.has(site));
  return {
    budget,
    data: trial.drawn,
    of: sites.length,
    plan: planOf({ ...options, sites: inOrder, skipped: [] }),
    sites: inOrder,
    left: sites.filter((site) => !swapped.has(site)).map((site) => leftOut(site, found.items.includes(site))),
    takenBack,
    searched: chosen.length > 0 ? searched : null,
    heldOut: chosen.length > 0 ? heldOut : null,
    everything: found.everything ?? null,
    mostHarmless,
    evaluations,
    notes: notesOn(trial, budget, found.stopped),
  };
}

/** A site and the degradation from swapping it alone. */
interface JudgedSite {
  readonly site: SiteReport;
  readonly judged: JudgedSet;
}

/**
 * Returns the set in a new order, because the set exceeds the budget. The new order uses the worse
 * score of both subsets; `measure` returns the degradation on the held-out samples.
 */
async function reorder(
  set: readonly SiteReport[],
  alone: readonly JudgedSite[],
  measure: (site: SiteReport) => Promise<JudgedSet>,
): Promise<SiteReport[]> {
  const scores = new Map<SiteReport, number>();
  for (const { site, judged } of alone) {
    if (!set.includes(site)) continue;
    const other = await measure(site);
    scores.set(site, Math.min(degradationScore(judged.harm), degradationScore(other.harm)));
  }
  const worse = (site: SiteReport) => scores.get(site) ?? 0;
  return set.toSorted((a, b) => (worse(a) === worse(b) ? 0 : worse(b) - worse(a)));
}

function leftOut({ scope, label, node, output, kind }: SiteReport, takenBack: boolean): SkipReport {
  const why = takenBack
    ? 'removed, since the budget was exceeded on the held-out samples'
    : 'not swapped, since the budget would be exceeded';
  return { scope, label, node, output, kind, reason: 'excluded', why };
}

function notesOn({ drawn, parts }: Trial, budget: readonly Limit[], stopped: boolean): string[] {
  const notes: string[] = [];
  if (drawn.source === 'seed') {
    notes.push('the samples are noise: the drift on noise says little about the drift on real samples');
  }
  const heldOut = parts.at(-1)?.samples ?? 0;
  const agreement = budget.find(({ measure }) => measure === 'agreement');
  if (agreement !== undefined && agreement.limit < 1 && 1 / heldOut > 1 - agreement.limit) {
    notes.push(
      `${plural(heldOut, 'held-out sample')} ${heldOut === 1 ? 'is' : 'are'} too few for ${limitText(agreement)}: a sample is ${(100 / heldOut).toPrecision(2)} %. Give more`,
    );
  }
  if (stopped) notes.push('the search ended early, after many sites in a row that exceeded the budget');
  return notes;
}
