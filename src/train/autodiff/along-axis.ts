import { elementCount } from '../../providers/tensor.js';
import type { Tape } from './tape.js';

/** A tensor of a tape with its shape. */
interface Result {
  readonly name: string;
  readonly dims: readonly number[];
}

/** Multiplies one axis of a tensor by a constant matrix, [to, from] in row-major order. */
export function alongAxis(
  tape: Tape,
  x: string,
  dims: readonly number[],
  axis: number,
  matrix: Float32Array,
): Result {
  const from = dims[axis] ?? 1;
  const to = matrix.length / Math.max(1, from);
  const after = elementCount(dims.slice(axis + 1));
  const flat = tape.reshape(x, [elementCount(dims.slice(0, axis)), from, after]);
  const product = tape.node('MatMul', [tape.floats(matrix, [to, from]), flat]);
  const result = dims.map((dim, at) => (at === axis ? to : dim));
  return { name: tape.reshape(product, result), dims: result };
}

/** A row of a matrix in which most elements are 0: the others, with their places in the row. */
export type SparseRow = readonly (readonly [at: number, weight: number])[];

/** Maximum number of elements of a matrix that is stored whole. */
const MAX_MATRIX_ELEMENTS = 2 ** 16;

/**
 * Multiplies one axis of a tensor by a constant matrix with few elements in each row. The matrix of a long axis, such as that of sound,
 * would take gigabytes: then each row gathers its elements.
 */
export function bySparseRows(
  tape: Tape,
  x: string,
  dims: readonly number[],
  axis: number,
  rows: readonly SparseRow[],
): Result {
  const from = dims[axis] ?? 1;
  if (rows.length * from <= MAX_MATRIX_ELEMENTS) {
    const matrix = new Float32Array(rows.length * from);
    for (const [row, elements] of rows.entries()) {
      for (const [at, weight] of elements) matrix[row * from + at] = (matrix[row * from + at] ?? 0) + weight;
    }
    return alongAxis(tape, x, dims, axis, matrix);
  }
  const most = rows.reduce((count, { length }) => Math.max(count, length), 0);
  // Shorter rows gather a 0 behind the last element.
  const source = tape.pad(x, [...dims.map(() => 0), ...dims.map((_, at) => (at === axis ? 1 : 0))]);
  const terms = Array.from({ length: most }, (_, place) => {
    const indices = tape.ints(rows.map((row) => row[place]?.[0] ?? from));
    const gathered = tape.node('Gather', [source, indices], { axis });
    const weights = rows.map((row) => row[place]?.[1] ?? 1);
    if (weights.every((weight) => weight === 1)) return gathered;
    const after = dims.slice(axis + 1).map(() => 1);
    return tape.node('Mul', [gathered, tape.floats(weights, [rows.length, ...after])]);
  });
  return { name: tape.total(terms), dims: dims.map((dim, at) => (at === axis ? rows.length : dim)) };
}
