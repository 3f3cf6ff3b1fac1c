import { Matrix } from 'ml-matrix';
import type { OfSubsets } from './gather-rows.js';
import type { RowMoments } from './gram-matrix.js';
import type { GroupSolution } from './layer-solution.js';
import { candidates, type Linear, lossOf, varianceOf } from './least-squares.js';

/** Solves a group of channels by the moments of its rows. `shift` was subtracted from the columns of all rows. */
export function solveFromMoments(
  old: Linear,
  { train, validation }: OfSubsets<RowMoments>,
  shift: Float64Array,
  ridges: readonly number[],
): GroupSolution {
  const shiftedOld = { weights: old.weights, bias: moved(old, shift, 1) };
  return {
    rows: train.n,
    variance: varianceOf(validation, old.weights.columns),
    before: lossOf(shiftedOld, validation),
    tried: candidates(old, train, ridges).map((map) => ({
      map: { ...map, bias: moved(map, shift, -1) },
      loss: lossOf(map, validation),
    })),
  };
}

/** Returns the bias of a map between shifted columns, or with the sign -1 that of the map between the columns themselves. */
function moved({ weights, bias }: Linear, shift: Float64Array, sign: 1 | -1): Float64Array {
  const x = Matrix.columnVector(shift.subarray(0, weights.columns));
  const through = weights.mmul(x);
  return bias.map(
    (b, output) => b + sign * (through.get(output, 0) - (shift[weights.columns + output] ?? 0)),
  );
}
