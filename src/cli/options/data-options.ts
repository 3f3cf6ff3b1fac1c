import type { Command } from 'commander';
import type { DataAccess } from '../../files/external-data.js';
import { type ImageFlags, imageOptions } from './image-options.js';
import { collect, count } from './options.js';

/** The options of `dataOptions`, as commander gives them. */
export interface DataFlags extends ImageFlags, DataAccess {
  data?: string;
  labels?: string;
  shape?: string[];
  dim?: string[];
  seed: number;
}

/** --data, --images and what they need to know of the model. */
export function dataOptions(command: Command, otherwise = 'default: noise'): Command {
  command
    .option(
      '--data <path>',
      `samples: an .npz, an .npy, or a folder with input_0.pb and output_0.pb (${otherwise})`,
    )
    .option('--labels <array>', 'the array of the .npz that holds the classes');
  return imageOptions(command)
    .option('--shape <input=1x3x224x224>', 'the shape to feed an input with (repeatable)', collect)
    .option(
      '--dim <symbol=1>',
      'the size of a symbolic dimension; *=1 for all others (repeatable; default: 1)',
      collect,
    )
    .option('--seed <number>', 'seed of whatever is random', count, 0);
}
