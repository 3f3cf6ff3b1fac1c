import { zipSync } from 'fflate';
import { readFashion } from './fashion.js';
import { npy } from './numpy.js';

/** Test images as bytes from 0 to 255 with their classes: an .npz with the arrays `images` and `y`. */
export function imagesAsBytes(count: number): Uint8Array {
  const { images, labels } = readFashion('test', count);
  return zipSync({
    'images.npy': npy(
      '|u1',
      [count, 1, 28, 28],
      Uint8Array.from(images, (pixel) => Math.round(pixel * 255)),
    ),
    'y.npy': npy('|u1', [count], Uint8Array.from(labels)),
  });
}
