import { type OnnxDocument, opsetOf, type Scope } from '../onnx/document.js';
import { sinceVersion } from '../onnx/operator-versions.js';
import { BROADCASTING_OPSET, CLIP_INPUTS_OPSET, needsConstants } from './emit.js';
import { type Form, stepsOf, type Variant } from './forms.js';
import type { Site, Skip } from './site.js';

/**
 * Explains why a form is invalid in a function. ONNX's checker refuses a node whose operator differs between the opsets of
 * function and model. If the function already has such a node, only ONNX Runtime must accept the form; it uses the model's opset.
 */
export function versionObstacle(
  form: Form<string>,
  { type, several = [], scope }: Pick<Site, 'type' | 'several' | 'scope'>,
  variant: Variant,
  document: OnnxDocument,
): Pick<Skip, 'reason' | 'why'> | undefined {
  const types = type === undefined ? several : [type];
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
