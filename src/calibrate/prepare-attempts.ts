import type { Advice } from '../base/option-hint.js';
import type { FormName } from '../mish/forms.js';
import { type Plan, planOf } from '../mish/plan.js';
import type { SwapReport } from '../mish/results.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider } from '../providers/provider.js';
import { type Attempt, finishAttempt, type SolvedSwap, solveSwap } from './attempt.js';
import type { CalibrateOptions } from './options.js';
import type { PreparedSamples } from './prepare-samples.js';
import { type SharpenedOriginal, sharpenedOriginal } from './scale/sharpened.js';
import { findCandidates } from './select/candidates.js';
import { affordableSamples, PART_SECONDS } from './work/budget.js';

/** The sites to swap, the original with their sharpness in its weights, and a function that makes attempts from these. */
export interface PreparedAttempts {
  readonly swap: SwapReport;
  /** Form in which attempts are compared, see `Candidates`. */
  readonly measuredIn: FormName;
  /** Advice for each glob that matches no activation. */
  readonly unmatched: readonly Advice[];
  readonly plan: Plan & { readonly form: FormName };
  readonly base: SharpenedOriginal;
  /**
   * Swaps the plan's sites and repairs the model. Layers are solved once for each plan, for all numbers of steps, in a share of the
   * time for them; default 1.
   */
  readonly tryOut: (plan: Plan, steps: number | undefined, share?: number) => Promise<Attempt>;
}

const DEFAULT_ROWS = 15_000;
/** Number of solved models to keep: each has the new weights of all layers. */
const MAX_SOLVED = 2;

/** Finds the sites and folds their sharpness. Throws as `swapDocument` and `sharpenedOriginal` do. */
export async function prepareAttempts(
  original: LoadedModel,
  { subsets, costs, deadline, batch }: Pick<PreparedSamples, 'subsets' | 'costs' | 'deadline' | 'batch'>,
  options: CalibrateOptions & OnProvider,
): Promise<PreparedAttempts> {
  const { train, validation } = subsets;
  const { seed = 0, rows = DEFAULT_ROWS, provider, session, signal, onProgress } = options;
  const beta = options.beta === 'auto' ? undefined : options.beta;
  const {
    report: swap,
    measuredIn,
    unmatched,
  } = await findCandidates(original.document, { ...options, beta });
  const plan = { ...planOf(swap), form: measuredIn };
  const base = await sharpenedOriginal(original, plan, train, {
    ...options,
    batch,
    samples: affordableSamples(PART_SECONDS.inputs, costs.work),
    onProgress: (done, of) => onProgress?.('measuring what goes into the sites', Math.min(done, of - 1), of),
  });
  const run = { costs, deadline, seed, provider, session, signal, train, validation };
  const common = { ...run, original: base.original, operations: base.operations };
  const solved = new Map<string, SolvedSwap>();
  return {
    swap,
    measuredIn,
    plan,
    base,
    unmatched,
    async tryOut(candidate, steps, share) {
      const key = keyOf(candidate);
      const start =
        solved.get(key) ??
        (await solveSwap({ ...candidate, form: measuredIn }, rows, { ...common, share }, options));
      solved.set(key, start);
      for (const old of [...solved.keys()].slice(0, -MAX_SOLVED)) solved.delete(old);
      return finishAttempt(start, steps, common, options);
    },
  };
}

/** Returns the same text for plans that swap alike: a site's β stands beside it, or is that of the plan. */
function keyOf(plan: Plan): string {
  const { beta = 1, sites, ...rest } = plan;
  return JSON.stringify({ ...rest, sites: sites.map((site) => ({ ...site, beta: site.beta ?? beta })) });
}
