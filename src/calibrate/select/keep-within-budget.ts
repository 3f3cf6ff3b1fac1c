import { OnnxMishError } from '../../base/error.js';
import type { Plan } from '../../mish/plan.js';
import type { SiteReport, SkipReport } from '../../mish/results.js';
import type { SwapOptions } from '../../mish/swap.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider } from '../../providers/provider.js';
import { takeBack } from './backtrack.js';
import { judgeHarm, type Limit, type LimitVerdict, limitText } from './budget.js';
import { findCandidates } from './candidates.js';
import { findLargestSet } from './find-largest-set.js';
import { harmlessness } from './ranking.js';
import { type Drawn, type Harm, type Trial, type TrialOptions, withTrial } from './trial.js';

export interface KeepOptions
  extends TrialOptions,
    Pick<SwapOptions, 'only' | 'include' | 'exclude' | 'form' | 'target' | 'beta' | 'leaky' | 'strict'> {
  /** What has to hold, all of it; `parseBudget` makes it of texts. */
  readonly budget: readonly Limit[];
  /** Samples to take, about and at the most: 512 unless given. A third of them is held out from the search. */
  readonly samples?: number | undefined;
  /** By which samples are drawn and shared out; 0 unless given. */
  readonly seed?: number | undefined;
  readonly onProgress?: ((progress: KeepProgress) => void) | undefined;
}

export interface KeepProgress {
  readonly stage: 'ranking' | 'searching' | 'checking';
  /** Which model of this stage, of how many at the most, from 1. */
  readonly model: number;
  readonly models: number;
  /** How many sites are swapped in it. */
  readonly sites: number;
}

/** What a set of swapped sites does to the outputs, over some of the samples, and what the budget says to that. */
export interface JudgedSet {
  readonly sites: number;
  readonly samples: number;
  readonly harm: Harm;
  readonly verdicts: readonly LimitVerdict[];
}

/** The sites that can be swapped within a budget. */
export interface Kept {
  readonly budget: readonly Limit[];
  readonly data: Drawn;
  /** How many sites could have been swapped. */
  readonly of: number;
  /** What to swap, for `swap`. Empty where not even one site keeps the budget. */
  readonly plan: Plan;
  /** In the order of the graph. */
  readonly sites: readonly SiteReport[];
  /** The sites that stay as they are on account of the budget. */
  readonly left: readonly SkipReport[];
  /** How many of those the search would have swapped: the samples it had not seen did not keep the budget with them. */
  readonly takenBack: number;
  /** The result on the samples of the search, and on those it has not seen; null where nothing is swapped. */
  readonly searched: JudgedSet | null;
  readonly heldOut: JudgedSet | null;
  /** All sites together, on the samples of the search; null where there are none. */
  readonly everything: JudgedSet | null;
  /** Where no site is swapped, though there are some: how near the most harmless one alone came. */
  readonly mostHarmless: {
    readonly label: string;
    readonly searched: JudgedSet;
    readonly heldOut: JudgedSet;
  } | null;
  /** How many models were run. */
  readonly evaluations: number;
  /** What a reader of the figures has to know, in sentences. */
  readonly notes: readonly string[];
}

export const KEEP_SAMPLES = 512;
/** Samples by which single sites are put in order: to know which is worse takes fewer than to know how bad it is. */
const RANK_SAMPLES = 64;
const HELD_OUT = 1 / 3;

/**
 * Finds the largest set of sites it can whose swap keeps a budget of drift, agreement or accuracy against the original.
 * `model` is the original; nothing is written: give `plan` to `swap`. Sites in nested graphs and
 * functions count as well.
 *
 * Two thirds of the samples are searched on: each site is swapped alone, which gives an order from harmless to harmful, and
 * `findLargestSet` goes by that. The last third the search does not see. What it found has to keep the budget there as well;
 * as long as it does not, the most harmful site is taken back, by the worse of both parts; only then is that third a part of
 * the choice, and its figure a little flattered. As a rule 2 n models are run, and at most 7 n + log2(n) + 4. An output that
 * is NaN keeps no budget.
 *
 * Throws `bad-usage` for a budget that the samples or the outputs cannot answer, `bad-data` for fewer than two runs and for
 * data that does not fit, `run-failed` for an original that does not run, `skipped` under `strict`, `unsupported-form`,
 * `io`, `provider-unavailable`, `aborted`, and as `scan` does.
 */
export async function keepWithinBudget(model: LoadedModel, options: KeepOptions & OnProvider): Promise<Kept> {
  const { budget, samples = KEEP_SAMPLES, seed = 0 } = options;
  if (budget.length === 0) {
    throw new OnnxMishError('bad-usage', 'the budget is empty', { fix: 'Give at least one limit' });
  }
  const { form, target, beta, leaky, only, include, exclude, strict } = options;
  const { report, measuredIn } = await findCandidates(model.document, {
    ...{ form, target, beta, leaky, only, include, exclude, strict },
  });
  return withTrial(model, options, { samples, seed, shares }, async (trial) => {
    if (trial.parts.length < 2) {
      throw new OnnxMishError(
        'bad-data',
        'there is one run of samples, and none to hold out from the search',
        {
          fix: 'Give samples for two runs at the least; a hundred and more say something',
        },
      );
    }
    checkAnswerable(budget, trial);
    return search(report.sites, trial, { ...options, form: report.form, beta: report.beta, measuredIn });
  });
}

/** The parts: the rest of the search's, those by which sites are ranked, and last what is held out. */
function shares(runs: number, batch: number): number[] {
  if (runs < 2) return [1];
  const heldOut = Math.max(1, Math.floor(runs * HELD_OUT));
  const ranking = Math.ceil(RANK_SAMPLES / batch);
  const rest = runs - heldOut - ranking;
  const share = (count: number) => (count + 0.5) / runs; // so that no rounding takes one away
  return rest > 0 ? [rest / runs, share(ranking), share(heldOut)] : [1 - heldOut / runs, share(heldOut)];
}

/** Throws `bad-usage` for a limit on something that cannot be measured here. */
function checkAnswerable(budget: readonly Limit[], { unchanged }: Trial): void {
  for (const limit of budget) {
    if (limit.measure === 'top1-drop' && unchanged.top1Drop === null) {
      throw new OnnxMishError('bad-usage', `${limitText(limit)} needs labels`, {
        fix: 'Name their array, or give images in a subfolder for each class',
        option: { labels: null, images: null },
      });
    }
    if (limit.measure === 'agreement' && unchanged.agreement === null) {
      throw new OnnxMishError('bad-usage', `${limitText(limit)}: no output looks like class scores`, {
        fix: 'Limit something else: sqnr>=30 (dB), cosine>=0.99 or max-abs<=0.01',
      });
    }
  }
}

type Setting = KeepOptions & Pick<Plan, 'form' | 'beta'> & { readonly measuredIn: Plan['form'] };

async function search(sites: readonly SiteReport[], trial: Trial, options: Setting): Promise<Kept> {
  const { budget, form, beta, measuredIn, onProgress } = options;
  const heldOutPart = trial.parts.length - 1;
  const searchParts = Array.from({ length: heldOutPart }, (_, part) => part);
  let evaluations = 0;
  const measure = async (set: readonly SiteReport[], parts: readonly number[], as = measuredIn) => {
    evaluations++;
    const harm = (await trial.measure(set, parts, as)).at(-1);
    if (harm === undefined) throw new OnnxMishError('bad-data', 'there are no samples');
    const samples = parts.reduce((sum, part) => sum + (trial.parts[part]?.samples ?? 0), 0);
    return { sites: set.length, samples, harm, verdicts: judgeHarm(budget, harm) };
  };
  const keeps = ({ verdicts }: JudgedSet) => verdicts.every(({ kept }) => kept);

  const alone: { site: SiteReport; judged: JudgedSet }[] = [];
  for (const [index, site] of sites.entries()) {
    onProgress?.({ stage: 'ranking', model: index + 1, models: sites.length, sites: 1 });
    alone.push({ site, judged: await measure([site], searchParts.slice(-1)) });
  }
  const byHarm = (one: (typeof alone)[number]) => harmlessness(one.judged.harm);
  alone.sort((a, b) => (byHarm(a) === byHarm(b) ? 0 : byHarm(b) - byHarm(a)));
  const order = alone.map(({ site }) => site);

  const start = evaluations;
  const models = Math.ceil(Math.log2(Math.max(1, order.length))) + order.length;
  const found = await findLargestSet({
    order,
    keeps,
    evaluate: (set) => measure(set, searchParts),
    patience: Math.max(8, Math.ceil(order.length / 4)),
    onEvaluate: (count) =>
      onProgress?.({ stage: 'searching', model: evaluations - start + 1, models, sites: count }),
  });

  let checks = 0;
  let heldOut: JudgedSet | null = null;
  let searched: JudgedSet | null = null;
  /** Whether a set keeps the budget on both parts, in the form in which it will be written. */
  const holds = async (set: readonly SiteReport[]) => {
    onProgress?.({ stage: 'checking', model: ++checks, models: 2 * found.items.length, sites: set.length });
    heldOut = await measure(set, [heldOutPart], form);
    if (!keeps(heldOut)) return false;
    const known = set === found.items && form === measuredIn ? found.result : undefined;
    searched = known ?? (await measure(set, searchParts, form));
    return keeps(searched);
  };
  // What the search knew of single sites did not suffice: from here on it is the worse of both parts.
  const reorder = async (set: readonly SiteReport[]) => {
    const worse = new Map<SiteReport, number>();
    for (const { site, judged } of alone) {
      if (!set.includes(site)) continue;
      const unseen = await measure([site], [heldOutPart]);
      worse.set(site, Math.min(harmlessness(judged.harm), harmlessness(unseen.harm)));
    }
    const known = (site: SiteReport) => worse.get(site) ?? 0;
    return set.toSorted((a, b) => (known(a) === known(b) ? 0 : known(b) - known(a)));
  };
  const chosen = await takeBack(found.items, holds, reorder);
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
    plan: { schema: 'onnx-mish/plan@1', form, beta, sites: inOrder, skipped: [] },
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

function leftOut({ scope, label, node, output, kind }: SiteReport, takenBack: boolean): SkipReport {
  const why = takenBack
    ? 'taken back, for with it the held-out samples did not keep the budget'
    : 'left as it is, to keep the budget';
  return { scope, label, node, output, kind, reason: 'excluded', why };
}

function notesOn({ drawn, parts }: Trial, budget: readonly Limit[], stopped: boolean): string[] {
  const notes: string[] = [];
  if (drawn.source === 'seed') {
    notes.push('the samples are noise: how little it moves says little of how the model fares on real ones');
  }
  const heldOut = parts.at(-1)?.samples ?? 0;
  const agreement = budget.find(({ measure }) => measure === 'agreement');
  if (agreement !== undefined && agreement.limit < 1 && 1 / heldOut > 1 - agreement.limit) {
    notes.push(
      `of ${heldOut} held-out samples one is ${(100 / heldOut).toPrecision(2)} %: they cannot tell ${limitText(agreement)} from all; give more`,
    );
  }
  if (stopped) notes.push('the search ended early, after many sites in a row that did not fit');
  return notes;
}
