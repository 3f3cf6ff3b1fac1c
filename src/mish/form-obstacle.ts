import { type OnnxDocument, opsetOf, type Scope } from '../onnx/document.js';
import { sinceVersion } from '../onnx/operator-versions.js';
import { roundTo } from '../onnx/scalar.js';
import type { FloatType } from '../onnx/types.js';
import { BROADCASTING_OPSET, CAST_LIKE_OPSET, CLIP_INPUTS_OPSET, needsConstants, suits } from './emit.js';
import { FORMS, type Form, stepsOf, type Variant } from './forms.js';
import { convertTo } from './opset.js';
import type { Site, Skip } from './sites.js';

type Obstacle = Pick<Skip, 'reason' | 'why' | 'option'>;

/** Explains why a form cannot be written at a site; undefined when it can. */
export function formObstacle(
  form: Form<string>,
  { type, several = [], isOpen, scope }: Pick<Site, 'type' | 'several' | 'isOpen' | 'scope'>,
  variant: Variant,
  document: OnnxDocument,
): Obstacle | undefined {
  const types = type === undefined ? several : [type];
  for (const one of types) {
    const obstacle = typeObstacle(form, one, scope, variant);
    if (obstacle !== undefined) return obstacle;
  }
  const sure = type === undefined && isOpen ? [] : types;
  if (!suits(form, variant, sure, opsetOf(scope))) {
    const { softplus } = FORMS;
    const other = form.activation === undefined && form !== softplus && !needsConstants(softplus, variant);
    const option = other ? { form: 'softplus' } : undefined;
    const needs = `and the ${form.name} form needs constants of`;
    if (sure.length > 1) {
      const start = `its element type is ${sure.join(' or ')}, as the function is called, ${needs} one type`;
      const reason = 'type-not-in-form';
      if (suits(form, variant, sure, CAST_LIKE_OPSET))
        return {
          reason,
          why: `${start} before opset ${CAST_LIKE_OPSET}; ${convertTo(CAST_LIKE_OPSET).text}`,
        };
      return { reason, why: `${start}${other ? '; use the softplus form' : ''}`, option };
    }
    const why = `its element type is not known, ${needs} it; run shape inference first${other ? ', or use the softplus form' : ''}`;
    return { reason: 'unknown-type', why, option };
  }
  return versionObstacle(form, types, scope, variant, document);
}

function typeObstacle(
  form: Form<string>,
  type: FloatType,
  scope: Scope,
  { beta, leak }: Variant,
): Obstacle | undefined {
  const reason = 'type-not-in-form';
  if (!isRepresentable(beta, type))
    return { reason, why: `${type} cannot hold the sharpness ${beta} or its reciprocal` };
  if (leak !== undefined && roundTo(leak, type) === 0)
    return { reason, why: `${type} cannot hold the slope ${leak}` };
  const opset = opsetOf(scope);
  if (opset >= form.types[type]) return undefined;
  return {
    reason,
    why: `the ${form.name} form takes ${type} from opset ${form.types[type]} on, and the model has opset ${opset}`,
  };
}

/** Returns whether a sharpness and its reciprocal are finite and above zero in an element type. */
function isRepresentable(beta: number, type: FloatType): boolean {
  return [beta, 1 / beta].every((value) => {
    const rounded = roundTo(value, type);
    return rounded > 0 && Number.isFinite(rounded);
  });
}

/**
 * Explains why a form is invalid in a function. ONNX's checker refuses a node whose operator differs between the opsets of
 * function and model. If the function already has such a node, only ONNX Runtime must accept the form; it uses the model's opset.
 */
function versionObstacle(
  form: Form<string>,
  types: readonly FloatType[],
  scope: Scope,
  variant: Variant,
  document: OnnxDocument,
): Obstacle | undefined {
  const { root } = scope;
  const [inside, outside] = [opsetOf(root), opsetOf(document.graph)];
  if (root.kind !== 'function' || inside === outside) return undefined;
  const imports = `${root.path} imports opset ${inside} and the model ${outside}`;
  const since = [BROADCASTING_OPSET, form.opset, ...types.map((one) => form.types[one])];
  if (form.steps.some(({ op }) => op === 'Clip')) since.push(CLIP_INPUTS_OPSET);
  if (since.some((opset) => inside < opset !== outside < opset))
    return { reason: 'opset-mismatch', why: `${imports}, in which the ${form.name} form is not the same` };
  if (differsAlready(root, outside)) return undefined;
  // The checker skips the nodes of nested graphs, but their constants lie in the function.
  const steps = scope === root ? stepsOf(form, variant.beta !== 1, variant.leak !== undefined) : [];
  const written = steps.map(({ op }) => op);
  if (needsConstants(form, variant)) {
    written.push('Constant');
    if (scope === root && types.length > 1) written.push('CastLike');
  }
  const changed = written.find((op) => sinceVersion(op, inside) !== sinceVersion(op, outside));
  if (changed === undefined) return undefined;
  const why = `${imports}, in which ${changed} is another version; onnx.checker refuses that`;
  return { reason: 'opset-mismatch', why };
}

const known = new WeakMap<Scope, boolean>();

function differsAlready(root: Scope, outside: number): boolean {
  let differs = known.get(root);
  if (differs === undefined) {
    const inside = opsetOf(root);
    differs =
      !root.opsets.has('') ||
      root.nodes.some(
        ({ domain, opType }) =>
          domain === '' && sinceVersion(opType, inside) !== sinceVersion(opType, outside),
      );
    known.set(root, differs);
  }
  return differs;
}
