// Runs the steps of an epoch.
import { stopIfAborted } from '../base/abort.js';
import { OnnxMishError } from '../base/error.js';
import { elementCount } from '../providers/tensor.js';
import { withSession } from '../providers/with-session.js';
import { type BatchReader, batchReader, epochOrder } from './batches.js';
import type { Epoch } from './epoch.js';
import { lossExplainer } from './explain-loss.js';
import { rateAt } from './schedule.js';
import { createStepper, type Stepper } from './stepper.js';
import { openTeacher } from './teacher.js';
import type { ProviderTrainerOptions, ResolvedSettings } from './trainer-options.js';
import type { TrainingPlan } from './training-plan.js';

/** An open training session that runs epochs. */
export interface EpochRunner extends Pick<Stepper, 'copyState' | 'restore'> {
  readonly stepsPerEpoch: number;
  /** Takes the steps of an epoch. Epochs count from 1. Throws `run-failed`, `aborted`. */
  run(epoch: number): Promise<Omit<Epoch, 'validation'>>;
  close(): Promise<void>;
}

/** Maximum relative difference between the first losses of two providers. */
const MAX_LOSS_DIFFERENCE = 1e-3;

/** Opens a training step. Throws `run-failed`. */
export async function createEpochRunner(
  plan: TrainingPlan,
  settings: ResolvedSettings,
  options: ProviderTrainerOptions,
): Promise<EpochRunner> {
  const { model, step, optimizer, initial, batch, outputDims, data } = plan;
  const { seed, augment, loss, epochs } = settings;
  const { signal, onProgress } = options;
  const reader = batchReader(data.samples, data.rows, { batch, outputDims, seed, augment });
  const stepsPerEpoch = Math.floor(data.samples.count / batch);
  const schedule = scheduleOf(settings, stepsPerEpoch);
  const teacher =
    options.teacher &&
    (await openTeacher(options.teacher, plan.output, loss, elementCount(outputDims), options));
  const session = await model
    .withEdited(step.model, (copy) => options.provider.open(copy, options.session))
    .catch(async (error: unknown) => {
      await teacher?.close();
      throw error;
    });
  const explain = lossExplainer(model, step, options);
  const stepper = createStepper(session, step, { optimizer, initial, signal, explain });
  /** Clock for the estimate: steps and milliseconds of this process. */
  const clock = { steps: 0, ms: 0 };
  let checked = options.reference === undefined;

  return {
    stepsPerEpoch,
    copyState: stepper.copyState,
    restore: stepper.restore,
    async run(epoch) {
      const start = performance.now();
      const order = epochOrder(seed, epoch, data.samples.count);
      let [sum, correct, rate] = [0, 0, 0];
      for (let at = 0; at < stepsPerEpoch; at++) {
        stopIfAborted(signal);
        const begin = performance.now();
        const done = (epoch - 1) * stepsPerEpoch + at + 1;
        await reader.read(order.subarray(at * batch, (at + 1) * batch), epoch);
        await teacher?.mix(reader.feeds, reader.targets);
        rate = rateAt(schedule, done);
        const before = checked ? initial : stepper.state();
        const result = await stepper.step(reader.feeds, reader.targets, rate);
        if (!checked) await checkFirstLoss(result.loss, reader, plan, before, options);
        checked = true;
        sum += result.loss;
        correct += result.correct ?? Number.NaN;
        clock.steps++;
        clock.ms += performance.now() - begin;
        const left = epochs * stepsPerEpoch - done;
        onProgress?.(done, epochs * stepsPerEpoch, (left * clock.ms) / clock.steps / 1000);
      }
      const predictions = stepsPerEpoch * batch * (loss === 'bce' ? elementCount(outputDims) : 1);
      return {
        epoch,
        loss: sum / stepsPerEpoch,
        accuracy: Number.isNaN(correct) ? null : correct / predictions,
        rate,
        seconds: (performance.now() - start) / 1000,
        steps: stepsPerEpoch,
      };
    },
    async close() {
      await Promise.all([session.close(), teacher?.close()]);
    },
  };
}

/** Throws `run-failed` if the reference provider computes another loss for the first batch. */
async function checkFirstLoss(
  found: number,
  { feeds, targets }: BatchReader,
  { model, step, optimizer }: TrainingPlan,
  initial: ReadonlyMap<string, Float32Array>,
  { provider, reference }: ProviderTrainerOptions,
): Promise<void> {
  if (reference === undefined) return;
  const expected = await model.withEdited(step.model, (copy) =>
    withSession(copy, { provider: reference }, async (session) => {
      const stepper = createStepper(session, step, { optimizer, initial });
      return (await stepper.step(feeds, targets, 0)).loss;
    }),
  );
  if (Math.abs(found - expected) <= MAX_LOSS_DIFFERENCE * Math.abs(expected)) return;
  throw new OnnxMishError(
    'run-failed',
    `the first loss is ${found} on ${provider.name}, but ${expected} on ${reference.name}`,
    { fix: `Train on ${reference.name}` },
  );
}

function scheduleOf(
  { schedule, rate, epochs, warmUp, decay, decayEpochs }: ResolvedSettings,
  perEpoch: number,
) {
  return {
    kind: schedule,
    rate,
    steps: epochs * perEpoch,
    warmUpSteps: Math.round(warmUp * perEpoch),
    decaySteps: decayEpochs && Math.max(1, Math.round(decayEpochs * perEpoch)),
    decay,
  };
}
