import { type Command, InvalidArgumentError, Option } from 'commander';
import { OnnxMishError } from '../../base/error.js';
import type { Augmentation } from '../../data/augment.js';
import type { OptimizerOptions } from '../../train/graph-optimizers.js';
import type { LossName } from '../../train/losses.js';
import { ignoreLabelOption } from './data-options.js';
import { GROUPS } from './groups.js';
import { list, number, positive, some } from './options.js';

/** Options that `trainingOptions` adds, as parsed by commander. */
export interface TrainingFlags {
  epochs: number;
  batch?: number;
  loss?: LossName;
  head?: string;
  optimizer: OptimizerOptions['kind'];
  momentum?: number;
  lr?: number;
  schedule: 'constant' | 'cosine' | 'step';
  warmUp: number;
  weightDecay?: number;
  labelSmoothing: number;
  ignoreLabel?: number;
  clip?: number;
  augment?: Augmentation[];
}

/** Parses a share: a number from 0 to 1. Throws `InvalidArgumentError`. */
export function share(text: string): number {
  const value = number(text);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('Write a number from 0 to 1.');
  return value;
}

/** Parses a share below 1. Throws `InvalidArgumentError`. */
export function shareBelowOne(text: string): number {
  const value = number(text);
  if (!(value >= 0 && value < 1)) throw new InvalidArgumentError('Write a number of at least 0 and below 1.');
  return value;
}

/** Says how the loss is chosen by the targets. */
const LOSS_BY_TARGETS =
  'by the targets: cross-entropy for classes, bce for a label of 0 or 1 for each score, mse for other numbers';

/** Adds the settings of a training. */
export function trainingOptions(command: Command, defaults: Pick<TrainingFlags, 'epochs' | 'warmUp'>): void {
  command
    .optionsGroup(GROUPS.training)
    .option('--epochs <number>', 'passes over the training samples', some, defaults.epochs)
    .option('--batch <number>', 'samples in a step (default: 64, or what the model takes)', some)
    .addOption(
      new Option('--loss <name>', `the loss (default: ${LOSS_BY_TARGETS})`).choices([
        'cross-entropy',
        'bce',
        'mse',
      ]),
    )
    .option('--head <output>', 'output that the loss is computed from (default: the first of floats)')
    .addOption(
      new Option('--optimizer <name>', 'the optimiser')
        .choices(['rmsprop', 'adam', 'adamw', 'sgd'])
        .default('rmsprop'),
    )
    .option('--momentum <number>', 'momentum of rmsprop and sgd (default: 0 and 0.9)', shareBelowOne)
    .option('--lr <rate>', 'learning rate after the warm-up (default: 0.001, for sgd 0.01)', positive)
    .addOption(
      new Option('--schedule <name>', 'course of the learning rate')
        .choices(['constant', 'cosine', 'step'])
        .default('cosine'),
    )
    .option('--warm-up <share>', 'share of the steps over which the rate rises', share, defaults.warmUp)
    .option('--weight-decay <number>', 'weight decay (default: 0, for adamw 0.01)', number)
    .option('--label-smoothing <share>', 'share of the uniform distribution in the targets', shareBelowOne, 0)
    .addOption(ignoreLabelOption())
    .option('--clip <norm>', 'maximal norm of all gradients together (default: unlimited)', positive)
    .option('--augment <names>', 'random changes of images: flip, flip-vertical, crop, erase', list);
}

/** Returns the settings of a training. Throws `bad-usage` for a momentum that the optimiser does not have. */
export function trainingSettings(flags: TrainingFlags) {
  const { epochs, batch, loss, head, lr, schedule, warmUp, labelSmoothing, clip, augment } = flags;
  const { ignoreLabel } = flags;
  return {
    epochs,
    batch,
    loss,
    schedule,
    warmUp,
    labelSmoothing,
    ignoreLabel,
    augment,
    output: head,
    rate: lr,
    maxGradientNorm: clip,
    optimizer: optimizerOf(flags),
  };
}

const DEFAULT_SGD_MOMENTUM = 0.9;

function optimizerOf({ optimizer: kind, momentum, weightDecay }: TrainingFlags): OptimizerOptions {
  if (kind === 'sgd')
    return { kind, momentum: momentum ?? DEFAULT_SGD_MOMENTUM, nesterov: true, weightDecay };
  if (kind === 'rmsprop') return { kind, momentum, weightDecay };
  if (momentum === undefined) return { kind, weightDecay };
  throw new OnnxMishError('bad-usage', `${kind} has no momentum`, {
    fix: 'Leave out --momentum, or choose another --optimizer',
  });
}
