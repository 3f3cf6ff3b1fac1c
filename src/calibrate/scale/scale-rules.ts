import { isHomogeneous, readsShape, slotsAfter } from '../../mish/homogeneous.js';
import { attribute, type Node, nodeLabel, type Scope } from '../../onnx/document.js';
import type { GraphIndex } from '../../onnx/graph-index.js';
import { floatType } from '../../onnx/types.js';
import type { Weight } from '../../onnx/weights.js';
import type { PinnedSets, TensorNumber } from './pinned-sets.js';

/** An input of a node: a stored weight, or the number of a computed tensor. */
export type Operand =
  | { readonly weight: Weight; readonly number?: undefined }
  | { readonly weight?: undefined; readonly number: TensorNumber };

/** The sets that the rules of the operators unite and pin. */
export interface Visitor extends PinnedSets {
  readonly index: GraphIndex;
  readonly graph: Scope;
  operand(name: string): Operand;
  /** Returns the number of a tensor of the main graph. */
  tensor(name: string): TensorNumber;
  /** Records that a reader needs a weight times the scale of `up`, divided by the scale of `down`. */
  take(weight: Weight, up: TensorNumber, down: TensorNumber, why: string): void;
}

/** Operators whose inputs and output have one scale. */
const JOINT: ReadonlySet<string> = new Set(['Add', 'Sub', 'Max', 'Min', 'Sum', 'Mean', 'Concat']);
/** Operators whose output has the product of the scales of their first two inputs, and the scale of their third. */
const PRODUCTS: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'Mul']);
/** Operators that are positively homogeneous in their first input and that `isHomogeneous` does not know. */
const HOMOGENEOUS: ReadonlySet<string> = new Set([
  ...['Gather', 'GatherElements', 'GatherND', 'ReverseSequence', 'Neg', 'Abs', 'CumSum', 'Trilu'],
  ...['ReduceL1', 'ReduceL2', 'LpPool', 'GlobalLpPool'],
]);
/** Operators that multiply their first input by their second, whatever follows inside. */
const RECURRENT: ReadonlySet<string> = new Set(['RNN', 'GRU', 'LSTM']);
/** Operators whose output has the scale of the factor and of the offset that they read after their input. */
export const SCALED_NORMS: ReadonlySet<string> = new Set([
  'InstanceNormalization',
  'LayerNormalization',
  'GroupNormalization',
  'RMSNormalization',
]);

/**
 * Applies the rule of a node's operator. Returns the work that has to wait for the rules of all other nodes: a product
 * of two computed tensors preserves the scale of one if the other has the scale 1.
 */
export function visitNode(visitor: Visitor, node: Node): (() => void)[] {
  const { graph, index, tensor, operand, unite, pin, take } = visitor;
  const { opType, domain, inputs, outputs } = node;
  const why = nodeLabel(node);
  const y = tensor(outputs[0] ?? '');
  const join = (name: string | undefined) => {
    if (name === undefined || name === '') return;
    const { weight, number } = operand(name);
    if (weight === undefined) unite(number, y, why);
    else take(weight, y, undefined, why);
  };
  const pinAll = (names: readonly string[]) => {
    for (const name of names) {
      if (name === '') continue;
      const { weight, number } = operand(name);
      if (weight === undefined) pin(number, why);
      else take(weight, undefined, undefined, why);
    }
  };
  const pinNode = () => pinAll([...inputs, ...outputs]);

  if (opType === 'Constant' && operand(outputs[0] ?? '').weight !== undefined) return [];
  if (readsShape(node)) pinAll(outputs);
  else if (domain !== '') pinNode();
  else if (isHomogeneous(node, graph, index) || HOMOGENEOUS.has(opType) || isFloatCast(node)) {
    if (operand(inputs[0] ?? '').weight !== undefined) pinNode();
    else {
      join(inputs[0]);
      pinAll(inputs.slice(1));
    }
  } else if (JOINT.has(opType) && outputs.length === 1) for (const name of inputs) join(name);
  else if (opType === 'Split') {
    for (const name of outputs) if (name !== '') unite(y, tensor(name), why);
    join(inputs[0]);
    pinAll(inputs.slice(1));
  } else if (opType === 'BatchNormalization' && slotsAfter(node, 0, graph) !== undefined)
    visitNorm(visitor, node, y, pinNode);
  else if (SCALED_NORMS.has(opType)) {
    for (const name of inputs.slice(1)) join(name);
    pinAll([inputs[0] ?? '', ...outputs.slice(1)]);
  } else if (RECURRENT.has(opType)) {
    const [x, weight] = inputs.slice(0, 2).map(operand);
    if (x?.number === undefined || weight?.weight === undefined) pinNode();
    else {
      take(weight.weight, undefined, x.number, why);
      pinAll([...inputs.slice(2), ...outputs]);
    }
  } else if (PRODUCTS.has(opType) || (opType === 'Einsum' && inputs.length === 2)) {
    join(inputs[2]);
    return visitProduct(visitor, node, y, pinNode);
  } else if (opType === 'Div') return visitQuotient(visitor, node, y, pinNode);
  else pinNode();
  return [];
}

/** Returns whether a node casts to floats. Keras also writes casts to the type that a tensor has. */
function isFloatCast(node: Node): boolean {
  return node.opType === 'Cast' && floatType(attribute(node, 'to')?.i) !== undefined;
}

/** Scales the mean with the input, the offset with the output, and the factor with the ratio. */
function visitNorm({ operand, take }: Visitor, node: Node, y: TensorNumber, pinNode: () => void): void {
  const [x, scale, offset, mean, variance] = node.inputs.map(operand);
  const why = nodeLabel(node);
  const from = x?.number;
  if (from === undefined || !scale?.weight || !offset?.weight || !mean?.weight || !variance?.weight) {
    pinNode();
    return;
  }
  take(scale.weight, y, from, why);
  take(offset.weight, y, undefined, why);
  take(mean.weight, from, undefined, why);
  take(variance.weight, undefined, undefined, why);
}

function visitProduct(visitor: Visitor, node: Node, y: TensorNumber, pinNode: () => void): (() => void)[] {
  const [a, b] = [0, 1].map((slot) => visitor.operand(node.inputs[slot] ?? ''));
  const why = nodeLabel(node);
  if (a === undefined || b === undefined || (a.weight !== undefined && b.weight !== undefined)) pinNode();
  else if (b.weight !== undefined) visitor.take(b.weight, y, a.number, why);
  else if (a.weight !== undefined) visitor.take(a.weight, y, b.number, why);
  else
    return [
      () => {
        if (visitor.reason(a.number) !== undefined) visitor.unite(b.number, y, why);
        else if (visitor.reason(b.number) !== undefined) visitor.unite(a.number, y, why);
        else pinNode();
      },
    ];
  return [];
}

function visitQuotient(visitor: Visitor, node: Node, y: TensorNumber, pinNode: () => void): (() => void)[] {
  const [a, b] = [0, 1].map((slot) => visitor.operand(node.inputs[slot] ?? ''));
  const why = nodeLabel(node);
  if (a?.number === undefined || b === undefined) pinNode();
  else if (b.weight !== undefined) {
    visitor.take(b.weight, undefined, undefined, why);
    visitor.unite(a.number, y, why);
  } else
    return [
      () => {
        if (visitor.reason(b.number) === undefined) pinNode();
        else visitor.unite(a.number, y, why);
      },
    ];
  return [];
}
