import type { FloatMatrix } from './gram-matrix.js';

export interface ConjugateGradients {
  /** First solution, [depth, columns]. */
  readonly start: Float64Array;
  readonly columns: number;
  /** Returns n C V for a matrix V, [depth, columns]. */
  readonly apply: (v: FloatMatrix) => Promise<FloatMatrix>;
  readonly n: number;
  /** Diagonal of C. */
  readonly diagonal: Float64Array;
  /** Number λ that is added to the diagonal. */
  readonly ridge: number;
  /** n times the right side, [depth, columns]. */
  readonly target: Float32Array;
  readonly iterations: number;
}

/** Share of its first residual below which a column is solved. */
const TOLERANCE = 1e-5;

/**
 * Solves (C + λ I) Δ = T for each column of T by conjugate gradients (Hestenes and Stiefel 1952), with the diagonal as
 * preconditioner. Products with C are float32, all else is float64. Every iteration lowers the quadratic form, so that the
 * result of too few iterations lies between the start and the solution.
 */
export async function conjugateGradients({
  start,
  columns,
  apply,
  n,
  diagonal,
  ridge,
  target,
  iterations,
}: ConjugateGradients): Promise<Float64Array> {
  const depth = start.length / columns;
  const solution = start.slice();
  const times = async (v: Float64Array) => {
    const { data } = await apply({ rows: depth, columns, data: Float32Array.from(v) });
    return v.map((value, at) => (data[at] as number) / n + ridge * value);
  };
  const first = await times(solution);
  const residual = first.map((value, at) => (target[at] as number) / n - value);
  const inverse = diagonal.map((value) => 1 / (value + ridge));
  const conditioned = () =>
    residual.map((value, at) => value * (inverse[Math.floor(at / columns)] as number));
  let z = conditioned();
  const direction = z.slice();
  let energy = columnProducts(residual, z, columns);
  const goal = energy.map((value) => value * TOLERANCE ** 2);
  for (let count = 0; count < iterations; count++) {
    if (energy.every((value, column) => !(value > (goal[column] as number)))) break;
    const image = await times(direction);
    const curvature = columnProducts(direction, image, columns);
    const step = energy.map((value, column) => {
      const length = value / (curvature[column] as number);
      return value > (goal[column] as number) && Number.isFinite(length) ? length : 0;
    });
    for (let at = 0; at < solution.length; at++) {
      const length = step[at % columns] as number;
      solution[at] = (solution[at] as number) + length * (direction[at] as number);
      residual[at] = (residual[at] as number) - length * (image[at] as number);
    }
    z = conditioned();
    const next = columnProducts(residual, z, columns);
    const turn = next.map((value, column) => value / (energy[column] as number) || 0);
    for (let at = 0; at < direction.length; at++)
      direction[at] = (z[at] as number) + (turn[at % columns] as number) * (direction[at] as number);
    energy = next;
  }
  return solution;
}

/** Returns the inner product of each column of two matrices. */
function columnProducts(a: Float64Array, b: Float64Array, columns: number): Float64Array {
  const sums = new Float64Array(columns);
  for (let at = 0; at < a.length; at++)
    sums[at % columns] = (sums[at % columns] as number) + (a[at] as number) * (b[at] as number);
  return sums;
}
