import { OnnxMishError } from '../base/error.js';
import { REPLACEMENTS, type ReplacementName } from './activation-kinds.js';
import { FORMS, type FormName, MAX_SLOPE, TARGETS, type Target } from './forms.js';
import type { Int8Way } from './int8-ways.js';
import type { SwapReport } from './results.js';

/** A plan of a swap. `planOf` makes it from a report; edit the plan and pass it as the option `plan`. */
export interface Plan {
  readonly schema: 'onnx-mish/plan@1';
  /** The activation to write; absent for Mish. */
  readonly to?: ReplacementName | undefined;
  /** The provider that decides the operators of an activation other than Mish. */
  readonly target?: Target | undefined;
  /** The opset that the swap raises the model to; absent if the model keeps its opset. */
  readonly opset?: number | undefined;
  /** The form of Mish; `native` for other activations. */
  readonly form: FormName;
  /** For an approximate form: the largest difference of a site from Mish. A swap with the plan does not read it. */
  readonly bound?: number | undefined;
  /** How sites between quantised tensors are swapped; absent if their scales stay. */
  readonly int8?: Int8Way | undefined;
  /** Sharpness of the sites without their own. */
  readonly beta: number;
  /**
   * The sites to swap. `scope` and `output` identify a site; `beta` may differ between sites. With `leak` a site becomes
   * LeakyReLU or the mixture with this slope, otherwise Mish itself.
   */
  readonly sites: readonly {
    readonly scope: string;
    readonly output: string;
    readonly beta?: number | undefined;
    readonly leak?: number | undefined;
  }[];
  /**
   * The sites to skip. To swap such a site, move it to `sites`; integer, fused, overridable, unknown-constant and malformed
   * activations cannot move.
   */
  readonly skipped: readonly unknown[];
}

export const NEW_PLAN = { fix: 'Make one of this model', option: { plan: null } };
const SCHEMA = 'onnx-mish/plan@1';

/**
 * Converts a report into a plan. Sites with the report's sharpness follow the plan's `beta`; others keep their sharpness.
 *
 * @example
 * import { planOf, swap } from 'onnx-mish';
 *
 * const { report } = await swap(bytes, { target: 'webgl' });
 * console.log(JSON.stringify(planOf(report)));
 */
export function planOf({
  to,
  target,
  opset,
  form,
  bound,
  int8,
  beta,
  sites,
  skipped,
}: Pick<SwapReport, 'to' | 'target' | 'form' | 'beta' | 'sites' | 'skipped'> & Partial<SwapReport>): Plan {
  const planned = sites.map(({ beta: own, ...site }) => (own === beta ? site : { ...site, beta: own }));
  return {
    schema: SCHEMA,
    ...(to === 'mish' ? {} : { to, target }),
    opset,
    form,
    bound,
    int8: int8?.way,
    beta,
    sites: planned,
    skipped,
  };
}

/**
 * Checks a parsed JSON document, and returns it as a plan. Throws `bad-plan` with the invalid key.
 *
 * @example
 * import { parsePlan, swap } from 'onnx-mish';
 *
 * const plan = parsePlan(JSON.parse('{"schema": "onnx-mish/plan@1", "form": "exp", "sites": []}'));
 * await swap(bytes, { plan });
 */
export function parsePlan(json: unknown, where = 'plan'): Plan {
  const bad = (what: string): never => {
    throw new OnnxMishError('bad-plan', what, { where, ...NEW_PLAN });
  };
  if (typeof json !== 'object' || json === null) return bad('a plan is a JSON object');
  const {
    schema,
    to = 'mish',
    target,
    opset,
    form = to === 'mish' ? undefined : 'native',
    int8,
    beta = 1,
    sites,
    skipped = [],
  } = json as Record<string, unknown>;
  const oneOf = (key: string, given: unknown, all: readonly unknown[]) => {
    if (!all.includes(given)) bad(`${key} has to be one of ${all.join(', ')}`);
  };
  const ofType = (key: string, given: unknown, type: string) => {
    if (typeof given !== type) bad(`${key} has to be a ${type}`);
  };
  if (schema !== SCHEMA) bad(`schema has to be '${SCHEMA}'`);
  oneOf('form', form, Object.keys(FORMS));
  oneOf('to', to, REPLACEMENTS);
  if (target !== undefined) oneOf('target', target, TARGETS);
  if (int8 !== undefined) ofType('int8', int8, 'string');
  if (opset !== undefined) ofType('opset', opset, 'number');
  ofType('beta', beta, 'number');
  if (!Array.isArray(sites)) return bad('sites has to be a list');
  if (!Array.isArray(skipped)) bad('skipped has to be a list');
  sites.forEach((site: unknown, index) => {
    const { scope, output, beta, leak } = (site ?? {}) as Record<string, unknown>;
    const at = `sites[${index}].`;
    ofType(`${at}scope`, scope, 'string');
    ofType(`${at}output`, output, 'string');
    if (beta !== undefined) ofType(`${at}beta`, beta, 'number');
    if (leak !== undefined && !(typeof leak === 'number' && Math.abs(leak) <= MAX_SLOPE))
      bad(`${at}leak has to be a number from -${MAX_SLOPE} to ${MAX_SLOPE}`);
  });
  return {
    schema: SCHEMA,
    ...(to === 'mish' ? {} : { to: to as ReplacementName, target: target as Target }),
    opset: opset as number | undefined,
    form: form as FormName,
    int8: int8 as Int8Way | undefined,
    beta: beta as number,
    sites,
    skipped: skipped as unknown[],
  };
}
