import { activation, type Block } from './graph-blocks-conv.js';
import type { GraphBuilder } from './graph-builder.js';
import * as of from './graph-operators.js';

// Changes of layout, and elementwise operators with constants between them.

/** Other dimensions for the same numbers, or the axes in another order. */
export const layout: Block = (b, x) => {
  const rank = x.dims.length;
  switch (b.pick(['reshape', 'reshape', 'flatten', 'transpose', 'squeeze', 'unsqueeze', 'shape'])) {
    case 'reshape':
      return of.reshape(b, x, otherDims(b, x.dims));
    case 'flatten':
      return of.flatten(b, x, b.pick([1, 1, 1, b.int(0, rank)]));
    case 'transpose':
      return of.transpose(b, x, permutation(b, rank));
    case 'squeeze':
      return of.squeeze(
        b,
        x,
        x.dims.flatMap((size, axis) => (size === 1 ? [axis] : [])),
      );
    case 'unsqueeze':
      return of.unsqueeze(b, x, b.int(0, rank));
    default:
      return of.shapedReshape(b, x);
  }
};

function permutation(b: GraphBuilder, rank: number): number[] {
  if (rank === 4 && b.chance(0.5))
    return b.pick([
      [0, 2, 3, 1],
      [0, 3, 1, 2],
      [0, 2, 1, 3],
    ]);
  const left = Array.from({ length: rank }, (_, axis) => axis);
  return Array.from({ length: rank }, () => left.splice(b.int(0, left.length - 1), 1)[0] ?? 0);
}

/** Dimensions of the same size, by merging neighbours and splitting what has a divisor. */
function otherDims(b: GraphBuilder, dims: readonly number[]): number[] {
  const made = [...dims];
  for (let step = b.int(1, 2); step > 0; step--) {
    const at = b.int(0, Math.max(0, made.length - 1));
    const size = made[at] ?? 1;
    const divisor = [2, 3, 5, 7].find((one) => size % one === 0);
    if (made.length > 1 && b.chance(0.6)) {
      const from = Math.min(at, made.length - 2);
      made.splice(from, 2, (made[from] ?? 1) * (made[from + 1] ?? 1));
    } else if (divisor !== undefined && made.length < 5)
      made.splice(at, 1, ...(b.chance(0.5) ? [divisor, size / divisor] : [size / divisor, divisor]));
  }
  return made;
}

/** Elementwise operators between a change of layout and another one, or the one back. */
export const sandwich: Block = (b, x, target) => {
  const inner = b.chance(0.7) ? layout(b, x, target) : x;
  const middle = b.chance(0.5) ? activation(b, inner, target) : withConstant(b, inner, target);
  return b.chance(0.4) && inner !== x ? of.reshape(b, middle, x.dims) : layout(b, middle, target);
};

/** Dimensions that broadcast to those given. */
export function operandDims(b: GraphBuilder, dims: readonly number[]): number[] {
  const rank = dims.length;
  switch (b.pick(['scalar', 'one', 'same', 'channel', 'last', 'some'])) {
    case 'scalar':
      return [];
    case 'one':
      return [1];
    case 'same':
      return [...dims];
    case 'channel':
      return rank < 2 ? [1] : [dims[1] ?? 1, ...dims.slice(2).map(() => 1)];
    case 'last':
      return dims.slice(b.int(0, Math.max(0, rank - 1)));
    default:
      return dims.map((size) => (b.chance(0.5) ? 1 : size));
  }
}

export const withConstant: Block = (b, x) => {
  const op = b.pick(['Add', 'Add', 'Mul', 'Mul', 'Sub', 'Div', 'Pow']);
  const dims = operandDims(b, x.dims);
  if (op === 'Pow') return b.binary(op, x, b.constant([], [b.pick([2, 3])]));
  const other = op === 'Div' ? b.positive(dims) : b.weights(dims);
  return op !== 'Div' && b.chance(0.3) ? b.binary(op, other, x) : b.binary(op, x, other);
};
