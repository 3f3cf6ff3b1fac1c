import { OnnxMishError } from '../base/error.js';
import type { OptionHint } from '../base/option-hint.js';
import { own } from '../base/own.js';
import { toHalf } from '../onnx/scalar.js';
import type { ValueInfo } from '../providers/provider.js';
import { arrayFor, elementCount, type Tensor, type TypedArray } from '../providers/tensor.js';
import type { Dataset, LazyFeeds } from './dataset.js';
import { checkShapes, resolveShape, type ShapeOptions, sizeOf } from './shapes.js';

/** A decoded image: red, green and blue of each pixel, row by row from the top. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Size that an image has to have. */
export interface Box {
  readonly width: number;
  readonly height: number;
  /** Length of the shorter side before the crop; without it the image is made as small as still covers the box. */
  readonly resize?: number | undefined;
}

/** Images that are decoded when they are asked for. */
export interface ImageSource {
  /** The class of each. */
  readonly labels: readonly number[];
  /** Throws `bad-data` or `io` for an image that cannot be read. */
  decode(index: number, box: Box): Promise<Pixels>;
}

/** Three numbers, always in the order red, green, blue. */
export type Rgb = readonly [red: number, green: number, blue: number];

export interface ImageOptions extends ShapeOptions {
  /** Width and height to crop to; those of the model's input unless given. */
  readonly size?: number | undefined;
  readonly resize?: number | undefined;
  /** Subtracted from pixels of 0 to 1; 0 unless given. */
  readonly mean?: Rgb | undefined;
  /** What the difference is divided by; 1 unless given. */
  readonly std?: Rgb | undefined;
  /** Where the channels are; seen from the model's input unless given. */
  readonly layout?: Layout | undefined;
  /** The order of the channels that the model takes; rgb unless given. */
  readonly channels?: 'rgb' | 'bgr' | undefined;
  /** Take so many images only, evenly from all of them. */
  readonly limit?: number | undefined;
}

export const LAYOUTS = ['nchw', 'nhwc'] as const;
export type Layout = (typeof LAYOUTS)[number];

/** The input that takes images, with nothing left open. */
export interface ImageInput {
  readonly name: string;
  readonly elemType: string;
  readonly layout: Layout;
  readonly batch: number;
  readonly width: number;
  readonly height: number;
}

const TYPES = ['f32', 'f16', 'f64', 'u8'];

/**
 * Feeds of images, a batch a run: the model's own batch size, else what `dims` or `shapes` say, else one. A float
 * input gets (pixel / 255 - mean) / std, a uint8 input the pixels as they are. Images are decoded when a run asks
 * for them, a few ahead of it, so memory does not grow with their number; every pass decodes them again. Throws
 * `bad-data` where the model takes no images of this kind, or when they do not fill the last batch.
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
  const picks = evenly(source.labels.length, options.limit);
  const { batch, width, height } = input;
  const box: Box = { width, height, resize: options.resize };
  const least = Math.max(width, height);
  if (options.resize !== undefined && options.resize < least) {
    throw bad(
      `images with a shorter side of ${options.resize} cannot be cropped to ${width} x ${height}`,
      `Give at least ${least} for the shorter side, or leave that out`,
      { resize: least },
    );
  }
  const runs = picks.length / batch;
  if (!Number.isInteger(runs)) {
    const most = Math.floor(runs) * batch;
    throw bad(
      `${picks.length} images do not fill batches of ${batch}`,
      most === 0 ? `Give at least ${batch}` : 'Take as many as do',
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
    labels: picks.map((index) => source.labels[index] ?? 0),
  };
}

/** Finds out what the model's one input wants. Throws `bad-data`. */
export function imageInput(inputs: readonly ValueInfo[], options: ImageOptions): ImageInput {
  const [input, ...others] = inputs;
  if (input === undefined || others.length > 0) {
    throw bad(`the model has ${inputs.length} inputs, and images go to a single one`, 'Give arrays', {
      data: null,
    });
  }
  const { name, elemType } = input;
  checkShapes(inputs, options);
  const given = own(options.shapes, name);
  const dims =
    given === undefined
      ? input.dims.map((dim, axis) =>
          typeof dim === 'string'
            ? (own(options.dims, dim) ?? (axis === 0 ? sizeOf(dim, options.dims) : undefined) ?? dim)
            : dim,
        )
      : resolveShape(input, options);
  const shown = `input '${name}', ${elemType} [${input.dims.map((dim) => dim || '?').join(', ')}],`;
  if (dims.length !== 4 || !TYPES.includes(elemType)) {
    throw bad(`${shown} takes no images`, 'They need four dimensions of f32, f16, f64 or u8; give arrays', {
      data: null,
    });
  }
  const [first, ...inner] = dims.map((dim) => (typeof dim === 'number' && dim >= 0 ? dim : undefined));
  const layout = options.layout ?? guessLayout(inner, shown);
  const [depth, height, width] = layout === 'nchw' ? inner : [inner[2], inner[0], inner[1]];
  if (depth !== undefined && depth !== 3) {
    throw bad(
      `${shown} takes ${depth} channels as ${layout}, and images have 3`,
      'Check the layout, or give arrays',
      { layout: null, data: null },
    );
  }
  return {
    name,
    elemType,
    layout,
    batch: Math.max(1, first ?? 1),
    width: side(width, 'wide'),
    height: side(height, 'high'),
  };

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

/** Where the three channels are, if the shape leaves no choice. */
function guessLayout([second, , fourth]: readonly (number | undefined)[], shown: string): Layout {
  if (second === 3 && fourth !== 3) return 'nchw';
  if (fourth === 3 && second !== 3) return 'nhwc';
  if (second !== 3 && second !== undefined && fourth !== undefined) {
    throw bad(`${shown} has no dimension of 3 for the channels`, 'Give arrays', { data: null });
  }
  throw bad(`${shown} does not say which dimension is the channels`, 'Say so: nchw or nhwc', {
    layout: null,
  });
}

/** Lists what each byte becomes, for red, green and blue: exact, and faster than to compute it for each pixel. */
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

/** Writes a batch as a tensor. `values` are those of red, green and blue, see `valuesOf`. */
export function imageTensor(
  images: readonly Pixels[],
  { elemType, layout, width, height }: ImageInput,
  values: readonly TypedArray[],
  channels: 'rgb' | 'bgr' = 'rgb',
): Tensor {
  const area = width * height;
  const dims = layout === 'nchw' ? [images.length, 3, height, width] : [images.length, height, width, 3];
  const data = arrayFor(elemType, elementCount(dims)) as Float32Array; // any of TYPES: they hold numbers
  // How far the channels of a pixel are apart, and one pixel from the next.
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

/** `limit` of the numbers up to `count`, from the first on, at even distances: images of one class are neighbours. */
function evenly(count: number, limit = count): number[] {
  const length = Math.min(count, limit);
  return Array.from({ length }, (_, index) => Math.floor((index * count) / length));
}

/** Decoding is done on other threads; this many at once keep them busy. */
const AHEAD = 8;

/** The results of `work` in order, with the next ones under way; none is any more when the reader leaves. */
async function* ahead<T>(items: readonly number[], work: (item: number) => Promise<T>): AsyncGenerator<T> {
  const running: Promise<T>[] = [];
  try {
    for (const item of items) {
      const promise = work(item);
      promise.catch(() => {}); // it is thrown where it is awaited, unless nobody gets that far
      running.push(promise);
      if (running.length < AHEAD) continue;
      yield await (running.shift() as Promise<T>);
    }
    for (const promise of running) yield await promise;
  } finally {
    await Promise.allSettled(running); // else they would disturb what is timed next
  }
}

function bad(what: string, fix: string, option?: OptionHint): OnnxMishError {
  return new OnnxMishError('bad-data', what, { fix, option });
}
