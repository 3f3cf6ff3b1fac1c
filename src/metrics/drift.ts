import { elementCount, type FloatArray, type Tensor, toFloats } from '../providers/tensor.js';
import { flushDenormals, smallestDifference } from './denormals.js';

/**
 * Differences between an output and its reference, over all runs. The figures are null if the tensors cannot be
 * compared or have a broken element: a mean over the finite elements would hide the problem. Denormals count as 0. Texts that
 * differ have no figures but `top1`.
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
  /** Share of rows with the same highest class, if the output looks like class scores; of texts and labels, the share that is equal. */
  readonly top1: number | null;
  /** Share of rows with the same five highest classes in any order; null for five classes or fewer. */
  readonly top5: number | null;
  /** Number of elements that are NaN in either tensor, or infinite in one and different in the other. */
  readonly broken: number;
  /** Number of elements of `broken` that are NaN or infinite in the reference. */
  readonly brokenInReference: number;
  /** Whether the output has texts. */
  readonly isText: boolean;
  /** Whether the output has integers of 32 or 64 bits, or truth values: labels, indices and masks, which have no SQNR. */
  readonly areLabels: boolean;
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
  let sums = NO_DIFFERENCES;
  let problem: string | null = null;
  let seen = false;
  const rows: Agreements = { n: 0, top1: 0, ofMany: 0, top5: 0 };
  let isText = false;
  let areLabels = false;

  return {
    add(reference, got) {
      if (reference === undefined || got === undefined) {
        problem =
          reference === got ? 'neither model gave a tensor for it' : 'one of the models lacks this output';
        return;
      }
      if (reference.dims.join() !== got.dims.join()) {
        problem = `its shape is [${got.dims}], expected [${reference.dims}]`;
        return;
      }
      n += elementCount(reference.dims);
      seen = true; // tensors without elements are equal
      if (areTexts(reference.data) && areTexts(got.data)) {
        isText = true;
        const { data } = got;
        rows.n += data.length;
        rows.top1 += reference.data.filter((text, at) => text === data[at]).length;
        return;
      }
      const [wanted, given] = [toFloats(reference), toFloats(got)];
      if (wanted === undefined || given === undefined) {
        problem = `its type is ${got.elemType}, expected ${reference.elemType}`;
        return;
      }
      sums = addDifferences(sums, wanted, given, smallestDifference(reference.elemType));
      if (LABELS.has(reference.elemType)) {
        areLabels = true;
        rows.n += wanted.length;
        rows.top1 += countEqual(wanted, given);
        return;
      }
      const classes = classesOf(reference);
      if (classes === undefined) return;
      const [a, b] = [flushDenormals(wanted, reference.elemType), flushDenormals(given, got.elemType)];
      countAgreements(rows, a, b, reference.dims[0] ?? 0, classes);
    },
    result() {
      const { maxAbs, scale, sumAbs, squares, reference2, got2, dot, broken, brokenInReference } = sums;
      const textsDiffer = isText && rows.top1 < rows.n;
      const usable = problem === null && seen && broken === 0 && !textsDiffer;
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
        brokenInReference,
        isText,
        areLabels,
        problem,
      };
    },
  };
}

/** Element types of labels, indices, counts and masks. Integers of 8 and 16 bits are often quantised numbers. */
const LABELS: ReadonlySet<string> = new Set(['i32', 'i64', 'u32', 'u64', 'bool']);

function countEqual(a: FloatArray, b: FloatArray): number {
  let count = 0;
  for (let index = 0; index < a.length; index++) if (a[index] === b[index]) count++;
  return count;
}

const areTexts = (data: Tensor['data']): data is readonly string[] => Array.isArray(data);

/** Returns false for texts that differ: the share of equal ones is all that can be measured. */
export function hasNumbers({ isText, maxAbs }: Pick<Drift, 'isText' | 'maxAbs'>): boolean {
  return !isText || maxAbs !== null;
}

/**
 * Returns the SQNR to compare outputs by: infinite for identical outputs, and −infinite where the reference has no signal or nothing
 * was measured.
 */
export function comparableSqnr({ sqnr, maxAbs }: Pick<Drift, 'sqnr' | 'maxAbs'>): number {
  return sqnr ?? (maxAbs === 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY);
}

/** Tells whether an output is 0 throughout in the reference, and is not in the other model. */
export function isWithoutSignal({ sqnr, maxAbs, scale }: Pick<Drift, 'sqnr' | 'maxAbs' | 'scale'>): boolean {
  return sqnr === null && scale === 0 && maxAbs !== null && maxAbs > 0;
}

/** Sums over the elements of two tensors, from which the figures follow. */
interface Differences {
  readonly maxAbs: number;
  readonly scale: number;
  readonly sumAbs: number;
  readonly squares: number;
  readonly reference2: number;
  readonly got2: number;
  readonly dot: number;
  readonly broken: number;
  readonly brokenInReference: number;
}

const NO_DIFFERENCES: Differences = {
  maxAbs: 0,
  scale: 0,
  sumAbs: 0,
  squares: 0,
  reference2: 0,
  got2: 0,
  dot: 0,
  broken: 0,
  brokenInReference: 0,
};

/**
 * Adds the elements of two tensors to the sums, in their order. Numbers and differences below `least` count as 0. The loop has
 * no branches and changes only local variables: V8 would store the sums in memory, which takes seven times as long.
 */
function addDifferences(before: Differences, a: FloatArray, b: FloatArray, least: number): Differences {
  let { maxAbs, scale, sumAbs, squares, reference2, got2, dot } = before;
  for (let index = 0; index < a.length; index++) {
    const p = a[index] ?? 0;
    const q = b[index] ?? 0;
    const x = Math.abs(p) < least ? 0 : p;
    const y = Math.abs(q) < least ? 0 : q;
    const distance = Math.abs(x - y) < least ? 0 : Math.abs(x - y);
    maxAbs = Math.max(maxAbs, distance);
    scale = Math.max(scale, Math.abs(x));
    sumAbs += distance;
    squares += distance * distance;
    reference2 += x * x;
    got2 += y * y;
    dot += x * y;
  }
  const total = sumAbs + squares + reference2 + got2 + dot;
  if (!Number.isFinite(total)) return addFiniteDifferences(before, a, b, least);
  return { ...before, maxAbs, scale, sumAbs, squares, reference2, got2, dot };
}

/** Adds elements as `addDifferences` does, and counts those that are not finite. */
function addFiniteDifferences(before: Differences, a: FloatArray, b: FloatArray, least: number): Differences {
  const sums = { ...before };
  const flushed = (value: number) => (Math.abs(value) < least ? 0 : value);
  for (let index = 0; index < a.length; index++) {
    const x = flushed(a[index] ?? 0);
    const y = flushed(b[index] ?? 0);
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      if (!Number.isNaN(x) && x === y) continue; // NaN counts as broken even if both are NaN
      sums.broken++;
      if (!Number.isFinite(x)) sums.brokenInReference++;
      continue;
    }
    const distance = flushed(Math.abs(x - y));
    sums.maxAbs = Math.max(sums.maxAbs, distance);
    sums.scale = Math.max(sums.scale, Math.abs(x));
    sums.sumAbs += distance;
    sums.squares += distance * distance;
    sums.reference2 += x * x;
    sums.got2 += y * y;
    sums.dot += x * y;
  }
  return sums;
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
    if (classes <= MAX_HIGHEST) continue; // the five highest of at most five classes always agree
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

/** Number of the highest classes that are compared. */
export const MAX_HIGHEST = 5;

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
    if (rank >= MAX_HIGHEST) continue;
    best.splice(rank, 0, label);
    best.length = Math.min(best.length, MAX_HIGHEST);
  }
  return best;
}
