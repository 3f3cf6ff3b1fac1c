import { attribute } from '../../onnx/document.js';
import { type Gradient, type Gradients, gemm, times, unbroadcast } from './rule.js';

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
    const gb = gemm(tape, [flat(a, da.at(-1) ?? 1), flat(g, db[1] ?? 1)], { transA: 1 });
    return [unbroadcast(tape, ga, aDims, da), gb];
  }
  const gb = tape.node('MatMul', [flip(a, da.length), g]);
  const bDims = [...full.slice(0, -2), ...db.slice(-2)];
  return [unbroadcast(tape, ga, aDims, da), unbroadcast(tape, gb, bDims, db)];
};

/** An operand's gradient is the product of the output's gradient and the other operands, summed over the axes that it lacks. */
const einsum: Gradient = (tape, node, g) => {
  const equation = (attribute(node, 'equation')?.s ?? '').replaceAll(' ', '');
  const [left = '', right] = equation.split('->');
  const terms = left.split(',');
  const hasTwice = terms.some((term) => new Set(term).size !== term.length);
  if (right === undefined || equation.includes('.') || hasTwice) return [];
  return terms.map((term, slot) => {
    const others = terms.filter((_, at) => at !== slot);
    const present = new Set([right, ...others].join(''));
    // An axis that only one operand has would need broadcasting.
    if ([...term].some((letter) => !present.has(letter))) return undefined;
    const inputs = [g, ...node.inputs.filter((_, at) => at !== slot)];
    return tape.node('Einsum', inputs, { equation: `${[right, ...others].join(',')}->${term}` });
  });
};

/** The gradients of matrix products. */
export const MATRIX: Gradients = {
  Gemm: ofGemm,
  MatMul: matMul,
  Einsum: einsum,
};
