import { zipSync } from 'fflate';
import { afterAll, describe, expect, test } from 'vitest';
import { scaleDoubt } from '../../src/data/scale-doubt.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { Session } from '../../src/providers/provider.js';
import type { Tensors } from '../../src/providers/tensor.js';
import { cli, cliJson } from '../support/cli.js';
import { readFashion } from '../support/fashion.js';
import { tempFolder } from '../support/folder.js';
import { isHeavy } from '../support/heavy.js';
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

/** Asks about samples; `divide` stands for a model that was trained on what it then gets. */
async function doubt(name: string, feeds: readonly Tensors[], divide = 1) {
  const session = await sessionOf(name);
  return scaleDoubt(feeds, async ({ images }) => {
    if (images === undefined) throw new Error('no images');
    return session.run({
      images: { ...images, data: (images.data as Float32Array).map((value) => value / divide) },
    });
  });
}

const parts = Array.from({ length: isHeavy ? 16 : 2 }, (_, part) => part);

describe.each(MODELS)('%s', (name) => {
  test('right samples raise no doubt', async () => {
    for (const part of parts) {
      expect(await doubt(name, imagesOf(part, 1))).toBeUndefined();
      expect(await doubt(name, imagesOf(part, 3, -1))).toBeUndefined(); // standardised
      expect(await doubt(name, imagesOf(part, 255), 255)).toBeUndefined(); // trained on bytes
    }
  });

  test('bytes raise a doubt, but for a net without classes', async () => {
    for (const part of parts) {
      const found = await doubt(name, imagesOf(part, 255));
      if (name === 'unet') expect(found).toBeUndefined();
      else expect(found).toMatchObject({ option: { scale: '1/255' } });
    }
  });
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

test('calibrate and validate say it once, and the option mends it', async () => {
  const folder = await tempFolder();
  const { images } = readFashion('test', SAMPLES);
  const bytes = Uint8Array.from(images, (value) => Math.round(value * 255));
  const archive = zipSync({ 'images.npy': npy('|u1', [SAMPLES, 1, 28, 28], bytes) });
  const data = await folder.write('bytes.npz', archive);
  const mlp = modelPath('mlp.onnx');
  const scaled = ['--data', data, '--scale', '1/255'];
  const validate = ['validate', mlp, '--no-latency'];
  const { json } = await cliJson([...validate, '--data', data]);
  expect(json.notes.filter((note: string) => /divided by 255/.test(note))).toHaveLength(1);
  expect((await cliJson([...validate, ...scaled])).json.notes).toEqual([]);
  const calibrate = ['calibrate', mlp, '--steps', '0', '-f', '-o', folder.at('out.onnx')];
  const { stderr } = await cli([...calibrate, '--data', data]);
  expect(stderr.match(/divided by 255. Divide them \(--scale '1\/255'\)/g)).toHaveLength(1);
  expect((await cli([...calibrate, ...scaled])).stderr).not.toContain('divided by 255');
});
