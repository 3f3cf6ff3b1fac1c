// Plays trainings whose times are known, for the tests of clocks.
import { createRandom } from '../../src/base/random.js';
import type { TrainingsClock } from '../../src/train/trainings-clock.js';

/** Seconds of the parts of a training. */
export interface TrueTimes {
  readonly open: number;
  readonly steps: number;
  readonly score: number;
  readonly end: number;
  readonly point: number;
}

export interface PlayOptions<T> {
  readonly seed: number;
  readonly epochs: number;
  readonly workers: number;
  /** Whether one worker trains an epoch of each in turn. */
  readonly inTurns: boolean;
  /** Number of steps of an epoch that are told; 0 for none. */
  readonly steps: number;
  readonly points: number | ((training: T) => number);
  /** Epochs before a checkpoint, which come at once. */
  readonly resumed?: number | undefined;
  /** Seconds after all trainings. */
  readonly after?: number | undefined;
}

interface Event {
  readonly at: number;
  readonly tell: () => void;
  /** Number of the epoch that ends with this event. */
  readonly epoch?: number;
}

/** What the clock told after an epoch, and what was true. */
export interface Told {
  readonly at: number;
  readonly epoch: number;
  readonly told: number;
  readonly share: number;
  readonly truth: number;
}

/** How much slower the machine was before a checkpoint. */
const BUSY = 10;
/** How much slower a part is that compiles. */
const COMPILING = 2;

/**
 * Plays trainings: each part takes its time, give or take 5 %; the first steps of a training compile, and the first score of all. Returns
 * what the clock told after each epoch once each training that runs has finished one.
 */
export function play<T extends { readonly kind: string }>(
  trainings: readonly T[],
  timesOf: (training: T) => TrueTimes,
  clockOf: (now: () => number) => Omit<TrainingsClock<T>, 'measured'>,
  options: PlayOptions<T>,
): Told[] {
  const { epochs, workers, inTurns, after = 0, resumed = 0 } = options;
  const random = createRandom(options.seed);
  const near = (seconds: number) => seconds * (0.95 + 0.1 * random());
  let now = 0;
  const clock = clockOf(() => 1000 * now);
  const events: Event[] = [];
  const parts = trainings.map((training, place) =>
    partsOf(training, timesOf(training), clock, { ...options, compiles: place === 0 }, near),
  );
  const free = new Array<number>(workers).fill(0);
  const firsts: number[] = [];
  const put = (worker: number, list: readonly Part[]) => {
    for (const { seconds, tell, epoch } of list) {
      free[worker] = (free[worker] ?? 0) + seconds;
      events.push({ at: free[worker] ?? 0, tell, ...(epoch === undefined ? {} : { epoch }) });
      if (epoch === resumed + 1 && firsts.length < (inTurns ? trainings.length : workers))
        firsts.push(free[worker] ?? 0);
    }
  };
  if (inTurns) {
    for (let epoch = 0; epoch < epochs; epoch++) for (const { each } of parts) put(0, each[epoch] ?? []);
    for (const { end } of parts) put(0, end);
  } else {
    for (const { each, end } of parts) put(free.indexOf(Math.min(...free)), [...each.flat(), ...end]);
  }
  const whole = Math.max(...free) + after;
  const told: Told[] = [];
  for (const { at, tell, epoch } of events.toSorted((a, b) => a.at - b.at)) {
    now = at;
    tell();
    if (epoch === undefined || epoch <= resumed || at < Math.max(...firsts)) continue;
    told.push({
      at,
      epoch,
      told: clock.secondsLeft() ?? Number.NaN,
      share: clock.share(),
      truth: whole - at,
    });
  }
  return told;
}

interface Part {
  readonly seconds: number;
  readonly tell: () => void;
  readonly epoch?: number;
}

function partsOf<T>(
  training: T,
  times: TrueTimes,
  clock: Omit<TrainingsClock<T>, 'measured'>,
  { epochs, steps, points, resumed = 0, compiles }: PlayOptions<T> & { readonly compiles: boolean },
  near: (seconds: number) => number,
): { readonly each: readonly Part[][]; readonly end: readonly Part[] } {
  const part = (seconds: number, tell: () => void = () => {}): Part => ({ seconds, tell });
  const each = Array.from({ length: epochs }, (_, index): Part[] => {
    const epoch = index + 1;
    const begin = index === 0 ? [part(0, () => clock.begun(training))] : [];
    if (epoch <= resumed)
      return [...begin, { ...part(0, () => clock.epoch(training, epoch, BUSY * near(times.steps))), epoch }];
    const isFirst = epoch === resumed + 1;
    const open = isFirst ? [part(times.open)] : [];
    const taken = Array.from(
      { length: Math.max(1, steps) },
      (_, step) =>
        near(times.steps / Math.max(1, steps)) * (isFirst && steps > 0 && step < steps / 8 ? COMPILING : 1),
    );
    const score = near(times.score) * (isFirst && compiles ? COMPILING : 1);
    const seconds = taken.reduce((sum, one) => sum + one, 0);
    const finished = { ...part(0, () => clock.epoch(training, epoch, seconds)), epoch };
    if (steps === 0) return [...begin, ...open, part(seconds + score), finished];
    const stepped = taken.map((one, step) =>
      part(one, () => clock.step(training, index * steps + step + 1, epochs * steps)),
    );
    return [...begin, ...open, ...stepped, part(score, () => clock.scored(training)), finished];
  });
  const count = typeof points === 'number' ? points : points(training);
  const landscape = Array.from({ length: count }, (_, at) =>
    part(near(times.point), () => clock.point(training, at + 1)),
  );
  return { each, end: [part(near(times.end)), ...landscape, part(0, () => clock.finished(training))] };
}
