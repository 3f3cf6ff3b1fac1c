import { OnnxMishError } from '../base/error.js';
import type { Analysis } from '../onnx/analysis.js';
import type { OnnxDocument } from '../onnx/document.js';
import { KINDS } from './activation-kinds.js';
import { FORMS, type FormName, STEEPEST } from './forms.js';
import type { SwapReport } from './results.js';
import { ASKED, type Found, findSites, type Site, type Skip } from './sites.js';

/** What to swap, as `planOf` gives it from a report. Edit it, and give it back as the option `plan`. */
export interface Plan {
  readonly schema: 'onnx-mish/plan@1';
  readonly form: FormName;
  readonly beta: number;
  /**
   * The sites to swap. `scope` and `output` identify one; `beta` may differ from site to site. With `leak` a site becomes
   * the mixture of Mish with this slope, else Mish itself.
   */
  readonly sites: readonly {
    readonly scope: string;
    readonly output: string;
    readonly beta?: number | undefined;
    readonly leak?: number | undefined;
  }[];
  /** The sites to leave alone; moving one of these to `sites` overrides its reason, unless that cannot be. */
  readonly skipped: readonly unknown[];
}

const NEW_PLAN = { fix: 'Make one of this model', option: { plan: null } };
const SCHEMA = 'onnx-mish/plan@1';

/**
 * The plan that a dry run stands for. Sites follow its sharpness, save those that had another.
 *
 * @example
 * import { planOf, swap } from 'onnx-mish';
 *
 * const { report } = await swap(bytes, { target: 'webgl' });
 * console.log(JSON.stringify(planOf(report)));
 */
export function planOf({ form, beta, sites, skipped }: SwapReport): Plan {
  const planned = sites.map(({ beta: own, ...site }) => (own === beta ? site : { ...site, beta: own }));
  return { schema: SCHEMA, form, beta, sites: planned, skipped };
}

/**
 * Checks a parsed JSON document. Throws `bad-plan`, naming the key that is wrong.
 *
 * @example
 * import { parsePlan, swap } from 'onnx-mish';
 *
 * const plan = parsePlan(JSON.parse('{"form": "exp", "beta": 1, "sites": []}'));
 * await swap(bytes, { plan });
 */
export function parsePlan(json: unknown, where = 'plan'): Plan {
  const bad = (what: string): never => {
    throw new OnnxMishError('bad-plan', what, { where, ...NEW_PLAN });
  };
  if (typeof json !== 'object' || json === null) return bad('a plan is a JSON object');
  const { schema, form, beta = 1, sites, skipped = [] } = json as Record<string, unknown>;
  if (schema !== SCHEMA) bad(`schema has to be '${SCHEMA}'`);
  if (typeof form !== 'string' || !Object.hasOwn(FORMS, form))
    bad(`form has to be one of ${Object.keys(FORMS).join(', ')}`);
  if (typeof beta !== 'number') bad('beta has to be a number');
  if (!Array.isArray(sites)) return bad('sites has to be a list');
  if (!Array.isArray(skipped)) bad('skipped has to be a list');
  sites.forEach((site: unknown, index) => {
    const { scope, output, beta, leak } = (site ?? {}) as Record<string, unknown>;
    if (typeof scope !== 'string') bad(`sites[${index}].scope has to be a string`);
    if (typeof output !== 'string') bad(`sites[${index}].output has to be a string`);
    if (beta !== undefined && typeof beta !== 'number') bad(`sites[${index}].beta has to be a number`);
    if (leak !== undefined && !(typeof leak === 'number' && Math.abs(leak) <= STEEPEST))
      bad(`sites[${index}].leak has to be a number from -${STEEPEST} to ${STEEPEST}`);
  });
  return {
    schema: SCHEMA,
    form: form as FormName,
    beta: beta as number,
    sites,
    skipped: skipped as unknown[],
  };
}

/** Reasons that a plan may not override: there is no Mish to put there. */
const FINAL: ReadonlySet<Skip['reason']> = new Set(['integer', 'fused', 'malformed']);

/** What a plan chose: sites, some with a sharpness or a slope of their own. */
export interface Planned extends Found {
  readonly sites: readonly (Site & {
    readonly beta?: number | undefined;
    readonly leak?: number | undefined;
  })[];
}

/** The sites a plan names, of whatever kind. Throws `bad-plan` when one is not there or cannot be swapped. */
export function applyPlan(document: OnnxDocument, plan: Plan, analysis?: Analysis): Planned {
  const where = document.source.name;
  const key = (scope: string, output: string | undefined) => `${scope}\0${output ?? ''}`;
  const named = new Set(plan.sites.map(({ scope, output }) => key(scope, output)));
  const isNamed = ({ scope, node, kind }: Site) =>
    named.has(key(scope.path, node.outputs[0])) ||
    KINDS.some(({ name, byDefault }) => byDefault && name === kind);
  const found = findSites(document, { only: KINDS.map((kind) => kind.name) }, analysis, isNamed);
  const known = new Map<string, Site | Skip>();
  for (const entry of [...found.sites, ...found.skipped]) {
    known.set(key(entry.scope.path, entry.node.outputs[0]), entry);
  }
  const sites = plan.sites.map(({ scope, output, beta, leak }) => {
    const entry = known.get(key(scope, output));
    if (entry === undefined) {
      throw new OnnxMishError(
        'bad-plan',
        `the plan names an activation '${output}' in ${scope}, and there is none`,
        {
          where,
          ...NEW_PLAN,
        },
      );
    }
    if ('reason' in entry && FINAL.has(entry.reason)) {
      throw new OnnxMishError('bad-plan', `the plan swaps '${output}' in ${scope}, but ${entry.why}`, {
        where,
        fix: 'Take it out of the plan’s sites',
      });
    }
    known.delete(key(scope, output));
    const doubt = 'reason' in entry ? ASKED + entry.why : entry.doubt;
    return { ...entry, doubt, beta, leak: leak || undefined };
  });
  const optional = new Set(KINDS.filter((kind) => !kind.byDefault).map((kind) => kind.name));
  const skipped = [...known.values()]
    .filter((entry) => !optional.has(entry.kind))
    .map(
      (entry): Skip => ('reason' in entry ? entry : { ...entry, reason: 'excluded', why: 'not in the plan' }),
    );
  return { sites, skipped };
}
