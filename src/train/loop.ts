import { cosineRate } from './schedule.js';

/** Learning rate of the first steps, relative to a parameter's scale. */
export const LEARNING_RATE = 0.01;
/** Divides the learning rate after a divergence. */
export const RATE_DIVISOR = 4;
/** The lowest learning rate to try. */
export const MIN_LEARNING_RATE = LEARNING_RATE / RATE_DIVISOR ** 2;
/** Ratio of the first validation loss to the loss before training, above which training counts as diverged. */
export const DIVERGENCE_RATIO = 2;
/** Default number of validations over all steps. */
export const VALIDATIONS = 12;

export interface TrainOptions {
  readonly steps: number;
  /** Learning rate of the first steps; default `LEARNING_RATE`. */
  readonly rate?: number | undefined;
  /** Returns to the initial values and the first batch. */
  restart(): void;
  /** Takes a step at a learning rate, and returns the loss before the step. */
  step(rate: number): Promise<number>;
  /** Computes the loss on the validation subset. */
  readonly validationLoss: () => Promise<number>;
  /** Number of validations over all steps; default 12. */
  readonly validations?: number | undefined;
  /** Returns whether to end before the last step; default never. */
  readonly isOver?: (() => boolean) | undefined;
  /** Copies the values of the parameters. */
  values(): readonly Float32Array[];
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

export interface Trained {
  /** Number of steps, without those before a restart. */
  readonly steps: number;
  /** Validation loss before training, and the lowest validation loss (`after`). */
  readonly before: number;
  readonly after: number;
  /** Parameter values at the lowest validation loss; undefined if no step lowered the loss. */
  readonly values: readonly Float32Array[] | undefined;
}

/**
 * Trains parameters with a cosine schedule. Returns the values with the lowest validation loss. If training diverges, restarts
 * with a lower learning rate.
 */
export async function train(options: TrainOptions): Promise<Trained> {
  const {
    steps,
    rate: first = LEARNING_RATE,
    validations = VALIDATIONS,
    isOver = () => false,
    onProgress,
  } = options;
  const before = await options.validationLoss();
  let best: Pick<Trained, 'after' | 'values'> = { after: before, values: undefined };
  let taken = steps;
  const interval = Math.max(1, Math.ceil(steps / validations));

  /** Takes all steps; returns false if training diverges. */
  const trainAt = async (top: number): Promise<boolean> => {
    options.restart();
    for (let step = 1; step <= steps; step++) {
      onProgress?.(step - 1, steps);
      if (!Number.isFinite(await options.step(cosineRate(top, step, steps)))) return false;
      const isLast = step === steps || isOver();
      if (step % interval !== 0 && !isLast) continue;
      const loss = await options.validationLoss();
      if (loss < best.after) best = { after: loss, values: options.values() };
      if (!Number.isFinite(loss) || (step === interval && loss > DIVERGENCE_RATIO * before)) return false;
      if (!isLast) continue;
      taken = step;
      break;
    }
    return true;
  };
  for (let rate = first; rate >= MIN_LEARNING_RATE && !(await trainAt(rate)) && !isOver(); )
    rate /= RATE_DIVISOR;
  return { before, steps: taken, ...best };
}
