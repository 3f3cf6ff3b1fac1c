/** How the learning rate goes over the steps of a training. */
export interface Schedule {
  readonly kind: 'constant' | 'cosine' | 'step';
  /** The learning rate after the warm-up. */
  readonly rate: number;
  /** Steps of the training, the warm-up included. */
  readonly steps: number;
  /** Steps over which the rate rises evenly to `rate`; none unless given. */
  readonly warmUpSteps?: number | undefined;
  /** For `step`: steps between two decays of the rate, and the factor of each. */
  readonly decaySteps?: number | undefined;
  readonly decay?: number | undefined;
}

const DEFAULT_DECAY = 0.1;

/** Gives the learning rate of a step. Steps count from 1. */
export function rateAt(schedule: Schedule, step: number): number {
  const { kind, rate, steps, warmUpSteps = 0, decay = DEFAULT_DECAY } = schedule;
  if (step <= warmUpSteps) return (rate * step) / warmUpSteps;
  const [place, count] = [step - warmUpSteps, steps - warmUpSteps];
  if (kind === 'cosine') return cosineRate(rate, place, count);
  if (kind === 'constant') return rate;
  return rate * decay ** Math.floor((place - 1) / (schedule.decaySteps ?? Math.ceil(count / 3)));
}

/** Gives the learning rate of a step: a half cosine from `top` down to nothing. Steps count from 1. */
export function cosineRate(top: number, step: number, steps: number): number {
  return top * 0.5 * (1 + Math.cos((Math.PI * (step - 1)) / steps));
}
