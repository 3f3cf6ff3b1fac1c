import { stopIfAborted } from '../../base/abort.js';
import type { FloatMatrix } from './gram-matrix.js';

/** The systems (C + λ I) Δ = T, one for each column of T. C is the matrix of moments of n rows, [depth, depth]. */
export interface ConjugateGradients extends IterationLimits {
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
  /** n T, [depth, columns]. */
  readonly target: Float32Array;
}

/** Limits of the iterations. */
export interface IterationLimits {
  /** Maximum number of iterations. */
  readonly iterations: number;
  /** When to end, as `performance.now()` counts; default never. */
  readonly until?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Share of its first residual below which a column is solved. */
const TOLERANCE = 1e-5;

/**
 * Solves (C + λ I) Δ = T for each column of T by conjugate gradients (Hestenes and Stiefel 1952), with the diagonal as
 * preconditioner. Products with C are float32, all else is float64. Every iteration lowers the quadratic form, so that the
 * result of too few iterations lies between the start and the solution. Throws `aborted`.
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
  until = Number.POSITIVE_INFINITY,
  signal,
}: ConjugateGradients): Promise<Float64Array> {
  const depth = start.length / columns;
  const solution = start.slice();
  const given = new Float32Array(start.length);
  const times = async (v: Float64Array) => {
    given.set(v);
    return (await apply({ rows: depth, columns, data: given })).data;
  };
  // All is n times as large, which saves divisions and changes no solution.
  const added = n * ridge;
  // Without a ridge, an input that is always 0 has no equation: it keeps its start.
  const inverse = diagonal.map((value) => (n * value + added > 0 ? 1 / (n * value + added) : 0));
  const first = await times(solution);
  const residual = new Float64Array(start.length);
  const direction = new Float64Array(start.length);
  let energy = new Float64Array(columns);
  for (let row = 0, at = 0; row < depth; row++) {
    const factor = inverse[row] as number;
    for (let column = 0; column < columns; column++, at++) {
      const rest = (target[at] as number) - ((first[at] as number) + added * (solution[at] as number));
      residual[at] = rest;
      direction[at] = rest * factor;
      energy[column] = (energy[column] as number) + rest * (direction[at] as number);
    }
  }
  const goal = energy.map((value) => value * TOLERANCE ** 2);
  for (let count = 0; count < iterations && performance.now() < until; count++) {
    stopIfAborted(signal);
    if (energy.every((value, column) => !(value > (goal[column] as number)))) break;
    const image = await times(direction);
    const curvature = curvatures(direction, image, columns, added);
    const step = energy.map((value, column) => {
      const length = value / (curvature[column] as number);
      return value > (goal[column] as number) && Number.isFinite(length) ? length : 0;
    });
    const next = new Float64Array(columns);
    for (let row = 0, at = 0; row < depth; row++) {
      const factor = inverse[row] as number;
      for (let column = 0; column < columns; column++, at++) {
        const length = step[column] as number;
        const along = direction[at] as number;
        solution[at] = (solution[at] as number) + length * along;
        const rest = (residual[at] as number) - length * ((image[at] as number) + added * along);
        residual[at] = rest;
        next[column] = (next[column] as number) + rest * rest * factor;
      }
    }
    const turn = next.map((value, column) => value / (energy[column] as number) || 0);
    for (let row = 0, at = 0; row < depth; row++) {
      const factor = inverse[row] as number;
      for (let column = 0; column < columns; column++, at++)
        direction[at] =
          (residual[at] as number) * factor + (turn[column] as number) * (direction[at] as number);
    }
    energy = next;
  }
  return solution;
}

/** Returns the inner product of each column of a direction with its image plus the direction times a number. */
function curvatures(
  direction: Float64Array,
  image: Float32Array,
  columns: number,
  added: number,
): Float64Array {
  const sums = new Float64Array(columns);
  for (let at = 0; at < direction.length; )
    for (let column = 0; column < columns; column++, at++) {
      const along = direction[at] as number;
      sums[column] = (sums[column] as number) + along * ((image[at] as number) + added * along);
    }
  return sums;
}
