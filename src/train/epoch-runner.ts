// Runs the steps of an epoch.
import { stopIfAborted } from '../base/abort.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { type BatchOptions, batchReader, epochOrder } from './batches.js';
import { asDivergence, maxLossOf } from './divergence.js';
import type { Epoch } from './epoch.js';
import { predictionsPerSample } from './evaluate.js';
import { lossExplainer } from './explain-loss.js';
import { outputPlaces, readsChannelsLast } from './image-places.js';
import { createLossCheck } from './loss-check.js';
import { recentMean } from './recent-mean.js';
import { rateAt } from './schedule.js';
import { createStepper, type FailedStep, type Stepper } from './stepper.js';
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

/** Opens a training step. Throws `run-failed`. */
export async function createEpochRunner(
  plan: TrainingPlan,
  settings: ResolvedSettings,
  options: ProviderTrainerOptions,
): Promise<EpochRunner> {
  const { model, step, optimizer, initial, batch, outputDims, data } = plan;
  const { seed, loss, epochs } = settings;
  const { signal, onProgress } = options;
  const reader = batchReader(data.samples, data.rows, readerOptions(plan, settings));
  const stepsPerEpoch = Math.floor(data.samples.count / batch);
  const schedule = scheduleOf(settings, stepsPerEpoch);
  const teacher =
    options.teacher &&
    (await openTeacher(options.teacher, plan.output, loss, step.layout, { ...options, feeds: plan.feeds }));
  const session = await model
    // ONNX Runtime plans a block of memory in the first run. It needs the block besides what that run took, and saves no time.
    .withEdited(step.model, (copy) =>
      options.provider.open(copy, { memoryPattern: false, forRunInto: true, ...options.session }),
    )
    .catch(async (error: unknown) => {
      await teacher?.close();
      throw error;
    });
  const explainLoss = lossExplainer(model, step, options);
  const explain = async (failed: FailedStep) => asDivergence(await explainLoss(failed));
  const stepSettings = { optimizer, initial, signal, explain, maxLoss: maxLossOf(loss) };
  const stepper = createStepper(session, step, stepSettings);
  /** Milliseconds of a step, for the estimate. */
  const stepMs = recentMean();
  const check = createLossCheck(plan, options);
  /** Whether the check has the state of the training. */
  let isChecked = false;

  return {
    stepsPerEpoch,
    copyState: stepper.copyState,
    restore(state, stepsBefore) {
      stepper.restore(state, stepsBefore);
      isChecked = false;
    },
    async run(epoch) {
      const start = performance.now();
      const order = epochOrder(seed, epoch, data.samples.count);
      if (!isChecked) await check.start(stepper.state(), (epoch - 1) * stepsPerEpoch);
      isChecked = true;
      const all = batch * predictionsPerSample(loss, outputDims, step.layout);
      const mean = meanLoss();
      let [correct, counted, rate] = [0, 0, 0];
      for (let at = 0; at < stepsPerEpoch; at++) {
        stopIfAborted(signal);
        const begin = performance.now();
        const done = (epoch - 1) * stepsPerEpoch + at + 1;
        await reader.read(order.subarray(at * batch, (at + 1) * batch), epoch);
        const labels = teacher && reader.targets.slice();
        await teacher?.mix(reader.feeds, reader.targets);
        rate = rateAt(schedule, done);
        const result = await stepper.step(reader.feeds, reader.targets, rate, labels);
        await check.compare(result.loss, reader, rate);
        mean.add(result.loss, result.counted);
        correct += result.correct ?? Number.NaN;
        counted += result.counted ?? all;
        stepMs.add(performance.now() - begin);
        const left = epochs * stepsPerEpoch - done;
        onProgress?.(done, epochs * stepsPerEpoch, (left * stepMs.value()) / 1000, mean.value());
      }
      const accuracy = correct / counted;
      return {
        epoch,
        loss: mean.value(),
        accuracy: Number.isNaN(accuracy) ? null : accuracy,
        rate,
        seconds: (performance.now() - start) / 1000,
        steps: stepsPerEpoch,
      };
    },
    async close() {
      await Promise.all([session.close(), teacher?.close(), check.close()]);
    },
  };
}

function readerOptions(
  { batch, outputDims, step, model: { document }, data }: TrainingPlan,
  { loss, seed, augment }: ResolvedSettings,
): BatchOptions {
  const index = indexGraphs(document);
  const inputs = Object.keys(data.samples.inputs);
  return {
    batch,
    outputDims,
    seed,
    augment,
    layout: loss === 'cross-entropy' ? step.layout : undefined,
    channelsLast: (input) => readsChannelsLast(document, index, input),
    places: outputPlaces(document, index, inputs, step.scores),
  };
}

/** Adds up the losses of batches. Those with fewer predictions that count weigh less. */
function meanLoss() {
  let [sum, weights] = [0, 0];
  return {
    add(loss: number, weight = 1) {
      sum += loss * weight;
      weights += weight;
    },
    value: () => (weights === 0 ? 0 : sum / weights),
  };
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
