// What each operator's gradient is (its vector-Jacobian product), written in ONNX operators.
import type { ComposedValue } from '../../onnx/compose.js';
import { attribute, type Node } from '../../onnx/document.js';
import { convolutionGradients, poolGradient, transposedGradients } from './gradients-conv.js';
import type { Tape } from './tape.js';

/**
 * Adds the gradients of a node's inputs, and names each; undefined for an input that has none. `g` is the gradient of the
 * first output, `outputs` has those of all.
 */
export type Gradient = (
  tape: Tape,
  node: Node,
  g: string,
  outputs: readonly (string | undefined)[],
) => readonly (string | undefined)[];

const times = (tape: Tape, a: string, b: string) => tape.node('Mul', [a, b]);

/** A gradient summed over the axes along which an operand was repeated. */
function unbroadcast(tape: Tape, g: string, from: readonly number[], to: readonly number[]): string {
  if (from.join() === to.join()) return g;
  const lead = from.length - to.length;
  const axes = from.flatMap((dim, axis) =>
    axis < lead || (to[axis - lead] === 1 && dim !== 1) ? [axis] : [],
  );
  return tape.reshape(tape.sum(g, axes), to);
}

/** Of an operator of two broadcast operands, by the gradients as if they had the output's shape. */
function binary(
  each: (tape: Tape, g: string, a: string, b: string, y: string) => [string, string],
): Gradient {
  return (tape, node, g) => {
    const [a = '', b = ''] = node.inputs;
    const y = node.outputs[0] ?? '';
    const [ga, gb] = each(tape, g, a, b, y);
    const dims = tape.dims(y);
    return [unbroadcast(tape, ga, dims, tape.dims(a)), unbroadcast(tape, gb, dims, tape.dims(b))];
  };
}

/** Of an operator of one operand, by its derivative. */
function unary(slope: (tape: Tape, x: string, y: string, node: Node) => string): Gradient {
  return (tape, node, g) => [times(tape, g, slope(tape, node.inputs[0] ?? '', node.outputs[0] ?? '', node))];
}

/** Of an operator that only orders elements anew: back into the shape of what it read. */
const reshaped: Gradient = (tape, node, g) => [tape.reshape(g, tape.dims(node.inputs[0] ?? ''))];

const one = (tape: Tape) => tape.floats([1]);
const zero = (tape: Tape) => tape.floats([0]);

const clip: Gradient = (tape, node, g) => {
  const [x = '', low = '', high = ''] = node.inputs;
  const bound = (name: string, key: string) => {
    const value = attribute(node, key)?.f;
    if (name !== '') return name;
    return value === undefined ? undefined : tape.floats([value]);
  };
  const [min, max] = [bound(low, 'min'), bound(high, 'max')];
  let kept = g;
  if (min !== undefined) kept = times(tape, kept, tape.mask('Greater', x, min));
  if (max !== undefined) kept = times(tape, kept, tape.mask('Less', x, max));
  return [kept];
};

/** Gemm could not do without its third input before opset 11. */
function gemmNode(
  tape: Tape,
  inputs: readonly string[],
  attributes: Readonly<Record<string, ComposedValue>>,
): string {
  return tape.node('Gemm', tape.opset < 11 ? [...inputs, zero(tape)] : inputs, attributes);
}

const gemm: Gradient = (tape, node, g) => {
  const [x = '', w = '', c = ''] = node.inputs;
  const scale = attribute(node, 'alpha')?.f ?? 1;
  const transposed = (attribute(node, 'transB')?.i ?? 0) !== 0;
  if ((attribute(node, 'transA')?.i ?? 0) !== 0) return [];
  const alpha = { f: scale };
  const gx = gemmNode(tape, [g, w], { alpha, transB: transposed ? 0 : 1 });
  const gw = transposed
    ? gemmNode(tape, [g, x], { alpha, transA: 1 })
    : gemmNode(tape, [x, g], { alpha, transA: 1 });
  if (c === '') return [gx, gw];
  const beta = tape.floats([attribute(node, 'beta')?.f ?? 1]);
  const full = tape.dims(node.outputs[0] ?? '');
  return [gx, gw, times(tape, unbroadcast(tape, g, full, tape.dims(c)), beta)];
};

const swapLast = (rank: number) =>
  Array.from({ length: rank }, (_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis));

const matMul: Gradient = (tape, node, g) => {
  const [a = '', b = ''] = node.inputs;
  const [da, db] = [tape.dims(a), tape.dims(b)];
  if (da.length < 2 || db.length < 2) return [];
  const flip = (name: string, rank: number) => tape.node('Transpose', [name], { perm: swapLast(rank) });
  const full = tape.dims(node.outputs[0] ?? '');
  const ga = tape.node('MatMul', [g, flip(b, db.length)]);
  const aDims = [...full.slice(0, -2), ...da.slice(-2)];
  if (db.length === 2) {
    const flat = (name: string, last: number) => tape.reshape(name, [-1, last]);
    const gb = gemmNode(tape, [flat(a, da.at(-1) ?? 1), flat(g, db[1] ?? 1)], { transA: 1 });
    return [unbroadcast(tape, ga, aDims, da), gb];
  }
  const gb = tape.node('MatMul', [flip(a, da.length), g]);
  const bDims = [...full.slice(0, -2), ...db.slice(-2)];
  return [unbroadcast(tape, ga, aDims, da), unbroadcast(tape, gb, bDims, db)];
};

const normalisation: Gradient = (tape, node, g) => {
  const [x = '', scale = '', , mean = '', variance = ''] = node.inputs;
  const dims = tape.dims(x);
  const channels = dims[1] ?? 1;
  const wide = (name: string) => tape.reshape(name, [1, channels, ...dims.slice(2).map(() => 1)]);
  const epsilon = tape.floats([attribute(node, 'epsilon')?.f ?? 1e-5]);
  const inverse = tape.node('Div', [
    one(tape),
    tape.node('Sqrt', [tape.node('Add', [wide(variance), epsilon])]),
  ]);
  const axes = dims.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const normal = times(tape, tape.node('Sub', [x, wide(mean)]), inverse);
  const narrow = (name: string) => tape.reshape(tape.sum(name, axes), [channels]);
  return [times(tape, g, times(tape, wide(scale), inverse)), narrow(times(tape, g, normal)), narrow(g)];
};

const transpose: Gradient = (tape, node, g) => {
  const rank = tape.dims(node.inputs[0] ?? '').length;
  const perm = attribute(node, 'perm')?.ints ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const inverse = perm.map((_, axis) => perm.indexOf(axis));
  return [tape.node('Transpose', [g], { perm: inverse })];
};

const concat: Gradient = (tape, node, g) => {
  const rank = tape.dims(node.outputs[0] ?? '').length;
  const axis = ((attribute(node, 'axis')?.i ?? 1) + rank) % rank;
  if (tape.opset < 10) return [];
  let at = 0;
  return node.inputs.map((name) => {
    const from = at;
    at += tape.dims(name)[axis] ?? 0;
    return tape.node('Slice', [g, tape.ints([from]), tape.ints([at]), tape.ints([axis])]);
  });
};

/** A gradient along axes that were reduced, spread over them again; `share` of it to each. */
const spread = (average: boolean): Gradient => {
  return (tape, node, g) => {
    const dims = tape.dims(node.inputs[0] ?? '');
    const rank = dims.length;
    const out = tape.dims(node.outputs[0] ?? '');
    const given = attribute(node, 'axes')?.ints;
    const keeps = (attribute(node, 'keepdims')?.i ?? 1) !== 0;
    // Axes that are an input are constants almost always; where the rank stays, the shape tells them.
    const axes = given?.map((axis) => (axis + rank) % rank);
    if (axes === undefined && !keeps && node.inputs.length > 1) return [];
    const reduced =
      axes ?? dims.flatMap((dim, axis) => (node.inputs.length < 2 || out[axis] !== dim ? [axis] : []));
    const kept = dims.map((dim, axis) => (reduced.includes(axis) ? 1 : dim));
    const count = reduced.reduce((product, axis) => product * (dims[axis] ?? 1), 1);
    const wide = tape.node('Expand', [tape.reshape(g, kept), tape.ints(dims)]);
    return [average ? times(tape, wide, tape.floats([1 / count])) : wide];
  };
};

const globalAverage: Gradient = (tape, node, g) => {
  const dims = tape.dims(node.inputs[0] ?? '');
  const area = dims.slice(2).reduce((product, dim) => product * dim, 1);
  return [times(tape, tape.node('Expand', [g, tape.ints(dims)]), tape.floats([1 / area]))];
};

const softmax: Gradient = (tape, node, g) => {
  const y = node.outputs[0] ?? '';
  const rank = tape.dims(y).length;
  const axis = ((attribute(node, 'axis')?.i ?? (tape.opset < 13 ? 1 : -1)) + rank) % rank;
  if (tape.opset < 13 && axis !== rank - 1) return [];
  const product = times(tape, g, y);
  return [tape.node('Sub', [product, times(tape, y, tape.sum(product, [axis]))])];
};

/** Of whichever operand was the greater, or the smaller. */
const chosen = (comparison: 'Greater' | 'Less'): Gradient => {
  const pick = binary((tape, g, a, b) => {
    const first = tape.mask(comparison, a, b);
    return [times(tape, g, first), times(tape, g, tape.node('Sub', [one(tape), first]))];
  });
  return (tape, node, g, outputs) => (node.inputs.length === 2 ? pick(tape, node, g, outputs) : []);
};

/** The gradients of ONNX's operators; through any other none flows. Some need opset 11, in which Equal took floats. */
export const GRADIENTS: Readonly<Record<string, Gradient>> = {
  Add: binary((_, g) => [g, g]),
  Sub: binary((tape, g) => [g, tape.node('Neg', [g])]),
  Mul: binary((tape, g, a, b) => [times(tape, g, b), times(tape, g, a)]),
  Div: binary((tape, g, _, b, y) => {
    const share = tape.node('Div', [g, b]);
    return [share, tape.node('Neg', [times(tape, share, y)])];
  }),
  Max: chosen('Greater'),
  Min: chosen('Less'),
  Identity: (_, __, g) => [g],
  Dropout: (_, __, g) => [g],
  Neg: (tape, _, g) => [tape.node('Neg', [g])],
  Clip: clip,
  Exp: unary((_, __, y) => y),
  Log: unary((tape, x) => tape.node('Reciprocal', [x])),
  Sqrt: unary((tape, _, y) => tape.node('Div', [tape.floats([0.5]), y])),
  Tanh: unary((tape, _, y) => tape.node('Sub', [one(tape), times(tape, y, y)])),
  Sigmoid: unary((tape, _, y) => times(tape, y, tape.node('Sub', [one(tape), y]))),
  Softplus: unary((tape, x) => tape.node('Sigmoid', [x])),
  Relu: unary((tape, x) => tape.mask('Greater', x, zero(tape))),
  LeakyRelu: unary((tape, x, _, node) => {
    const alpha = attribute(node, 'alpha')?.f ?? 0.01;
    const rest = times(tape, tape.mask('Greater', x, zero(tape)), tape.floats([1 - alpha]));
    return tape.node('Add', [rest, tape.floats([alpha])]);
  }),
  HardSigmoid: unary((tape, _, y, node) => {
    const inside = times(tape, tape.mask('Greater', y, zero(tape)), tape.mask('Less', y, one(tape)));
    return times(tape, inside, tape.floats([attribute(node, 'alpha')?.f ?? 0.2]));
  }),
  Softmax: softmax,
  Gemm: gemm,
  MatMul: matMul,
  BatchNormalization: normalisation,
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose: transpose,
  Concat: concat,
  ReduceMean: spread(true),
  ReduceSum: spread(false),
  GlobalAveragePool: globalAverage,
  Conv: convolutionGradients,
  ConvTranspose: transposedGradients,
  MaxPool: poolGradient,
  AveragePool: poolGradient,
};
