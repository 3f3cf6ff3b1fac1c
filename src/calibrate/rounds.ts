import {
  LEARNING_RATE,
  MIN_LEARNING_RATE,
  RATE_DIVISOR,
  type Trained,
  type TrainOptions,
  train,
} from '../train/loop.js';

/** Steps of a round. */
const ROUND_STEPS = 200;
/** More rounds gain little. */
const MAX_ROUNDS = 8;
/** No round begins after this time. */
const MAX_ROUNDS_MS = 45_000;
/** Share by which a round has to lower the validation loss for another one. */
const MIN_GAIN_SHARE = 0.02;

export interface RoundsOptions extends Omit<TrainOptions, 'steps' | 'rate'> {
  /** Makes these values the initial values, for another round. */
  begin(values: readonly Float32Array[]): void;
}

/** Result of all rounds together. */
export interface RoundsResult extends Trained {
  readonly steps: number;
}

/**
 * Trains for a number of steps; without a number, in rounds of 200 steps. Another round begins where the last one found its
 * lowest validation loss, if it gained at least 2 %. While no round gains anything, the rate is lowered.
 */
export async function inRounds(steps: number | undefined, options: RoundsOptions): Promise<RoundsResult> {
  if (steps !== undefined) return { ...(await train({ ...options, steps })), steps };
  const start = performance.now();
  let rate = LEARNING_RATE;
  let found: RoundsResult | undefined;
  for (let round = 0; round < MAX_ROUNDS && performance.now() - start < MAX_ROUNDS_MS; round++) {
    const { before, after, values } = await train({ ...options, rate, steps: ROUND_STEPS });
    const best = values === undefined ? found?.values : values;
    found = { before: found?.before ?? before, after, values: best, steps: ROUND_STEPS * (round + 1) };
    if (best === undefined) {
      rate /= RATE_DIVISOR;
      if (rate < MIN_LEARNING_RATE) break;
    } else if (values === undefined || !(1 - after / before >= MIN_GAIN_SHARE)) break;
    else options.begin(values);
  }
  return found ?? { before: Number.NaN, after: Number.NaN, values: undefined, steps: 0 };
}
