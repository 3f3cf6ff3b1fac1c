import { type Analysis, analyse } from '../onnx/analysis.js';
import { attribute, type Node, type OnnxDocument, type Scope, type Tensor } from '../onnx/document.js';
import type { ElementTypes } from '../onnx/element-types.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { DataType, type FloatType, floatType } from '../onnx/types.js';
import { constantValue, FORMS, type Form, type Step, stepsOf } from './forms.js';

/** Mish found in a model. */
export interface Recognised {
  readonly form: Form;
  readonly beta: number;
  readonly scope: Scope;
  /** The node that makes the result. */
  readonly node: Node;
  /** Name of the value that Mish is applied to. */
  readonly x: string;
  readonly type: FloatType | undefined;
  /** The other nodes of the pattern, in no particular order. */
  readonly inner: readonly Node[];
  /** Names of the constants it reads. */
  readonly constants: readonly string[];
}

interface Match {
  /** What the recipe's names stand for in the graph. */
  readonly names: ReadonlyMap<string, string>;
  readonly nodes: readonly Node[];
  readonly beta: number | undefined;
}

const COMMUTATIVE = new Set(['Add', 'Mul']);
const NOTHING: Match = { names: new Map(), nodes: [], beta: undefined };

/** Finds Mish in every form, with or without a sharpness, in every graph and function. */
export function recognise(
  document: OnnxDocument,
  { index, types }: Pick<Analysis, 'index' | 'types'> = analyse(document),
): Recognised[] {
  // The sharpened recipes first: they contain the plain ones.
  const patterns = [true, false].flatMap((scaled) =>
    Object.values(FORMS).map((form) => ({ form, steps: stepsOf(form, scaled), scaled })),
  );
  const found: Recognised[] = [];
  for (const scope of document.scopes) {
    const claimed = new Set<Node>();
    const here: Recognised[] = [];
    // Backwards, so that a pattern's last node is met before the nodes that lead to it.
    for (const node of scope.nodes.toReversed()) {
      if (node.domain !== '' || claimed.has(node)) continue;
      for (const { form, steps } of patterns) {
        const match = matchResult(node, form, steps, { scope, index, types });
        if (match === undefined) continue;
        const x = match.names.get('x') ?? '';
        // A node that others read as well, the Mish inside a sharpened one say, may be a result of its own.
        const own = new Set(match.nodes);
        for (const inner of own) if (isPrivate(inner, own, scope, index)) claimed.add(inner);
        here.push({
          form,
          beta: match.beta ?? 1,
          scope,
          node,
          x,
          type: floatType(types(scope, x) ?? types(scope, node.outputs[0] ?? '')),
          inner: match.nodes.filter((inner) => inner !== node),
          constants: Object.keys(form.constants).flatMap((label) => match.names.get(label) ?? []),
        });
        break;
      }
    }
    found.push(...here.reverse());
  }
  return found;
}

/** Whether only nodes of the pattern read what a node makes. */
function isPrivate(node: Node, pattern: ReadonlySet<Node>, scope: Scope, index: GraphIndex): boolean {
  return node.outputs.every((name) =>
    index.uses(scope, name).every((use) => use.kind === 'input' && pattern.has(use.node)),
  );
}

interface Where {
  readonly scope: Scope;
  readonly index: GraphIndex;
  readonly types: ElementTypes;
}

function matchResult(node: Node, form: Form, steps: readonly Step[], where: Where): Match | undefined {
  const last = steps.at(-1);
  if (last === undefined || node.opType !== last.op) return undefined;
  return matchStep(node, last, { form, steps, ...where }, NOTHING);
}

interface Pattern extends Where {
  readonly form: Form;
  readonly steps: readonly Step[];
}

function matchStep(node: Node, step: Step, pattern: Pattern, match: Match): Match | undefined {
  if (node.opType !== step.op || node.domain !== '' || node.outputs.length !== 1) return undefined;
  if (node.lossyNames) return undefined; // names that cannot be written again
  const start = { ...match, nodes: [...match.nodes, node] };
  if (step.op === 'Clip' && node.inputs.length === 1) return matchClipAttributes(node, step, pattern, start);
  if (node.inputs.length !== step.inputs.length) return undefined;
  const [first, second] = node.inputs;
  if (COMMUTATIVE.has(step.op) && first !== undefined && second !== undefined) {
    return (
      matchInputs([first, second], step, pattern, start) ?? matchInputs([second, first], step, pattern, start)
    );
  }
  return matchInputs(node.inputs, step, pattern, start);
}

function matchInputs(
  inputs: readonly string[],
  step: Step,
  pattern: Pattern,
  start: Match,
): Match | undefined {
  let match: Match | undefined = start;
  for (const [slot, label] of step.inputs.entries()) {
    if (match === undefined) return undefined;
    match = matchOperand(inputs[slot] ?? '', label, pattern, match);
  }
  return match;
}

function matchOperand(name: string, label: string, pattern: Pattern, match: Match): Match | undefined {
  if (name === '') return undefined;
  const bound = match.names.get(label);
  if (bound !== undefined) return bound === name ? match : undefined;
  const names = new Map(match.names).set(label, name);
  if (label === 'x') return { ...match, names };
  if (label in pattern.form.constants) {
    const tensor = constantTensor(pattern, name);
    // Behind a constant of more dimensions than x the result would have them too.
    if (tensor === undefined || tensor.dims.length > rankOf(pattern, match.names.get('x'))) return undefined;
    const beta = matchConstant(tensor.scalar, floatType(tensor.elemType), label, pattern.form, match.beta);
    return beta === 'no' ? undefined : { ...match, names, beta };
  }
  const step = pattern.steps.find(({ output }) => output === label);
  const node = pattern.index.producer(pattern.scope, name);
  if (step === undefined || node === undefined) return undefined;
  return matchStep(node, step, pattern, { ...match, names });
}

/** Up to opset 10 Clip carries its bounds as attributes. */
function matchClipAttributes(node: Node, step: Step, pattern: Pattern, match: Match): Match | undefined {
  const max = attribute(node, 'max')?.f;
  const min = attribute(node, 'min')?.f ?? Number.NEGATIVE_INFINITY;
  const [x, label] = [node.inputs[0] ?? '', step.inputs[0] ?? ''];
  const type = floatType(pattern.types(pattern.scope, x));
  const { cap } = pattern.form.constants;
  if (type === undefined || cap === undefined || max !== constantValue(cap, type, 1) || min > -65504)
    return undefined;
  return matchOperand(x, label, pattern, match);
}

/** The sharpness known after seeing this constant, or 'no' when it is not the one the recipe has here. */
function matchConstant(
  value: number | undefined,
  type: FloatType | undefined,
  label: string,
  form: Form,
  beta: number | undefined,
): number | undefined | 'no' {
  const constant = form.constants[label];
  if (value === undefined || type === undefined || constant === undefined) return 'no';
  if (constant !== 'beta' && constant !== '1/beta') {
    return value === constantValue(constant, type, 1) ? beta : 'no';
  }
  const sharpness = constant === 'beta' ? value : 1 / value;
  if (!(sharpness > 0 && Number.isFinite(sharpness))) return 'no';
  if (beta === undefined) return sharpness;
  // β and 1/β are each rounded to the element type.
  const tolerance = { f64: 1e-15, f32: 1e-6, f16: 2e-3, bf16: 1e-2 }[type];
  if (Math.abs(sharpness / beta - 1) > tolerance) return 'no';
  return constant === 'beta' ? sharpness : beta; // β itself is the more exact of the two
}

/** The tensor of an initializer or Constant node, seen from a scope. */
function constantTensor({ scope, index }: Where, name: string): Tensor | undefined {
  const home = index.home(scope, name);
  if (home === undefined) return undefined;
  // Until IR 4 every initializer is also an input, which may override it; those we write are Constant nodes.
  if (!home.inputs.some((input) => input.name === name)) {
    const tensor = home.initializers.get(name);
    if (tensor !== undefined) return tensor;
  }
  const node = index.producer(home, name);
  if (node?.opType !== 'Constant' || node.domain !== '') return undefined;
  const float = attribute(node, 'value_float');
  if (float !== undefined && float.ref === undefined)
    return { name, dims: [], elemType: DataType.FLOAT, scalar: float.f };
  return attribute(node, 'value')?.tensor;
}

/** The rank of a value where the model declares it; 0, which every value has at least, where it does not. */
function rankOf({ scope, index }: Where, name = ''): number {
  const home = index.home(scope, name);
  if (home === undefined) return 0;
  const value =
    home.values.get(name) ?? [...home.inputs, ...home.outputs].find((value) => value.name === name);
  return value?.dims?.length ?? home.initializers.get(name)?.dims.length ?? 0;
}
