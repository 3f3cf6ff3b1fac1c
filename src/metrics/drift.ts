import { elementCount, type Tensor, toNumbers } from '../providers/tensor.js';
import { flushDenormals, smallestDifference } from './denormals.js';

/**
 * Differences between an output and its reference, over all runs. The figures are null if the tensors cannot be
 * compared or have a broken element: a mean over the finite elements would hide the problem. Denormals count as 0.
 */
export interface Drift {
  readonly output: string;
  /** Number of compared elements. */
  readonly n: number;
  readonly maxAbs: number | null;
  /** Largest absolute value of the reference. */
  readonly scale: number | null;
  readonly meanAbs: number | null;
  readonly rmse: number | null;
  /** Cosine similarity of both tensors, each as one vector. */
  readonly cosine: number | null;
  /**
   * Signal-to-quantisation-noise ratio, 10 log10(Σ reference² / Σ difference²), in dB. Null means infinite if
   * `maxAbs` is 0.
   */
  readonly sqnr: number | null;
  /** Share of rows with the same highest class, if the output looks like class scores. */
  readonly top1: number | null;
  /** Share of rows with the same five highest classes in any order; null for five classes or fewer. */
  readonly top5: number | null;
  /** Number of elements that are NaN in either tensor, or infinite in one and different in the other. */
  readonly broken: number;
  /** Reason why the tensors cannot be compared. */
  readonly problem: string | null;
}

/**
 * Returns whether an output looks like class scores: floats of shape [batch, classes] with at least two classes.
 * Further axes of length 1 are allowed, as in [1, 1000, 1, 1] of SqueezeNet. Sequences [batch, time, classes] and
 * maps [batch, classes, height, width] do not look like scores. A feature vector does; its agreement says whether its
 * largest element stayed the largest.
 *
 * @example
 * import { looksLikeScores } from 'onnx-mish/validate';
 *
 * looksLikeScores({ elemType: 'f32', dims: [8, 1000] }); // true
 */
export function looksLikeScores(output: Pick<Tensor, 'elemType' | 'dims'>): boolean {
  return classesOf(output) !== undefined;
}

/** Returns the number of classes of an output that looks like class scores; undefined for others. */
export function classesOf({ elemType, dims }: Pick<Tensor, 'elemType' | 'dims'>): number | undefined {
  const [, classes = 0, ...rest] = dims;
  const scores = /^(f|bf)\d/.test(elemType) && classes >= 2 && rest.every((dim) => dim === 1);
  return scores ? classes : undefined;
}

/** Accumulates the differences between two tensors over runs; `result` returns them. */
export interface DriftMeter {
  add(reference: Tensor | undefined, got: Tensor | undefined): void;
  result(): Drift;
}

/**
 * Returns a meter for the output of this name.
 *
 * @example
 * import { driftMeter } from 'onnx-mish/validate';
 *
 * const meter = driftMeter('scores');
 * const tensor = (...values: number[]) => ({ elemType: 'f32', dims: [1, 2], data: Float32Array.from(values) });
 * meter.add(tensor(1, 2), tensor(1, 2.5));
 * console.log(meter.result().maxAbs); // 0.5
 */
export function driftMeter(output: string): DriftMeter {
  let n = 0;
  let maxAbs = 0;
  let scale = 0;
  let sumAbs = 0;
  let squares = 0;
  let reference2 = 0;
  let got2 = 0;
  let dot = 0;
  let broken = 0;
  let problem: string | null = null;
  let seen = false;
  const rows: Agreements = { n: 0, top1: 0, ofMany: 0, top5: 0 };

  function compare(a: ArrayLike<number>, b: ArrayLike<number>, least: number): void {
    for (let index = 0; index < a.length; index++) {
      const [x, y] = [a[index] ?? 0, b[index] ?? 0];
      n++;
      if (!Number.isFinite(x) || !Number.isFinite(y)) {
        if (Number.isNaN(x) || x !== y) broken++; // NaN counts as broken even if both are NaN
        continue;
      }
      const distance = Math.abs(x - y);
      const difference = distance < least ? 0 : distance;
      if (difference > maxAbs) maxAbs = difference;
      if (Math.abs(x) > scale) scale = Math.abs(x);
      sumAbs += difference;
      squares += difference * difference;
      reference2 += x * x;
      got2 += y * y;
      dot += x * y;
    }
  }

  return {
    add(reference, got) {
      if (reference === undefined || got === undefined) {
        problem = 'one of the models lacks this output';
        return;
      }
      if (reference.dims.join() !== got.dims.join()) {
        problem = `its shape is [${got.dims}], expected [${reference.dims}]`;
        return;
      }
      const [wanted, given] = [toNumbers(reference), toNumbers(got)];
      if (wanted === undefined || given === undefined) {
        const same = JSON.stringify(reference.data) === JSON.stringify(got.data);
        n += elementCount(reference.dims);
        if (!same) problem = 'its strings differ';
        return;
      }
      seen = true; // tensors without elements are equal
      const [a, b] = [flushDenormals(wanted, reference.elemType), flushDenormals(given, got.elemType)];
      compare(a, b, smallestDifference(reference.elemType));
      const classes = classesOf(reference);
      if (classes !== undefined) countAgreements(rows, a, b, reference.dims[0] ?? 0, classes);
    },
    result() {
      const usable = problem === null && seen && broken === 0;
      const share = (count: number, of: number) => (problem === null && of > 0 ? count / of : null);
      const number = (value: number) => (usable && Number.isFinite(value) ? value : null);
      return {
        output,
        n,
        maxAbs: number(maxAbs),
        scale: number(scale),
        meanAbs: number(sumAbs / n),
        rmse: number(Math.sqrt(squares / n)),
        cosine: number(cosine(dot, reference2, got2)),
        sqnr: number(10 * Math.log10(reference2 / squares)),
        top1: share(rows.top1, rows.n),
        top5: share(rows.top5, rows.ofMany),
        broken,
        problem,
      };
    },
  };
}

/** Numbers of rows that were compared, and of rows that agree in their highest class or in the five highest. */
interface Agreements {
  n: number;
  top1: number;
  /** Rows of more than five classes. */
  ofMany: number;
  top5: number;
}

function countAgreements(
  counts: Agreements,
  reference: ArrayLike<number>,
  got: ArrayLike<number>,
  rows: number,
  classes: number,
): void {
  for (let row = 0; row < rows; row++) {
    const [want, have] = [highest(reference, row, classes), highest(got, row, classes)];
    counts.n++;
    if (want[0] !== undefined && want[0] === have[0]) counts.top1++;
    if (classes <= TOP) continue; // the five highest of at most five classes always agree
    counts.ofMany++;
    if (want.length > 0 && want.every((label) => have.includes(label))) counts.top5++;
  }
}

/** Returns the cosine from sums of squares: 1 for two zero vectors, NaN if only one is zero. */
function cosine(dot: number, reference2: number, got2: number): number {
  if (reference2 === 0 && got2 === 0) return 1;
  // Squares of numbers below 1e-154 lose digits, so that the quotient may exceed 1.
  return Math.max(-1, Math.min(1, dot / (Math.sqrt(reference2) * Math.sqrt(got2))));
}

const TOP = 5;

/**
 * Returns the five highest classes of a row, highest first; of equal scores, the lower class comes first. Returns
 * none if a score is NaN.
 */
export function highest(scores: ArrayLike<number>, row: number, classes: number): number[] {
  const best: number[] = [];
  const score = (label: number) => scores[row * classes + label] ?? Number.NaN;
  for (let label = 0; label < classes; label++) {
    const value = score(label);
    if (Number.isNaN(value)) return [];
    let rank = best.length;
    while (rank > 0 && value > score(best[rank - 1] ?? 0)) rank--;
    if (rank >= TOP) continue;
    best.splice(rank, 0, label);
    best.length = Math.min(best.length, TOP);
  }
  return best;
}
