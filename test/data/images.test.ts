import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OptionHint } from '../../src/base/option-hint.js';
import { firstFeed, seededFeeds } from '../../src/data/dataset.js';
import { hashFeeds } from '../../src/data/hash-feeds.js';
import { imageSamples } from '../../src/data/image-samples.js';
import {
  type ImageOptions,
  type ImageSource,
  imageFeeds,
  imageInput,
  type Pixels,
} from '../../src/data/images.js';
import { fromHalf } from '../../src/onnx/scalar.js';
import type { ValueInfo } from '../../src/providers/provider.js';
import type { Tensor, Tensors } from '../../src/providers/tensor.js';

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

function input(dims: readonly (number | string)[], elemType = 'f32'): ValueInfo {
  return { name: 'x', elemType, dims };
}

const NCHW = input([1, 3, 4, 5]);

/** Returns images of any size, from a function of index and byte. */
function source(count: number, byte: (image: number, at: number) => number): ImageSource {
  return {
    labels: Array.from({ length: count }, (_, index) => index % 3),
    decode: async (image, { width, height }): Promise<Pixels> => ({
      width,
      height,
      data: Uint8Array.from({ length: width * height * 3 }, (_, at) => byte(image, at)),
    }),
  };
}

const colours = (red: number, green: number, blue: number) =>
  source(1, (_, at) => [red, green, blue][at % 3] as number);
const mixed = source(10, (image, at) => (image * 97 + at * 31) % 256);

async function all(feeds: AsyncIterable<Tensors>): Promise<Tensor[]> {
  const found: Tensor[] = [];
  for await (const { x } of feeds) if (x !== undefined) found.push(x);
  return found;
}

async function one(images: ImageSource, to: ValueInfo, options: ImageOptions = {}): Promise<Tensor> {
  const [tensor] = await all(imageFeeds(images, [to], options).feeds);
  if (tensor === undefined) throw new Error('no feed');
  return tensor;
}

const numbers = ({ data }: Tensor) => Array.from(data, Number);

describe('pixel values', () => {
  const byte = fc.integer({ min: 0, max: 255 });
  const mean = fc.double({ min: -1, max: 1, noNaN: true });
  const std = fc.double({ min: 0.01, max: 2, noNaN: true });

  test('a solid colour gives exactly (c / 255 - mean) / std', async () => {
    const property = fc.asyncProperty(
      fc.tuple(byte, byte, byte),
      fc.tuple(mean, mean, mean),
      fc.tuple(std, std, std),
      async (colour, mean, std) => {
        const { data, dims } = await one(colours(...colour), NCHW, { mean, std });
        expect(dims).toEqual([1, 3, 4, 5]);
        const expected = colour.map((c, at) => Math.fround((c / 255 - (mean[at] ?? 0)) / (std[at] ?? 1)));
        expect(Array.from(data as Float32Array)).toEqual(
          expected.flatMap((value) => Array<number>(20).fill(value)),
        );
      },
    );
    await fc.assert(property, { numRuns: 50 });
  });

  test('values are from 0 to 1 without --mean and --std', async () => {
    expect(new Set(numbers(await one(colours(0, 51, 255), NCHW)))).toEqual(new Set([0, Math.fround(0.2), 1]));
  });

  test('float16 values are the nearest to the float32 values', async () => {
    const half = await one(mixed, input([1, 3, 4, 5], 'f16'), { ...IMAGENET, limit: 1 });
    const single = await one(mixed, NCHW, { ...IMAGENET, limit: 1 });
    expect(half.data).toBeInstanceOf(Uint16Array);
    for (const [at, value] of numbers(single).entries()) {
      expect(Math.abs(fromHalf(numbers(half)[at] ?? 0) - value)).toBeLessThanOrEqual(
        2 ** -11 * Math.max(1, Math.abs(value)) * 1.001,
      );
    }
  });

  test('uint8 values are the unchanged pixels, and cannot be normalised', async () => {
    const bytes = input([1, 4, 5, 3], 'u8');
    const { data } = await one(mixed, bytes, { limit: 1 });
    expect(data).toEqual((await mixed.decode(0, { width: 5, height: 4 })).data);
    expect(() => imageFeeds(mixed, [bytes], IMAGENET)).toThrow(/bytes, which are not normalised/);
  });
});

describe('positions', () => {
  test('bgr is rgb with reversed channels, mean and std', async () => {
    const options = { ...IMAGENET, limit: 1 };
    const rgb = numbers(await one(mixed, NCHW, options));
    const bgr = numbers(await one(mixed, NCHW, { ...options, channels: 'bgr' }));
    expect(bgr).toEqual([...rgb.slice(40), ...rgb.slice(20, 40), ...rgb.slice(0, 20)]);
  });

  test('nhwc is nchw transposed', async () => {
    const batch = 2;
    const nchw = numbers(await one(mixed, input([batch, 3, 4, 5]), IMAGENET));
    const nhwc = numbers(await one(mixed, input([batch, 4, 5, 3]), IMAGENET));
    for (let at = 0; at < nhwc.length; at++) {
      const [image, pixel, channel] = [Math.floor(at / 60), Math.floor((at % 60) / 3), at % 3];
      expect(nhwc[at]).toBe(nchw[image * 60 + channel * 20 + pixel]);
    }
  });

  test('batches contain the images in order', async () => {
    const single = await all(imageFeeds(mixed, [NCHW], IMAGENET).feeds);
    const pairs = await all(imageFeeds(mixed, [input([2, 3, 4, 5])], IMAGENET).feeds);
    expect([single.length, pairs.length]).toEqual([10, 5]);
    expect(pairs.flatMap(numbers)).toEqual(single.flatMap(numbers));
  });

  test.each<[readonly (number | string)[], ImageOptions, object]>([
    [[1, 3, 224, 192], {}, { layout: 'nchw', batch: 1, width: 192, height: 224 }],
    [[1, 224, 192, 3], {}, { layout: 'nhwc', batch: 1, width: 192, height: 224 }],
    [['n', 3, 'h', 'w'], { size: 64 }, { layout: 'nchw', batch: 1, width: 64, height: 64 }],
    [['n', 3, 'h', 'w'], { size: 64, dims: { n: 8 } }, { batch: 8 }],
    [['n', 3, 'h', 'w'], { dims: { h: 32, w: 48 } }, { width: 48, height: 32 }],
    [['', '', '', ''], { shapes: { x: [4, 3, 32, 48] } }, { batch: 4, width: 48, height: 32 }],
    [['', '', '', ''], { layout: 'nhwc', size: 8 }, { layout: 'nhwc', width: 8 }],
    [[-1, 3, -1, -1], { size: 8 }, { batch: 1, width: 8 }],
    [[1, 3, 3, 3], { layout: 'nhwc' }, { layout: 'nhwc', width: 3 }],
    [[1, 1, 28, 24], {}, { layout: 'nchw', depth: 1, width: 24, height: 28 }],
    [[1, 28, 24, 1], {}, { layout: 'nhwc', depth: 1, width: 24, height: 28 }],
    [[1, 1, 28, 2], {}, { layout: 'nchw', depth: 1, width: 2, height: 28 }],
    [[1, 2, 28, 1], {}, { layout: 'nhwc', depth: 1, width: 28, height: 2 }],
  ])('an input [%s] with %o', (dims, options, expected) => {
    expect(imageInput([input(dims)], options)).toMatchObject(expected);
  });
});

describe('errors', () => {
  test.each<[string, readonly ValueInfo[], ImageOptions, RegExp, OptionHint?]>([
    ['no input', [], {}, /and this one has 0/],
    ['two inputs', [NCHW, { ...NCHW, name: 'y' }], {}, /and this one has 2/],
    ['a vector', [input([1, 10])], {}, /cannot take images/, { data: null }],
    ['integers', [input([1, 3, 4, 5], 'i64')], {}, /cannot take images/],
    ['two channels', [input([1, 2, 28, 28])], {}, /no dimension of 3/],
    ['two channels, as said', [input([1, 2, 28, 28])], { layout: 'nchw' }, /takes 2 channels as nchw/],
    [
      'the wrong layout',
      [NCHW],
      { layout: 'nhwc' },
      /takes 5 channels as nhwc/,
      { layout: null, data: null },
    ],
    ['two possible layouts', [input([1, 3, 8, 3])], {}, /nchw or nhwc/, { layout: null }],
    ['two possible layouts of grey images', [input([1, 1, 8, 1])], {}, /nchw or nhwc/, { layout: null }],
    ['no known layout', [input(['n', '', '', ''])], { size: 8 }, /nchw or nhwc/, { layout: null }],
    ['no known size', [input([1, 3, 'h', 'w'])], {}, /how wide images are/, { size: 224 }],
    ['another size', [NCHW], { size: 8 }, /not 8.*Leave out the size/, { size: 5 }],
    [
      'a crop larger than the image',
      [NCHW],
      { resize: 4 },
      /4 cannot be cropped to 5 x 4.*at least 5/,
      { resize: 5 },
    ],
    [
      'a batch that stays open',
      [input([4, 3, 4, 5])],
      {},
      /10 images do not fill batches of 4/,
      { limit: 8 },
    ],
    ['a batch larger than all', [input([11, 3, 4, 5])], {}, /Give at least 11/],
  ])('%s', (name, inputs, options, message, option) => {
    const fail = () => imageFeeds(mixed, inputs, options);
    if (!/batch/.test(name)) expect(() => imageSamples(mixed, inputs, options)).toThrow(message);
    expect(fail).toThrow(expect.objectContaining({ code: 'bad-data' }));
    if (option !== undefined) expect(fail).toThrow(expect.objectContaining({ option }));
    expect(fail).toThrow(message);
  });
});

test.each([9, 11])('%i labels for 10 images are refused', (labels) => {
  const images = { ...mixed, count: 10, labels: Array(labels).fill(0) };
  for (const read of [imageFeeds, imageSamples])
    expect(() => read(images, [NCHW], {})).toThrow(`10 images with ${labels} labels`);
});

describe('many images', () => {
  test('limit chooses images at even distances, with their labels', () => {
    const labels = Array.from({ length: 100 }, (_, index) => Math.floor(index / 10));
    const data = imageFeeds({ ...mixed, labels }, [NCHW], { limit: 20 });
    expect(data.labels).toEqual(Array.from({ length: 20 }, (_, index) => Math.floor(index / 2)));
    expect([data.samples, data.feeds.length, data.source]).toEqual([20, 20, 'images']);
    expect(imageFeeds({ ...mixed, labels }, [NCHW], { limit: 1000 }).samples).toBe(100);
  });

  test('are decoded a few ahead, in order, and again on each pass', async () => {
    let [asked, running, most] = [0, 0, 0];
    const slow: ImageSource = {
      labels: Array<number>(500).fill(0),
      async decode(index, box) {
        asked++;
        most = Math.max(most, ++running);
        await new Promise((done) => setTimeout(done, (index * 7) % 3));
        running--;
        return source(1, () => index % 256).decode(0, box);
      },
    };
    const { feeds } = imageFeeds(slow, [input([1, 3, 4, 5], 'u8')], {});
    expect(asked).toBe(0);
    expect((await all(feeds)).map(({ data }) => data[0])).toEqual(
      Array.from({ length: 500 }, (_, index) => index % 256),
    );
    expect([asked, running]).toEqual([500, 0]);
    expect(most).toBeLessThanOrEqual(8);
    await all(feeds);
    expect(asked).toBe(1000);
  });

  test('the first feed leaves nothing running behind it', async () => {
    let running = 0;
    const slow: ImageSource = {
      labels: Array<number>(50).fill(0),
      async decode(index, box) {
        running++;
        await new Promise((done) => setTimeout(done, index));
        running--;
        return mixed.decode(0, box);
      },
    };
    expect(await firstFeed(imageFeeds(slow, [NCHW], {}).feeds)).toBeDefined();
    expect(running).toBe(0);
  });

  test('an unreadable image ends the pass with its error', async () => {
    const broken: ImageSource = {
      labels: Array<number>(50).fill(0),
      decode: (index, box) =>
        index < 5 ? mixed.decode(index, box) : Promise.reject(new Error(`image ${index} is broken`)),
    };
    const { feeds } = imageFeeds(broken, [NCHW], {});
    await expect(all(feeds)).rejects.toThrow('image 5 is broken');
  });

  test('have the hash of the same feeds in an array', async () => {
    const { feeds } = imageFeeds(mixed, [NCHW], IMAGENET);
    const array = (await all(feeds)).map((x) => ({ x }));
    expect(await hashFeeds(feeds)).toBe(await hashFeeds(array));
    expect(await hashFeeds(feeds)).not.toBe(await hashFeeds(seededFeeds([NCHW], {}).feeds));
    expect(await firstFeed(feeds)).toEqual(array[0]);
    expect(await firstFeed([])).toBeUndefined();
  });
});
