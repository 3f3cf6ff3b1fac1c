import { OnnxMishError } from '../../base/error.js';
import type { Subset } from '../../data/split.js';
import { hasSharpness } from '../../metrics/curved-share.js';
import type { Operation } from '../../mish/history.js';
import type { Plan } from '../../mish/plan.js';
import { type FoldedSite, type KeptSite, type SiteReport, siteKey } from '../../mish/results.js';
import { commonBeta } from '../../mish/swap.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import { type ChooseOptions, sharpenByInputs } from './choose-sharpness.js';

/** Share of a site's inputs at which the new activation is curved that the default sharpness keeps. */
export const DEFAULT_CURVED_SHARE = 0.75;

/** Report of the sharpness that follows from the inputs of the sites. */
export interface CurvedReport {
  /** Share of a site's inputs at which the new activation is curved that the sharpness keeps. */
  readonly share: number;
  /** Sites whose sharpness was folded into weights. */
  readonly folded: readonly FoldedSite[];
  /** Sites that keep β = 1, with the sharpness that their inputs allow and the reason. */
  readonly kept: readonly KeptSite[];
  /** Number of changed weights. */
  readonly weights: number;
}

/** The original with sharpness folded into its weights; it computes the same function. */
export interface SharpenedOriginal {
  readonly original: EditableModel;
  /** Operations for the record. */
  readonly operations: readonly Omit<Operation, 'version'>[];
  /** Returns the sharpness that the weights around a site took; 1 for other sites. */
  betaOf(site: Pick<SiteReport, 'scope' | 'output'>): number;
  /** Null if the sharpness does not follow from the inputs. */
  readonly report: CurvedReport | null;
}

export interface SharpenedOptions extends Omit<ChooseOptions, 'share' | 'activation' | 'seed'> {
  /** Sharpness of all sites, which leaves nothing to fold; else the inputs choose it. */
  readonly beta?: number | 'auto' | undefined;
  /** Share of a site's inputs at which the new activation is curved; default 0.75. */
  readonly curved?: number | undefined;
  readonly seed?: number | undefined;
}

/** Throws `bad-usage` for a share of curved inputs where no sharpness is to be chosen. */
function refuseUnusedShare(curved: number | undefined, why: string): void {
  if (curved === undefined) return;
  throw new OnnxMishError('bad-usage', `the share of curved inputs chooses β, and ${why}`, {
    fix: 'Leave the share out',
    option: { curved: null },
  });
}

/**
 * Folds the sharpness of each site into weights, unless the options give a sharpness or the new activation has none.
 * Throws `bad-usage` for an invalid share, or one that chooses nothing, and as `sharpenByInputs` does.
 */
export async function sharpenedOriginal(
  original: EditableModel,
  plan: Plan,
  train: Subset,
  options: SharpenedOptions,
): Promise<SharpenedOriginal> {
  const { beta, curved, seed = 0 } = options;
  const { to: activation = 'mish' } = plan;
  if (typeof beta === 'number' || !hasSharpness(activation)) {
    refuseUnusedShare(curved, typeof beta === 'number' ? 'β is given' : `${activation} has none`);
    return { original, operations: [], betaOf: () => 1, report: null };
  }
  const share = curved ?? DEFAULT_CURVED_SHARE;
  if (!(share > 0 && share <= 1)) {
    throw new OnnxMishError(
      'bad-usage',
      `the share of curved inputs must be above 0 and at most 1, got ${share}`,
      {
        fix: 'Give a share such as 0.7',
        option: { curved: null },
      },
    );
  }
  const { model, ...changed } = await sharpenByInputs(original, plan, train, {
    ...options,
    share,
    activation,
    seed,
  });
  const { folded } = changed;
  const betas = new Map(folded.map((site) => [siteKey(site), site.beta]));
  const operation = {
    operation: 'fold',
    form: plan.form,
    ...(hasChannels(folded) ? {} : commonBeta(folded)),
    sites: folded.length,
  } as const;
  return {
    original: model,
    operations: [operation],
    betaOf: (site) => betas.get(siteKey(site)) ?? 1,
    report: { share, ...changed },
  };
}

/** Returns whether channels of these sites have a sharpness of their own. */
export const hasChannels = (folded: readonly FoldedSite[]): boolean =>
  folded.some(({ channels }) => channels !== undefined);
