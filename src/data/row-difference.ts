import { type Tensor, toNumbers } from '../providers/tensor.js';

/**
 * Returns the largest difference between a row of a run's output and the output of the sample alone, as a share of the largest
 * finite element; infinity where only one is finite. Undefined if the output is not a row for each sample.
 */
export function rowDifference(
  together: Tensor | undefined,
  alone: Tensor | undefined,
  { row, samples }: { readonly row: number; readonly samples: number },
): number | undefined {
  if (together?.dims[0] !== samples || alone?.dims[0] !== 1) return undefined;
  if (together.data.length !== samples * alone.data.length) return undefined;
  const [all, own] = [toNumbers(together), toNumbers(alone)];
  if (all === undefined || own === undefined) return undefined;
  let [scale, difference] = [0, 0];
  for (let at = 0; at < own.length; at++) {
    const [a, b] = [own[at] ?? 0, all[row * own.length + at] ?? 0];
    if (Number.isFinite(a)) scale = Math.max(scale, Math.abs(a));
    if (Object.is(a, b)) continue;
    const apart = Math.abs(a - b);
    difference = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : Math.max(difference, apart);
  }
  return difference === 0 ? 0 : difference / scale;
}
