import { zipSync } from 'fflate';
import { afterAll, describe, expect, test } from 'vitest';
import type { Dataset } from '../../src/data/dataset.js';
import { sampleDoubt } from '../../src/data/sample-doubt.js';
import { scaleDoubt } from '../../src/data/scale-doubt.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { Session } from '../../src/providers/provider.js';
import type { Tensors } from '../../src/providers/tensor.js';
import { withSession } from '../../src/providers/with-session.js';
import { cli, cliJson } from '../support/cli.js';
import { readFashion } from '../support/fashion.js';
import { tempFolder } from '../support/folder.js';
import { isHeavy } from '../support/heavy.js';
import { floats, model, node, value } from '../support/model.js';
import { npy } from '../support/numpy.js';
import { modelPath } from '../support/workbench-page.js';

const MODELS = ['mlp', 'lenet5', 'resnet20', 'mobilenet', 'vgg-leaky', 'unet'];
const SAMPLES = 64;

const sessions = new Map<string, Promise<Session>>();
const sessionOf = (name: string) => {
  const session = sessions.get(name) ?? nodeProvider('cpu').open(modelPath(`${name}.onnx`), { threads: 1 });
  sessions.set(name, session);
  return session;
};
afterAll(async () => {
  for (const session of sessions.values()) await (await session).close();
});

/** Returns test images times a factor, rounded if they are bytes. */
function imagesOf(part: number, factor: number, shift = 0): Tensors[] {
  const { images } = readFashion('test', SAMPLES, part * SAMPLES);
  const data = images.map((value) => (factor === 255 ? Math.round(value * 255) : value * factor + shift));
  return [{ images: { elemType: 'f32', dims: [SAMPLES, 1, 28, 28], data } }];
}

/** Asks about samples; `divide` stands for a model that was trained on what it then gets, and restores that. */
async function doubt(
  name: string,
  feeds: readonly Tensors[],
  divide = 1,
  source: Dataset['source'] | undefined = undefined,
) {
  const session = await sessionOf(name);
  const run = async ({ images }: Tensors): Promise<Tensors> => {
    if (images === undefined) throw new Error('no images');
    const { restored, ...scores } = await session.run({
      images: { ...images, data: (images.data as Float32Array).map((value) => value / divide) },
    });
    if (restored === undefined) return scores;
    return {
      restored: { ...restored, data: (restored.data as Float32Array).map((value) => value * divide) },
    };
  };
  return scaleDoubt(feeds, run, { source });
}

const parts = Array.from({ length: isHeavy ? 16 : 1 }, (_, part) => part);

describe.each(MODELS)('%s', (name) => {
  test('right samples raise no doubt', async () => {
    for (const part of parts) {
      expect(await doubt(name, imagesOf(part, 1))).toBeUndefined();
      expect(await doubt(name, imagesOf(part, 3, -1))).toBeUndefined(); // standardised
      expect(await doubt(name, imagesOf(part, 255), 255)).toBeUndefined(); // trained on bytes
    }
  });

  test('bytes raise a doubt', async () => {
    let missed = 0;
    for (const part of parts) {
      const found = await doubt(name, imagesOf(part, 255));
      if (name === 'unet' && found === undefined) missed++;
      else expect(found).toMatchObject({ option: { scale: '1/255' } });
    }
    // Far from 0, a net that removes noise works nearly as well on bytes: few samples do not always show the difference.
    expect(missed).toBeLessThanOrEqual(parts.length / 4);
  });
});

describe.each(MODELS)('%s, if trained on bytes,', (name) => {
  test('raises a doubt about pixels from 0 to 1', async () => {
    for (const part of parts) {
      const found = await doubt(name, imagesOf(part, 1), 255);
      expect(found).toMatchObject({ option: { scale: 255 } });
    }
  });
});

test('test cases are advised without the option, which they refuse', async () => {
  for (const [factor, divide, advice] of [
    [255, 1, /Divide them$/],
    [1, 255, /Multiply them$/],
  ] as const) {
    const found = await doubt('mlp', imagesOf(0, factor), divide, 'onnx-test');
    expect(found?.text).toMatch(advice);
    expect(found?.option).toBeUndefined();
  }
});

describe('a net without classes, but with batch normalisation,', () => {
  // Conv, BatchNormalization, Relu: the variance is that of the convolution on the images from 0 to 1, times a factor.
  async function doubtOf(feeds: readonly Tensors[], factor: number, isFirst = false) {
    const conv = node('Conv', ['images', 'w'], ['c']);
    const norm = node('BatchNormalization', [isFirst ? 'images' : 'c', 's', 's', 's', 'v'], ['n']);
    const constants = [
      floats('w', [1, 1, 1, 1], [2]),
      floats('s', [1], [1]),
      floats('v', [1], [factor * (isFirst ? 1 : 4) * 0.12]),
    ];
    const bytes = model({
      nodes: [...(isFirst ? [] : [conv]), norm, node('Relu', ['n'], ['y'])],
      inputs: [value('images', 1, ['N', 1, 28, 28])],
      outputs: [value('y', 1, ['N', 1, 28, 28])],
      initializers: isFirst ? constants.slice(1) : constants,
    });
    const loaded = await modelFromBytes(bytes);
    const options = { provider: nodeProvider('cpu') };
    return withSession(loaded.file, options, (session) =>
      sampleDoubt(loaded, { feeds, source: 'npz' }, options, session),
    );
  }

  test.each([true, false])('raises a doubt by its variance (normalisation first: %s)', async (isFirst) => {
    for (const part of parts) {
      const [unit, bytes] = [imagesOf(part, 1), imagesOf(part, 255)];
      expect(await doubtOf(unit, 1, isFirst)).toBeUndefined();
      expect(await doubtOf(bytes, 255 ** 2, isFirst)).toBeUndefined();
      expect(await doubtOf(bytes, 1, isFirst)).toMatchObject({ option: { scale: '1/255' } });
      expect(await doubtOf(unit, 255 ** 2, isFirst)).toMatchObject({ option: { scale: 255 } });
      expect(await doubtOf(bytes, 1e-6, isFirst)).toBeUndefined(); // neither range fits
    }
  });
});

describe('nets of two classes, or of a class at each place,', () => {
  const PIXELS = 28 * 28;
  type Net = (pixels: Float32Array) => { inner: readonly number[]; scores: number[] };
  const means = (pixels: Float32Array) =>
    Array.from({ length: pixels.length / PIXELS }, (_, row) => {
      const image = pixels.subarray(row * PIXELS, (row + 1) * PIXELS);
      return image.reduce((sum, pixel) => sum + pixel, 0) / PIXELS;
    });
  const columnMeans = (pixels: Float32Array) =>
    Array.from({ length: pixels.length / 28 }, (_, at) => {
      const [row, column] = [Math.floor(at / 28), at % 28];
      const lines = Array.from({ length: 28 }, (__, line) => pixels[row * PIXELS + 28 * line + column] ?? 0);
      return lines.reduce((sum, pixel) => sum + pixel, 0) / 28;
    });
  const logistic = (score: number) => 1 / (1 + Math.exp(-score));
  const NETS: Readonly<Record<string, Net>> = {
    'two scores': (pixels) => ({
      inner: [2],
      scores: means(pixels).flatMap((mean) => [0, 30 * (mean - 0.28)]),
    }),
    'a probability': (pixels) => ({
      inner: [1],
      scores: means(pixels).map((mean) => logistic(30 * (mean - 0.28))),
    }),
    'a mask': (pixels) => ({
      inner: [1, 1, 28],
      scores: columnMeans(pixels).map((mean) => logistic(30 * (mean - 0.28))),
    }),
    'two scores at each place': (pixels) => ({
      inner: [2, 1, 28],
      scores: Array.from({ length: pixels.length / PIXELS }, (_, row) => [
        ...new Array<number>(28).fill(0),
        ...columnMeans(pixels.subarray(row * PIXELS, (row + 1) * PIXELS)).map((mean) => 30 * (mean - 0.28)),
      ]).flat(),
    }),
  };
  /** A net without biases, trained on bytes: its scores are large, and its answers are the same in both ranges. */
  const unbiased: Net = (pixels) => ({
    inner: [2],
    scores: Array.from({ length: pixels.length / PIXELS }, (_, row) => {
      const [top = 0, bottom = 0] = [5, 20].map((line) => pixels[row * PIXELS + 28 * line + 14] ?? 0);
      return [9 * top, 9 * bottom];
    }).flat(),
  });
  const ask = (net: Net, feeds: readonly Tensors[], divide: number) =>
    scaleDoubt(feeds, async ({ images }) => {
      const { inner, scores } = net(Float32Array.from(images?.data as Float32Array, (one) => one / divide));
      return {
        y: { elemType: 'f32', dims: [images?.dims[0] ?? 0, ...inner], data: Float32Array.from(scores) },
      };
    });

  test.each(Object.keys(NETS))('%s: bytes raise a doubt, right samples none', async (name) => {
    const net = NETS[name] ?? unbiased;
    for (const part of parts) {
      expect(await ask(net, imagesOf(part, 255), 1)).toMatchObject({ option: { scale: '1/255' } });
      expect(await ask(net, imagesOf(part, 1), 1)).toBeUndefined();
      expect(await ask(net, imagesOf(part, 255), 255)).toBeUndefined();
      expect(await ask(net, imagesOf(part, 1), 255)).toBeUndefined(); // only the reverse is known
    }
  });

  test('a net that gives the same answers in both ranges raises none', async () => {
    for (const part of parts)
      for (const factor of [1, 255]) expect(await ask(unbiased, imagesOf(part, factor), 1)).toBeUndefined();
  });

  test('few samples raise none', async () => {
    const pixels = imagesOf(0, 255)[0]?.images?.data as Float32Array;
    const few = { elemType: 'f32', dims: [4, 1, 28, 28], data: pixels.slice(0, 4 * PIXELS) };
    expect(await ask(NETS['a mask'] ?? unbiased, [{ images: few }], 1)).toBeUndefined();
  });
});

test('advice for images names the option of images', async () => {
  const { images } = imagesOf(0, 1)[0] ?? {};
  if (images === undefined) throw new Error('no images');
  const session = await sessionOf('mlp');
  const run = (feeds: Tensors) => {
    const { data } = feeds.images ?? images;
    return session.run({ images: { ...images, data: (data as Float32Array).map((pixel) => pixel / 255) } });
  };
  const found = await scaleDoubt([{ images }], run, { source: 'images' });
  expect(found?.option).toEqual({ std: 0.00392157 });
  expect(1 / (found?.option?.std as number)).toBeCloseTo(255, 2);
});

test('few samples and other inputs raise no doubt', async () => {
  const [{ images } = {}] = imagesOf(0, 255);
  if (images === undefined) throw new Error('no images');
  const few = { ...images, dims: [4, 1, 28, 28], data: (images.data as Float32Array).slice(0, 4 * 784) };
  expect(await doubt('mlp', [{ images: few }])).toBeUndefined();
  expect(await doubt('mlp', [])).toBeUndefined();
  const run = () => Promise.reject(new Error('run'));
  expect(await scaleDoubt([{ images, other: images }], run)).toBeUndefined();
  const tokens = { elemType: 'i64', dims: [2], data: BigInt64Array.of(1n, 200n) };
  expect(await scaleDoubt([{ tokens }], run)).toBeUndefined();
});

describe('every command with samples', () => {
  const { images, labels } = readFashion('test', SAMPLES);
  const bytes = Uint8Array.from(images, (pixel) => Math.round(pixel * 255));
  const classes = npy('<i8', [SAMPLES], new Uint8Array(BigInt64Array.from(labels, BigInt).buffer));
  const archive = zipSync({ 'images.npy': npy('|u1', [SAMPLES, 1, 28, 28], bytes), 'y.npy': classes });
  const mlp = modelPath('mlp.onnx');
  const withBytes = async () => {
    const folder = await tempFolder();
    const data = ['--data', await folder.write('bytes.npz', archive)];
    return { cwd: folder.path, data, scaled: [...data, '--scale', '1/255'] };
  };
  const output = ['-o', 'out.onnx', '-f'];
  const trained = ['--labels', 'y', '--epochs', '1', '--seeds', '1', '--threads', '1'];
  const experiment = ['--activations', 'relu', '--no-landscape', '--jobs', '1', '-f', '-o', 'out.json'];

  test('validate says it once, and the option mends it', async () => {
    const { data, scaled } = await withBytes();
    const validate = ['validate', mlp, '--no-latency', '--labels', 'y'];
    const { json } = await cliJson([...validate, ...data]);
    expect(json.notes.filter((note: string) => /divided by 255/.test(note))).toHaveLength(1);
    expect((await cliJson([...validate, ...scaled])).json.notes).toEqual([]);
  });

  test.each([
    ['calibrate', '--labels', 'y', '--steps', '0', ...output],
    ['rank', '--labels', 'y', '--top', '0'],
    ['swap', '--labels', 'y', '--keep', 'agreement>=0', '--samples', '16', ...output],
    ['swap', '--labels', 'y', '--beta', 'auto', '--keep', 'agreement>=0', '--samples', '16', ...output],
    ['inspect', '--labels', 'y'],
    ['finetune', ...trained, '--no-calibrate', '--no-control', ...output],
    ['experiment', ...trained, ...experiment],
  ])('%s %s says it once, and the option mends it', async (command, ...more) => {
    const { cwd, data, scaled } = await withBytes();
    const { code, stderr } = await cli([command, mlp, ...more, ...data], { cwd });
    expect(code, stderr).toBe(0);
    expect(stderr.match(/divided by 255.*Divide them \(--scale '1\/255'\)/g)).toHaveLength(1);
    if (!isHeavy && !['rank', 'experiment'].includes(command)) return;
    const mended = await cli([command, mlp, ...more, ...scaled], { cwd });
    expect(mended.code).toBe(0);
    expect(mended.stderr).not.toContain('divided by 255');
  });
});
