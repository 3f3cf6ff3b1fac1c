import { recentMean } from '../../../train/recent-mean.js';

/** Estimates the time that is left of a comparison: its epochs, and the points of its loss landscapes. */
export interface CompareClock {
  /** Takes the time of a step. */
  step(): void;
  /** Takes the time at which the score after the last step is there. */
  scored(): void;
  /** Counts an epoch whose steps took so many seconds. */
  epoch(seconds: number): void;
  /** Counts points of a landscape. */
  points(count: number): void;
  /** Returns the seconds that are left; undefined before the first score. */
  secondsLeft(): number | undefined;
  /** Returns the share that is done. */
  share(): number;
}

/**
 * Creates a clock. A point of a landscape opens a session with other weights and scores it, which is what the first score of
 * a run does, too: it tells how long a point takes. `runs` is the number of runs, whose epochs and points `total` has together.
 */
export function compareClock(
  runs: number,
  total: { readonly epochs: number; readonly points: number },
  now: () => number = () => performance.now(),
): CompareClock {
  const done = { epochs: 0, points: 0 };
  const epochSeconds = recentMean();
  let stepped = 0;
  /** Seconds of the scores after the first one of each run, of which the least is kept. */
  const scoreSeconds = recentMean();
  let scores = 0;
  let least = Number.POSITIVE_INFINITY;
  let landscapes: { readonly begin: number; seconds: number } | undefined;
  /** Returns the seconds that are left and those of the whole; undefined before a score or a point was measured. */
  const parts = () => {
    const score = scores > runs ? scoreSeconds.value() : least;
    const measured = landscapes === undefined ? 0 : landscapes.seconds / Math.max(1, done.points);
    const point = measured > 0 ? measured : least;
    if (!Number.isFinite(point) || done.epochs === 0) return undefined;
    const epoch = epochSeconds.value() + (Number.isFinite(score) ? score : point);
    return {
      left: (total.epochs - done.epochs) * epoch + (total.points - done.points) * point,
      all: total.epochs * epoch + total.points * point,
    };
  };
  return {
    step() {
      stepped = now();
    },
    scored() {
      const seconds = (now() - stepped) / 1000;
      scores++;
      if (scores > runs) scoreSeconds.add(seconds);
      else least = Math.min(least, seconds);
    },
    epoch(seconds) {
      done.epochs++;
      epochSeconds.add(seconds);
    },
    points(count) {
      landscapes ??= { begin: now(), seconds: 0 };
      landscapes.seconds = (now() - landscapes.begin) / 1000;
      done.points += count;
    },
    secondsLeft() {
      return parts()?.left;
    },
    share() {
      const { left, all } = parts() ?? { left: 1, all: 1 };
      return all > 0 ? 1 - left / all : 0;
    },
  };
}
