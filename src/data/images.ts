import { OnnxMishError } from '../base/error.js';
import type { OptionHint } from '../base/option-hint.js';
import { ownProperty } from '../base/own.js';
import { integer, plural } from '../base/plural.js';
import { toHalf } from '../onnx/scalar.js';
import type { ValueInfo } from '../providers/provider.js';
import { arrayFor, elementCount, type Tensor, type TypedArray } from '../providers/tensor.js';
import type { Dataset, LazyFeeds } from './dataset.js';
import { checkShapes, resolveShape, type ShapeOptions, sizeOf } from './shapes.js';

/** A decoded image: red, green and blue of each pixel, in rows from the top. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Size that an image is resized and cropped to. */
export interface Box {
  readonly width: number;
  readonly height: number;
  /** Length of the shorter side before the crop; default: the smallest size that covers the box. */
  readonly resize?: number | undefined;
}

/** Images that are decoded on access. */
export interface ImageSource {
  /** Class of each image; undefined without classes. */
  readonly labels?: readonly number[] | undefined;
  /** Number of images; default: that of the labels. */
  readonly count?: number | undefined;
  /** Decodes an image. Throws `bad-data` or `io` if the image cannot be read. */
  decode(index: number, box: Box): Promise<Pixels>;
}

/** Three numbers, always for red, green and blue. */
export type Rgb = readonly [red: number, green: number, blue: number];

export interface ImageOptions extends ShapeOptions {
  /** Width and height of the crop; default: those of the model's input. */
  readonly size?: number | undefined;
  readonly resize?: number | undefined;
  /** Mean, subtracted from pixels in [0, 1]; default 0. */
  readonly mean?: Rgb | undefined;
  /** Standard deviation, by which the difference is divided; default 1. */
  readonly std?: Rgb | undefined;
  /** Position of the channel axis; default: derived from the model's input. */
  readonly layout?: Layout | undefined;
  /** Channel order of the model; default rgb. `mean` and `std` are always RGB. */
  readonly channels?: 'rgb' | 'bgr' | undefined;
  /** Maximum number of images; those to use are evenly spaced. */
  readonly limit?: number | undefined;
}

export const LAYOUTS = ['nchw', 'nhwc'] as const;
export type Layout = (typeof LAYOUTS)[number];

/** The model's image input, with all options resolved. */
export interface ImageInput {
  readonly name: string;
  readonly elemType: string;
  readonly layout: Layout;
  /** Number of channels: 3, or 1 for grey images. */
  readonly depth: number;
  readonly batch: number;
  readonly width: number;
  readonly height: number;
}

const TYPES = ['f32', 'f16', 'f64', 'u8'];

/**
 * Returns feeds of images, one batch per run. The batch size is the model's, or what `dims` or `shapes` say, or one.
 * A float input gets (pixel / 255 - mean) / std, a uint8 input the unchanged pixels. Images are decoded shortly
 * before their run, and again on every pass, so that memory does not grow with their number. Throws `bad-data` if the
 * model cannot take these images, or if they do not fill the last batch.
 *
 * @example
 * import { decodeImage, getProvider, listImages } from 'onnx-mish/node';
 * import { imageFeeds } from 'onnx-mish/validate';
 *
 * const { images } = await listImages('validation');
 * const source = {
 *   labels: images.map(({ label }) => label),
 *   decode: (index: number, box: { width: number; height: number }) => decodeImage(images[index]?.path ?? '', box),
 * };
 * const { inputs } = await getProvider('cpu').open('model.onnx');
 * const dataset = imageFeeds(source, inputs, { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] });
 */
export function imageFeeds(
  source: ImageSource,
  inputs: readonly ValueInfo[],
  options: ImageOptions,
): Dataset<LazyFeeds> {
  const input = imageInput(inputs, options);
  const values = valuesOf(input, options);
  const { labels } = source;
  const picks = evenly(countOf(source), options.limit);
  const { batch, width, height } = input;
  const box: Box = { width, height, resize: options.resize };
  const runs = picks.length / batch;
  if (!Number.isInteger(runs)) {
    const most = Math.floor(runs) * batch;
    throw bad(
      `${plural(picks.length, 'image')} ${picks.length === 1 ? 'does' : 'do'} not fill batches of ${batch}`,
      most === 0 ? `Give at least ${batch}` : 'Take only as many as fit',
      most === 0 ? undefined : { limit: most },
    );
  }
  async function* batches() {
    let images: Pixels[] = [];
    for await (const pixels of ahead(picks, (index) => source.decode(index, box))) {
      images.push(pixels);
      if (images.length < batch) continue;
      yield { [input.name]: imageTensor(images, input, values, options.channels) };
      images = [];
    }
  }
  return {
    source: 'images',
    feeds: { length: runs, [Symbol.asyncIterator]: batches },
    samples: picks.length,
    ...(labels === undefined ? {} : { labels: picks.map((index) => labels[index] ?? 0) }),
  };
}

/** Returns the number of images. Throws `bad-data` for another number of labels. */
export function countOf({ count, labels }: ImageSource): number {
  if (count === undefined || labels === undefined || count === labels.length)
    return count ?? labels?.length ?? 0;
  throw bad(
    `${plural(count, 'image')} with ${plural(labels.length, 'label')}`,
    'Give the class of each image',
  );
}

/** Resolves the options for the model's only input. Throws `bad-data`. */
export function imageInput(inputs: readonly ValueInfo[], options: ImageOptions): ImageInput {
  const [input, ...others] = inputs;
  if (input === undefined || others.length > 0) {
    throw bad(
      `images need a model with one input, and this one has ${integer(inputs.length)}`,
      'Give arrays',
      {
        data: null,
      },
    );
  }
  const { name, elemType } = input;
  checkShapes(inputs, options);
  const given = ownProperty(options.shapes, name);
  const dims =
    given === undefined
      ? input.dims.map((dim, axis) =>
          typeof dim === 'string'
            ? (ownProperty(options.dims, dim) ?? (axis === 0 ? sizeOf(dim, options.dims) : undefined) ?? dim)
            : dim,
        )
      : resolveShape(input, options);
  const shown = `input '${name}', ${elemType} [${input.dims.map((dim) => dim || '?').join(', ')}],`;
  if (dims.length !== 4 || !TYPES.includes(elemType)) {
    throw bad(
      `${shown} cannot take images`,
      'They need four dimensions of f32, f16, f64 or u8; give arrays',
      {
        data: null,
      },
    );
  }
  const [first, ...inner] = dims.map((dim) => (typeof dim === 'number' && dim >= 0 ? dim : undefined));
  const layout = options.layout ?? guessLayout(inner, shown);
  const [depth, height, width] = layout === 'nchw' ? inner : [inner[2], inner[0], inner[1]];
  if (depth !== undefined && depth !== 3 && depth !== 1) {
    throw bad(
      `${shown} takes ${depth} channels as ${layout}, and images have 3, or 1 in grey`,
      'Check the layout, or give arrays',
      { layout: null, data: null },
    );
  }
  const crop = { width: side(width, 'wide'), height: side(height, 'high') };
  checkResize(options.resize, crop);
  return { name, elemType, layout, depth: depth ?? 3, batch: Math.max(1, first ?? 1), ...crop };

  function side(model: number | undefined, what: string): number {
    const { size = model } = options;
    if (size === undefined)
      throw bad(`${shown} does not say how ${what} images are`, 'Give their size', { size: 224 });
    if (model !== undefined && size !== model) {
      throw bad(
        `${shown} takes images ${model} ${what}, not ${size}`,
        `Leave out the size, or give ${model}`,
        { size: model },
      );
    }
    return size;
  }
}

/** Throws `bad-data` for a shorter side that a crop exceeds. */
function checkResize(resize: number | undefined, { width, height }: Pick<Box, 'width' | 'height'>): void {
  const least = Math.max(width, height);
  if (resize === undefined || resize >= least) return;
  throw bad(
    `images whose shorter side is ${resize} cannot be cropped to ${width} x ${height}`,
    `Give at least ${least} for the shorter side, or leave that out`,
    { resize: least },
  );
}

/** Returns the position of the channel axis, if only one axis has length 3, or else only one has length 1. */
function guessLayout([second, , fourth]: readonly (number | undefined)[], shown: string): Layout {
  if (second === 3 && fourth !== 3) return 'nchw';
  if (fourth === 3 && second !== 3) return 'nhwc';
  if (second === 1 && fourth !== undefined && fourth !== 1) return 'nchw';
  if (fourth === 1 && second !== undefined && second !== 1) return 'nhwc';
  if ([second, fourth].every((dim) => dim !== undefined && dim !== 3 && dim !== 1)) {
    throw bad(`${shown} has no dimension of 3 or 1 for the channels`, 'Give arrays', { data: null });
  }
  throw bad(`${shown} does not say which dimension is the channels`, 'Say so: nchw or nhwc', {
    layout: null,
  });
}

/**
 * Returns tables with the value of every byte for red, green and blue. The tables are exact and faster than
 * calculating every pixel.
 */
export function valuesOf(
  { elemType }: Pick<ImageInput, 'elemType'>,
  { mean, std }: Pick<ImageOptions, 'mean' | 'std'>,
): readonly TypedArray[] {
  if (elemType === 'u8' && (mean !== undefined || std !== undefined)) {
    throw bad(
      'the model takes pixels as bytes, which are not normalised',
      'Leave out mean and standard deviation',
      { mean: null, std: null },
    );
  }
  return [0, 1, 2].map((channel) => {
    const [shift, scale] = [mean?.[channel] ?? 0, std?.[channel] ?? 1];
    const values = arrayFor(elemType, 256) as Float32Array;
    for (let byte = 0; byte < 256; byte++) {
      const value = (byte / 255 - shift) / scale;
      values[byte] = elemType === 'u8' ? byte : elemType === 'f16' ? toHalf(value) : value;
    }
    return values;
  });
}

/** Returns a batch of images as a tensor; `values` are the tables of `valuesOf`. */
export function imageTensor(
  images: readonly Pixels[],
  { elemType, layout, depth, width, height }: ImageInput,
  values: readonly TypedArray[],
  channels: 'rgb' | 'bgr' = 'rgb',
): Tensor {
  const area = width * height;
  const dims =
    layout === 'nchw' ? [images.length, depth, height, width] : [images.length, height, width, depth];
  const data = arrayFor(elemType, elementCount(dims)) as Float32Array; // every type in TYPES holds numbers
  if (depth === 1) {
    const [table] = values;
    let at = 0;
    for (const { data: pixels } of images) {
      for (let from = 0; from < area * 3; from += 3) data[at++] = table?.[greyOf(pixels, from)] as number;
    }
    return { elemType, dims, data };
  }
  // Distance in the tensor between channels of a pixel, and between pixels.
  const [between, next] = layout === 'nchw' ? [area, 1] : [1, 3];
  for (const [index, { data: pixels }] of images.entries()) {
    for (const [channel, table] of values.entries()) {
      let at = index * area * 3 + (channels === 'rgb' ? channel : 2 - channel) * between;
      for (let from = channel; from < area * 3; from += 3, at += next) {
        data[at] = table[pixels[from] as number] as number;
      }
    }
  }
  return { elemType, dims, data };
}

/** Returns the grey of a pixel by ITU-R 601, as PIL's mode L. */
function greyOf(pixels: Uint8Array, at: number): number {
  const [red, green, blue] = [pixels[at] ?? 0, pixels[at + 1] ?? 0, pixels[at + 2] ?? 0];
  return (red * 19_595 + green * 38_470 + blue * 7471 + 2 ** 15) >> 16; // the integers of PIL
}

/**
 * Returns `limit` evenly spaced numbers below `count`, starting with 0. Images of one class are often neighbours.
 */
export function evenly(count: number, limit = count): number[] {
  const length = Math.min(count, limit);
  return Array.from({ length }, (_, index) => Math.floor((index * count) / length));
}

/** Number of images decoded at once, on other threads. */
const DECODED_AHEAD = 8;

/**
 * Yields the results of `work` in order, with the next ones in progress. No work is in progress after the consumer
 * leaves.
 */
async function* ahead<T>(items: readonly number[], work: (item: number) => Promise<T>): AsyncGenerator<T> {
  const running: Promise<T>[] = [];
  try {
    for (const item of items) {
      const promise = work(item);
      promise.catch(() => {}); // the error is thrown where the promise is awaited, if it is
      running.push(promise);
      if (running.length < DECODED_AHEAD) continue;
      yield await (running.shift() as Promise<T>);
    }
    for (const promise of running) yield await promise;
  } finally {
    await Promise.allSettled(running); // otherwise they would disturb the next measurement
  }
}

function bad(what: string, fix: string, option?: OptionHint): OnnxMishError {
  return new OnnxMishError('bad-data', what, { fix, option });
}
