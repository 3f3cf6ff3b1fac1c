import type { ComposedNode } from '../onnx/compose.js';
import { elementCount } from '../providers/tensor.js';

type Shape = readonly number[];

const UNARY = new Set(
  'Abs Cast Erf Exp HardSigmoid Identity Log Neg Not Reciprocal Relu Sigmoid Sign Softplus Sqrt Tanh'.split(
    ' ',
  ),
);
const BINARY = new Set('Add And Div Equal Greater Less Max Min Mul Or Pow Sub'.split(' '));

/**
 * Gives scalars the rank of the other operand, such as [1, 1, 1, 1], where that operand ends with an axis of length 1. ONNX Runtime
 * 1.30 otherwise computes the operation element by element: a Mul of [576, 96, 1, 1] and [] takes 527 µs on a CPU, of
 * [576, 96, 1, 1] and [1, 1, 1, 1] 17 µs. Where a shape is not known, nodes stay as they are.
 *
 * @param nodes Nodes in the order of their computation.
 * @param shapeOf Returns the shape of a tensor as far as it is known, of computed ones as well.
 */
export function widenScalars(
  nodes: readonly ComposedNode[],
  shapeOf: (name: string) => Shape | undefined,
): ComposedNode[] {
  const shapes = new Map<string, Shape>();
  const constants = new Map<string, Float32Array | BigInt64Array>();
  const known = (name: string) => shapes.get(name) ?? shapeOf(name);
  const widened = new Set<string>();
  const result: ComposedNode[] = [];
  /** Returns the name of a scalar with a rank; adds it where it is not there yet. */
  const withRank = (scalar: string, rank: number): string => {
    const name = `${scalar}/rank ${rank}`;
    if (widened.has(name)) return name;
    widened.add(name);
    const dims = new Array<number>(rank).fill(1);
    const data = constants.get(scalar);
    if (data !== undefined) {
      result.push(['Constant', [], [name], { value: { dims, data } }]);
    } else {
      const shape = { dims: [rank], data: BigInt64Array.from(dims, BigInt) };
      result.push(['Constant', [], [`${name}/shape`], { value: shape }]);
      result.push(['Reshape', [scalar, `${name}/shape`], [name]]);
    }
    return name;
  };
  for (const node of nodes) {
    const [op, inputs, ...rest] = node;
    const [outputs, attributes, domain] = rest;
    const made = outputs[0] ?? '';
    const [a, b] = inputs.map(known);
    let next = node;
    if (op === 'Constant') {
      const value = attributes?.value;
      if (typeof value === 'object' && 'data' in value) {
        constants.set(made, value.data);
        shapes.set(made, value.dims);
      }
    } else if (domain !== undefined) {
      // An operator of ONNX Runtime's own, whose shape is not needed.
    } else if (op === 'Reshape') {
      const wanted = constants.get(inputs[1] ?? '');
      const shape = wanted && reshaped(a, Array.from(wanted, Number));
      if (shape !== undefined) shapes.set(made, shape);
    } else if (UNARY.has(op) && a !== undefined) {
      shapes.set(made, a);
    } else if (BINARY.has(op) && inputs.length === 2 && a !== undefined && b !== undefined) {
      shapes.set(made, broadcast(a, b));
      const ranks = inputs.map((name, slot) => {
        const [mine, other] = slot === 0 ? [a, b] : [b, a];
        return isSlow(mine, other) ? withRank(name, other.length) : name;
      });
      next = [op, ranks, ...rest];
    }
    result.push(next);
  }
  return result;
}

/** Returns whether ONNX Runtime computes with this scalar element by element. */
const isSlow = (scalar: Shape, other: Shape) =>
  elementCount(scalar) === 1 && scalar.length < other.length && other.at(-1) === 1 && elementCount(other) > 1;

/** Returns the shape that Reshape gives; undefined if it depends on a shape that is not known. */
function reshaped(from: Shape | undefined, wanted: Shape): Shape | undefined {
  if (wanted.every((length) => length > 0)) return wanted;
  if (from === undefined || wanted.includes(0)) return undefined;
  const rest = elementCount(wanted.filter((length) => length !== -1));
  return wanted.map((length) => (length === -1 ? elementCount(from) / rest : length));
}

function broadcast(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) =>
    Math.max(a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1),
  );
}
