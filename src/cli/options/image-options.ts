import { type Command, InvalidArgumentError, Option } from 'commander';
import { OnnxMishError } from '../../base/error.js';
import { plural } from '../../base/plural.js';
import type { Dataset, LazyFeeds } from '../../data/dataset.js';
import { type ImageOptions, imageFeeds, LAYOUTS, type Layout, type Rgb } from '../../data/images.js';
import type { ShapeOptions } from '../../data/shapes.js';
import type { ValueInfo } from '../../providers/provider.js';
import { sayNote } from '../text/say.js';
import { GROUPS } from './groups.js';
import { imageDecoder } from './image-decoder.js';
import { some } from './options.js';

/** Values of `imageOptions`, as parsed by commander. */
export interface ImageFlags {
  images?: string;
  size?: number;
  resize?: number;
  mean?: Rgb;
  std?: Rgb;
  layout?: Layout;
  channels?: 'rgb' | 'bgr';
  limit?: number | undefined;
}

/** Adds --images and its options to a command. */
export function imageOptions(command: Command): Command {
  return command
    .optionsGroup(GROUPS.samples)
    .addOption(
      new Option(
        '--images <folder>',
        'samples: images in the folder, or labelled in a subfolder for each class; transparent pixels become black',
      ).conflicts(['data', 'labels']),
    )
    .option('--size <pixels>', 'width and height of the images (default: from the model)', some)
    .option(
      '--resize <pixels>',
      'length of the shorter side before the crop (default: size of the crop)',
      some,
    )
    .option('--mean <r,g,b>', 'mean to subtract from pixels of 0 to 1 (default: 0,0,0)', mean)
    .option('--std <r,g,b>', 'standard deviation to divide by (default: 1,1,1)', std)
    .addOption(
      new Option('--layout <layout>', 'position of the channels (default: from the model)').choices(LAYOUTS),
    )
    .addOption(
      new Option(
        '--channels <order>',
        'channel order of the model; --mean and --std are always RGB (default: rgb)',
      ).choices(['rgb', 'bgr']),
    )
    .addOption(
      new Option('--limit <number>', 'earlier name of --samples, for images').argParser(some).hideHelp(),
    );
}

/**
 * Lists the images of `--images`, and returns a function that makes feeds of them; undefined without `--images`. Prints a note
 * about images that are left out. Throws
 * `bad-usage` for another option of `imageOptions` without `--images`, and `io` or `bad-data` for the folder.
 */
export async function readImages(
  flags: ImageFlags,
): Promise<((inputs: readonly ValueInfo[], shape: ShapeOptions) => Dataset<LazyFeeds>) | undefined> {
  checkImageFlags(flags);
  const { images: folder } = flags;
  if (folder === undefined) return undefined;
  const options = optionsIn(flags);
  const { listSamples } = await import('../../node/read-images.js');
  const images = await listSamples(folder, (count) =>
    sayNote(
      `${plural(count, 'image')} of '${folder}' ${count === 1 ? 'is' : 'are'} left out, because its subfolders have the images of the classes`,
    ),
  );
  const labels = images.flatMap(({ label }) => label ?? []);
  const source = {
    labels: labels.length === 0 ? undefined : labels,
    count: images.length,
    decode: await imageDecoder(images.map(({ path }) => path)),
  };
  return (inputs, shape) => imageFeeds(source, inputs, { ...options, ...shape });
}

function optionsIn({ size, resize, mean, std, layout, channels, limit }: ImageFlags): ImageOptions {
  return { size, resize, mean, std, layout, channels, limit };
}

/** Throws `bad-usage` for an option of images without images. */
export function checkImageFlags(flags: ImageFlags): void {
  if (flags.images !== undefined) return;
  const [stray] = Object.entries(optionsIn(flags)).find(([, value]) => value !== undefined) ?? [];
  if (stray === undefined) return;
  throw new OnnxMishError('bad-usage', `--${stray} needs --images`, {
    fix: 'Give images with --images folder',
  });
}

function mean(text: string): Rgb {
  const values = rgb(text);
  if (values.some((value) => Math.abs(value) > 1)) {
    throw new InvalidArgumentError('Pixels have values from 0 to 1: divide by 255.');
  }
  return values;
}

function std(text: string): Rgb {
  const values = rgb(text);
  if (values.some((value) => value <= 0)) throw new InvalidArgumentError('Write numbers above 0.');
  if (values.some((value) => value > 2)) {
    throw new InvalidArgumentError('Pixels have values from 0 to 1: divide by 255.');
  }
  return values;
}

/** Parses three numbers, or a single number for all channels. */
function rgb(text: string): Rgb {
  const [red, green = red, blue = red, ...more] = text
    .split(',')
    .map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  const values = [red, green, blue] as Rgb;
  if (more.length > 0 || text.split(',').length === 2 || !values.every(Number.isFinite)) {
    throw new InvalidArgumentError('Write three numbers: 0.485,0.456,0.406.');
  }
  return values;
}
