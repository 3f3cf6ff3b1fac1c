import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import type { Moments } from './gram-matrix.js';

/** A linear map y = W x + b. */
export interface Linear {
  /** [outputs, depth] */
  readonly weights: Matrix;
  /** [outputs] */
  readonly bias: Float64Array;
}

/** How a layer's weights were found, from the least to the most freedom. */
export type Method = 'bias' | 'affine' | 'least-squares';

/** A way to repair a layer, and what it leaves. */
export interface Candidate extends Linear {
  readonly method: Method;
  /** Share of the mean variance of the inputs that was added to each; null where nothing was solved for. */
  readonly ridge: number | null;
}

/** The shares that are tried unless one is given. */
export const RIDGES = [1e-4, 1e-3, 1e-2, 1e-1, 1] as const;

/** Mean over rows and sum over outputs of the squared error of a map, from moments of rows [x, y]. */
export function lossOf({ weights, bias }: Linear, moments: Moments): number {
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

/** Mean over rows of the squared outputs less their means: what a loss is held against. */
export function varianceOf(moments: Moments, depth: number): number {
  const { n } = moments;
  const { y, yy } = blocks(moments, depth);
  return yy.reduce((sum, square, output) => sum + square / n - ((y[output] as number) / n) ** 2, 0);
}

/**
 * Ways to bring W x + b nearer to y in least squares over the rows that the moments are of: the bias alone (bias
 * correction, Nagel et al. 2019, arXiv:1906.04721), a factor and a bias for each output (as REPAIR has it, Jordan et al.
 * 2022, arXiv:2211.08403), and all weights, pulled towards the old ones: W minimises
 * E|W x + b - y|² + λ |W - W₀|² with λ the ridge times the mean variance of the inputs. The bias is not pulled.
 */
export function candidates(old: Linear, moments: Moments, ridges: readonly number[]): Candidate[] {
  const { n } = moments;
  const { weights } = old;
  const [outputs, depth] = [weights.rows, weights.columns];
  const { xx, xy, x, y } = blocks(moments, depth);
  const meanX = x.map((sum) => sum / n);
  const meanY = y.map((sum) => sum / n);
  const through = (matrix: Matrix): Float64Array =>
    Float64Array.from({ length: outputs }, (_, output) => {
      let mean = meanY[output] as number;
      for (let index = 0; index < depth; index++)
        mean -= matrix.get(output, index) * (meanX[index] as number);
      return mean;
    });
  // Central moments, by the number of rows.
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
    let own = 0;
    let both = 0;
    for (let index = 0; index < depth; index++) {
      own += weights.get(output, index) * product.get(index, output);
      both += weights.get(output, index) * cross.get(index, output);
    }
    if (own > 0 && Number.isFinite(both / own)) scaled.mulRow(output, both / own);
  }
  const found: Candidate[] = [
    { method: 'bias', ridge: null, weights, bias: through(weights) },
    { method: 'affine', ridge: null, weights: scaled, bias: through(scaled) },
  ];
  const mean = cov.trace() / depth;
  const nothing = { method: 'least-squares', weights, bias: through(weights) } as const;
  const residual = Matrix.sub(cross, product);
  for (const ridge of ridges) {
    const regular = cov.clone();
    for (let index = 0; index < depth; index++)
      regular.set(index, index, regular.get(index, index) + ridge * mean);
    const cholesky = new CholeskyDecomposition(regular);
    if (!(mean > 0) || !cholesky.isPositiveDefinite()) {
      found.push({ ...nothing, ridge }); // inputs that never change, say
      continue;
    }
    const solved = Matrix.add(weights, cholesky.solve(residual).transpose());
    found.push({ method: 'least-squares', ridge, weights: solved, bias: through(solved) });
  }
  return found;
}

/** The parts of the moments of rows [x, y]. */
function blocks({ width, sums, products }: Moments, depth: number) {
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
