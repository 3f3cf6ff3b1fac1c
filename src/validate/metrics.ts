import { elementCount, type Tensor, toNumbers } from '../providers/tensor.js';

/** How far an output is from its reference, over all runs. */
export interface Drift {
  readonly output: string;
  /** Number of elements compared. */
  readonly n: number;
  readonly maxAbs: number | null;
  readonly meanAbs: number | null;
  readonly rmse: number | null;
  /** Cosine of the angle between the two, all elements as one vector. */
  readonly cosine: number | null;
  /** Signal to quantisation noise: 10 log10(Σ reference² / Σ difference²), in dB; null stands for infinite when `maxAbs` is 0. */
  readonly sqnr: number | null;
  /** The share of rows whose highest (five highest) classes agree, where the output looks like class scores. */
  readonly top1: number | null;
  readonly top5: number | null;
  /** Elements that are NaN or infinite in one of the two and not the same in the other. */
  readonly broken: number;
  /** What makes the two impossible to compare. */
  readonly problem: string | null;
}

/**
 * Whether an output looks like class scores: floats, [batch, classes] with at least two classes. A vector of
 * features has that shape as well; then agreement says whether its largest element stayed the largest.
 */
export function looksLikeScores({ elemType, dims }: Pick<Tensor, 'elemType' | 'dims'>): boolean {
  return /^(f|bf)\d/.test(elemType) && dims.length === 2 && (dims[1] ?? 0) >= 2;
}

/** Adds up the difference between two tensors, run after run; `result` closes it. */
export interface DriftMeter {
  add(reference: Tensor | undefined, got: Tensor | undefined): void;
  result(): Drift;
}

export function driftMeter(output: string): DriftMeter {
  let n = 0;
  let maxAbs = 0;
  let sumAbs = 0;
  let squares = 0;
  let reference2 = 0;
  let got2 = 0;
  let dot = 0;
  let broken = 0;
  let problem: string | null = null;
  const rows = { n: 0, top1: 0, top5: 0 };

  function compare(a: ArrayLike<number>, b: ArrayLike<number>): void {
    for (let index = 0; index < a.length; index++) {
      const [x, y] = [a[index] ?? 0, b[index] ?? 0];
      n++;
      if (!Number.isFinite(x) || !Number.isFinite(y)) {
        if (!Object.is(x, y)) broken++;
        continue;
      }
      const difference = Math.abs(x - y);
      if (difference > maxAbs) maxAbs = difference;
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
        problem = 'one of the models does not give it';
        return;
      }
      if (reference.dims.join() !== got.dims.join()) {
        problem = `its shape is [${got.dims}] and should be [${reference.dims}]`;
        return;
      }
      const [a, b] = [toNumbers(reference), toNumbers(got)];
      if (a === undefined || b === undefined) {
        const same = JSON.stringify(reference.data) === JSON.stringify(got.data);
        n += elementCount(reference.dims);
        if (!same) problem = 'its strings differ';
        return;
      }
      compare(a, b);
      if (!looksLikeScores(reference)) return;
      const classes = reference.dims[1] ?? 0;
      for (let row = 0; row < (reference.dims[0] ?? 0); row++) {
        const [want, have] = [highest(a, row, classes), highest(b, row, classes)];
        rows.n++;
        if (want[0] === have[0]) rows.top1++;
        if (want.every((label) => have.includes(label))) rows.top5++;
      }
    },
    result() {
      const usable = problem === null && n > 0;
      const share = (count: number) => (usable && rows.n > 0 ? count / rows.n : null);
      const number = (value: number) => (usable && Number.isFinite(value) ? value : null);
      return {
        output,
        n,
        maxAbs: number(broken > 0 ? Number.NaN : maxAbs),
        meanAbs: number(sumAbs / n),
        rmse: number(Math.sqrt(squares / n)),
        cosine: number(reference2 === 0 && got2 === 0 ? 1 : dot / Math.sqrt(reference2 * got2)),
        sqnr: number(10 * Math.log10(reference2 / squares)),
        top1: share(rows.top1),
        top5: share(rows.top5),
        broken,
        problem,
      };
    },
  };
}

/** The five highest classes of a row, the highest first; the first of equals wins. */
export function highest(scores: ArrayLike<number>, row: number, classes: number, count = 5): number[] {
  const order = Array.from({ length: classes }, (_, label) => label);
  const score = (label: number) => scores[row * classes + label] ?? Number.NEGATIVE_INFINITY;
  return order.sort((a, b) => score(b) - score(a) || a - b).slice(0, count);
}

/** Labelled accuracy, 0 to 1. */
export interface Accuracy {
  readonly n: number;
  readonly top1: number;
  readonly top5: number;
}

/** The share of samples whose label is the highest class, and among the five highest. */
export function accuracy(outputs: readonly Tensor[], labels: readonly number[]): Accuracy {
  let n = 0;
  let top1 = 0;
  let top5 = 0;
  for (const output of outputs) {
    const scores = toNumbers(output);
    const classes = output.dims[1] ?? 0;
    if (scores === undefined) continue;
    for (let row = 0; row < (output.dims[0] ?? 0) && n < labels.length; row++) {
      const label = labels[n++] ?? Number.NaN;
      const best = highest(scores, row, classes);
      if (best[0] === label) top1++;
      if (best.includes(label)) top5++;
    }
  }
  return { n, top1: top1 / n, top5: top5 / n };
}
