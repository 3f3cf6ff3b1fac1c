import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import type { RowMoments } from './gram-matrix.js';
import { solveCholesky } from './solve-cholesky.js';

/** A linear map y = W x + b. */
export interface Linear {
  /** [outputs, depth] */
  readonly weights: Matrix;
  /** [outputs] */
  readonly bias: Float64Array;
}

/** Method of repairing a layer, from the least to the most freedom. */
export type Method = 'bias' | 'affine' | 'least-squares';

/** A repaired linear map and its method. */
export interface RepairedLinear extends Linear {
  readonly method: Method;
  /** Share of the inputs' mean variance that was added to each variance; null for other methods than least squares. */
  readonly ridge: number | null;
}

/** Ridges to try, unless the options give a ridge. */
export const RIDGES = [1e-4, 1e-3, 1e-2, 1e-1, 1, 10] as const;

/** Returns the squared error of a map, as mean over rows and sum over outputs, from moments of rows [x, y]. */
export function lossOf({ weights, bias }: Linear, moments: RowMoments): number {
  const { n } = moments;
  const { xx, xy, x, y, yy } = blocks(moments, weights.columns);
  const product = weights.mmul(xx); // [outputs, depth]
  let loss = 0;
  for (let output = 0; output < weights.rows; output++) {
    const b = bias[output] as number;
    let quadratic = 0;
    let cross = 0;
    let mean = 0;
    for (let index = 0; index < weights.columns; index++) {
      const w = weights.get(output, index);
      quadratic += w * product.get(output, index);
      cross += w * xy.get(index, output);
      mean += w * (x[index] as number);
    }
    loss +=
      quadratic - 2 * cross + (yy[output] as number) + n * b * b + 2 * b * (mean - (y[output] as number));
  }
  return Math.max(0, loss / n);
}

/** Returns the sum of the outputs' variances, by which losses are divided. */
export function varianceOf(moments: RowMoments, depth: number): number {
  const { n } = moments;
  const { y, yy } = blocks(moments, depth);
  return yy.reduce((sum, square, output) => sum + square / n - ((y[output] as number) / n) ** 2, 0);
}

/**
 * Returns maps W x + b nearer to y in least squares over the moments' rows. The methods are: the bias alone (bias
 * correction, Nagel et al. 2019, arXiv:1906.04721); a factor and a bias for each output (as in REPAIR, Jordan et al.
 * 2022, arXiv:2211.08403); all weights, with a penalty on changes: W minimises E|W x + b - y|² + λ |W - W₀|², where λ is
 * the ridge times the inputs' mean variance. The bias has no penalty.
 */
export function candidates(old: Linear, moments: RowMoments, ridges: readonly number[]): RepairedLinear[] {
  const { n } = moments;
  const { weights } = old;
  const [outputs, depth] = [weights.rows, weights.columns];
  const { xx, xy, x, y } = blocks(moments, depth);
  const meanX = x.map((sum) => sum / n);
  const meanY = y.map((sum) => sum / n);
  /** Returns the bias with which a map takes the mean of x to the mean of y. */
  const biasThroughMeans = (matrix: Matrix): Float64Array =>
    Float64Array.from({ length: outputs }, (_, output) => {
      let mean = meanY[output] as number;
      for (let index = 0; index < depth; index++)
        mean -= matrix.get(output, index) * (meanX[index] as number);
      return mean;
    });
  // Central moments, divided by the number of rows.
  const cov = new Matrix(depth, depth);
  for (let i = 0; i < depth; i++)
    for (let j = 0; j < depth; j++)
      cov.set(i, j, xx.get(i, j) / n - (meanX[i] as number) * (meanX[j] as number));
  const cross = new Matrix(depth, outputs);
  for (let i = 0; i < depth; i++)
    for (let j = 0; j < outputs; j++)
      cross.set(i, j, xy.get(i, j) / n - (meanX[i] as number) * (meanY[j] as number));

  const product = cov.mmul(weights.transpose()); // [depth, outputs]
  const scaled = weights.clone();
  for (let output = 0; output < outputs; output++) {
    let variance = 0;
    let covariance = 0;
    for (let index = 0; index < depth; index++) {
      variance += weights.get(output, index) * product.get(index, output);
      covariance += weights.get(output, index) * cross.get(index, output);
    }
    const factor = covariance / variance;
    if (variance > 0 && Number.isFinite(factor)) scaled.mulRow(output, factor);
  }
  const maps: RepairedLinear[] = [
    { method: 'bias', ridge: null, weights, bias: biasThroughMeans(weights) },
    { method: 'affine', ridge: null, weights: scaled, bias: biasThroughMeans(scaled) },
  ];
  const mean = cov.trace() / depth;
  const unsolved = { method: 'least-squares', weights, bias: biasThroughMeans(weights) } as const;
  const residual = Matrix.sub(cross, product);
  for (const ridge of ridges) {
    const regular = cov.clone();
    for (let index = 0; index < depth; index++)
      regular.set(index, index, regular.get(index, index) + ridge * mean);
    const cholesky = new CholeskyDecomposition(regular);
    if (!(mean > 0) || !cholesky.isPositiveDefinite()) {
      maps.push({ ...unsolved, ridge }); // not solvable, for example because the inputs are constant
      continue;
    }
    const solved = Matrix.add(weights, solveCholesky(cholesky.lowerTriangularMatrix, residual).transpose());
    maps.push({ method: 'least-squares', ridge, weights: solved, bias: biasThroughMeans(solved) });
  }
  return maps;
}

/** Splits the moments of rows [x, y] into their blocks. */
function blocks({ width, sums, products }: RowMoments, depth: number) {
  const outputs = width - depth;
  const part = (rows: number, from: number, columns: number) => {
    const matrix = new Matrix(rows, columns);
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) matrix.set(i, j, products[i * width + from + j] as number);
    return matrix;
  };
  return {
    xx: part(depth, 0, depth),
    xy: part(depth, depth, outputs),
    x: sums.subarray(0, depth),
    y: sums.subarray(depth),
    yy: Float64Array.from({ length: outputs }, (_, i) => products[(depth + i) * (width + 1)] as number),
  };
}
