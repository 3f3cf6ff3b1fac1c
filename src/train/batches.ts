// Batches of a training, in arrays that are reused.
import { OnnxMishError } from '../base/error.js';
import { plural } from '../base/plural.js';
import { createRandom, permutation, seedOf } from '../base/random.js';
import {
  type Augmentation,
  changeImage,
  drawChange,
  type ImageLayout,
  imageLayout,
  placesLayout,
  wholeShift,
} from '../data/augment.js';
import type { Samples } from '../data/samples.js';
import type { ScoreLayout } from '../metrics/score-layout.js';
import { arrayFor, elementCount, type Tensor, type TypedArray } from '../providers/tensor.js';
import type { OutputPlaces } from './image-places.js';
import type { TargetRows } from './targets.js';

/** A batch's arrays: `read` fills them, and they hold until the next call. */
export interface BatchReader {
  readonly feeds: Readonly<Record<string, NumberTensor>>;
  readonly targets: Float32Array;
  /** Reads samples; with an epoch, augments them. The same seed, epoch and sample give the same values. */
  read(indices: Uint32Array, epoch?: number): Promise<void>;
}

export interface NumberTensor extends Tensor {
  readonly data: TypedArray;
}

export interface BatchOptions {
  readonly batch: number;
  /** Shape of the output for one sample. */
  readonly outputDims: readonly number[];
  /** Where the classes are, if the targets are classes. */
  readonly layout: ScoreLayout | undefined;
  readonly seed: number;
  readonly augment: readonly Augmentation[];
  /** Returns whether the channels of an input are on its last axis; undefined where the model does not tell. */
  readonly channelsLast?: ((input: string) => boolean | undefined) | undefined;
  /** The places of the image in the output, if the model shows that it has them. */
  readonly places?: OutputPlaces | undefined;
}

/** Returns the order of the samples in an epoch. Epochs count from 1. */
export function epochOrder(seed: number, epoch: number, count: number): Uint32Array {
  return permutation(count, createRandom(seedOf(seed, epoch)));
}

/** Allocates the arrays of a batch. */
export function batchArrays(
  { inputs }: Pick<Samples, 'inputs'>,
  batch: number,
): Record<string, NumberTensor> {
  const entries = Object.entries(inputs).map(([name, { elemType, dims }]) => {
    const shape = [batch, ...dims];
    const data = arrayFor(elemType, elementCount(shape));
    if (data === undefined) {
      throw new OnnxMishError(
        'bad-data',
        `the input '${name}' takes ${elemType}, and training needs numbers`,
        {
          fix: 'Give a model whose inputs are numbers',
        },
      );
    }
    return [name, { elemType, dims: shape, data }] as const;
  });
  return Object.fromEntries(entries);
}

/** Creates a reader of batches. Throws `bad-usage` for an augmentation without images. */
export function batchReader(samples: Samples, rows: TargetRows, options: BatchOptions): BatchReader {
  const { batch, outputDims, seed, augment } = options;
  const feeds = batchArrays(samples, batch);
  const targets = new Float32Array(batch * elementCount(outputDims));
  const images = augment.length === 0 ? [] : imagesOf(samples, feeds, targets, options);
  const layouts = images.map(({ layout }) => layout);
  return {
    feeds,
    targets,
    async read(indices, epoch) {
      await samples.read(indices, feeds);
      rows.read(indices, targets);
      if (epoch === undefined || images.length === 0) return;
      for (const [place, index] of indices.entries()) {
        const drawn = drawChange(augment, createRandom(seedOf(seed, epoch, index, 1)));
        const change = wholeShift(drawn, layouts);
        for (const { data, layout, length, scratch, erase } of images)
          changeImage(data.subarray(place * length, (place + 1) * length), layout, change, scratch, erase);
      }
    },
  };
}

/** Images in a batch's arrays. */
interface Images {
  readonly data: TypedArray;
  readonly layout: ImageLayout;
  /** Number of elements of a sample. */
  readonly length: number;
  readonly scratch: TypedArray;
  /** Whether a random part of the image is erased, if a change has one: not in targets. */
  readonly erase: boolean;
}

/** Finds the images among inputs and targets. Throws `bad-usage` where there is none, and for a flip of places that are not in the image. */
function imagesOf(
  { inputs }: Samples,
  feeds: Readonly<Record<string, NumberTensor>>,
  targets: Float32Array,
  { outputDims, layout, augment, channelsLast, places: known }: BatchOptions,
): Images[] {
  const found: Images[] = [];
  const add = (data: TypedArray, layout: ImageLayout, dims: readonly number[], erase: boolean) => {
    const length = elementCount(dims);
    found.push({ data, layout, length, scratch: data.slice(0, length), erase });
  };
  for (const [name, { dims }] of Object.entries(inputs)) {
    const [layout, data] = [imageLayout(dims, channelsLast?.(name)), feeds[name]?.data];
    if (layout !== undefined && data !== undefined) add(data, layout, dims, true);
  }
  const [first] = found;
  if (first === undefined) {
    throw new OnnxMishError('bad-usage', 'the model takes no images, and only images can be augmented', {
      fix: 'Leave out the augmentation',
    });
  }
  if (layout?.places === 1) return found;
  const hints = { ...known, classAxis: layout && layout.axis - 1 };
  const places = placesLayout(outputDims, first.layout, { ...hints, mayBeCoarse: known !== undefined });
  if (places !== undefined) add(targets, places, outputDims, false);
  else if (augment.some((kind) => kind.startsWith('flip'))) {
    const refused = (what: string, why: string) =>
      new OnnxMishError('bad-usage', `a flip cannot move the ${what} of a sample: ${why}`, {
        fix: 'Leave out the flips',
      });
    if (layout !== undefined)
      throw refused(
        plural(layout.places, 'label'),
        `the places of the output [${outputDims}] are not those of the image`,
      );
    if (placesLayout(outputDims, first.layout, { ...hints, mayBeCoarse: true }) !== undefined)
      throw refused(
        `targets [${outputDims}]`,
        'they may be places of the image or a matrix, and the layers between them and the image do not tell',
      );
  }
  return found;
}
