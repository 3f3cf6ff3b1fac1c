// Options of a training, their defaults, and the checks of their values.

import { OnnxMishError } from '../base/error.js';
import { AUGMENTATIONS, type Augmentation } from '../data/augment.js';
import { DEFAULT_IGNORED_LABEL } from '../data/labels.js';
import type { Samples } from '../data/samples.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import type { Weight } from '../onnx/weights.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider, Provider, SessionOptions } from '../providers/provider.js';
import type { Tensor } from '../providers/tensor.js';
import type { OptimizerOptions } from './graph-optimizers.js';
import type { LossName } from './losses.js';
import type { Schedule } from './schedule.js';
import type { SampleOrigin, Targets } from './targets.js';

/** Samples with their targets. */
export interface LabelledSamples {
  /** Samples with random access, or an array for each input, whose first axis counts samples. */
  readonly inputs: Samples | Readonly<Record<string, Tensor>>;
  /** Class numbers, one per sample, or numbers in the shape of the output. */
  readonly targets: Targets;
  /** Place of the samples in larger data, for messages. */
  readonly origin?: SampleOrigin | undefined;
}

/** Model whose outputs are mixed into the targets (distillation). */
export interface Teacher {
  /** Model with the same inputs and output. */
  readonly model: LoadedModel | Uint8Array;
  /** Share of the teacher's outputs in the targets; default 0.5. */
  readonly share?: number | undefined;
}

/**
 * Returns initial values of weights and running statistics by name. Weights that it leaves out keep the model's values. It gets the
 * copy that is trained, and the weights that training changes.
 */
export type InitialValues = (
  copy: TrainedCopy,
  weights: readonly Weight[],
) => ReadonlyMap<string, ArrayLike<number>>;

/** Structure of the copy of a model that is trained. */
export interface TrainedCopy {
  readonly document: OnnxDocument;
  readonly index: GraphIndex;
  /** Returns the shape of a value for a batch. */
  dims(name: string): readonly number[];
}

/** Settings of a training that decide its result. */
export interface TrainerSettings {
  /** The output that the loss is computed from; default: the first of floats. */
  readonly output?: string | undefined;
  /** Default: by the targets, cross-entropy for classes and probabilities, `bce` for a label of 0 or 1 for each score, `mse` for other numbers. */
  readonly loss?: LossName | undefined;
  /** Share of the uniform distribution in the targets of cross-entropy; default 0. */
  readonly labelSmoothing?: number | undefined;
  /** Class number that cross-entropy ignores, such as 255 in masks; default -100, as in PyTorch. No class has it. */
  readonly ignoreLabel?: number | undefined;
  /** Default: Adam. */
  readonly optimizer?: OptimizerOptions | undefined;
  /** Highest learning rate; default 0.001, for SGD 0.01. */
  readonly rate?: number | undefined;
  /** Course of the learning rate over all epochs; default: cosine. */
  readonly schedule?: Schedule['kind'] | undefined;
  /** Number of epochs over which the rate rises, which may be a fraction; default 0. */
  readonly warmUp?: number | undefined;
  /** For the schedule `step`: number of epochs between two decays; default: a third of those after the warm-up. */
  readonly decayEpochs?: number | undefined;
  /** For the schedule `step`: the factor of a decay, 0 to 1; default 0.1. */
  readonly decay?: number | undefined;
  /** Default 1. */
  readonly epochs?: number | undefined;
  /** Number of samples of a step; default 64, or what the model takes. */
  readonly batch?: number | undefined;
  /** Seed of the order of the samples and of augmentation; default 0. */
  readonly seed?: number | undefined;
  /**
   * Statistics of batch normalisation. `auto`, the default, trains with the batch's from 32 samples a batch on. `insert` trains, and
   * puts batch normalisation back behind convolutions without one, unless they are frozen; the result has it folded into the weights again.
   */
  readonly batchNorm?: 'auto' | 'frozen' | 'train' | 'insert' | undefined;
  /** Maximum norm of all gradients together; unlimited by default. */
  readonly maxGradientNorm?: number | undefined;
  /** Random changes of images; default: none. */
  readonly augment?: readonly Augmentation[] | undefined;
  /** Number of epochs without a better validation score after which training ends; unlimited by default. */
  readonly patience?: number | undefined;
  /** Weights of the result: those of the epoch with the best validation score, the default, or of the last epoch. */
  readonly keep?: 'best' | 'last' | undefined;
}

export interface TrainerOptions extends LabelledSamples, TrainerSettings {
  readonly validation?: LabelledSamples | undefined;
  readonly teacher?: Teacher | undefined;
  /** Returns whether a weight or a running statistic stays unchanged, by its name; default: none does. */
  readonly freeze?: ((weight: string) => boolean) | undefined;
  /** Returns the values from which training starts; default: the model's. */
  readonly initial?: InitialValues | undefined;
  readonly provider?: Provider | undefined;
  /** Provider that takes the first three steps as well. Training stops if a loss differs. */
  readonly reference?: Provider | undefined;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A checkpoint of the same model and options, to go on from. */
  readonly resume?: Uint8Array | undefined;
  /** Receives the number of finished steps, their total, an estimate of the seconds left, and the epoch’s mean loss so far. */
  readonly onProgress?: ((step: number, of: number, secondsLeft: number, loss: number) => void) | undefined;
}

/** Settings with all defaults, except for those that depend on the model. */
export type ResolvedSettings = ReturnType<typeof resolveSettings>;

/** Options of a trainer on a provider. */
export type ProviderTrainerOptions = TrainerOptions & OnProvider;

/** Batch size from which batch normalisation is trained by default. */
export const MIN_BATCH_NORM_SAMPLES = 32;

/** Samples in a step, unless the settings or the model say otherwise. */
export const DEFAULT_BATCH_SAMPLES = 64;

/** Maximum weight decay. */
const MAX_WEIGHT_DECAY = 1000;

/** The names that settings may have. */
const NAMES = {
  loss: ['cross-entropy', 'bce', 'mse'],
  optimizer: ['sgd', 'rmsprop', 'adam', 'adamw'],
  schedule: ['constant', 'cosine', 'step'],
  batchNorm: ['auto', 'frozen', 'train', 'insert'],
  keep: ['best', 'last'],
} as const;

/** Maximum learning rate. The adaptive optimisers move each weight by about the rate in each step. */
const MAX_RATE = 1000;

/** Fills in the defaults. Throws `bad-usage` for values that cannot be used. */
export function resolveSettings(settings: TrainerSettings) {
  const { optimizer = { kind: 'adam' }, loss = 'cross-entropy' } = settings;
  const { rate = optimizer.kind === 'sgd' ? 0.01 : 0.001 } = settings;
  const { epochs = 1, batch, seed = 0, warmUp = 0, augment = [], labelSmoothing = 0 } = settings;
  const { maxGradientNorm, patience, decayEpochs, decay, output } = settings;
  const { schedule = 'cosine', batchNorm = 'auto', keep = 'best' } = settings;
  checkNames({ loss, optimizer: optimizer.kind, schedule, batchNorm, keep });
  checkWhole('the number of epochs', epochs);
  checkWhole('the batch size', batch);
  checkWhole('the patience', patience);
  checkOptimizer(optimizer);
  if (!(rate > 0 && rate <= MAX_RATE))
    throw new OnnxMishError(
      'bad-usage',
      `the learning rate must be above 0 and at most ${MAX_RATE}, got ${rate}`,
    );
  checkDecay(optimizer, rate);
  checkRange('the warm-up', warmUp, 0, epochs);
  checkBelowOne('the label smoothing', labelSmoothing);
  if (labelSmoothing > 0 && loss !== 'cross-entropy')
    throw new OnnxMishError('bad-usage', `the loss ${loss} has no labels to smooth`, {
      fix: 'Leave out the label smoothing',
    });
  checkIgnoredLabel(settings.ignoreLabel, loss);
  if (maxGradientNorm !== undefined)
    checkRange('the maximum norm of the gradients', maxGradientNorm, Number.MIN_VALUE, Number.MAX_VALUE);
  if (decayEpochs !== undefined)
    checkRange('the number of epochs between decays', decayEpochs, Number.MIN_VALUE, Number.MAX_VALUE);
  if (decay !== undefined) checkRange('the factor of a decay', decay, 0, 1);
  const unusable = augment.find((kind) => !AUGMENTATIONS.includes(kind));
  if (unusable !== undefined) {
    throw new OnnxMishError('bad-usage', `'${unusable}' is not a valid augmentation`, {
      fix: `Use ${AUGMENTATIONS.join(', ')}`,
    });
  }
  const { ignoreLabel = DEFAULT_IGNORED_LABEL } = settings;
  return {
    output,
    loss,
    labelSmoothing,
    ignoreLabel,
    optimizer,
    rate,
    schedule,
    warmUp,
    decayEpochs,
    decay,
    epochs,
    batch,
    seed,
    batchNorm,
    maxGradientNorm,
    augment,
    patience,
    keep,
  };
}

/** Throws `bad-usage` for a name that a setting does not have: a program without types may give any. */
function checkNames(given: Readonly<Record<keyof typeof NAMES, string>>): void {
  for (const [setting, allowed] of Object.entries(NAMES)) {
    const name = given[setting as keyof typeof NAMES];
    if (allowed.some((one) => one === name)) continue;
    throw new OnnxMishError('bad-usage', `'${name}' is not a valid value of ${setting}`, {
      fix: `Use ${allowed.join(', ')}`,
    });
  }
}

/** Throws `bad-usage` for a number with which an optimiser does not work. */
function checkOptimizer(optimizer: OptimizerOptions): void {
  checkRange('the weight decay', optimizer.weightDecay ?? 0, 0, MAX_WEIGHT_DECAY);
  if ('momentum' in optimizer) checkBelowOne('the momentum', optimizer.momentum ?? 0);
  if ('alpha' in optimizer) checkBelowOne('the alpha of RMSProp', optimizer.alpha ?? 0);
  if ('betas' in optimizer) for (const beta of optimizer.betas ?? []) checkBelowOne('a beta of Adam', beta);
  if ('epsilon' in optimizer)
    checkRange('the epsilon of Adam', optimizer.epsilon ?? 1, Number.MIN_VALUE, Number.MAX_VALUE);
}

function checkWhole(name: string, value: number | undefined): void {
  if (value === undefined || (Number.isSafeInteger(value) && value > 0)) return;
  throw new OnnxMishError('bad-usage', `${name} must be a positive integer, got ${value}`);
}

function checkIgnoredLabel(label: number | undefined, loss: LossName): void {
  if (label === undefined) return;
  if (!Number.isSafeInteger(label))
    throw new OnnxMishError('bad-usage', `the ignored label must be an integer, got ${label}`);
  if (loss === 'cross-entropy') return;
  throw new OnnxMishError('bad-usage', `the loss ${loss} has no labels to ignore`, {
    fix: 'Leave out the ignored label',
    option: { ignoreLabel: null },
  });
}

/** Throws `bad-usage` unless a value is from 0 to below 1. */
function checkBelowOne(name: string, value: number): void {
  if (value >= 0 && value < 1) return;
  throw new OnnxMishError('bad-usage', `${name} must be at least 0 and below 1, got ${value}`);
}

/** Throws `bad-usage` for a decay that takes a whole weight, or more, in each step. */
function checkDecay({ kind, weightDecay = 0 }: OptimizerOptions, rate: number): void {
  if ((kind !== 'sgd' && kind !== 'adamw') || weightDecay * rate < 1) return;
  throw new OnnxMishError(
    'bad-usage',
    `the weight decay times the learning rate must be below 1, got ${weightDecay} times ${rate}`,
  );
}

function checkRange(name: string, value: number, low: number, high: number): void {
  if (value >= low && value <= high) return;
  const range = high === Number.MAX_VALUE ? 'positive' : `from ${low} to ${high}`;
  throw new OnnxMishError('bad-usage', `${name} must be ${range}, got ${value}`);
}
