import { attribute } from '../../onnx/document.js';
import { einsumTerms } from './einsum-terms.js';
import { type Gradient, type Gradients, gemm, times, unbroadcast } from './rule.js';
import type { Tape } from './tape.js';

const ofGemm: Gradient = (tape, node, g) => {
  const [x = '', w = '', c = ''] = node.inputs;
  const alpha = { f: attribute(node, 'alpha')?.f ?? 1 };
  const [transA, transB] = ['transA', 'transB'].map((name) =>
    (attribute(node, name)?.i ?? 0) === 0 ? 0 : 1,
  );
  const gx = transA
    ? gemm(tape, [w, g], { alpha, transA: transB ?? 0, transB: 1 })
    : gemm(tape, [g, w], { alpha, transB: transB ? 0 : 1 });
  const gw = transB
    ? gemm(tape, [g, x], { alpha, transA: 1, transB: transA ?? 0 })
    : gemm(tape, [x, g], { alpha, transA: transA ? 0 : 1 });
  if (c === '') return [gx, gw];
  const beta = tape.floats([attribute(node, 'beta')?.f ?? 1]);
  const full = tape.dims(node.outputs[0] ?? '');
  return [gx, gw, times(tape, unbroadcast(tape, g, full, tape.dims(c)), beta)];
};

const swapLast = (rank: number) =>
  Array.from({ length: rank }, (_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis));

interface Matrices {
  readonly name: string;
  readonly dims: readonly number[];
}

/** Adds the gradients of a product of matrices; `full` is the product's shape. */
function ofProduct(
  tape: Tape,
  g: string,
  full: readonly number[],
  a: Matrices,
  b: Matrices,
): [string, string] {
  const [da, db] = [a.dims, b.dims];
  const flip = ({ name, dims }: Matrices) => tape.node('Transpose', [name], { perm: swapLast(dims.length) });
  const ga = tape.node('MatMul', [g, flip(b)]);
  const aDims = [...full.slice(0, -2), ...da.slice(-2)];
  if (db.length === 2) {
    const flat = (name: string, last: number) => tape.reshape(name, [-1, last]);
    const gb = gemm(tape, [flat(a.name, da.at(-1) ?? 1), flat(g, db[1] ?? 1)], { transA: 1 });
    return [unbroadcast(tape, ga, aDims, da), gb];
  }
  const gb = tape.node('MatMul', [flip(a), g]);
  const bDims = [...full.slice(0, -2), ...db.slice(-2)];
  return [unbroadcast(tape, ga, aDims, da), unbroadcast(tape, gb, bDims, db)];
}

const matMul: Gradient = (tape, node, g) => {
  const [a, b] = [0, 1].map((slot) => {
    const name = node.inputs[slot] ?? '';
    return { name, dims: tape.dims(name) };
  }) as [Matrices, Matrices];
  if (a.dims.length > 1 && b.dims.length > 1)
    return ofProduct(tape, g, tape.dims(node.outputs[0] ?? ''), a, b);
  // A vector is a matrix of one row on the left, and of one column on the right.
  const left = a.dims.length === 1 ? [1, ...a.dims] : a.dims;
  const right = b.dims.length === 1 ? [...b.dims, 1] : b.dims;
  const batches = (left.length > 2 ? left : right).slice(0, -2);
  const full = [...batches, left.at(-2) ?? 1, right.at(-1) ?? 1];
  const asMatrices = ({ name }: Matrices, dims: readonly number[]) => ({
    name: tape.reshape(name, dims),
    dims,
  });
  const [ga, gb] = ofProduct(tape, tape.reshape(g, full), full, asMatrices(a, left), asMatrices(b, right));
  return [tape.reshape(ga, a.dims), tape.reshape(gb, b.dims)];
};

/**
 * An operand's gradient is the product of the output's gradient and the other operands, summed over the axes that it lacks or along
 * which it was repeated.
 */
const einsum: Gradient = (tape, node, g) => {
  const found = einsumTerms((name) => tape.dims(name), node);
  if (found === undefined) return [];
  const { terms, out } = found;
  const shapes = node.inputs.map((name) => tape.dims(name));
  /** Returns the length of an axis over all operands but one, some of which may have 1 and are repeated; 0 if none has the axis. */
  const lengthOf = (letter: string, without: number) =>
    Math.max(0, ...terms.map((term, at) => (at === without ? 0 : (shapes[at]?.[term.indexOf(letter)] ?? 0))));
  return terms.map((term, slot) => {
    const dims = shapes[slot] ?? [];
    const others = terms.filter((_, at) => at !== slot);
    const lengths = [...term].map((letter) => lengthOf(letter, out.includes(letter) ? -1 : slot));
    const narrow = lengths.map((length, axis) => Math.min(Math.max(1, length), dims[axis] ?? 1));
    const shared = [...term].filter((_, axis) => lengths[axis] === narrow[axis]).join('');
    const inputs = [g, ...node.inputs.filter((_, at) => at !== slot)];
    const product = tape.node('Einsum', inputs, { equation: `${[out, ...others].join(',')}->${shared}` });
    const reduced = shared === term ? product : tape.reshape(product, narrow);
    // Along an axis that only this operand has, the operator sums: all elements have the same gradient.
    return narrow.join() === dims.join() ? reduced : tape.node('Expand', [reduced, tape.ints(dims)]);
  });
};

/** The gradients of matrix products. */
export const MATRIX: Gradients = {
  Gemm: ofGemm,
  MatMul: matMul,
  Einsum: einsum,
};
