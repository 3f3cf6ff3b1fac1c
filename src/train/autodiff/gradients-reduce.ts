import { attribute, type Node } from '../../onnx/document.js';
import {
  countAlong,
  type Gradient,
  type Gradients,
  minus,
  over,
  plus,
  positiveDivisor,
  scaled,
  sign,
  times,
  zero,
} from './rule.js';
import type { Tape } from './tape.js';

/** Axes and output shape of a reduction. */
interface Reduction {
  readonly axes: readonly number[];
  /** Shape of the output with the reduced axes kept. */
  readonly kept: readonly number[];
  readonly dims: readonly number[];
}

function reductionOf(tape: Tape, node: Node): Reduction | undefined {
  const [x = '', given = ''] = node.inputs;
  const dims = tape.dims(x);
  const rank = dims.length;
  const listed = attribute(node, 'axes')?.ints ?? (given === '' ? undefined : tape.constant(given));
  const isNoop = (attribute(node, 'noop_with_empty_axes')?.i ?? 0) !== 0;
  const keeps = (attribute(node, 'keepdims')?.i ?? 1) !== 0;
  // Axes that are not constant can be seen from the shapes, but only if the rank stays.
  if (listed === undefined && given !== '' && !keeps) return undefined;
  const out = tape.dims(node.outputs[0] ?? '');
  const everything = dims.map((_, axis) => axis);
  const axes =
    listed === undefined
      ? given === '' && !isNoop
        ? everything
        : everything.filter((axis) => out[axis] !== dims[axis])
      : listed.length === 0 && !isNoop
        ? everything
        : listed.map((axis) => (axis + rank) % rank);
  return { axes, dims, kept: dims.map((dim, axis) => (axes.includes(axis) ? 1 : dim)) };
}

/** Returns the reduction of a global pooling: over all axes after the channels. */
function globalReduction(tape: Tape, node: Node): Reduction {
  const dims = tape.dims(node.inputs[0] ?? '');
  const axes = dims.flatMap((_, axis) => (axis < 2 ? [] : [axis]));
  return { axes, dims, kept: dims.map((dim, axis) => (axis < 2 ? dim : 1)) };
}

/** Returns the factor of the gradient; `y` is the output with the reduced axes kept. */
type Share = (tape: Tape, x: string, y: string, reduction: Reduction) => string | number;

/** Returns a gradient rule that multiplies the broadcast gradient by a factor. */
function reduced(share: Share, reductionIn: typeof reductionOf = reductionOf): Gradient {
  return (tape, node, g) => {
    const reduction = reductionIn(tape, node);
    if (reduction === undefined) return [];
    const { kept, dims } = reduction;
    const y = tape.reshape(node.outputs[0] ?? '', kept);
    const wide = tape.node('Expand', [tape.reshape(g, kept), tape.ints(dims)]);
    const factor = share(tape, node.inputs[0] ?? '', y, reduction);
    return [typeof factor === 'number' ? scaled(tape, wide, factor) : times(tape, wide, factor)];
  };
}

const mean: Share = (_, __, ___, { axes, dims }) => 1 / countAlong(dims, axes);

/** The gradient goes to the largest or smallest element, or in equal parts to equal ones. */
const extreme: Share = (tape, x, y, { axes }) => {
  const mask = tape.mask('Equal', x, y);
  return over(tape, mask, tape.sum(mask, axes));
};

/** The product of the other elements: 0 if one of them is 0. */
const productOfOthers: Share = (tape, x, _, { axes }) => {
  const isZero = tape.mask('Equal', x, zero(tape));
  const nonzero = plus(tape, x, isZero);
  const product = reducedProduct(tape, nonzero, axes);
  const otherZeros = minus(tape, tape.sum(isZero, axes), isZero);
  return times(tape, over(tape, product, nonzero), tape.mask('Equal', otherZeros, zero(tape)));
};

/** Opset from which ReduceProd's axes are an input. */
const PRODUCT_AXES_INPUT = 18;

const reducedProduct = (tape: Tape, x: string, axes: readonly number[]) =>
  axes.length === 0
    ? x
    : tape.opset >= PRODUCT_AXES_INPUT
      ? tape.node('ReduceProd', [x, tape.ints(axes)])
      : tape.node('ReduceProd', [x], { axes });

/** The gradients of operators that reduce axes. */
export const REDUCTIONS: Gradients = {
  ReduceSum: reduced(() => 1),
  ReduceMean: reduced(mean),
  ReduceMax: reduced(extreme),
  ReduceMin: reduced(extreme),
  ReduceProd: reduced(productOfOthers),
  ReduceL1: reduced((tape, x) => sign(tape, x)),
  // The norm of zeros has the gradient 0, as in PyTorch.
  ReduceL2: reduced((tape, x, y) => over(tape, x, positiveDivisor(tape, y))),
  ReduceSumSquare: reduced((tape, x) => scaled(tape, x, 2)),
  ReduceLogSum: reduced((tape, x, _, { axes }) =>
    tape.node('Reciprocal', [positiveDivisor(tape, tape.sum(x, axes))]),
  ),
  ReduceLogSumExp: reduced((tape, x, y) => tape.node('Exp', [minus(tape, x, y)])),
  GlobalAveragePool: reduced(mean, globalReduction),
  GlobalMaxPool: reduced(extreme, globalReduction),
};
