import { type AccuracyWithIntervals, top1Drop } from '../../metrics/accuracy.js';
import { comparableSqnr, type Drift, hasNumbers } from '../../metrics/drift.js';

/** Degradation of a model with swapped sites, compared with the original; the worst of its outputs counts. */
export interface Degradation {
  /** Signal-to-noise ratio of the float outputs, in dB; null means infinite if `maxAbs` is 0, else unknown. */
  readonly sqnr: number | null;
  /** Largest absolute difference of an element; null if an output has broken elements. */
  readonly maxAbs: number | null;
  readonly cosine: number | null;
  /** Share of rows, 0 to 1, with the same top class; null if no output looks like class scores. */
  readonly agreement: number | null;
  /** Loss of top-1 accuracy in percentage points; null without labels. */
  readonly top1Drop: number | null;
  /** 95 % interval of `top1Drop`, paired by sample; absent without labels, and in rankings of earlier versions. */
  readonly top1DropInterval?: readonly [low: number, high: number] | undefined;
  /** Number of broken elements: NaN, or infinite where the original is not. */
  readonly broken: number;
  /** Reason for missing figures, such as a model that does not run; null if measured. */
  readonly problem: string | null;
}

/** Degradation without figures. */
export const UNMEASURED: Degradation = {
  sqnr: null,
  maxAbs: null,
  cosine: null,
  agreement: null,
  top1Drop: null,
  broken: 0,
  problem: null,
};

/** Returns the worst figure of each kind over several outputs. */
export function worst(drifts: readonly Drift[]): Omit<Degradation, 'top1Drop' | 'top1DropInterval'> {
  const of = (values: readonly (number | null)[], choose: (...values: number[]) => number) => {
    const measured = values.filter((value) => value !== null);
    return measured.length < values.length || measured.length === 0 ? null : choose(...measured);
  };
  const numeric = drifts.filter(hasNumbers);
  const maxAbs = of(
    numeric.map((drift) => drift.maxAbs),
    Math.max,
  );
  // An unchanged output has no noise, so its SQNR is not compared.
  const noisy = numeric.filter((drift) => drift.maxAbs !== 0);
  const sqnr = of(
    noisy.map((drift) => drift.sqnr ?? (drift.maxAbs === null ? null : Number.NEGATIVE_INFINITY)),
    Math.min,
  );
  const cosines = numeric.map(({ cosine }) => cosine);
  const scores = drifts.flatMap(({ top1 }) => top1 ?? []);
  return {
    sqnr: sqnr === Number.NEGATIVE_INFINITY ? null : sqnr,
    maxAbs,
    cosine: of(cosines, Math.min),
    agreement: scores.length === 0 ? null : Math.min(...scores),
    broken: drifts.reduce((sum, { broken }) => sum + broken, 0),
    problem: drifts.find(({ problem }) => problem !== null)?.problem ?? null,
  };
}

/** Returns the degradation of a model from its comparison with the original. */
export function degradationOf({
  drift,
  accuracy,
  original,
}: {
  readonly drift: readonly Drift[];
  readonly accuracy: AccuracyWithIntervals | null;
  readonly original: AccuracyWithIntervals | null;
}): Degradation {
  const lost = accuracy === null || original === null ? null : top1Drop(original, accuracy);
  return { ...worst(drift), top1Drop: lost };
}

/** Returns the SQNR in dB, infinite for identical outputs, -infinite for broken ones. A larger score is better. */
export function degradationScore(harm: Degradation): number {
  return harm.broken > 0 || harm.problem !== null ? Number.NEGATIVE_INFINITY : comparableSqnr(harm);
}
