import { onnx } from '../../proto/onnx.js';
import { attribute, type Node, type OnnxDocument, type Scope, type StoredTensor } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { createReader } from '../onnx/reader.js';
import { createConstantReader } from './constant-reader.js';
import { hasRule, hull, type Interval, intervalOf } from './intervals.js';
import { ARITHMETIC, RELABELS } from './operands.js';
import { movesValues, wordSet } from './use-moves.js';
import { enter } from './value-flow.js';

// The ranges of constants: of their elements where the model file holds them, and of what other constants compute.

/** Maximum number of elements to read from a tensor. Larger tensors are weights of layers. */
const MAX_ELEMENTS_EACH = 2 ** 18;
/** Maximum number of nodes examined before a constant. */
const MAX_DEPTH = 6;
/** Operators with a range whose constants are the weights of layers. */
const LAYERS: readonly string[] = ['MatMul', 'Einsum'];

/** The ranges that were read, by the tensor, or by the Constant node with a list of numbers. */
export type ReadRanges = ReadonlyMap<StoredTensor | Node, Interval>;

/** Returns the range of a constant, as a scope sees it; undefined for other values, and for data that was not read. */
export type ConstantRanges = (scope: Scope, name: string) => Interval | undefined;

/** Reads the ranges of float constants of several elements, except those that nodes take as weights or ignore. */
export async function readRanges(document: OnnxDocument): Promise<ReadRanges> {
  const ranges = new Map<StoredTensor | Node, Interval>();
  const valuesOf = createConstantReader(document, MAX_ELEMENTS_EACH);
  const read = async (tensor: StoredTensor) => {
    const values = ranges.has(tensor) ? undefined : await valuesOf(tensor);
    if (values !== undefined) set(ranges, tensor, values);
  };
  for (const scope of document.scopes)
    for (const node of scope.nodes) {
      if (node.opType === 'Constant' && node.domain === '') {
        const tensor = attribute(node, 'value')?.tensor;
        if (tensor !== undefined) await read(tensor);
        else if (attribute(node, 'value_floats')) set(ranges, node, await listOf(document, node));
        continue;
      }
      for (const [slot, name] of node.inputs.entries()) {
        if (!takesRange(scope, node, slot)) continue;
        for (let home: Scope | undefined = scope; home !== undefined; home = home.parent) {
          const tensor = home.initializers.get(name);
          if (tensor !== undefined) await read(tensor);
        }
      }
    }
  return ranges;
}

/** Returns whether the range of an input may tell something about the node's results. */
function takesRange(scope: Scope, node: Node, slot: number): boolean {
  if (node.domain !== '') return true; // perhaps a call of a function
  return (
    (hasRule(node) && !LAYERS.includes(node.opType)) ||
    movesValues({ kind: 'input', node, slot, scope }) ||
    enter(node, slot).length > 0
  );
}

function set(
  ranges: Map<StoredTensor | Node, Interval>,
  place: StoredTensor | Node,
  values: Iterable<number>,
): void {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (low <= high) ranges.set(place, { low, high });
}

/** Reads the list of numbers of a Constant node. A scan leaves long ones in the file. */
async function listOf({ source }: OnnxDocument, { span }: Node): Promise<readonly number[]> {
  const { body, end } = await createReader(source).field(span.start, span.end);
  const { attribute } = onnx.NodeProto.decode(await source.read(body, end - body));
  return attribute.find(({ name }) => name === 'value_floats')?.floats ?? [];
}

/** Operators that make constants, or join them. */
const MAKES = wordSet('Constant ConstantOfShape Concat');

/** Returns whether the operator of a node may compute a constant. */
export const mayBeConstant = ({ domain, opType }: Node): boolean =>
  domain === '' && (MAKES.has(opType) || RELABELS.has(opType) || Object.hasOwn(ARITHMETIC, opType));

const point = (value: number | undefined) => (value === undefined ? undefined : { low: value, high: value });

/** Creates the query for the ranges of constants, from those that were read. */
export function createConstantRanges(index: GraphIndex, read: ReadRanges): ConstantRanges {
  const known = new Map<number, Interval>();

  function rangeOf(scope: Scope, name: string, depth = 0): Interval | undefined {
    const home = name === '' || depth > MAX_DEPTH ? undefined : index.home(scope, name);
    const number = home && index.number(home, name);
    if (home === undefined || number === undefined) return undefined;
    const range = known.get(number) ?? computed(home, name, depth);
    if (range !== undefined) known.set(number, range);
    return range;
  }

  function computed(home: Scope, name: string, depth: number): Interval | undefined {
    // In IR 3 every initializer is also an input.
    const tensor = home.initializers.get(name);
    if (tensor !== undefined) return ofTensor(tensor);
    const node = index.producer(home, name);
    if (node === undefined || !mayBeConstant(node)) return undefined;
    const { opType, inputs } = node;
    if (opType === 'Constant') return ofConstant(node);
    if (opType === 'ConstantOfShape') return ofTensor(attribute(node, 'value')?.tensor, 0);
    if (RELABELS.has(opType)) return rangeOf(home, inputs[0] ?? '', depth + 1);
    const operands: Interval[] = [];
    for (const input of inputs) {
      const operand = rangeOf(home, input, depth + 1);
      if (operand === undefined) return undefined;
      operands.push(operand);
    }
    if (opType === 'Concat') return hull(operands);
    return Object.hasOwn(ARITHMETIC, opType) ? intervalOf(node, operands) : undefined;
  }

  const ofTensor = (tensor: StoredTensor | undefined, otherwise?: number) =>
    tensor === undefined ? point(otherwise) : (point(tensor.scalar) ?? read.get(tensor));

  function ofConstant(node: Node): Interval | undefined {
    const [given] = node.attributes;
    if (given === undefined || given.ref !== undefined) return undefined;
    if (given.tensor !== undefined) return ofTensor(given.tensor);
    if (given.name === 'value_float') return point(given.f);
    return given.name === 'value_int' ? point(given.i) : read.get(node);
  }

  return rangeOf;
}
