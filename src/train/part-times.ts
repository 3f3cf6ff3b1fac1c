// Seconds of the parts of trainings: seen, measured before, or estimated from the numbers of their samples.
import { type RecentMean, recentMean } from './recent-mean.js';

/** Seconds of the parts of a training. */
export interface TrainingTimes {
  /** Seconds of all steps of an epoch. */
  readonly steps: number;
  /** Seconds of the score after the steps of an epoch. */
  readonly score: number;
  /** Seconds of the scores after the last epoch, without the landscape. */
  readonly end: number;
  /** Seconds of a point of the loss landscape. */
  readonly point: number;
}

/** Numbers of samples that a training reads. */
export interface SampleCounts {
  readonly train: number;
  /** Number of samples in the score after an epoch. */
  readonly score: number;
  /** Number of samples in the scores after the last epoch, without the landscape. */
  readonly end: number;
  /** Number of samples in a point of the landscape. */
  readonly point: number;
}

export type PartName = keyof TrainingTimes | 'open';
type SeenPart = PartName | 'firstScore';

/** Seconds of parts of trainings, by kind. */
export interface PartTimes {
  /** Adds what was measured before the trainings. */
  measured(kind: string, times: Partial<TrainingTimes>): void;
  /** Adds what was seen. The first score of a training may wait for a compiler: it counts only while no other score is known. */
  add(kind: string, part: SeenPart, seconds: number): void;
  /** Returns the seconds of a part; 0 if nothing is known. */
  get(kind: string, part: PartName): number;
  /** Returns whether the time of a step is known. */
  isKnown(): boolean;
}

/** Number of short parts of a kind from which their mean counts; fewer are taken together with those of other kinds. */
const MIN_SEEN = 3;
/** Minimum time whose ratio to another tells something. */
const MIN_SECONDS = 1e-6;
/** Maximum ratio between the times of one part, counted in steps, for two activations in one net. */
const MAX_RATIO = 8;
/** A forward pass takes a third of a training step: the gradients take twice as long. */
const PASSES_PER_STEP = 3;

/**
 * Keeps times. A part that was seen often enough takes the mean of its later times. Another part takes what was measured before, in
 * proportion to the steps or the scores of that time; or else an estimate from its number of samples. Both are then multiplied by the
 * ratio of what other kinds took to what was expected of them, as far as that ratio is plausible.
 */
export function partTimes(samples: SampleCounts): PartTimes {
  const kept = keptMeans();
  const { kinds, mean: seen } = kept;
  const before = new Map<string, Partial<TrainingTimes>>();
  const isMeasured = (part: PartName) =>
    part !== 'open' && [...before.values()].some((times) => times[part] !== undefined);

  /** Returns the seconds of a pass over a sample. */
  function passOf(kind: string): number {
    if (samples.score > 0 && (kept.isScored() || before.get(kind)?.score !== undefined))
      return get(kind, 'score') / samples.score;
    return get(kind, 'steps') / Math.max(1, samples.train) / PASSES_PER_STEP;
  }

  function expected(kind: string, part: PartName): number {
    if (part === 'open') return 1;
    if (part !== 'steps') {
      const larger = part === 'score' ? 'steps' : 'score';
      const ratio = measuredRatio([before.get(kind), ...before.values()], part, larger);
      if (ratio !== undefined) return ratio * get(kind, larger);
    }
    const measured = before.get(kind)?.[part];
    if (measured !== undefined) return measured;
    if (part === 'steps')
      return [...kinds].map((other) => before.get(other)?.steps).find((steps) => steps !== undefined) ?? 1;
    if (part === 'score')
      return (samples.score * get(kind, 'steps')) / Math.max(1, samples.train) / PASSES_PER_STEP;
    return samples[part] * passOf(kind);
  }

  /** Returns the seconds of a part, from what kinds took and what was expected of them; undefined if none was seen. */
  function scaled(kind: string, part: PartName): number | undefined {
    let [took, wanted, steps] = [0, 0, 0];
    // Steps that were measured for one kind tell nothing about the ratio of another.
    const needsOwn = part === 'steps' && [...before.values()].some(({ steps }) => steps !== undefined);
    for (const other of kinds) {
      const value = seen(other, part);
      if (value === undefined || (needsOwn && before.get(other)?.steps === undefined)) continue;
      took += value;
      wanted += expected(other, part);
      if (part !== 'steps') steps += get(other, 'steps');
    }
    if (wanted < MIN_SECONDS) return undefined;
    const value = (took / wanted) * expected(kind, part);
    if (steps === 0 || !isMeasured(part)) return value;
    // A measurement that was disturbed must not multiply what all others are thought to take.
    const bySteps = (took / steps) * get(kind, 'steps');
    return Math.min(MAX_RATIO * bySteps, Math.max(bySteps / MAX_RATIO, value));
  }

  function get(kind: string, part: PartName): number {
    const value = seen(kind, part);
    const isPooled = part !== 'steps' && part !== 'open' && kept.count(kind, part) < MIN_SEEN;
    if (value !== undefined && !isPooled) return value;
    const found = scaled(kind, part);
    if (found !== undefined) return found;
    if (part === 'open' || part === 'steps') return isMeasured(part) ? expected(kind, part) : 0;
    if (part === 'score' && !isMeasured(part)) return ratioOfFirsts() * expected(kind, part);
    return expected(kind, part);
  }

  /** Returns what the first scores took, divided by what was expected of them. */
  function ratioOfFirsts(): number {
    const ratios = [...kinds].map(
      (kind) => (seen(kind, 'firstScore') ?? Number.NaN) / expected(kind, 'score'),
    );
    return plausible(ratios.filter(Number.isFinite));
  }

  return {
    measured(kind, times) {
      kinds.add(kind);
      before.set(kind, { ...before.get(kind), ...times });
    },
    add: kept.add,
    get,
    isKnown: () => [...kinds].some((kind) => get(kind, 'steps') > 0),
  };
}

/** Returns the median of ratios, for a score may have waited for a compiler. One ratio alone counts as much as what was expected. */
function plausible(ratios: readonly number[]): number {
  const middle = ratios.toSorted((a, b) => a - b)[Math.floor((ratios.length - 1) / 2)] ?? 1;
  return ratios.length === 1 && middle > 1 ? (middle + 1) / 2 : middle;
}

/**
 * Returns what was measured of a part, divided by what was measured of a larger one, of the first kind that has both. What
 * is seen of larger parts so corrects a measurement that was made while code compiled.
 */
function measuredRatio(
  kinds: readonly (Partial<TrainingTimes> | undefined)[],
  part: keyof TrainingTimes,
  larger: keyof TrainingTimes,
): number | undefined {
  for (const times of kinds) {
    const [value, base] = [times?.[part], times?.[larger]];
    if (value !== undefined && base) return value / base;
  }
  return undefined;
}

/** Means of the parts of each kind that were seen. */
function keptMeans() {
  const means = new Map<string, Map<SeenPart, { readonly mean: RecentMean; count: number }>>();
  const kinds = new Set<string>();
  let isScored = false;
  const at = (kind: string, part: SeenPart) => means.get(kind)?.get(part);
  return {
    kinds,
    mean: (kind: string, part: SeenPart) => at(kind, part)?.mean.value(),
    count: (kind: string, part: SeenPart) => at(kind, part)?.count ?? 0,
    isScored: () => isScored,
    add(kind: string, part: SeenPart, seconds: number): void {
      kinds.add(kind);
      isScored ||= part === 'score' || part === 'firstScore';
      const found = at(kind, part) ?? { mean: recentMean(), count: 0 };
      means.set(kind, (means.get(kind) ?? new Map()).set(part, found));
      found.mean.add(seconds);
      found.count++;
    },
  };
}
