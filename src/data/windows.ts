// Windows: equal parts of the images that a run feeds.

import { ownProperty } from '../base/own.js';
import type { DeclaredValue } from '../onnx/document.js';
import { elementCount, type Tensor, type Tensors } from '../providers/tensor.js';
import type { Feeds } from './dataset.js';

/** The axes of height and width of each input, by the input's name. */
export type ImageAxes = ReadonlyMap<string, readonly [number, number]>;

/** A place or a size on the axes of height and width. */
export type HeightWidth = readonly [height: number, width: number];

/**
 * Returns the axes of height and width, where the model declares just these free, beside that of the samples. Returns undefined if
 * no input has such axes, or if an input has other free axes. Inputs of a fixed size have no axes.
 */
export function imageAxes(inputs: readonly DeclaredValue[], run: Tensors): ImageAxes | undefined {
  const axes = new Map<string, readonly [number, number]>();
  for (const name of Object.keys(run)) {
    const { dims } = inputs.find((input) => input.name === name) ?? {};
    if (dims === undefined) return undefined;
    const free = dims.flatMap((dim, axis) => (axis > 0 && typeof dim !== 'number' ? [axis] : []));
    const [high, wide, ...others] = free;
    if (high === undefined) continue;
    if (wide === undefined || others.length > 0) return undefined;
    axes.set(name, [high, wide]);
  }
  return axes.size > 0 ? axes : undefined;
}

/** Returns the height and the width of a run's images; undefined if its inputs differ in them. */
export function imageSize(run: Tensors, axes: ImageAxes): HeightWidth | undefined {
  const [first, ...others] = [...axes].map(([name, [high, wide]]): HeightWidth => {
    const { dims = [] } = ownProperty(run, name) ?? {};
    return [dims[high] ?? 0, dims[wide] ?? 0];
  });
  const isSame = ([height, width]: HeightWidth) => height === first?.[0] && width === first?.[1];
  return first !== undefined && others.every(isSame) ? first : undefined;
}

/** Returns the middle of each image where the model's input is free in height and width, at most `side` high and wide. */
export function middleParts(feeds: Feeds, inputs: readonly DeclaredValue[], side: number): Feeds {
  const cut = (run: Tensors) => {
    const axes = imageAxes(inputs, run);
    if (axes === undefined) return run;
    const image = imageSize(run, axes);
    if (image === undefined || Math.max(...image) <= side) return run;
    const [height, width] = image.map((length) => Math.min(length, side)) as [number, number];
    const at = [Math.floor((image[0] - height) / 2), Math.floor((image[1] - width) / 2)] as const;
    return cutWindow(run, axes, at, [height, width]);
  };
  return {
    length: feeds.length,
    async *[Symbol.asyncIterator]() {
      for await (const run of feeds) yield cut(run);
    },
  };
}

/** Cuts the same window out of all images of a run. Other inputs stay whole. */
export function cutWindow(run: Tensors, axes: ImageAxes, at: HeightWidth, size: HeightWidth): Tensors {
  return Object.fromEntries(
    Object.entries(run).map(([name, tensor]): [string, Tensor] => {
      const of = axes.get(name);
      return [name, of === undefined ? tensor : cutTensor(tensor, of, at, size)];
    }),
  );
}

/** Cuts a window out of a tensor. The axes are joined to [rows, height, between, width, inner]. */
export function cutTensor(
  { elemType, dims, data }: Tensor,
  [high, wide]: readonly [number, number],
  [top, left]: HeightWidth,
  [height, width]: HeightWidth,
): Tensor {
  const [rows, between, inner] = [dims.slice(0, high), dims.slice(high + 1, wide), dims.slice(wide + 1)].map(
    elementCount,
  ) as [number, number, number];
  const [fullHeight, fullWidth] = [dims[high] ?? 0, dims[wide] ?? 0];
  const source = data as Float32Array; // every type of number has the methods used here
  const cut = new (source.constructor as Float32ArrayConstructor)(rows * height * between * width * inner);
  let to = 0;
  for (let row = 0; row < rows; row++)
    for (let y = top; y < top + height; y++)
      for (let middle = 0; middle < between; middle++) {
        const from = (((row * fullHeight + y) * between + middle) * fullWidth + left) * inner;
        cut.set(source.subarray(from, from + width * inner), to);
        to += width * inner;
      }
  const size = dims.map((dim, axis) => (axis === high ? height : axis === wide ? width : dim));
  return { elemType, dims: size, data: cut };
}
