import {
  LEARNING_RATE,
  MIN_LEARNING_RATE,
  RATE_DIVISOR,
  type Trained,
  type TrainOptions,
  train,
  VALIDATIONS,
} from '../train/loop.js';

/** Steps of a round. */
const ROUND_STEPS = 200;
/** More rounds gain little. */
const MAX_ROUNDS = 8;
/** No round begins after this time. */
const MAX_BEGIN_MS = 45_000;
/** All rounds end at about this time; a round has fewer steps where each takes long, and ends early where they got slower. */
const MAX_ROUNDS_MS = 60_000;
/** Validations take at most about this time of a round, unless so few take longer. */
const MAX_VALIDATIONS_MS = MAX_ROUNDS_MS / 3;
const MIN_VALIDATIONS = 3;
/** A round of fewer steps is not worth its time. */
export const MIN_ROUND_STEPS = 12;
/** Share by which a round has to lower the validation loss for another one. */
const MIN_GAIN_SHARE = 0.02;

/** Limit of all rounds that needs no clock, so that the same seed gives the same steps on a busy machine, too. */
export interface StepLimit {
  readonly maxSteps: number;
  /** Time of a step by its work, in milliseconds. */
  readonly stepMs: number;
}

export interface RoundsOptions extends Omit<TrainOptions, 'steps' | 'rate'> {
  /** Makes these values the initial values, for another round. */
  begin(values: readonly Float32Array[]): void;
  /** Measures the time of a step in milliseconds; default 0. */
  readonly stepMs?: (() => Promise<number>) | undefined;
  /** When all rounds end, as `performance.now()` counts, if the clock's other limits do not end them before; default never. */
  readonly deadline?: number | undefined;
  /** Limit of all rounds; by default, the clock limits them. */
  readonly limit?: StepLimit | undefined;
}

/**
 * Trains for a number of steps; without a number, in rounds of 200 steps. Another round begins where the last one found its
 * lowest validation loss, if it gained at least 2 %. While no round gains anything, the rate is lowered. Where steps take long, by the
 * clock or by the limit, rounds are shorter, or there is none.
 */
export async function inRounds(steps: number | undefined, options: RoundsOptions): Promise<Trained> {
  if (steps !== undefined) return train({ ...options, steps });
  const { limit, deadline = Number.POSITIVE_INFINITY } = options;
  const start = performance.now();
  const most = Math.min(MAX_ROUNDS_MS, deadline - start);
  const loss = await options.validationLoss();
  const lossMs = limit === undefined ? performance.now() - start : 0;
  const stepMs = Math.max(1e-3, limit?.stepMs ?? (await options.stepMs?.()) ?? 0);
  const affordable = Math.floor(MAX_VALIDATIONS_MS / Math.max(1, lossMs));
  const validations = Math.max(MIN_VALIDATIONS, Math.min(VALIDATIONS, affordable));
  const isOver = () => limit === undefined && performance.now() - start > most;
  let rate = LEARNING_RATE;
  let found: Trained = { before: loss, after: loss, values: undefined, steps: 0 };
  for (let count = 0; count < MAX_ROUNDS; count++) {
    const elapsed = limit === undefined ? performance.now() - start : found.steps * stepMs;
    const fitting = Math.floor((most - elapsed - validations * lossMs) / stepMs);
    const some = Math.min(ROUND_STEPS, fitting, (limit?.maxSteps ?? Infinity) - found.steps);
    if (elapsed > MAX_BEGIN_MS || some < MIN_ROUND_STEPS) break;
    const { before, after, values, ...round } = await train({
      ...options,
      rate,
      steps: some,
      validations,
      isOver,
    });
    const best = values ?? found.values;
    found = { before: found.before, after, values: best, steps: found.steps + round.steps };
    if (best === undefined) {
      rate /= RATE_DIVISOR;
      if (rate < MIN_LEARNING_RATE) break;
    } else if (values === undefined || !(1 - after / before >= MIN_GAIN_SHARE)) break;
    else options.begin(values);
  }
  return found;
}
