import { type Command, InvalidArgumentError, Option } from 'commander';
import { OnnxMishError } from '../../base/error.js';
import { readFactor } from '../../data/factor.js';
import { LAYOUTS, type Layout } from '../../data/images.js';
import type { DataAccess } from '../../files/external-data.js';
import { flagOf } from './flag-of.js';
import { GROUPS } from './groups.js';
import { type ImageFlags, imageOptions } from './image-options.js';
import { collectValues, count } from './options.js';

/** Values of `dataOptions`, as parsed by commander. */
export interface DataFlags extends ImageFlags, DataAccess {
  data?: string;
  labels?: string;
  ignoreLabel?: number;
  scale?: number;
  dataLayout?: Layout;
  shape?: string[];
  dim?: string[];
  seed: number;
}

/** Adds --data, --images and their options to a command. */
export function dataOptions(command: Command, otherwise = 'default: noise'): Command {
  command
    .optionsGroup(GROUPS.samples)
    .option(
      '--data <path>',
      `samples: an .npz, an .npy, or a folder with input_0.pb and output_0.pb (${otherwise})`,
    )
    .option('--labels <array>', 'array of the .npz with the classes')
    .addOption(ignoreLabelOption());
  return imageOptions(arrayOptions(command))
    .option('--shape <input=1x3x224x224>', 'shape of an input (repeatable)', collectValues)
    .option(
      '--dim <symbol=1>',
      'size of a symbolic dimension; *=1 for all others (repeatable; default: 224 for images, else 1, or a size that runs)',
      collectValues,
    )
    .option('--seed <number>', 'seed of random numbers', count, 0);
}

/** Returns the option of the label that does not count. */
export const ignoreLabelOption = () =>
  new Option(
    '--ignore-label <number>',
    'label that does not count, such as 255 in masks (default: -100)',
  ).argParser(wholeNumber);

function wholeNumber(text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(number)) return number;
  throw new InvalidArgumentError('Give a whole number.');
}

/** Options that need samples, but `seed` and `ignoreLabel`, which `refuseIdleOptions` refuses. */
const OF_SAMPLES = [
  ...(['data', 'labels', 'images', 'shape', 'dim', 'samples', 'report', 'scale', 'dataLayout'] as const),
  ...(['size', 'resize', 'mean', 'std', 'layout', 'channels', 'limit'] as const),
];

/** Throws `bad-usage` for an option of samples on the command line. `needs` and `fix` say what the option needs, and what to do. */
export function refuseSampleOptions(command: Command, needs: string, fix: string): void {
  const stray = OF_SAMPLES.find((name) => command.getOptionValueSource(name) === 'cli');
  if (stray === undefined) return;
  throw new OnnxMishError('bad-usage', `${flagOf(command, stray)} needs ${needs}`, { fix });
}

/** Adds --scale and --data-layout to a command with --data. */
export function arrayOptions(command: Command): Command {
  return command
    .optionsGroup(GROUPS.samples)
    .option('--scale <factor>', 'factor for the samples of --data, such as 1/255', factor)
    .addOption(
      new Option(
        '--data-layout <layout>',
        'position of the channels in --data, if the model has another',
      ).choices(LAYOUTS),
    );
}

/** Parses a factor: a number, or a quotient of two numbers. Throws `InvalidArgumentError`. */
function factor(text: string): number {
  const value = readFactor(text);
  if (value !== undefined) return value;
  throw new InvalidArgumentError('Write a number or a quotient, such as 1/255.');
}
