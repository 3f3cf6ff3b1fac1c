// Writes models/fashion-sample.npz, the images that the workbench brings along: the first 1,000 test images of Fashion-MNIST,
// which the models of this folder have not seen. `x` is the images as bytes, `y` the classes.
//
//     node models/fashion-sample.js
//
// The data is Debian's package dataset-fashion-mnist; its licence is models/fashion-sample.LICENSE.txt.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { npy } from './npy.js';

const FASHION = '/usr/share/datasets/fashion-mnist/t10k';
const COUNT = 1000;
const PIXELS = 28 * 28;

const read = (kind, header, length) =>
  gunzipSync(readFileSync(`${FASHION}-${kind}-ubyte.gz`)).slice(header, header + length);
const arrays = {
  'x.npy': npy('|u1', [COUNT, 1, 28, 28], read('images-idx3', 16, COUNT * PIXELS)),
  'y.npy': npy('|u1', [COUNT], read('labels-idx1', 8, COUNT)),
};
const path = fileURLToPath(new URL('fashion-sample.npz', import.meta.url));
const bytes = zipSync(arrays, { level: 9, mtime: new Date(2020, 0, 1) });
writeFileSync(path, bytes);
console.log(`${path}: ${COUNT} samples, ${bytes.length} bytes`);
