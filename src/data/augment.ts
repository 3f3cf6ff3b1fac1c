// Random changes of images, for training.
import type { Random } from '../base/random.js';
import { elementCount, type TypedArray } from '../providers/tensor.js';

/**
 * Random changes of an image: `flip` mirrors left and right, `flip-vertical` top and bottom, each half of the time; `crop` shifts
 * the image by up to an eighth of its size and fills with zeros; `erase` sets a random rectangle to zero, half of the time.
 */
export const AUGMENTATIONS = ['flip', 'flip-vertical', 'crop', 'erase'] as const;
export type Augmentation = (typeof AUGMENTATIONS)[number];

/** Height and width of an image, and the number of elements from one pixel and one channel to the next. */
export interface ImageLayout {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly pixelStride: number;
  readonly channelStride: number;
}

/**
 * Returns the layout of a sample; undefined if the sample is not an image. Without `channelsLast`, the channel axis is the shorter outer
 * one.
 */
export function imageLayout(dims: readonly number[], channelsLast?: boolean): ImageLayout | undefined {
  const [first = 0, , third = 0] = dims;
  return dims.length === 3 && elementCount(dims) > 0
    ? layoutOf(dims, channelsLast ?? first > third)
    : undefined;
}

/** Returns the layout of [channels, height, width], or of [height, width, channels]. */
function layoutOf([a = 1, b = 1, c = 1]: readonly number[], channelsLast: boolean): ImageLayout {
  return channelsLast
    ? { channels: c, height: a, width: b, pixelStride: c, channelStride: 1 }
    : { channels: a, height: b, width: c, pixelStride: 1, channelStride: b * c };
}

/** Hints at the layout of targets. */
export interface PlacesHints {
  /** Axis of class scores, 0 or the last. */
  readonly classAxis?: number | undefined;
  /** Whether the channels are on the last axis. */
  readonly channelsLast?: boolean | undefined;
  /** Whether the places may be coarser than pixels. */
  readonly mayBeCoarse?: boolean | undefined;
}

/**
 * Returns the layout of targets that have a value at each place of an image. Without an axis of class scores, height and width must
 * have the ratio of the image's. Undefined for other targets.
 */
export function placesLayout(
  dims: readonly number[],
  { height, width }: ImageLayout,
  { classAxis, channelsLast: isLast, mayBeCoarse = false }: PlacesHints,
): ImageLayout | undefined {
  const orders =
    classAxis !== undefined ? [classAxis !== 0] : isLast === undefined ? [false, true] : [isLast];
  const isPlaces = (one: ImageLayout) => one.height * one.width > 1;
  const found = orders.flatMap((channelsLast) => {
    const [places = 0, classes = 0] = channelsLast ? dims : dims.toReversed();
    if (dims.length === 2 && places === height * width)
      return layoutOf(channelsLast ? [height, width, classes] : [classes, height, width], channelsLast);
    return dims.length === 3 ? layoutOf(dims, channelsLast) : [];
  });
  const all = found.filter(isPlaces);
  return (
    all.find((one) => one.height === height && one.width === width) ??
    all.find((one) => one.height * width === one.width * height && (mayBeCoarse || one.height >= height)) ??
    (classAxis === undefined ? undefined : all[0])
  );
}

/** Changes drawn for one sample, which all images of the sample share. */
export interface ImageChange {
  readonly flip: boolean;
  readonly flipVertical: boolean;
  /** Shift as a share of width and height. */
  readonly right: number;
  readonly down: number;
  /** Erased rectangle, as shares of width and height. */
  readonly erased:
    | { readonly left: number; readonly top: number; readonly width: number; readonly height: number }
    | undefined;
}

const MAX_SHIFT_SHARE = 1 / 8;
const MIN_ERASED_SHARE = 1 / 8;
const MAX_ERASED_SHARE = 1 / 2;

/** Draws the changes of a sample. */
export function drawChange(kinds: readonly Augmentation[], random: Random): ImageChange {
  const has = (kind: Augmentation) => kinds.includes(kind);
  const shift = () => (2 * random() - 1) * MAX_SHIFT_SHARE;
  const extent = () => MIN_ERASED_SHARE + random() * (MAX_ERASED_SHARE - MIN_ERASED_SHARE);
  const rectangle = () => {
    const [width, height] = [extent(), extent()];
    return { width, height, left: random() * (1 - width), top: random() * (1 - height) };
  };
  return {
    flip: has('flip') && random() < 0.5,
    flipVertical: has('flip-vertical') && random() < 0.5,
    right: has('crop') ? shift() : 0,
    down: has('crop') ? shift() : 0,
    erased: has('erase') && random() < 0.5 ? rectangle() : undefined,
  };
}

/** Rounds the shift to whole places of the coarsest of the images that share a change. */
export function wholeShift(change: ImageChange, images: readonly ImageLayout[]): ImageChange {
  const round = (share: number, side: 'width' | 'height') => {
    const least = Math.min(...images.map((image) => image[side]));
    return Math.round(share * least) / least;
  };
  return { ...change, right: round(change.right, 'width'), down: round(change.down, 'height') };
}

/** Changes an image in place. `scratch` holds as many elements as the image. Without `erase`, no rectangle is erased. */
export function changeImage(
  image: TypedArray,
  layout: ImageLayout,
  change: ImageChange,
  scratch: TypedArray,
  erase = true,
): void {
  const { channels, height, width, pixelStride, channelStride } = layout;
  const [right, down] = [Math.round(change.right * width), Math.round(change.down * height)];
  const [from, to] = [scratch as Float32Array, image as Float32Array]; // elements are only moved
  from.set(to);
  const zero = (image instanceof BigInt64Array || image instanceof BigUint64Array ? 0n : 0) as number;
  const { left, top, ...size } = (erase && change.erased) || { left: 2, top: 2, width: 0, height: 0 };
  const isErased = (x: number, y: number) =>
    x >= left * width &&
    x < (left + size.width) * width &&
    y >= top * height &&
    y < (top + size.height) * height;
  for (let y = 0; y < height; y++) {
    const row = (change.flipVertical ? height - 1 - y : y) - down;
    for (let x = 0; x < width; x++) {
      const column = (change.flip ? width - 1 - x : x) - right;
      const inside = row >= 0 && row < height && column >= 0 && column < width && !isErased(x, y);
      for (let channel = 0; channel < channels; channel++) {
        const at = channel * channelStride;
        to[at + (y * width + x) * pixelStride] = inside
          ? (from[at + (row * width + column) * pixelStride] as number)
          : zero;
      }
    }
  }
}
