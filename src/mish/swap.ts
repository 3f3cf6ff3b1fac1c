import { OnnxMishError } from '../base/error.js';
import { type Analysis, analyse } from '../onnx/analysis.js';
import type { OnnxDocument } from '../onnx/document.js';
import { scan } from '../onnx/scan.js';
import type { ModelInput } from '../onnx/source.js';
import type { Edit, Spliced } from '../onnx/splice.js';
import type { OpenData } from '../onnx/weights.js';
import { kindNamed, REPLACEMENTS } from './activation-kinds.js';
import type { Planned } from './apply-plan.js';
import { fixesFor } from './fixes.js';
import { createFormCheck } from './form-obstacle.js';
import {
  FORM_FOR,
  FORMS,
  type Form,
  type FormName,
  MAX_SLOPE,
  type Target as Provider,
  TARGETS,
  type Variant,
} from './forms.js';
import { spliceWithRecord } from './history.js';
import { boundsOf, inChannels } from './in-channels.js';
import type { Requantised } from './int8.js';
import type { Int8Way } from './int8-ways.js';
import { loadActivation } from './load-activation.js';
import type { NewActivation, ReplacementOptions } from './new-activation.js';
import type { NoteOptions } from './notes.js';
import { besides, type OpsetAdvice, opsetAdvice, raising, withOpset } from './opset.js';
import type { Plan } from './plan.js';
import type { MeasuredRanges } from './requantise.js';
import { type SwapReport, siteReport, skipReport } from './results.js';
import { type MishNode, rewrite } from './rewrite.js';
import { checkOpset, findSites, inputOf, type Site, type SiteOptions, type Skip } from './sites.js';
import { notesOnModel, notesOnSites } from './swap-notes.js';
import { unknownActivation } from './unknown-activation.js';
import { unused } from './unused.js';

export interface FormOptions {
  /** The opset to raise the model to; its operators must keep their meaning. Unchanged by default. */
  readonly opset?: number | undefined;
  /** The form of Mish; `softplus` by default. */
  readonly form?: FormName | undefined;
  /** The provider that will run the model; decides the form. */
  readonly target?: Provider | undefined;
  /**
   * Write approximate forms as operators on channels where possible, which keep the blocked layout of ONNX Runtime's CPU provider;
   * true by default.
   */
  readonly blocked?: boolean | undefined;
}

export interface SwapOptions extends SiteOptions, FormOptions, ReplacementOptions {
  /** Sharpness β of x · tanh(softplus(βx)) or, for Swish, of x · sigmoid(βx): 1 by default, ReLU is the limit. */
  readonly beta?: number | undefined;
  /**
   * What replaces LeakyRelu: Mish itself by default, or the mixture αx + (1 - α) · mish with LeakyRelu's slope α. As β grows,
   * the mixture tends to LeakyRelu, and Mish to Relu.
   */
  readonly leaky?: 'mish' | 'mixture' | undefined;
  /** Store the undo record in the model; true by default. */
  readonly undo?: boolean | undefined;
  /** Move the sharpness of sites into the weights around them where possible, as `foldSharpness` does. */
  readonly fold?: boolean | undefined;
  /** Opens external data, for `fold` and `int8`; without it, `fold` leaves weights in other files, and `int8` refuses biases there. */
  readonly openData?: OpenData | undefined;
  /**
   * Swap sites between quantised tensors as well, with new scales around them: `exact`, in the form of Mish between floats; or
   * `qlinear`, as x · σ(ax + b) by ONNX Runtime's operators on 8-bit integers. Such sites are skipped by default.
   */
  readonly int8?: Int8Way | undefined;
  /** Ranges that samples gave, for `int8`; without them, the ranges follow from the old scales. */
  readonly ranges?: MeasuredRanges | undefined;
  /** Rewrite the nodes that WebGL computes wrong, as `fix` does. True by default for the target webgl. */
  readonly fix?: boolean | undefined;
  /** Throw `skipped` if a site is skipped for any reason except the caller's options. */
  readonly strict?: boolean | undefined;
  /** The sites to swap; replaces `only`, `include` and `exclude`. */
  readonly plan?: Plan | undefined;
}

/**
 * Replaces the activations of a model with Mish, or with the activation `to`, and keeps every other byte. Without a site the
 * output equals the input. Writes no file and does not change the input.
 *
 * Throws `not-onnx` or `malformed` for a bad file, `bad-usage` for bad options, `unsupported-form` when the
 * model's opset lacks an operator of the form, `bad-plan`, and `skipped` under `strict`.
 *
 * @example
 * import { swap } from 'onnx-mish';
 *
 * const { output, report } = await swap(bytes, { target: 'wasm', exclude: ['/head/*'] });
 * console.log(report.form, report.sites.length);
 * const swapped = await output.bytes();
 */
export async function swap(
  input: ModelInput,
  options: SwapOptions = {},
): Promise<{ output: Spliced; report: SwapReport }> {
  return swapDocument(await scan(input), options);
}

/** Does what `swap` does, for a scanned document. */
export async function swapDocument(
  document: OnnxDocument,
  options: SwapOptions = {},
): Promise<{ output: Spliced; report: SwapReport }> {
  const { opset = options.plan?.opset } = options;
  return withOpset(document, opset, (raised) => swapRaised(document, { ...options, opset }, raised));
}

async function swapRaised(
  document: OnnxDocument,
  options: SwapOptions,
  raised: readonly Edit[],
): Promise<{ output: Spliced; report: SwapReport }> {
  const { plan } = options;
  const to = await loadActivation(plan ? { to: plan.to, beta: planBeta(plan) } : { ...options });
  const { recipes } = to;
  const { target } = plan ?? options;
  const common = chooseForm(recipes ? { form: 'native', target } : (plan ?? options));
  const beta = checkBeta(plan?.beta ?? options.beta);
  const analysis = analyse(document);
  const advice = await opsetAdvice(document, recipes?.forms.at(-1) ?? common);
  const { sites, skipped, int8 } = await select(document, analysis, common, beta, advice, options, to);
  const isOther = sites.length > 0 && sites.every((site) => site.form === FORMS.exp);
  const form = isOther ? FORMS.exp : common;
  if (options.strict) (await import('./refuse-skipped.js')).refuseSkipped(skipped, document.source.name);

  const { folding, fold, oldWeights } = await foldSites(document, analysis, sites, options);
  const folded = new Set([...(folding?.folded ?? [])].map(({ node }) => node));
  const targets =
    folded.size === 0 ? sites : sites.map((site) => (folded.has(site.node) ? { ...site, beta: 1 } : site));
  const severalNodes = sites.filter(({ inner }) => inner !== undefined);
  const removed = unused(severalNodes, analysis.index);
  const kept = (int8?.placed(targets) ?? targets).filter(({ node }) => !removed.has(node));
  const isWanted = options.fix ?? options.target === 'webgl';
  const gone = new Set([...targets.map(({ node }) => node), ...removed.keys()]);
  const { edits: more, fixes } = await fixesFor(isWanted, document, gone, analysis, raised);
  const placed = await inChannels(kept, analysis.index, options);
  const changes = [
    ...(int8?.edits ?? []),
    ...rewrite(document, placed, removed),
    ...(folding?.edits ?? []),
    ...more,
  ];
  const edits = [...changes, ...besides(raised, changes)];
  const foldedCount = folded.size === 0 ? {} : { folded: folded.size };
  const { bound, notes: boundNotes } = await boundsOf(form, targets);
  const written = recipes
    ? { form: [...new Set(sites.map((site) => site.form.name))].join(', '), to: to.name }
    : { form: form.name, ...bound, ...countMixtures(sites) };
  const operation = {
    operation: 'swap',
    ...written,
    ...(recipes && beta === 1 ? {} : commonBeta(sites)),
    ...foldedCount,
    ...int8?.recorded,
    sites: sites.length,
  } as const;
  const output = await spliceWithRecord(
    document,
    edits,
    [operation, { operation: 'fix', form: 'webgl', sites: fixes.length }, raising(document, raised)],
    options.undo ?? true,
  );
  const noteOptions: NoteOptions = Object.fromEntries(oldWeights.map((note) => [note, { undo: false }]));
  const inForm = int8 ? sites.filter(int8.isInForm) : sites;
  const notes = [
    ...(await notesOnSites(inForm, form, common, to, advice, noteOptions, output.size)),
    ...(await notesOnModel(document, analysis, { sites, skipped, int8 }, to, options, noteOptions)),
  ];
  const report: SwapReport = {
    to: to.name,
    ...(recipes && target ? { target } : {}),
    opset: options.opset,
    form: form.name,
    ...bound,
    beta,
    sites: sites.map(siteReport),
    skipped: skipped.map(skipReport),
    ...int8?.part,
    ...(fold === undefined ? {} : { fold }),
    ...(isWanted ? { fixes } : {}),
    notes: [...notes, ...boundNotes, ...(int8?.notes ?? []), ...oldWeights],
    noteOptions,
    bytesIn: document.source.size,
    bytesOut: output.size,
  };
  return { output, report };
}

type Chosen = Site & MishNode;

/** Moves the sharpness of sites into the weights around them, if the options ask for it. */
async function foldSites(
  document: OnnxDocument,
  analysis: Analysis,
  sites: readonly Chosen[],
  options: SwapOptions,
) {
  if (!options.fold) return NOT_FOLDED;
  const { foldSites } = await import('./fold-sites.js'); // a page that does not fold does not load it
  return foldSites(document, analysis, sites, options);
}

const NOT_FOLDED = { folding: undefined, fold: undefined, oldWeights: [] };

// No object spread: V8 would create a hidden class per object.
const chosen = (site: Site, { beta, leak }: Variant, form: Form<string>): Chosen => ({
  node: site.node,
  scope: site.scope,
  kind: site.kind,
  alpha: site.alpha,
  type: site.type,
  several: site.several,
  isOpen: site.isOpen,
  doubt: site.doubt,
  minusInfinity: site.minusInfinity,
  beta,
  leak,
  form,
  x: inputOf(site),
  inner: site.inner,
  constants: site.constants,
  difference: site.difference,
});

/** Returns a sharpness of a plan that is not 1, if there is one. */
function planBeta({ beta, sites }: Plan): number {
  return sites.find((site) => (site.beta ?? 1) !== 1)?.beta ?? beta;
}

/** The sites to swap, the skipped ones, and the new scales if they were requested. */
interface Selected {
  readonly sites: readonly Chosen[];
  readonly skipped: readonly Skip[];
  readonly int8: Requantised<Chosen> | undefined;
}

async function select(
  document: OnnxDocument,
  analysis: Analysis,
  common: Form,
  beta: number,
  advice: OpsetAdvice,
  options: SwapOptions,
  to: NewActivation,
): Promise<Selected> {
  const { plan } = options;
  const { recipes } = to;
  const way = plan ? plan.int8 : options.int8;
  const quantized = way === undefined ? undefined : await import('./int8.js'); // few models are quantised
  let found: Planned = await (plan === undefined
    ? findSites(document, options, analysis)
    : import('./apply-plan.js').then(({ applyPlan }) => applyPlan(document, plan, analysis)));
  if (quantized && plan === undefined)
    found = quantized.withQuantizedSites(found, document, analysis, options);
  const sites: Chosen[] = [];
  const obstacleTo = await createFormCheck(document);
  const skipped = [...found.skipped];
  for (const site of found.sites) {
    const form = recipes?.choose(site, (plan ?? options).target) ?? formOf(site, options, common);
    checkOpset(form, site.scope, document, advice);
    const leak = recipes ? recipes.slope(site) : plan ? site.leak : mixtureOf(site, options.leaky);
    if (typeof leak === 'object') {
      skipped.push({ ...site, ...leak });
      continue;
    }
    const variant = { beta: site.beta === undefined ? beta : checkBeta(site.beta), leak };
    const obstacle = obstacleTo(form, site, variant);
    if (obstacle === undefined) sites.push(chosen(site, variant, form));
    else skipped.push({ ...site, ...obstacle });
  }
  const int8 = await quantized?.requantiseSites(document, analysis, sites, found.open, {
    ...options,
    way,
    to,
  });
  return { sites: int8?.sites ?? sites, skipped: [...skipped, ...(int8?.skipped ?? [])], int8 };
}

/** Returns a site's form. Sites of float64, and of functions called with it, get the exp form, if no option names a form. */
function formOf({ type, several = [] }: Site, { form, target, plan }: SwapOptions, common: Form): Form {
  const isFree = form === undefined && target === undefined && plan === undefined;
  return isFree && [type, ...several].includes('f64') ? FORMS.exp : common;
}

/** Returns the slope of a site's mixture, undefined for Mish itself, or the reason why the site is skipped. */
function mixtureOf(
  { alpha }: Site,
  leaky: SwapOptions['leaky'] = 'mish',
): number | undefined | Pick<Skip, 'reason' | 'why'> {
  if (leaky !== 'mish' && leaky !== 'mixture') {
    throw new OnnxMishError('bad-usage', `LeakyRelu cannot become '${leaky}'`, {
      fix: 'Choose mish or mixture',
    });
  }
  if (leaky === 'mish' || alpha === undefined) return undefined;
  if (typeof alpha === 'string')
    return { reason: 'slope', why: `the caller of its function gives its slope (${alpha})` };
  if (alpha === 0) return undefined; // it is Relu
  if (Math.abs(alpha) <= MAX_SLOPE) return alpha;
  return {
    reason: 'slope',
    why: `a mixture needs a slope of at most ${MAX_SLOPE}, and this slope is ${alpha}`,
  };
}

/** Counts the sites that become mixtures; empty for 0. */
export function countMixtures(sites: readonly Pick<Variant, 'leak'>[]): { mixtures?: number } {
  const mixtures = sites.filter(({ leak }) => leak !== undefined).length;
  return mixtures === 0 ? {} : { mixtures };
}

/** Returns the common sharpness of all sites; empty if sites differ. */
export function commonBeta(sites: readonly Pick<Variant, 'beta'>[]): { beta?: number } {
  const [beta, ...others] = new Set(sites.map((site) => site.beta));
  return beta === undefined || others.length > 0 ? {} : { beta };
}

/** Returns the tag of a swap's output: the name of the activation that it writes. Throws `bad-usage` for an unknown name. */
export function activationTag({ to, plan }: Pick<SwapOptions, 'to' | 'plan'>): string {
  const name = (plan ? plan.to : to) ?? 'mish';
  if (REPLACEMENTS.some((one) => one === kindNamed(name)?.name)) return name;
  throw unknownActivation(name);
}

/** Returns the form that the options name or that suits the target. Throws `bad-usage` for unknown names. */
export function chooseForm({ form, target }: FormOptions): Form {
  if (target !== undefined && !TARGETS.includes(target)) {
    throw new OnnxMishError('bad-usage', `'${target}' is not a target`, {
      fix: `Choose from ${TARGETS.join(', ')}`,
    });
  }
  const name = form ?? (target === undefined ? 'softplus' : FORM_FOR[target]);
  const chosen = Object.hasOwn(FORMS, name) ? FORMS[name] : undefined;
  if (chosen !== undefined) return chosen;
  throw new OnnxMishError('bad-usage', `'${name}' is not a form`, {
    fix: `Choose from ${Object.keys(FORMS).join(', ')}`,
  });
}

/** Returns the sharpness, 1 by default. Throws `bad-usage` unless it is finite and positive. */
export function checkBeta(beta = 1): number {
  if (Number.isFinite(beta) && beta > 0) return beta;
  throw new OnnxMishError('bad-usage', `the sharpness β cannot be ${beta}`, {
    fix: 'Give a finite number above 0; 1 is Mish, larger values come closer to ReLU',
  });
}
