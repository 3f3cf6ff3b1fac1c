/** Schedule of the learning rate over the steps of a training. */
export interface Schedule {
  readonly kind: 'constant' | 'cosine' | 'step';
  /** The learning rate after the warm-up. */
  readonly rate: number;
  /** Number of steps of the training, including the warm-up. */
  readonly steps: number;
  /** Number of steps over which the rate rises linearly to `rate`; 0 by default. */
  readonly warmUpSteps?: number | undefined;
  /** For `step`: number of steps between two decays of the rate; default: a third of those after the warm-up. */
  readonly decaySteps?: number | undefined;
  /** For `step`: the factor of a decay; default 0.1. */
  readonly decay?: number | undefined;
}

const DEFAULT_DECAY = 0.1;

/** Returns the learning rate of a step. Steps count from 1. */
export function rateAt(schedule: Schedule, step: number): number {
  const { kind, rate, steps, warmUpSteps = 0, decay = DEFAULT_DECAY } = schedule;
  if (step <= warmUpSteps) return (rate * step) / warmUpSteps;
  const [place, count] = [step - warmUpSteps, steps - warmUpSteps];
  if (kind === 'cosine') return cosineRate(rate, place, count);
  if (kind === 'constant') return rate;
  return rate * decay ** Math.floor((place - 1) / (schedule.decaySteps ?? Math.ceil(count / 3)));
}

/** Returns the learning rate of a step: a half cosine from `top` down to 0. Steps count from 1. */
export function cosineRate(top: number, step: number, steps: number): number {
  return top * 0.5 * (1 + Math.cos((Math.PI * (step - 1)) / steps));
}
