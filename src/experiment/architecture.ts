// One architecture with each activation at the same sites.
import { OnnxMishError } from '../base/error.js';
import type { Advice } from '../base/option-hint.js';
import { findCandidates } from '../calibrate/select/candidates.js';
import { editedModel } from '../finetune/start.js';
import { isDefault, KINDS, kindNamed, REPLACEMENTS, type ReplacementName } from '../mish/activation-kinds.js';
import { type Plan, planOf } from '../mish/plan.js';
import { keyOfSite, siteKey } from '../mish/results.js';
import { findSites, inputOf, type SiteOptions, siteLabel } from '../mish/sites.js';
import { swapDocument } from '../mish/swap.js';
import { unknownActivation } from '../mish/unknown-activation.js';
import { indexGraphs } from '../onnx/graph-index.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import { hasConvolutions, lacksNormalisation } from '../train/batch-norms.js';
import { NO_CONVOLUTION, refuseQuantized } from '../train/prepare-training.js';
import { withExactMish } from './exact-mish.js';

/** Options that choose the sites. */
export type SiteChoice = Pick<SiteOptions, 'only' | 'include' | 'exclude'>;

/** The choice of the sites, and the sharpness β of Mish; default 1. */
export interface ArchitectureChoice extends SiteChoice {
  readonly beta?: number | undefined;
}

/** An activation that is exchanged. */
export interface ExchangedSite {
  readonly label: string;
  /** Name of the value of the main graph that goes into the activation, in every model; undefined in a nested graph or a function. */
  readonly input: string | undefined;
}

/** An architecture with each activation. */
export interface Architecture {
  /** The model with each activation. */
  readonly models: ReadonlyMap<ReplacementName, LoadedModel>;
  readonly sites: readonly ExchangedSite[];
  /** Activations that stay as they are in all models. */
  readonly kept: readonly { readonly label: string; readonly why: string }[];
  /** Advice for each glob that matches no activation. */
  readonly unmatched: readonly Advice[];
}

/** Returns the names of activations without aliases. Throws `bad-usage` for an unknown, a repeated or no name. */
export function activationNames(given: readonly string[]): ReplacementName[] {
  const names = given.map((text) => {
    const name = REPLACEMENTS.find((one) => one === kindNamed(text)?.name);
    if (name === undefined) throw unknownActivation(text);
    return name;
  });
  const repeated = names.find((name, at) => names.indexOf(name) !== at);
  if (names.length > 0 && repeated === undefined) return names;
  const what =
    repeated === undefined
      ? 'the experiment has no activation'
      : `the activation '${repeated}' is given twice`;
  throw new OnnxMishError('bad-usage', what, {
    fix: `Give different activations of ${REPLACEMENTS.join(', ')}`,
  });
}

/** Returns all activations of several lists: in the order of the lists if these are equal, else in a fixed order. */
export function activationOrder(lists: readonly (readonly string[])[]): string[] {
  const names = [...new Set(lists.flat())];
  const isSame = lists.every((list) => list.join() === names.join());
  return isSame ? names : [...names].sort((a, b) => rank(a) - rank(b));
}

const ORDER: readonly string[] = ['relu', 'leakyrelu', 'swish', 'mish', ...REPLACEMENTS];
const rank = (name: string) => ORDER.indexOf(name);

/**
 * Writes each activation at the same sites: those that every activation can take. Sites that have the activation already keep it.
 * Throws as `swapDocument` does, and `bad-usage` for a quantised model and for one without such sites.
 */
export async function architectureOf(
  model: LoadedModel,
  activations: readonly ReplacementName[],
  choice: ArchitectureChoice,
): Promise<Architecture> {
  const kinds = kindsOf(choice.only);
  const { document } = model;
  refuseQuantized(document);
  const found: SitesFor[] = [];
  for (const to of activations) found.push(await sitesFor(model, to, kinds, choice));
  const all = new Map(found.flatMap(({ present }) => [...present]));
  const common = [...all.keys()].filter((key) => found.every(({ present }) => present.has(key)));
  if (common.length === 0) throw nothingToExchange(document.source.name, kinds, choice);
  const chosen = new Set(common);
  const models = new Map<ReplacementName, LoadedModel>();
  for (const { to, plan } of found) {
    const sites = plan.sites.filter((site) => chosen.has(siteKey(site)));
    let written = model;
    if (sites.length > 0) {
      const { output } = await swapDocument(document, {
        plan: { ...plan, sites },
        undo: false,
        blocked: false,
      });
      written = await editedModel(model, output);
    }
    // An approximate form in the model is not Mish.
    if (to === 'mish')
      written = await withExactMish(written, plan.form, (site) => chosen.has(keyOfSite(site)));
    models.set(to, written);
  }
  const kept = new Map<string, string>();
  for (const { skipped } of found) for (const { label, why } of skipped) kept.set(label, why);
  return {
    models,
    sites: common.flatMap((key) => all.get(key) ?? []),
    kept: [...kept].map(([label, why]) => ({ label, why })),
    unmatched: (found[0]?.unmatched ?? []).filter(({ text }) =>
      found.every(({ unmatched }) => unmatched.some((advice) => advice.text === text)),
    ),
  };
}

function nothingToExchange(where: string | undefined, kinds: ReadonlySet<string>, choice: SiteChoice) {
  const { include, exclude } = choice;
  const globs = { ...(include && { include: null }), ...(exclude && { exclude: null }) };
  const isNamed = Object.keys(globs).length > 0;
  return new OnnxMishError(
    'bad-usage',
    `the model has no activation that can be exchanged (${[...kinds].join(', ')}${isNamed ? ', with the names that were chosen' : ''})`,
    {
      where,
      fix: `Name the kinds of the model’s activations${isNamed ? ', or choose other names' : ''}`,
      option: { only: null, ...globs },
    },
  );
}

/** Returns the kinds of activations to exchange, without aliases. Throws `bad-usage` for an unknown kind. */
function kindsOf(only: readonly string[] | undefined): ReadonlySet<string> {
  if (only === undefined) return new Set(KINDS.filter((kind) => isDefault(kind, '')).map(({ name }) => name));
  return new Set(
    only.map((name) => {
      const kind = kindNamed(name);
      if (kind !== undefined) return kind.name;
      throw new OnnxMishError('bad-usage', `'${name}' is not a kind of activation`, {
        fix: `Choose from ${KINDS.map((one) => one.name).join(', ')}`,
      });
    }),
  );
}

/** The sites of an activation: those that a swap writes, and those that have it already. */
interface SitesFor {
  readonly to: ReplacementName;
  readonly plan: Plan;
  readonly present: ReadonlyMap<string, ExchangedSite>;
  readonly skipped: readonly { readonly label: string; readonly why: string }[];
  readonly unmatched: readonly Advice[];
}

async function sitesFor(
  model: LoadedModel,
  to: ReplacementName,
  kinds: ReadonlySet<string>,
  { include, exclude, beta }: ArchitectureChoice,
): Promise<SitesFor> {
  const { document } = model;
  const only = [...kinds].filter((kind) => kind !== to);
  const options = { to, only, include, exclude };
  const { report, measuredIn, unmatched } = await findCandidates(
    document,
    to === 'mish' ? { ...options, beta } : options,
  );
  // Other activations than Mish have one form.
  const plan = planOf(to === 'mish' ? { ...report, form: measuredIn } : report);
  const written = new Set(plan.sites.map(siteKey));
  // The other kinds as targets find the sites that have this activation already.
  const other = REPLACEMENTS.find((name) => name !== to) ?? 'mish';
  const already = kinds.has(to)
    ? await findSites(document, { to: other, only: [to], include, exclude })
    : NONE;
  const { sites } = await findSites(document, options);
  const present = new Map<string, ExchangedSite>();
  for (const site of [...sites.filter((one) => written.has(keyOfSite(one))), ...already.sites])
    present.set(keyOfSite(site), {
      label: siteLabel(site),
      input: site.scope === document.graph ? inputOf(site) : undefined,
    });
  const skipped = report.skipped.filter(({ reason }) => reason !== 'excluded');
  return { to, plan, present, unmatched, skipped: skipped.map(({ label, why }) => ({ label, why })) };
}

const NONE = { sites: [] };

/** Decides whether batch normalisation is inserted, and warns of a net without any. */
export function normsOf(
  { document }: LoadedModel,
  { batchNorm }: { readonly batchNorm?: boolean | undefined },
): { batchNorm: 'insert' | 'train'; warnings: string[] } {
  if (batchNorm === true && !hasConvolutions(document.graph))
    return { batchNorm: 'train', warnings: [`${NO_CONVOLUTION.text}.`] };
  const lacks = lacksNormalisation(document, indexGraphs(document));
  if (batchNorm ?? lacks) return { batchNorm: 'insert', warnings: [] };
  const warning =
    'The model has convolutions without batch normalisation, which its exporter probably folded. A deep net without it trains worse than the net that was exported.';
  return { batchNorm: 'train', warnings: lacks ? [warning] : [] };
}
