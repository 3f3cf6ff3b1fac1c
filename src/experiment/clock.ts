// The time that is left of an experiment.
import { mean } from '../metrics/statistics.js';
import { makespan, type RunTimes } from './estimate.js';
import type { Experiment, RunKey } from './prepare.js';
import type { RunEpoch } from './train-run.js';

/** Estimates the time that is left, from measured steps, and from epochs as soon as there are any. */
export interface ExperimentClock {
  /** Adds a measurement of an activation. */
  measured(activation: string, times: RunTimes): void;
  /** Adds a finished epoch of a run. */
  epoch(key: RunKey, epoch: Pick<RunEpoch, 'epoch' | 'seconds'>): void;
  finished(key: RunKey): void;
  /** Returns the seconds until all runs are finished; undefined before anything was measured. */
  secondsLeft(): number | undefined;
  /** Returns the finished share of all epochs. */
  share(): number;
}

/** Creates the clock of some runs on so many workers. */
export function experimentClock(
  { settings: { epochs: total }, seeds }: Pick<Experiment, 'settings' | 'seeds'>,
  keys: readonly RunKey[],
  workers: number,
): ExperimentClock {
  const times = new Map<string, RunTimes>();
  const taken = new Map<string, number[]>();
  const done = new Map<RunKey, number>();
  const open = new Set(keys);
  const find = ({ activation, seed }: RunKey) =>
    keys.find((one) => one.activation === activation && one.seed === seed);
  const left = (key: RunKey): number => {
    const known = times.get(key.activation) ?? [...times.values()][0];
    if (known === undefined) return Number.NaN;
    const steps = taken.get(key.activation);
    const epoch = (steps === undefined ? known.steps : mean(steps)) + known.score;
    return (total - (done.get(key) ?? 0)) * epoch + known.end + (key.seed === seeds[0] ? known.landscape : 0);
  };
  return {
    measured: (activation, given) => void times.set(activation, given),
    epoch(given, { epoch, seconds }) {
      const key = find(given);
      if (key !== undefined) done.set(key, epoch);
      taken.set(given.activation, [...(taken.get(given.activation) ?? []), seconds]);
    },
    finished(given) {
      const key = find(given);
      if (key === undefined) return;
      open.delete(key);
      done.set(key, total);
    },
    secondsLeft() {
      const running = [...open].sort((a, b) => (done.get(b) ?? 0) - (done.get(a) ?? 0));
      const seconds = makespan(running.map(left), workers);
      return Number.isNaN(seconds) ? undefined : seconds;
    },
    share: () => keys.reduce((sum, key) => sum + (done.get(key) ?? 0), 0) / Math.max(1, keys.length * total),
  };
}
