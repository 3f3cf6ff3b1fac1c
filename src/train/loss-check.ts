import { OnnxMishError } from '../base/error.js';
import type { Session } from '../providers/provider.js';
import type { BatchReader } from './batches.js';
import { createStepper, type Stepper } from './stepper.js';
import type { ProviderTrainerOptions } from './trainer-options.js';
import type { TrainingPlan } from './training-plan.js';

/** Comparison of the first losses with those of another provider. */
export interface LossCheck {
  /** Begins anew from a state of the training, unless the check is over: opens the other provider's session. */
  start(state: ReadonlyMap<string, Float32Array>, stepsBefore: number): Promise<void>;
  /** Takes the same step, if the check is not over. Throws `run-failed` if the losses differ. */
  compare(loss: number, batch: Pick<BatchReader, 'feeds' | 'targets'>, rate: number): Promise<void>;
  close(): Promise<void>;
}

/** Number of steps to compare: wrong gradients of the first step show in the losses of the next ones. */
const MAX_COMPARED_RUNS = 3;
/** Maximum relative difference between two losses. */
const MAX_DIFFERENCE_RATIO = 1e-3;

/** Creates a check against the reference provider; it does nothing without a reference. */
export function createLossCheck(plan: TrainingPlan, options: ProviderTrainerOptions): LossCheck {
  const { model, step, optimizer } = plan;
  const { provider, reference } = options;
  let left = reference === undefined ? 0 : MAX_COMPARED_RUNS;
  let open: { readonly session: Session; readonly stepper: Stepper } | undefined;
  const close = async () => {
    const session = open?.session;
    open = undefined;
    await session?.close();
  };
  return {
    async start(state, stepsBefore) {
      if (reference === undefined || left === 0) return;
      await close();
      left = MAX_COMPARED_RUNS;
      const session = await model.withEdited(step.model, (copy) => reference.open(copy));
      open = { session, stepper: createStepper(session, step, { optimizer, initial: state, stepsBefore }) };
    },
    async compare(loss, { feeds, targets }, rate) {
      if (open === undefined || reference === undefined) return;
      const { loss: expected } = await open.stepper.step(feeds, targets, rate);
      if (!(Math.abs(loss - expected) <= MAX_DIFFERENCE_RATIO * Math.abs(expected))) {
        const order = ['first', 'second', 'third'][MAX_COMPARED_RUNS - left];
        const what = `the ${order} loss is ${loss} on ${provider.name}, but ${expected} on ${reference.name}`;
        throw new OnnxMishError('run-failed', what, { fix: `Train on ${reference.name}` });
      }
      if (--left === 0) await close();
    },
    close,
  };
}
