import { adamStep, zeroMoments } from './optimizer.js';
import type { Parameter } from './parameters.js';
import { cosineRate } from './schedule.js';

/** Learning rate of the first steps, relative to a parameter's scale. */
export const LEARNING_RATE = 0.01;
/** Divides the learning rate after a divergence. */
export const RATE_DIVISOR = 4;
/** The lowest learning rate to try. */
export const MIN_LEARNING_RATE = LEARNING_RATE / RATE_DIVISOR ** 2;
/** Ratio of the first validation loss to the loss before training, above which training counts as diverged. */
export const DIVERGENCE_RATIO = 2;
/** Number of validations over all steps. */
export const VALIDATIONS = 12;

export interface TrainOptions {
  /** Training changes the values of these parameters. */
  readonly parameters: readonly Parameter[];
  readonly steps: number;
  /** Restarts at the first batch. Yields the gradients of each batch, in the order of the parameters. */
  readonly gradients: () => AsyncGenerator<readonly Float32Array[], never>;
  /** Computes the loss on the validation subset. */
  readonly validationLoss: () => Promise<number>;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

export interface Trained {
  /** Validation loss before training, and the lowest validation loss (`after`). */
  readonly before: number;
  readonly after: number;
  /** Parameter values at the lowest validation loss; undefined if no step lowered the loss. */
  readonly values: readonly Float32Array[] | undefined;
}

/**
 * Trains parameters by Adam with a cosine schedule. Returns the values with the lowest validation loss. If training diverges,
 * restarts with a lower learning rate.
 */
export async function train(options: TrainOptions): Promise<Trained> {
  const { parameters, steps, onProgress } = options;
  const start = parameters.map(({ values }) => values.slice());
  const before = await options.validationLoss();
  let best: Pick<Trained, 'after' | 'values'> = { after: before, values: undefined };
  const interval = Math.max(1, Math.ceil(steps / VALIDATIONS));

  /** Takes all steps; returns false if training diverges. */
  const trainAt = async (top: number): Promise<boolean> => {
    const batches = options.gradients();
    const moments = parameters.map(zeroMoments);
    for (const [index, { values }] of parameters.entries()) values.set(start[index] as Float32Array);
    for (let step = 1; step <= steps; step++) {
      onProgress?.(step - 1, steps);
      const gradients = (await batches.next()).value;
      for (const [index, parameter] of parameters.entries()) {
        const [gradient, moment] = [gradients[index], moments[index]];
        if (gradient === undefined || moment === undefined) continue;
        adamStep(parameter, moment, gradient, step, cosineRate(top, step, steps));
      }
      if (step % interval !== 0 && step !== steps) continue;
      const loss = await options.validationLoss();
      if (loss < best.after) best = { after: loss, values: parameters.map(({ values }) => values.slice()) };
      if (!Number.isFinite(loss) || (step === interval && loss > DIVERGENCE_RATIO * before)) return false;
    }
    return true;
  };
  for (let rate = LEARNING_RATE; rate >= MIN_LEARNING_RATE && !(await trainAt(rate)); ) rate /= RATE_DIVISOR;
  return { before, ...best };
}
