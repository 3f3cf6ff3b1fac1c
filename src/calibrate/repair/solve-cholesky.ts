import { Matrix } from 'ml-matrix';

/**
 * Solves L Lᵀ X = B, row by row of B, as it lies in memory. ml-matrix’s CholeskyDecomposition.solve goes column by column, which is
 * slower. The operations on each element are the same, in the same order, so the bits are the same as well.
 *
 * @param lower L, lower triangular: [n, n]
 * @param right B: [n, columns]
 * @returns X: [n, columns]
 */
export function solveCholesky(lower: Matrix, right: Matrix): Matrix {
  const size = lower.rows;
  const solved = Array.from({ length: size }, (_, row) => Float64Array.from(right.getRow(row)));
  const rowAt = (row: number) => solved[row] as Float64Array;
  for (let row = 0; row < size; row++) {
    const into = rowAt(row);
    for (let above = 0; above < row; above++) subtract(into, rowAt(above), lower.get(row, above));
    divide(into, lower.get(row, row));
  }
  for (let row = size - 1; row >= 0; row--) {
    const into = rowAt(row);
    for (let below = row + 1; below < size; below++) subtract(into, rowAt(below), lower.get(below, row));
    divide(into, lower.get(row, row));
  }
  return new Matrix(solved);
}

/** Subtracts a multiple of a row from another. */
function subtract(into: Float64Array, row: Float64Array, factor: number): void {
  for (let column = 0; column < into.length; column++)
    into[column] = (into[column] as number) - (row[column] as number) * factor;
}

function divide(row: Float64Array, by: number): void {
  for (let column = 0; column < row.length; column++) row[column] = (row[column] as number) / by;
}
