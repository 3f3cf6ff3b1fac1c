import { elementCount } from '../../providers/tensor.js';
import type { Tape } from './tape.js';

/** Multiplies one axis of a tensor by a constant matrix, [to, from] in row-major order. */
export function alongAxis(
  tape: Tape,
  x: string,
  dims: readonly number[],
  axis: number,
  matrix: Float32Array,
): { readonly name: string; readonly dims: readonly number[] } {
  const from = dims[axis] ?? 1;
  const to = matrix.length / Math.max(1, from);
  const after = elementCount(dims.slice(axis + 1));
  const flat = tape.reshape(x, [elementCount(dims.slice(0, axis)), from, after]);
  const product = tape.node('MatMul', [tape.floats(matrix, [to, from]), flat]);
  const result = dims.map((dim, at) => (at === axis ? to : dim));
  return { name: tape.reshape(product, result), dims: result };
}
