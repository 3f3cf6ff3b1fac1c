// Images as samples with random access.
import type { ValueInfo } from '../providers/provider.js';
import { elementCount, type Tensors } from '../providers/tensor.js';
import {
  countOf,
  type ImageOptions,
  type ImageSource,
  imageInput,
  imageTensor,
  type Pixels,
  valuesOf,
} from './images.js';
import type { Samples } from './samples.js';

/** Maximum bytes of decoded images that are kept; others are decoded again for each batch. */
const MAX_KEPT_BYTES = 2 ** 30;

/** Returns images as samples of a model's only input. Throws `bad-data` if the model takes no such images. */
export function imageSamples(
  source: ImageSource,
  inputs: readonly ValueInfo[],
  options: ImageOptions,
): Samples {
  const input = imageInput(inputs, options);
  const values = valuesOf(input, options);
  const { name, elemType, layout, depth, width, height } = input;
  const dims = layout === 'nchw' ? [depth, height, width] : [height, width, depth];
  const length = elementCount(dims);
  const kept = new Map<number, Pixels>();
  const decode = async (index: number) => {
    const known = kept.get(index);
    if (known !== undefined) return known;
    const pixels = await source.decode(index, { width, height, resize: options.resize });
    if ((kept.size + 1) * pixels.data.length <= MAX_KEPT_BYTES) kept.set(index, pixels);
    return pixels;
  };
  return {
    count: countOf(source),
    inputs: { [name]: { elemType, dims } },
    async read(indices: ArrayLike<number>, batch: Tensors) {
      const into = batch[name]?.data as Float32Array; // every type of image input holds numbers
      const images = await Promise.all(Array.from(indices, decode));
      for (const [place, pixels] of images.entries()) {
        const { data } = imageTensor([pixels], input, values, options.channels);
        into.set(data as Float32Array, place * length);
      }
    },
  };
}
