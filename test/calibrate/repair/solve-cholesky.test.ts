import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { expect, test } from 'vitest';
import { createRandom, normal } from '../../../src/base/random.js';
import { solveCholesky } from '../../../src/calibrate/repair/solve-cholesky.js';

test.each([
  [1, 1],
  [1, 7],
  [5, 1],
  [17, 4],
  [40, 60],
])('The solution for %i equations and %i columns has the bits of ml-matrix’s.', (size, columns) => {
  const random = createRandom(size);
  const numbers = (rows: number, width: number) =>
    new Matrix(Array.from({ length: rows }, () => Array.from({ length: width }, () => normal(random))));
  const rows = numbers(size + 3, size);
  const cholesky = new CholeskyDecomposition(rows.transpose().mmul(rows));
  const right = numbers(size, columns);
  const before = right.clone();
  expect(solveCholesky(cholesky.lowerTriangularMatrix, right).to2DArray()).toEqual(
    cholesky.solve(right).to2DArray(),
  );
  expect(right).toEqual(before);
});
