// Reverse-mode differentiation of a graph, node by node.
import type { ComposedNode } from '../../onnx/compose.js';
import { attribute, type Node } from '../../onnx/document.js';
import { floatType } from '../../onnx/types.js';
import { GRADIENTS } from './gradients.js';
import { type Gradient, NO_GRADIENT } from './rule.js';
import type { Tape } from './tape.js';

/** Operators with a gradient of zero, such as rounding: small changes of the inputs change no output. Some read only a shape. */
const CONSTANT_IN_PLACES = new Set([
  ...['Shape', 'Size', 'ArgMax', 'ArgMin', 'Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'],
  ...['Round', 'Floor', 'Ceil', 'Sign', 'IsNaN', 'IsInf', 'NonZero'],
  ...['EyeLike', 'RandomNormalLike', 'RandomUniformLike'],
]);

/** Returns whether a node's gradient is zero: that of the operators above, and of a Cast to integers or flags. */
const isConstantInPlaces = (node: Node): boolean =>
  node.domain === '' &&
  (CONSTANT_IN_PLACES.has(node.opType) ||
    (node.opType === 'Cast' && floatType(attribute(node, 'to')?.i) === undefined));

/** Returns the gradient rule of a node; undefined if it has none. */
const ruleOf = (node: Node): Gradient | undefined =>
  node.domain === '' && Object.hasOwn(GRADIENTS, node.opType) && !isConstantInPlaces(node)
    ? GRADIENTS[node.opType]
    : undefined;

/** Operators whose rule takes the gradients of all outputs; others have one for the first output. */
const WITH_ALL_OUTPUTS = new Set(['Split', 'RNN', 'GRU', 'LSTM']);

/** Operators whose further outputs depend on the weights, too, but have no gradient. */
const WITH_FURTHER_OUTPUTS = new Set(['LayerNormalization', 'Attention']);

/** Names the tensors that depend on the weights through nodes with a gradient. `isFloat` tells floats from integers and flags. */
export function movingTensors(
  nodes: readonly Node[],
  weights: readonly string[],
  isFloat: (name: string) => boolean,
  rules: ReadonlyMap<Node, Gradient> = new Map(),
): ReadonlySet<string> {
  const moving = new Set(weights);
  for (const node of nodes) {
    const { opType, inputs, outputs } = node;
    if ((rules.get(node) ?? ruleOf(node)) === undefined || !inputs.some((name) => moving.has(name))) continue;
    const reached = WITH_ALL_OUTPUTS.has(opType) ? outputs : outputs.slice(0, 1);
    for (const name of reached) if (name !== '' && isFloat(name)) moving.add(name);
  }
  return moving;
}

/**
 * Finds the nodes where gradients end: they read a tensor that depends on the weights, and have no gradient rule, or none for an
 * output that another node reads. `inside` has the names that nested graphs read.
 */
export function nodesWithoutGradient(
  nodes: readonly Node[],
  moving: ReadonlySet<string>,
  inside: ReadonlyMap<Node, readonly string[]> = new Map(),
): Node[] {
  const isMoving = (name: string) => moving.has(name);
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  const lacksRule = (node: Node) =>
    ruleOf(node) === undefined
      ? !isConstantInPlaces(node)
      : WITH_FURTHER_OUTPUTS.has(node.opType) &&
        node.outputs.slice(1).some((name) => name !== '' && read.has(name));
  return nodes.filter(
    (node) => lacksRule(node) && (node.inputs.some(isMoving) || inside.get(node)?.some(isMoving)),
  );
}

/**
 * Adds the gradient of every moving tensor to a tape, starting from the gradients of the tensors that the loss reads. Returns the
 * gradients' names. `rules` take precedence over the operators' rules. `onEnd` receives the nodes whose rule gives no gradient of a
 * moving input for these attributes or shapes.
 */
export function differentiate(
  tape: Tape,
  nodes: readonly Node[],
  moving: ReadonlySet<string>,
  gradients: readonly (readonly [name: string, gradient: string])[],
  rules: ReadonlyMap<Node, Gradient> = new Map(),
  onEnd: (node: Node) => void = () => {},
): ReadonlyMap<string, string> {
  const parts = new Map<string, string[]>();
  const add = (name: string, gradient: string | undefined) => {
    if (gradient === undefined || !moving.has(name)) return;
    const others = parts.get(name);
    if (others === undefined) parts.set(name, [gradient]);
    else others.push(gradient);
  };
  const found = new Map<string, string>();
  const totalOf = (name: string): string | undefined => {
    const terms = parts.get(name);
    if (terms === undefined) return undefined;
    const total = found.get(name) ?? tape.total(terms);
    found.set(name, total);
    return total;
  };
  for (const [name, gradient] of gradients) add(name, gradient);
  for (const node of nodes.toReversed()) {
    const rule = rules.get(node) ?? ruleOf(node);
    if (rule === undefined) continue;
    const outputs = node.outputs.map((name) => (moving.has(name) ? totalOf(name) : undefined));
    const first = outputs.find((gradient) => gradient !== undefined);
    if (first === undefined) continue;
    const inputs = rule(tape, node, first, outputs);
    if (node.inputs.some((name, slot) => moving.has(name) && inputs[slot] === undefined)) onEnd(node);
    for (const [slot, name] of node.inputs.entries())
      if (inputs[slot] !== NO_GRADIENT) add(name, inputs[slot]);
  }
  for (const name of parts.keys()) totalOf(name);
  return found;
}

/** Returns the nodes that the outputs depend on. */
export function alive(nodes: readonly ComposedNode[], outputs: readonly string[]): ComposedNode[] {
  const needed = new Set(outputs);
  const kept: ComposedNode[] = [];
  for (const node of nodes.toReversed()) {
    const [, inputs, made] = node;
    if (!made.some((name) => needed.has(name))) continue;
    for (const name of inputs) needed.add(name);
    kept.push(node);
  }
  return kept.reverse();
}
