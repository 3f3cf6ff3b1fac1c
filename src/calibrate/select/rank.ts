import { OnnxMishError } from '../../base/error.js';
import type { Advice } from '../../base/option-hint.js';
import type { SwapOptions } from '../../mish/swap.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider } from '../../providers/provider.js';
import { findCandidates } from './candidates.js';
import {
  agreementOfOrder,
  checkSame,
  RANKING_SCHEMA,
  type RankedSite,
  type Ranking,
  ranked,
} from './ranking.js';
import { type Trial, type TrialOptions, withTrial } from './trial.js';

export interface RankOptions
  extends TrialOptions,
    Pick<
      SwapOptions,
      'to' | 'alpha' | 'only' | 'include' | 'exclude' | 'form' | 'target' | 'beta' | 'leaky' | 'int8'
    > {
  /** Maximum number of samples; default 256. `seed` selects the runs, since data may be sorted. */
  readonly samples?: number | undefined;
  /** Number of samples for an estimate; default 16. */
  readonly estimateSamples?: number | undefined;
  /** Seed that selects the runs; default 0. */
  readonly seed?: number | undefined;
  /** Number of sites to measure, the least degrading by their estimates; 0 for none, default all. */
  readonly top?: number | undefined;
  /** Earlier ranking of the same model on the same samples, whose figures are reused. */
  readonly before?: Ranking | undefined;
  /** Name of the earlier ranking in errors. */
  readonly beforeName?: string | undefined;
  /** Receives, after every site, the ranking so far with `before`'s figures; awaited. */
  readonly onMeasured?: ((soFar: Ranking) => Promise<void> | void) | undefined;
  readonly onProgress?: ((progress: RankProgress) => void) | undefined;
  /** Receives advice for each glob that matches no activation. */
  readonly onDoubt?: ((advice: Advice) => void) | undefined;
}

export interface RankProgress {
  readonly stage: 'estimating' | 'measuring';
  /** Number of the site in this stage, from 1; `sites` is their total. */
  readonly site: number;
  readonly sites: number;
  /** Finished share of the whole work, 0 to 1. */
  readonly done: number;
}

export const RANK_SAMPLES = 256;
export const ESTIMATE_SAMPLES = 16;

/**
 * Swaps one site at a time and measures the `Degradation` against the original: SQNR in dB, the largest difference, the
 * share of rows with the same top class. The result is sorted from the least to the most degrading site, by SQNR.
 * `model` is the original. Sites in nested graphs and functions are included; a function's site is swapped in all calls.
 *
 * An estimate is the same measurement on 16 samples. First-order formulas were tried, and rank worse: the error at the site,
 * Σ(mish − f)² ÷ Σf², knows nothing of the layers after it, which matter more; the outputs' derivative along that error
 * needs a run for each site and sample as well. `spearman` of the ranking tells how well the estimates agree.
 *
 * Throws `bad-data` for unfit data and a `before` of another model, `run-failed` if the original does not run,
 * `bad-usage`, `unsupported-form`, `io`, `external-data`, `provider-unavailable`, `aborted`, and as `scan` does.
 */
export async function rankModel(model: LoadedModel, options: RankOptions & OnProvider): Promise<Ranking> {
  const { samples = RANK_SAMPLES, estimateSamples = ESTIMATE_SAMPLES, seed = 0, top, before } = options;
  for (const count of [estimateSamples, top ?? 1]) {
    if (Number.isSafeInteger(count) && count >= 0) continue;
    throw new OnnxMishError(
      'bad-usage',
      `estimateSamples and top must be integers of at least 0, got ${count}`,
    );
  }
  const { report, measuredIn, unmatched } = await findCandidates(model.document, options);
  for (const advice of unmatched) options.onDoubt?.(advice);
  const shares = (runs: number, batch: number) => {
    const few = Math.max(1, Math.round(estimateSamples / batch));
    return few < runs ? [few / runs, (runs - few + 0.5) / runs] : [1];
  };
  const measured = { name: model.name, sha256: [...(await model.fingerprint())] };
  const { to, target } = report;
  return withTrial(model, { ...options, to, target }, { samples, seed, shares }, async (trial) => {
    const start: Ranking = {
      schema: RANKING_SCHEMA,
      model: measured,
      ...(to === 'mish' ? {} : { to, target }),
      ...(options.int8 === undefined ? {} : { int8: options.int8 }),
      form: report.form,
      beta: report.beta,
      measuredIn,
      data: trial.drawn,
      estimateSamples: trial.parts[0]?.samples ?? 0,
      sites: report.sites.map((site) => ({ ...site, estimate: null, measured: null })),
      skipped: report.skipped,
      spearman: null,
    };
    if (before !== undefined) checkSame(before, start, options.beforeName);
    return measureSites(start, trial, options);
  });
}

async function measureSites(start: Ranking, trial: Trial, options: RankOptions): Promise<Ranking> {
  const { top, before, onMeasured, onProgress } = options;
  const earlier = new Map(before?.sites.map((site) => [identity(site), site]));
  const sites = new Map<string, RankedSite>(
    start.sites.map((site) => {
      const { estimate = null, measured = null } = earlier.get(identity(site)) ?? {};
      return [identity(site), { ...site, estimate, measured }];
    }),
  );
  // Figures of sites that this call excludes stay in the ranking for a later call.
  const others = [...earlier].flatMap(([key, site]) => (sites.has(key) ? [] : [site]));
  const parts = [...trial.parts.keys()];
  const result = (more: readonly RankedSite[] = []): Ranking => {
    const all = [...sites.values()];
    // With few samples the estimate is the measurement itself, and its correlation means nothing.
    const correlation = parts.length > 1 ? agreementOfOrder(all) : null;
    return { ...start, sites: ranked([...all, ...more]), spearman: correlation };
  };

  const few = trial.parts[0]?.runs ?? 0;
  const all = trial.drawn.runs;
  let done = 0;
  let work = 0;
  const pass = async (stage: RankProgress['stage'], keys: readonly string[], over: readonly number[]) => {
    const runs = over.reduce((sum, part) => sum + (trial.parts[part]?.runs ?? 0), 0);
    for (const [index, key] of keys.entries()) {
      const site = sites.get(key);
      if (site === undefined) continue;
      onProgress?.({ stage, site: index + 1, sites: keys.length, done: done / work });
      const { estimate: _, measured: __, ...plain } = site;
      const degradations = await trial.measure([plain], over, start.measuredIn);
      const [estimate = null] = degradations;
      const measured = over.length === parts.length ? (degradations.at(-1) ?? null) : site.measured;
      sites.set(key, { ...site, estimate, measured });
      done += runs;
      await onMeasured?.(result(others));
    }
  };
  const missing = (which: 'estimate' | 'measured', among: Iterable<RankedSite>) =>
    [...among].filter((site) => site[which] === null).map(identity);

  const count = Math.min(top ?? sites.size, sites.size);
  if (count < sites.size) {
    const unknown = missing('estimate', sites.values());
    work = unknown.length * few + count * all;
    await pass('estimating', unknown, [0]);
    const best = ranked([...sites.values()].map((site) => ({ ...site, measured: null }))).slice(0, count);
    const unmeasured = best.flatMap((site) => sites.get(identity(site)) ?? []);
    const open = missing('measured', unmeasured);
    work = done + open.length * all;
    await pass('measuring', open, parts);
  } else {
    const open = missing('measured', sites.values());
    work = open.length * all;
    await pass('measuring', open, parts);
  }
  return result();
}

function identity({ scope, output, beta, leak }: RankedSite | Ranking['sites'][number]): string {
  return JSON.stringify([scope, output, beta, leak ?? null]);
}
