// Inputs for models in a page.

import { messageOf, OnnxMishError } from '../../../base/error.js';
import { sampledFeeds } from '../../../data/arrays.js';
import { middle, sizeBefore } from '../../../data/crop.js';
import { seededFeeds } from '../../../data/dataset.js';
import { type Box, type ImageSource, imageFeeds, type Pixels } from '../../../data/images.js';
import type { DataMaker } from '../../../data/in-batches.js';
import { unzip } from '../../../data/npz.js';
import { isReadable, parseArrays } from '../../../data/parse-arrays.js';
import type { ShapeOptions } from '../../../data/shapes.js';
import type { Tensor } from '../../../providers/tensor.js';
import type { ArrayInfo, InputChoice, NamedFile } from '../protocol.js';
import { readBundled } from './bundled.js';

/** Reads an input that the user chose. The returned function throws `bad-data` for data that do not fit a model. */
export async function readInput(input: InputChoice, given: ShapeOptions): Promise<DataMaker> {
  const shapeWith = (dims: ShapeOptions['dims']) => ({ ...given, dims: { ...dims, ...given.dims } });
  if (input.kind === 'noise') {
    const { seed, runs } = input;
    return (inputs, _outputs, dims) =>
      seededFeeds(inputs, { ...shapeWith(dims), seed, count: Math.max(1, runs) });
  }
  if (input.kind === 'images') {
    const { files, options } = input;
    return (inputs, _outputs, dims) => {
      const { labels: _none, ...dataset } = imageFeeds(imageSource(files), inputs, {
        ...shapeWith(dims),
        ...options,
      });
      return dataset;
    };
  }
  if (input.kind === 'bundled') {
    const { images, labels } = await readBundled();
    const { data, size } = images;
    const arrays = {
      images: { elemType: 'f32', dims: [labels.length, 1, size, size], data },
      labels: { elemType: 'u8', dims: [labels.length], data: Uint8Array.from(labels) },
    };
    return (inputs, _outputs, dims) => sampledFeeds(arrays, inputs, { ...shapeWith(dims), labels: 'labels' });
  }
  const { file, labels, ignoreLabel, scale, dataLayout } = input;
  const arrays = await readArrays(file);
  return (inputs, _outputs, dims) =>
    sampledFeeds(arrays, inputs, {
      ...shapeWith(dims),
      scale,
      dataLayout,
      labels: labels ?? undefined,
      ignoreLabel,
    });
}

/** Lists the arrays of an .npz that can be read. Throws `bad-data` if none can. */
export async function listArrays(file: NamedFile): Promise<ArrayInfo[]> {
  const all = Object.entries(await readArrays(file));
  const readable = all.filter(([, array]) => isReadable(array));
  // The fields of an array that cannot be read throw the reason.
  return (readable.length > 0 ? readable : all).map(([name, { elemType, dims }]) => ({
    name,
    elemType,
    dims,
  }));
}

/** Reads the arrays of an .npz, or the array of an .npy, by name. Throws `bad-data`. */
export async function readArrays({ name, blob }: NamedFile): Promise<Record<string, Tensor>> {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const files = bytes[0] === 0x93 ? new Map([[name.replace(/\.npy$/, ''), bytes]]) : await unzip(bytes, name);
  return parseArrays(files);
}

/** Returns images of one class, which are decoded on access. */
export function imageSource(files: readonly NamedFile[]): ImageSource {
  return {
    labels: files.map(() => 0),
    async decode(index, box) {
      const file = files[index];
      if (file === undefined) throw new OnnxMishError('bad-data', `image ${index} does not exist`);
      return decodeImage(file, box);
    },
  };
}

/**
 * Decodes, resizes and crops an image like node/read-images.ts, with the browser's decoder and filter. Pixels differ
 * by a few of 255 steps. Throws `bad-data`.
 */
async function decodeImage({ name, blob }: NamedFile, { width, height, resize }: Box): Promise<Pixels> {
  try {
    const bitmap = await createImageBitmap(blob);
    const fitted = sizeBefore(bitmap, { width, height, resize });
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    if (context === null) throw new Error('this browser cannot draw in a worker');
    context.fillRect(0, 0, width, height); // transparent pixels become black
    context.imageSmoothingQuality = 'high';
    const [left, top] = [middle(fitted.width - width), middle(fitted.height - height)];
    context.drawImage(bitmap, -left, -top, fitted.width, fitted.height);
    bitmap.close();
    const { data } = context.getImageData(0, 0, width, height);
    return { width, height, data: Uint8Array.from({ length: width * height * 3 }, (_, at) => rgb(data, at)) };
  } catch (cause) {
    throw new OnnxMishError('bad-data', `the image cannot be decoded: ${messageOf(cause)}`, {
      where: name,
      fix: 'Give an image that this browser can show',
      cause,
    });
  }
}

/** Returns element `at` of the RGB pixels, read from RGBA pixels. */
function rgb(rgba: Uint8ClampedArray, at: number): number {
  return rgba[Math.floor(at / 3) * 4 + (at % 3)] ?? 0;
}
