import { type Analysis, analyse } from '../onnx/analysis.js';
import {
  attribute,
  type Node,
  type OnnxDocument,
  rewriteObstacle,
  type Scope,
  type Tensor,
} from '../onnx/document.js';
import type { ElementTypes } from '../onnx/element-types.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { DataType, type FloatType, floatType } from '../onnx/types.js';
import { constantValue, FORMS, type Form, STEEPEST, type Step, stepsOf, type Variant } from './forms.js';

/** Mish found in a model, or a mixture. */
export interface Recognised extends Variant {
  readonly form: Form;
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
  readonly leak: number | undefined;
}

const COMMUTATIVE = new Set(['Add', 'Mul']);
const NOTHING: Match = { names: new Map(), nodes: [], beta: undefined, leak: undefined };

/** Finds Mish in every form, with or without a sharpness, by itself and in mixtures, in every graph and function. */
export function recognise(
  document: OnnxDocument,
  { index, types }: Pick<Analysis, 'index' | 'types'> = analyse(document),
): Recognised[] {
  // The mixtures and the sharpened recipes first: they contain the plain ones.
  const patterns = [true, false].flatMap((mixture) =>
    [true, false].flatMap((sharp) =>
      Object.values(FORMS).map((form) => ({ form, mixture, steps: stepsOf(form, sharp, mixture) })),
    ),
  );
  const found: Recognised[] = [];
  for (const scope of document.scopes) {
    const claimed = new Set<Node>();
    const here: Recognised[] = [];
    // Backwards, so that a pattern's last node is met before the nodes that lead to it.
    for (const node of scope.nodes.toReversed()) {
      if (node.domain !== '' || claimed.has(node)) continue;
      for (const { form, ...pattern } of patterns) {
        const match = matchResult(node, { form, ...pattern, scope, index, types });
        if (match === undefined) continue;
        const x = match.names.get('x') ?? '';
        // A node that others read as well, the Mish inside a sharpened one say, may be a result of its own.
        const own = new Set(match.nodes);
        for (const inner of own) if (isPrivate(inner, own, scope, index)) claimed.add(inner);
        here.push({
          form,
          beta: match.beta ?? 1,
          // A slope of 0 is none.
          ...(match.leak ? { leak: match.leak } : {}),
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
    for (const mish of here.reverse()) found.push(mish);
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

interface Pattern extends Where {
  readonly form: Form;
  readonly mixture: boolean;
  readonly steps: readonly Step[];
}

function matchResult(node: Node, pattern: Pattern): Match | undefined {
  const last = pattern.steps.at(-1);
  return last === undefined ? undefined : matchStep(node, last, pattern, NOTHING);
}

function matchStep(node: Node, step: Step, pattern: Pattern, match: Match): Match | undefined {
  if (node.opType !== step.op || node.domain !== '' || node.outputs.length !== 1) return undefined;
  if (rewriteObstacle(node) !== undefined) return undefined;
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
    const variant = matchConstant(tensor.scalar, floatType(tensor.elemType), label, pattern, match);
    return variant && { ...match, names, ...variant };
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

/** β, α and what is made from them are each rounded to the element type. */
const TOLERANCE: Readonly<Record<FloatType, number>> = { f64: 1e-15, f32: 1e-6, f16: 2e-3, bf16: 1e-2 };

type Known = Pick<Match, 'beta' | 'leak'>;

/** The sharpness and slope known after seeing this constant; undefined when it is not the one the recipe has here. */
function matchConstant(
  value: number | undefined,
  type: FloatType | undefined,
  label: string,
  { form, mixture }: Pattern,
  { beta, leak }: Known,
): Known | undefined {
  const constant = form.constants[label];
  if (value === undefined || type === undefined || constant === undefined) return undefined;
  const near = (one: number, other: number) => Math.abs(one - other) <= TOLERANCE[type];
  switch (constant) {
    case 'beta':
      return value > 0 && Number.isFinite(value) ? { beta: value, leak } : undefined;
    // What is made from α comes before it in the recipes, and is the less exact of the two.
    case '1-alpha':
      return { beta, leak: 1 - value };
    case '(1-alpha)/beta': {
      const share = value * (beta ?? 1);
      if (mixture) return { beta, leak: 1 - share };
      return near(share, 1) ? { beta, leak } : undefined;
    }
    case 'alpha':
    case '2alpha': {
      const slope = constant === 'alpha' ? value : value / 2;
      const fits = Math.abs(slope) <= STEEPEST && (leak === undefined || near(slope, leak));
      return fits ? { beta, leak: slope } : undefined;
    }
    default:
      return value === constantValue(constant, type, 1) ? { beta, leak } : undefined;
  }
}

/** The tensor of an initializer or Constant node, seen from a scope. */
function constantTensor({ scope, index }: Where, name: string): Tensor | undefined {
  const home = index.home(scope, name);
  if (home === undefined) return undefined;
  // Until IR 4 every initializer is also an input, which may override it; those we write are Constant nodes.
  if (!index.isInput(home, name)) {
    const tensor = home.initializers.get(name);
    if (tensor !== undefined) return tensor;
  }
  const node = index.producer(home, name);
  if (node?.opType !== 'Constant' || node.domain !== '' || rewriteObstacle(node)) return undefined;
  const float = attribute(node, 'value_float');
  if (float !== undefined && float.ref === undefined)
    return { name, dims: [], elemType: DataType.FLOAT, scalar: float.f };
  return attribute(node, 'value')?.tensor;
}

/** The rank of a value where the model declares it; 0, which every value has at least, where it does not. */
function rankOf({ scope, index }: Where, name = ''): number {
  const home = index.home(scope, name);
  if (home === undefined) return 0;
  const value = home.values.get(name) ?? index.declared(home, name);
  return value?.dims?.length ?? home.initializers.get(name)?.dims.length ?? 0;
}
