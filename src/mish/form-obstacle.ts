import { type OnnxDocument, opsetOf, type Scope } from '../onnx/document.js';
import { roundTo } from '../onnx/scalar.js';
import type { FloatType } from '../onnx/types.js';
import { CAST_LIKE_OPSET, needsConstants, suits } from './emit.js';
import { FORMS, type Form, type Variant } from './forms.js';
import { convertTo } from './opset.js';
import type { Site, Skip } from './sites.js';

type Obstacle = Pick<Skip, 'reason' | 'why' | 'option'>;

/** Explains why a form cannot be written at a site; undefined when it can. */
type FormCheck = (
  form: Form<string>,
  site: Pick<Site, 'type' | 'several' | 'isOpen' | 'scope'>,
  variant: Variant,
) => Obstacle | undefined;

/** Creates the check of a document's sites. Loads the table of operator versions only if a function needs it. */
export async function createFormCheck(document: OnnxDocument): Promise<FormCheck> {
  const opset = opsetOf(document.graph);
  const isSame = document.scopes.every(({ root }) => root.kind !== 'function' || opsetOf(root) === opset);
  const versions = isSame ? undefined : await import('./version-obstacle.js');
  return (form, site, variant) =>
    formObstacle(form, site, variant) ?? versions?.versionObstacle(form, site, variant, document);
}

function formObstacle(
  form: Form<string>,
  { type, several = [], isOpen, scope }: Pick<Site, 'type' | 'several' | 'isOpen' | 'scope'>,
  variant: Variant,
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
  return undefined;
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
