// Writes Fashion-MNIST, on which the models of this folder were trained, as train.npz and test.npz:
//
//     node models/fashion-npz.js folder [training samples] [--noisy]
//
// Each has the array `images`, bytes of 0 to 255 divided by 255 as float32, and `y`, the classes; with --noisy, `images` with
// the noise that unet.onnx removes, and `clean`, the images without it. The data is Debian's package dataset-fashion-mnist, or the
// four files train-images-idx3-ubyte.gz and so on in the folder that FASHION_MNIST names.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { npy } from './npy.js';
import { normalNumbers } from './random.js';

const FASHION = process.env.FASHION_MNIST || '/usr/share/datasets/fashion-mnist';
const PIXELS = 28 * 28;
const SIGMA = 0.1;

const idx = (name, header) => gunzipSync(readFileSync(join(FASHION, `${name}.gz`))).subarray(header);

const noisy = process.argv.includes('--noisy');
const [folder, given] = process.argv.slice(2).filter((argument) => argument !== '--noisy');
if (folder === undefined) throw new Error('name a folder: node models/fashion-npz.js folder');
if (!existsSync(join(FASHION, 'train-images-idx3-ubyte.gz'))) {
  console.error(
    `Fashion-MNIST is not in ${FASHION}. Install Debian's package dataset-fashion-mnist, name the folder that has its four .gz files in FASHION_MNIST, or put train.npz and test.npz (arrays images and y) into ${folder}.`,
  );
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
for (const [seed, [file, split]] of [
  ['train', 'train'],
  ['test', 't10k'],
].entries()) {
  const all = idx(`${split}-labels-idx1-ubyte`, 8);
  const count = Math.min(all.length, file === 'train' && given !== undefined ? Number(given) : all.length);
  const clean = Float32Array.from(
    idx(`${split}-images-idx3-ubyte`, 16).subarray(0, count * PIXELS),
    (value) => value / 255,
  );
  const random = normalNumbers(seed + 1);
  const dims = [count, 1, 28, 28];
  const arrays = noisy
    ? {
        'images.npy': npy(
          '<f4',
          dims,
          clean.map((value) => value + SIGMA * random()),
        ),
        'clean.npy': npy('<f4', dims, clean),
      }
    : { 'images.npy': npy('<f4', dims, clean), 'y.npy': npy('|u1', [count], all.slice(0, count)) };
  writeFileSync(join(folder, `${file}.npz`), zipSync(arrays, { level: 0 }));
  console.log(`${join(folder, `${file}.npz`)}: ${count} samples`);
}
