import { OnnxMishError } from '../base/error.js';
import type { Analysis } from '../onnx/analysis.js';
import type { Node, OnnxDocument } from '../onnx/document.js';
import { isDefault, KINDS, kindNamed } from './activation-kinds.js';
import { NEW_PLAN, type Plan } from './plan.js';
import { ASKED, type Found, findSites, type Site, type Skip } from './sites.js';

/** Reasons that a plan cannot override, because Mish cannot be written there. */
const FINAL: ReadonlySet<Skip['reason']> = new Set([
  'integer',
  'fused',
  'malformed',
  'overridable',
  'unknown-constant',
]);

/** The sites of a plan, with their sharpness and slope where the plan has them. */
export interface Planned extends Found {
  readonly sites: readonly (Site & {
    readonly beta?: number | undefined;
    readonly leak?: number | undefined;
  })[];
  /** Nodes of sites that only a quantisation forbids. */
  readonly open?: ReadonlySet<Node> | undefined;
}

/** Finds the ReLUs of QuantizeLinear nodes. */
async function impliedRelus(document: OnnxDocument, analysis: Analysis): Promise<readonly (Site | Skip)[]> {
  const { findImpliedRelus } = await import('./implied-relu.js'); // few models are quantised
  const { sites, skipped } = findImpliedRelus(document, analysis);
  return [...sites, ...skipped];
}

/** Returns the smallest sharpness of a plan. */
function leastBeta({ beta, sites }: Plan): number {
  return sites.reduce((least, site) => Math.min(least, site.beta ?? beta), beta);
}

/** Finds the sites of a plan, of any kind. Throws `bad-plan` for a site that does not exist or cannot be swapped. */
export async function applyPlan(document: OnnxDocument, plan: Plan, analysis?: Analysis): Promise<Planned> {
  const where = document.source.name;
  const key = (scope: string, output: string | undefined) => `${scope}\0${output ?? ''}`;
  const named = new Set(plan.sites.map(({ scope, output }) => key(scope, output)));
  const { to = 'mish' } = plan;
  /** Returns whether a swap takes a kind by default; undefined for a name that is not a kind, as that of an operator with a fused activation. */
  const isByDefault = (name: string): boolean | undefined => {
    const kind = kindNamed(name);
    return kind && isDefault(kind, to);
  };
  const isNamed = ({ scope, node, kind }: Site) =>
    named.has(key(scope.path, node.outputs[0])) || isByDefault(kind) === true;
  const only = KINDS.map(({ name }) => name).filter((name) => name !== to);
  const found = await findSites(
    document,
    { only, to: plan.to, form: plan.form, beta: leastBeta(plan) },
    analysis,
    isNamed,
  );
  const known = new Map<string, Site | Skip>();
  const implied = plan.int8 && analysis ? await impliedRelus(document, analysis) : [];
  for (const entry of [...implied, ...found.sites, ...found.skipped]) {
    known.set(key(entry.scope.path, entry.node.outputs[0]), entry);
  }
  const taken = new Set<string>();
  const sites = plan.sites.map(({ scope, output, beta, leak }) => {
    const entry = known.get(key(scope, output));
    if (entry === undefined) {
      const isTwice = taken.has(key(scope, output));
      const what = isTwice ? 'is in the plan twice' : 'of the plan is not an activation of the model';
      throw new OnnxMishError('bad-plan', `'${output}' in ${scope} ${what}`, { where, ...NEW_PLAN });
    }
    taken.add(key(scope, output));
    if ('reason' in entry && FINAL.has(entry.reason)) {
      throw new OnnxMishError('bad-plan', `the plan swaps '${output}' in ${scope}, but ${entry.why}`, {
        where,
        fix: 'Remove it from the plan’s sites',
      });
    }
    known.delete(key(scope, output));
    // The site was skipped for its old scales. int8 makes new ones, so that the reason holds no longer.
    const isRescaled = plan.int8 !== undefined && 'reason' in entry && entry.reason === 'quantized';
    const doubt = 'reason' in entry && !isRescaled ? ASKED + entry.why : entry.doubt;
    return { ...entry, doubt, beta, leak: leak || undefined };
  });
  // The option of a quantised site is int8, which the plan has.
  const isDecided = (entry: Site | Skip): entry is Skip =>
    'reason' in entry && !(plan.int8 && entry.reason === 'quantized' && entry.option);
  const skipped = [...known.values()]
    .filter((entry) => isByDefault(entry.kind) !== false)
    .map(
      (entry): Skip =>
        isDecided(entry)
          ? entry
          : { ...entry, reason: 'excluded', why: 'not in the plan', option: undefined },
    );
  return { sites, skipped };
}
