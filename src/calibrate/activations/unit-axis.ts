import { isElementwise } from '../../mish/elementwise.js';
import { isDequantizer, isQuantizer } from '../../mish/quantization.js';
import { attribute, type Node, type Scope } from '../../onnx/document.js';
import type { GraphIndex } from '../../onnx/graph-index.js';

/** Axis of a tensor's units: 0 or more from the first axis, or -1 and less from the last one. */
export type UnitAxis = number;

/** Operators whose outputs have channels on axis 1. */
const CHANNELS: readonly string[] = [
  ...['Conv', 'ConvTranspose', 'BatchNormalization', 'InstanceNormalization', 'GroupNormalization'],
  ...['MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool'],
];
/** Operators whose outputs have features on the last axis. */
const FEATURES: readonly string[] = ['LayerNormalization', 'RMSNormalization'];
/** Further operators that keep the order of axes. */
const ORDER_KEEPING: readonly string[] = ['Concat', 'Dropout', 'Mean', 'Pad', 'Resize', 'Slice', 'Upsample'];

/**
 * Returns the axis of a tensor's units (channels or features) from the operator that produced it: axis 1 after a
 * convolution, the last axis after MatMul and Gemm, or the last but one where the weight is on the left. The search passes
 * through Transpose and operators that keep the order of axes. Axis 1 if no such operator precedes the tensor.
 */
export function unitAxis(index: GraphIndex, scope: Scope, name: string): UnitAxis {
  const seen = new Set<string>();
  const isStored = (name: string) => isStoredValue(index, scope, name);
  // Not recursive: elementwise operators may be thousands in a row. The first of `orders` is the order of the last Transpose.
  const open: { name: string; orders: readonly Order[] }[] = [{ name, orders: [] }];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    const { name, orders } = value;
    const node = index.producer(scope, name);
    if (node === undefined || seen.has(name)) continue;
    seen.add(name);
    const axis = transposed(axisOf(node, isStored), orders);
    if (axis !== undefined) return axis;
    if (node.domain === '' && node.opType === 'Transpose')
      open.push({ name: node.inputs[0] ?? '', orders: [...orders, attribute(node, 'perm')?.ints] });
    if (keepsOrder(node)) for (const input of node.inputs.toReversed()) open.push({ name: input, orders });
  }
  return 1;
}

/** Returns whether a node's output has the axes of its inputs in their order. */
const keepsOrder = (node: Node): boolean =>
  isElementwise(node) ||
  (node.domain === '' && ORDER_KEEPING.includes(node.opType)) ||
  isQuantizer(node) ||
  isDequantizer(node);

/** Returns the axis of the units that a layer computes; undefined for other operators. */
function axisOf(node: Node, isStored: (name: string) => boolean): UnitAxis | undefined {
  if (node.domain !== '') return undefined;
  if (CHANNELS.includes(node.opType)) return 1;
  if (FEATURES.includes(node.opType)) return -1;
  if (node.opType === 'Einsum') return axisOfEinsum(node, isStored);
  if (node.opType !== 'MatMul' && node.opType !== 'Gemm') return undefined;
  const [left = '', right = ''] = node.inputs;
  return !isStored(right) && isStored(left) ? -2 : -1;
}

/** Order of the axes after a Transpose; undefined if it reverses them. */
type Order = readonly number[] | undefined;

/** Returns where an axis is after transpositions, the last of which comes first; undefined if it is none of theirs. */
function transposed(axis: UnitAxis | undefined, orders: readonly Order[]): UnitAxis | undefined {
  return orders.reduceRight<UnitAxis | undefined>((at, order) => {
    if (at === undefined) return undefined;
    if (order === undefined) return -1 - at; // what was first is last
    const to = order.indexOf(at < 0 ? order.length + at : at);
    return to === -1 ? undefined : to;
  }, axis);
}

/**
 * Returns whether a value is an initializer, or is computed from initializers and constants alone. Not recursive: a net may have
 * thousands of layers before the value.
 */
function isStoredValue(index: GraphIndex, scope: Scope, name: string): boolean {
  const reached = new Set([name]);
  for (const value of reached) {
    const node = index.producer(scope, value);
    if (node === undefined && index.home(scope, value)?.initializers.has(value) !== true) return false;
    for (const input of node?.inputs ?? []) reached.add(input);
  }
  return true;
}

/** Returns the last axis of an Einsum's output that a stored operand has and no computed one; undefined if there is none. */
function axisOfEinsum(node: Node, isStored: (name: string) => boolean): UnitAxis | undefined {
  const [left = '', out = ''] = (attribute(node, 'equation')?.s ?? '').replaceAll(' ', '').split('->');
  const computed = left.split(',').filter((_, at) => !isStored(node.inputs[at] ?? ''));
  const letter = [...out].findLast(
    (letter) => letter !== '.' && computed.every((term) => !term.includes(letter)),
  );
  if (letter === undefined) return undefined;
  const at = out.indexOf(letter);
  return out.slice(0, at).includes('.') ? at - out.length : at;
}

/** Returns the axis, 0 or more, in a tensor of this rank: the last one, if there are not so many; undefined for a scalar. */
export function axisIn(axis: UnitAxis, rank: number): number | undefined {
  if (rank === 0) return undefined;
  if (axis < 0) return Math.max(0, rank + axis);
  return Math.min(axis, rank - 1);
}
