import { OnnxMishError } from '../base/error.js';
import { type Analysis, analyse } from '../onnx/analysis.js';
import {
  type Node,
  nodeLabel,
  type OnnxDocument,
  opsetOf,
  rewriteObstacle,
  type Scope,
} from '../onnx/document.js';
import { floatType, typeName } from '../onnx/types.js';
import {
  alphaOf,
  depthOf,
  fusedActivation,
  isDefault,
  KINDS,
  kindNamed,
  kindOf,
} from './activation-kinds.js';
import type { Form } from './forms.js';
import { loadActivation } from './load-activation.js';
import { loadMatcher } from './load-matcher.js';
import { loadMinusInfinity, loadQuestions } from './load-questions.js';
import type { ReplacementOptions } from './new-activation.js';
import type { OpsetAdvice } from './opset.js';
import type { Site, Skip, SkipReason } from './site.js';
import { createUses } from './uses.js';
import { type UseVerdict, whyOf } from './value-flow.js';

export { type Decider, inputOf, type Site, type Skip, type SkipReason } from './site.js';

export interface SiteOptions extends Pick<ReplacementOptions, 'to'> {
  /** Kinds to swap; relu, leakyrelu and mish by default, except the kind that is written. */
  readonly only?: readonly string[] | undefined;
  /**
   * Globs on node name or output name: only sites that match one are swapped. A name without `*` and `?` forces the swap of that
   * site even if it guards, clamps, masks, counts or is quantised. Its `doubt` then gives this reason. An empty list counts as
   * absent.
   */
  readonly include?: readonly string[] | undefined;
  /** Globs on node name or output name: sites that match one stay. */
  readonly exclude?: readonly string[] | undefined;
}

/** Options of a swap that change which values Mish gives. */
interface WrittenMish {
  readonly form?: unknown;
  readonly beta?: unknown;
  readonly leaky?: unknown;
}

/** Returns the options that decide which values the new activation gives. */
function writtenBy({ to = 'mish', form, beta, leaky }: SiteOptions & WrittenMish) {
  const flat = { to, beta: Number(beta) < 1 ? beta : undefined };
  return to === 'mish' ? { ...flat, form, leaky } : flat;
}

/** The activations of a document: the sites to swap, and the skipped ones with their reasons. */
export interface Found {
  readonly sites: readonly Site[];
  readonly skipped: readonly Skip[];
}

/**
 * Finds every activation in all graphs and functions. A given `analysis` is reused. `takes` selects
 * activations of several nodes; by default their kind decides. Throws `bad-usage` for an unknown kind. Not
 * split because the order of its checks decides which reason to skip is reported.
 */
export async function findSites(
  document: OnnxDocument,
  options: SiteOptions & WrittenMish = {},
  analysis?: Analysis,
  takes?: (written: Site) => boolean,
): Promise<Found> {
  const to = await loadActivation(writtenBy(options));
  const kinds = kindsOf(options.only, to.name);
  const isAskedFor = ({ kind }: Site) => kinds.has(kind);
  const choice = createChoice(options);
  const known = analysis ?? analyse(document);
  const { types, calls } = known;
  const questions = await loadQuestions(document);
  const uses = createUses(known, questions, to);
  const minusInfinity = await loadMinusInfinity(document, known);
  const parts = (await loadMatcher(document))?.findParts(document, known);
  const asked = new Set(options.include?.filter((name) => !/[*?]/.test(name)));
  const sites: Site[] = [];
  const skipped: Skip[] = [];

  // Backwards, so that everything after a site has been examined before.
  for (const scope of document.scopes.toReversed()) {
    for (const node of scope.nodes.toReversed()) {
      const part = parts?.get(node);
      const whole = part?.site !== undefined && (takes ?? isAskedFor)(part.site) ? part.site : undefined;
      const kind = whole && part?.isLast ? kindNamed(whole.kind) : kindOf(node);
      if (kind === undefined) {
        const why = calls.callee(node) === undefined ? fusedActivation(node) : undefined;
        if (why === undefined || (to.name === 'relu' && /^relu /i.test(why))) continue;
        const inside = { node, scope, kind: node.opType, alpha: undefined, type: undefined };
        skipped.push({ ...inside, ...(choice([node]) ?? { reason: 'fused', why }) });
        continue;
      }
      // An excluded kind is reported only if it is a default kind.
      if (!kinds.has(kind.name) && !isDefault(kind, to.name)) continue;
      // An inner part of another activation is not reported.
      if (
        (part?.isMish && !(whole && part.isLast)) ||
        (whole !== undefined && !part?.isLast && part?.isInside)
      )
        continue;
      const asWhole = part?.isLast ? whole : undefined;
      const nodes = (asWhole && part?.nodes) ?? [node];
      const x = asWhole?.x ?? node.inputs[0] ?? '';
      const y = node.outputs[0] ?? '';
      const elemType = types(scope, x) ?? types(scope, y);
      // In a function that is called with several types, a site has several types.
      const all = elemType === undefined ? types.all(scope, x) : [elemType];
      const integer = all.find((type) => type !== undefined && floatType(type) === undefined);
      const several = all.length > 1 ? all.flatMap((type) => floatType(type) ?? []) : undefined;
      const isOpen = all.includes(undefined);
      const type = floatType(elemType);
      const alone: Site = { node, scope, kind: kind.name, alpha: alphaOf(node), type, several, isOpen };
      const site: Site = asWhole === undefined ? alone : { ...asWhole, several, isOpen };
      const skip = (reason: SkipReason, why: string) => skipped.push({ ...site, reason, why });
      // The exclusion by the caller comes before other reasons, so that `strict` does not fail for it.
      const chosen = choice(nodes);
      const obstacle = rewriteObstacle(node);

      if (!kinds.has(kind.name)) skipped.push({ ...site, ...leftOut('only') });
      else if (chosen !== undefined) skipped.push({ ...site, ...chosen });
      else if (x === '' || y === '' || node.outputs.length > 1)
        skip('malformed', 'it has no input, no output or more than one output');
      else if (obstacle !== undefined) skip('malformed', obstacle);
      else if (site.obstacle) skip(...site.obstacle);
      else if (integer !== undefined) {
        const where = elemType === undefined ? ' in a call of the function' : '';
        skip('integer', `its elements are ${typeName(integer)}${where}, and ${to.label} is for floats`);
      } else {
        const candidate = { scope, x, y, kind: kind.name };
        const verdict = uses.purpose(candidate);
        const constant = to.atMinusInfinity && minusInfinity(scope, x);
        const accepted = (doubt: UseVerdict | undefined, before = '') =>
          sites.push(
            Object.assign(
              site,
              doubt && { doubt: before + whyOf(doubt) },
              constant === undefined ? undefined : { minusInfinity: constant },
            ),
          );
        // A part of an activation is never swapped; a part of arithmetic only on request.
        const half = asWhole === undefined ? part : undefined;
        const isAsked = (asked.has(node.name) || asked.has(y)) && half?.site === undefined;
        const why = verdict ?? (half && { ...half.skip, ...half.skip.decidedBy });
        if (why === undefined) accepted(uses.doubt(candidate));
        else if (isAsked) accepted(why, ASKED);
        else if (verdict === undefined) skipped.push({ ...site, ...half?.skip } as Skip);
        else {
          const { purpose, option } = verdict;
          skipped.push({ ...site, reason: purpose, why: whyOf(verdict), option, decidedBy: verdict });
        }
      }
    }
  }
  const lost = questions.domain?.(document, known, sites, to.depth ?? depthOf(to.name));
  const isNamed = ({ node }: Site) => asked.has(node.name) || asked.has(node.outputs[0] ?? '');
  if (lost?.size) {
    skipGuards(lost, sites, skipped, isNamed);
    const place = new Map(document.scopes.map((scope, at) => [scope, at]));
    const scopeOf = ({ scope }: Site) => place.get(scope) ?? 0;
    skipped.sort((a, b) => scopeOf(b) - scopeOf(a) || b.node.index - a.node.index);
  }
  // Without a guarded operator no weights are read.
  if (questions.domain)
    await (await import('./weight-guard.js')).addWeightDoubts(document, known, sites, to, questions.domain);
  return { sites: sites.reverse(), skipped: skipped.reverse() };
}

/** Moves the sites that guard a domain to the skipped ones; those that are asked for get a doubt. */
function skipGuards(
  guards: ReadonlyMap<Node, UseVerdict>,
  sites: Site[],
  skipped: Skip[],
  isAsked: (site: Site) => boolean,
): void {
  for (const site of sites.splice(0)) {
    const verdict = guards.get(site.node);
    if (verdict === undefined) sites.push(site);
    else if (isAsked(site)) sites.push(Object.assign(site, { doubt: site.doubt ?? ASKED + whyOf(verdict) }));
    else skipped.push({ ...site, reason: 'guard', why: whyOf(verdict), decidedBy: verdict });
  }
}

/** Returns the kinds to swap. Throws `bad-usage` for an unknown kind, and for the activation that is written. */
function kindsOf(only: readonly string[] | undefined, to: string): ReadonlySet<string> {
  if (only === undefined) return new Set(KINDS.filter((kind) => isDefault(kind, to)).map(({ name }) => name));
  return new Set(
    only.map((name) => {
      const kind = kindNamed(name);
      if (kind !== undefined && kind.name !== to) return kind.name;
      const what = kind ? `'${name}' cannot replace itself` : `'${name}' is not a kind of activation`;
      const others = KINDS.filter((one) => one.name !== to).map((one) => one.name);
      throw new OnnxMishError('bad-usage', what, { fix: `Choose from ${others.join(', ')}` });
    }),
  );
}

/** Prefix of a reason to skip, for a site that is swapped all the same. */
export const ASKED = 'swapped on request, although ';

/** Creates a function that explains why `include` or `exclude` omits an activation of these nodes. */
export function createChoice({ include, exclude }: SiteOptions) {
  const included = globs(include);
  const excluded = globs(exclude);
  return (nodes: readonly Node[]): Pick<Skip, 'reason' | 'why' | 'option'> | undefined => {
    if (included !== undefined && !nodes.some(included)) return leftOut('include');
    return excluded !== undefined && nodes.some(excluded) ? leftOut('exclude') : undefined;
  };
}

const leftOut = (option: 'only' | 'include' | 'exclude') =>
  ({
    reason: 'excluded',
    why: 'left out by choice',
    option: { [option]: null },
  }) as const;

/** Compiles globs into a test of names. `*` matches any characters, also slashes; `?` matches a single character. */
export function globs(patterns: readonly string[] | undefined): ((node: Node) => boolean) | undefined {
  if (patterns === undefined || patterns.length === 0) return undefined;
  const test = (name: string) => name !== '' && patterns.some((pattern) => matches(pattern, name));
  return (node) => test(node.name) || node.outputs.some(test);
}

/** Returns whether a name matches a glob. Backtracks to the last `*` only: the time is at most the product of both lengths. */
export function matches(pattern: string, name: string): boolean {
  let [at, star, from] = [0, -1, 0];
  for (let to = 0; to < name.length; ) {
    const sign = pattern[at];
    if (sign === '*') [star, from] = [at++, to];
    else if (sign === '?' || sign === name[to]) [at, to] = [at + 1, to + 1];
    else if (star >= 0) [at, to] = [star + 1, ++from];
    else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

/** Throws `unsupported-form` when a scope's opset lacks an operator of the form. */
export function checkOpset(
  form: Form<string>,
  scope: Scope,
  document: OnnxDocument,
  advice: OpsetAdvice,
  fallback = 'softplus',
): void {
  const opset = opsetOf(scope);
  if (opset >= form.opset) return;
  const { text, option } = advice(form.opset);
  throw new OnnxMishError(
    'unsupported-form',
    `the ${form.name} form needs opset ${form.opset}, and ${scope.root.path === 'graph' ? 'the model' : scope.root.path} imports opset ${opset}`,
    {
      where: document.source.name,
      fix: form.activation ? `First ${text}` : `Use the ${fallback} form, or ${text} first`,
      option: { ...(form.activation ? {} : { form: fallback }), ...option },
    },
  );
}

/** Returns a site's scope and label, for reports. */
export function siteLabel({ node, scope }: Pick<Site, 'node' | 'scope'>): string {
  return scope.path === 'graph' ? nodeLabel(node) : `${scope.path}: ${nodeLabel(node)}`;
}
