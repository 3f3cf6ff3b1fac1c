// Time left of several trainings.
import {
  type PartName,
  type PartTimes,
  partTimes,
  type SampleCounts,
  type TrainingTimes,
} from './part-times.js';

/** A training whose time is estimated. Trainings of a kind take the same time. */
export interface TimedTraining {
  readonly kind: string;
  /** Number of points of the loss landscape at its end; default 0. */
  readonly points?: number | undefined;
}

/** Estimates the time left of trainings from the times of their parts. */
export interface TrainingsClock<T> {
  /** Adds times that were measured before the trainings. */
  measured(kind: string, times: Partial<TrainingTimes>): void;
  /** Notes the start of a training. */
  begun(training: T): void;
  /** Notes a step: its number, and the number of all steps of the training. */
  step(training: T, step: number, of: number): void;
  /** Notes that the score of an epoch is there, where steps are noted. */
  scored(training: T): void;
  /** Notes a finished epoch, whose steps took so many seconds. */
  epoch(training: T, epoch: number, seconds: number): void;
  /** Notes a finished point of the landscape. */
  point(training: T, done: number): void;
  finished(training: T): void;
  /** Returns the seconds until all trainings are finished; undefined before anything was measured. */
  secondsLeft(): number | undefined;
  /** Returns the finished share of the time; it never falls. */
  share(): number;
}

export interface TrainingsClockOptions {
  readonly epochs: number;
  readonly samples: SampleCounts;
  /** Number of trainings at the same time, the next of which begins when one has finished; default 1. */
  readonly workers?: number | undefined;
  /** Returns the seconds of the work after all trainings; default none. */
  readonly after?: ((secondsOf: PartTimes['get']) => number) | undefined;
  readonly now?: (() => number) | undefined;
}

/** Progress of a training, and the times of its last events. */
interface Progress {
  done: number;
  /** Finished share of the steps of the epoch in progress. */
  inEpoch: number;
  points: number;
  /** Number of epochs since the start, or since a checkpoint. */
  timed: number;
  /** Seconds from the event before the last step to that step. */
  untilStep: number;
  /** Milliseconds of the last event. */
  at: number | undefined;
  finished: boolean;
}

/**
 * Creates the clock of some trainings. One worker may train them in any order, and may change to another after an epoch. The time between two events
 * belongs to the part of the training that ends with the second event.
 */
export function trainingsClock<T extends TimedTraining>(
  trainings: readonly T[],
  { epochs, samples, workers = 1, after = () => 0, now = () => performance.now() }: TrainingsClockOptions,
): TrainingsClock<T> {
  const states = new Map<T, Progress>(
    trainings.map((one) => [
      one,
      { done: 0, inEpoch: 0, points: 0, timed: 0, untilStep: 0, at: undefined, finished: false },
    ]),
  );
  const times = partTimes(samples);
  let most = 0;
  const of = ({ kind }: T, part: PartName) => times.get(kind, part);
  const whole = (one: T) =>
    of(one, 'open') +
    epochs * (of(one, 'steps') + of(one, 'score')) +
    of(one, 'end') +
    (one.points ?? 0) * of(one, 'point');
  const left = (one: T, { done, inEpoch, points, timed, at, finished }: Progress, time: number): number => {
    if (finished) return 0;
    const pointsLeft = (one.points ?? 0) - points;
    const epoch = of(one, 'steps') + of(one, 'score');
    const open = timed === 0 && inEpoch === 0 ? of(one, 'open') : 0;
    const rest =
      open +
      (epochs - done) * epoch -
      inEpoch * of(one, 'steps') +
      (points > 0 ? 0 : of(one, 'end')) +
      pointsLeft * of(one, 'point');
    // Other workers' events come in the middle of an epoch.
    return workers === 1 || at === undefined ? rest : rest - Math.min((time - at) / 1000, rest, epoch);
  };
  const secondsLeft = () => {
    if (!times.isKnown()) return undefined;
    const time = now();
    const begun = ([, { at, finished }]: [T, Progress]) => at !== undefined && !finished;
    const all = [...states];
    const queue = [...all.filter(begun), ...all.filter((one) => !begun(one))];
    const trained = makespan(
      queue.map(([one, state]) => left(one, state, time)),
      workers,
    );
    return trained + after(times.get);
  };
  return {
    measured: times.measured,
    ...recorder(states, times, { epochs, workers, now }),
    secondsLeft,
    share() {
      if (!times.isKnown()) return most;
      const time = now();
      const all = after(times.get) + trainings.reduce((sum, one) => sum + whole(one), 0);
      const rest =
        after(times.get) + [...states].reduce((sum, [one, state]) => sum + left(one, state, time), 0);
      most = Math.min(1, Math.max(most, 1 - rest / all));
      return most;
    },
  };
}

/** Returns functions that note events of trainings: progress, and the seconds since the last event of the same worker. */
function recorder<T extends TimedTraining>(
  states: ReadonlyMap<T, Progress>,
  times: PartTimes,
  {
    epochs,
    workers,
    now,
  }: Pick<Required<TrainingsClockOptions>, 'epochs'> & { workers: number; now: () => number },
): Omit<TrainingsClock<T>, 'measured' | 'secondsLeft' | 'share'> {
  let last = now();
  /** Returns the state, and the seconds since the last event of its worker. */
  const event = (training: T): readonly [Progress, number] => {
    const state = states.get(training);
    if (state === undefined) throw new RangeError(`the clock lacks the training ${training.kind}`);
    const time = now();
    const seconds = (time - (workers === 1 ? last : (state.at ?? time))) / 1000;
    state.at = time;
    last = time;
    return [state, seconds];
  };
  return {
    begun: (training) => void event(training),
    step(training, step, all) {
      const [state, seconds] = event(training);
      const perEpoch = Math.max(1, Math.round(all / epochs));
      const place = ((step - 1) % perEpoch) + 1;
      if (place > 1) times.add(training.kind, 'steps', seconds * perEpoch);
      // The first step comes after the opening.
      if (place === 2 && state.timed === 0)
        times.add(training.kind, 'open', Math.max(0, state.untilStep - seconds));
      state.untilStep = seconds;
      state.done = Math.floor((step - 1) / perEpoch);
      state.inEpoch = place / perEpoch;
    },
    scored(training) {
      const [state, seconds] = event(training);
      // The first score of a training compiles.
      times.add(training.kind, state.timed === 0 ? 'firstScore' : 'score', seconds);
    },
    epoch(training, epoch, seconds) {
      const [state, since] = event(training);
      const hasSteps = state.inEpoch > 0;
      const rest = since - seconds;
      // The seconds of an epoch from before a checkpoint tell how busy the machine was then.
      if (!hasSteps && rest >= 0) {
        times.add(training.kind, 'steps', seconds);
        if (state.timed > 0) times.add(training.kind, 'score', rest);
        else times.add(training.kind, 'open', Math.max(0, rest - times.get(training.kind, 'score')));
      }
      state.done = epoch;
      state.inEpoch = 0;
      // An epoch from before a checkpoint took no time here.
      if (hasSteps || rest >= 0) state.timed++;
    },
    point(training, done) {
      const [state, seconds] = event(training);
      const points = done - state.points;
      // The first point comes after the scores of the end.
      if (state.points === 0)
        times.add(training.kind, 'end', Math.max(0, seconds - points * times.get(training.kind, 'point')));
      else if (points > 0) times.add(training.kind, 'point', seconds / points);
      state.points = done;
    },
    finished(training) {
      const [state, seconds] = event(training);
      if (state.done === epochs && state.timed > 0 && state.points === 0)
        times.add(training.kind, 'end', seconds);
      state.finished = true;
    },
  };
}

/** Returns the seconds until all jobs are done, if each of the workers takes the next job when it is free. */
export function makespan(jobs: readonly number[], workers: number): number {
  const free = new Array<number>(Math.max(1, workers)).fill(0);
  for (const seconds of jobs) {
    const next = free.indexOf(Math.min(...free));
    free[next] = (free[next] ?? 0) + seconds;
  }
  return Math.max(...free);
}
