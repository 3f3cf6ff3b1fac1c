// The samples that the page brings along: 1,000 images of Fashion-MNIST.
import { OnnxMishError } from '../../../base/error.js';
import { readNpy } from '../../../data/npy.js';
import { unzip } from '../../../data/npz.js';
import { toNumbers } from '../../../providers/tensor.js';

const FILE = new URL('../../../../models/fashion-sample.npz', import.meta.url);
const SIZE = 28;

export interface BundledSamples {
  /** Square images of one channel, from 0 to 1; `size` is the number of pixels of a side. */
  readonly images: { readonly data: Float32Array; readonly size: number };
  readonly labels: number[];
}

/** Reads the bundled samples. Throws `io`. */
export async function readBundled(): Promise<BundledSamples> {
  const response = await fetch(FILE);
  if (!response.ok) {
    throw new OnnxMishError('io', `the bundled images cannot be loaded: ${response.status}`, {
      fix: 'Reload the page',
    });
  }
  const files = await unzip(new Uint8Array(await response.arrayBuffer()), 'the bundled images');
  const numbers = async (name: string) =>
    toNumbers(await readNpy(files.get(name) ?? new Uint8Array(0), name)) ?? [];
  const data = Float32Array.from(await numbers('x'), (byte) => byte / 255);
  return { images: { data, size: SIZE }, labels: Array.from(await numbers('y')) };
}

/** Halves the size of images: each pixel becomes the mean of four. */
export function halved({ images: { data, size }, labels }: BundledSamples): BundledSamples {
  const half = size / 2;
  const at = (image: number, row: number, column: number) => data[(image * size + row) * size + column] ?? 0;
  const small = new Float32Array(data.length / 4);
  for (let index = 0; index < small.length; index++) {
    const [image, row, column] = [
      Math.floor(index / half ** 2),
      2 * (Math.floor(index / half) % half),
      2 * (index % half),
    ];
    small[index] =
      (at(image, row, column) +
        at(image, row, column + 1) +
        at(image, row + 1, column) +
        at(image, row + 1, column + 1)) /
      4;
  }
  return { images: { data: small, size: half }, labels };
}
