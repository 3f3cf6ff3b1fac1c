import { stopIfAborted } from '../base/abort.js';
import { type Edit, type Spliced, splice } from '../onnx/splice.js';
import { type LoadedModel, modelFromBytes } from '../providers/loaded-model.js';
import { chooseLoss } from './choose-loss.js';
import { trainingDigest } from './digest-training.js';
import { diverged, divergedLoss, maxLossOf } from './divergence.js';
import type { Epoch } from './epoch.js';
import { createEpochRunner } from './epoch-runner.js';
import type { Evaluation } from './evaluate.js';
import { evaluateWeights, filtersOf } from './evaluate-weights.js';
import { trainingProgress } from './progress.js';
import { type LabelledSamples, type ProviderTrainerOptions, resolveSettings } from './trainer-options.js';
import { planTraining, type TrainerRemark } from './training-plan.js';

/**
 * A training in progress. Iteration trains an epoch at a time and ends after the last; a new iteration goes on where the
 * previous one left. After an error or an abort, the trainer is at the end of the last whole epoch.
 */
export interface ModelTrainer extends AsyncIterable<Epoch> {
  readonly remarks: readonly TrainerRemark[];
  /** Names of the weights that are trained. */
  readonly trained: readonly string[];
  /** Name of the output that the loss is computed from. */
  readonly output: string;
  /** Number of samples in a step. */
  readonly stepSamples: number;
  /** The finished epochs, those before a checkpoint included. */
  readonly epochs: readonly Epoch[];
  /** Number of the epoch with the best validation score; null without validation. */
  readonly best: number | null;
  /** Returns the state after the last whole epoch, for `resume`. */
  checkpoint(): Uint8Array;
  /** Returns the weights and running statistics of the result, by name. */
  weights(): ReadonlyMap<string, Float32Array>;
  /** Returns the edits of the model's document that write the result's weights. */
  edits(): Promise<readonly Edit[]>;
  /** Returns the model with the result's weights; all other bytes are the model's. */
  model(): Promise<Spliced>;
  /** Returns the filters of each trained weight that has filters, by name. */
  filters(): ReturnType<typeof filtersOf>;
  /** Runs the result on samples, or other weights and running statistics. Throws `bad-data`, `run-failed`, `aborted`. */
  evaluate(samples: LabelledSamples, weights?: ReadonlyMap<string, Float32Array>): Promise<Evaluation>;
  close(): Promise<void>;
}

/**
 * Prepares the training of a model. One run of ONNX Runtime is one step: forward pass, loss, gradients and optimiser. The same
 * seed gives the same bytes on the same machine. Checks all samples and targets first. The trainer must be closed.
 *
 * Throws as `scan` does; `bad-data` for samples that do not fit, labels out of range or of one class, NaN, or a batch
 * larger than the data; `bad-usage` for a model without weights and for a checkpoint of another model or other options;
 * `run-failed`, `aborted`.
 *
 * @example
 * import { getProvider } from 'onnx-mish/node';
 * import { createTrainer } from 'onnx-mish/train';
 *
 * const images = { elemType: 'f32', dims: [256, 1, 28, 28], data: new Float32Array(256 * 784) };
 * const labels = Array.from({ length: 256 }, (_, index) => index % 10);
 * const provider = getProvider('cpu');
 * const trainer = await createTrainer(bytes, { inputs: { images }, targets: labels, epochs: 3, provider });
 * for await (const { epoch, loss, accuracy } of trainer) console.log(epoch, loss, accuracy);
 * const trained = await (await trainer.model()).bytes();
 * await trainer.close();
 */
export async function createTrainer(
  given: LoadedModel | Uint8Array,
  options: ProviderTrainerOptions,
): Promise<ModelTrainer> {
  const model = given instanceof Uint8Array ? await modelFromBytes(given) : given;
  resolveSettings(options); // checks the values before the model is read
  stopIfAborted(options.signal);
  const { loss, reason } = await chooseLoss(model, options, options);
  const settings = resolveSettings({ ...options, loss });
  const plan = await planTraining(model, options, settings);
  const validation = options.validation && plan.check(options.validation);
  const digest = await trainingDigest(model, options, settings, plan, validation);
  const progress = trainingProgress(plan.step, plan.initial, digest, {
    resume: options.resume,
    validates: validation !== undefined,
  });
  stopIfAborted(options.signal);
  const runner = await createEpochRunner(plan, settings, options);
  const stepsTaken = () => progress.epochs.length * runner.stepsPerEpoch;
  runner.restore(progress.state, stepsTaken());
  const result = () => progress.weights(settings.keep);

  const isDone = () => {
    const { epochs, best } = progress;
    const stale = best === null ? 0 : epochs.length - best;
    return epochs.length >= settings.epochs || stale >= (settings.patience ?? Number.POSITIVE_INFINITY);
  };
  async function trainEpoch(): Promise<Epoch> {
    try {
      const trained = await runner.run(progress.epochs.length + 1);
      const weights = new Map(
        [...plan.initial].map(([name, { length }]) => [name, new Float32Array(length)]),
      );
      runner.copyState(weights);
      checkWeights(weights, trained.epoch);
      const evaluation = validation && (await evaluateWeights(plan, weights, validation, settings, options));
      const score = evaluation && { loss: evaluation.loss, accuracy: evaluation.accuracy };
      if (score !== undefined && !(score.loss <= maxLossOf(settings.loss)))
        throw divergedLoss(`the validation after epoch ${trained.epoch}`, score.loss);
      const epoch = { ...trained, validation: score ?? null };
      progress.add(epoch, runner.copyState);
      return epoch;
    } catch (error) {
      runner.restore(progress.state, stepsTaken());
      throw error;
    }
  }

  return {
    remarks: [...lossRemarks(reason), ...plan.remarks],
    trained: plan.trained,
    output: plan.output,
    stepSamples: plan.stepSamples,
    epochs: progress.epochs,
    get best() {
      return progress.best;
    },
    async *[Symbol.asyncIterator]() {
      while (!isDone()) yield await trainEpoch();
    },
    checkpoint: progress.checkpoint,
    weights: () => new Map([...result()].map(([name, values]) => [name, values.slice()])),
    edits: () => plan.edits(result()),
    model: async () => splice(model.document.source, await plan.edits(result())),
    filters: () => filtersOf(plan),
    evaluate: async (samples, weights = result()) =>
      evaluateWeights(plan, weights, plan.check(samples), settings, options),
    close: runner.close,
  };
}

/** Returns a remark on a loss that was chosen by the targets, for a reason. */
const lossRemarks = (reason: string | undefined): TrainerRemark[] =>
  reason === undefined ? [] : [{ code: 'loss-chosen', text: reason }];

type Values = ReadonlyMap<string, Float32Array>;

function checkWeights(weights: Values, epoch: number): void {
  for (const [name, values] of weights) {
    const wrong = values.find((value) => value - value !== 0);
    if (wrong !== undefined) throw diverged(`the weight '${name}' contains ${wrong} after epoch ${epoch}`);
  }
}
