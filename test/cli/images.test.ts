import { mkdir } from 'node:fs/promises';
import sharp from 'sharp';
import { beforeEach, describe, expect, test } from 'vitest';
import { parseReport } from '../../src/validate/report-schema.js';
import { cli, cliJson } from '../support/cli.js';
import { type Folder, tempFolder } from '../support/folder.js';
import { model, node, value } from '../support/model.js';
import { modelPath } from '../support/workbench-page.js';

/** The mean of each channel: its class is the brightest, 0 for the first channel. */
const BRIGHTEST = model({
  nodes: [
    node('GlobalAveragePool', ['x'], ['mean'], {}, { name: 'pool' }),
    node('Relu', ['mean'], ['a'], {}, { name: 'act' }),
    node('Flatten', ['a'], ['y'], {}, { name: 'head' }),
  ],
  inputs: [value('x', 1, ['n', 3, 'h', 'w'])],
  outputs: [value('y', 1, ['n', 3])],
});

/** Photographs of one colour each, two a class. */
const COLOURS = { red: '#c01020', green: '#10c020', blue: '#1020c0' };

let folder: Folder;
beforeEach(async () => {
  folder = await tempFolder();
  await folder.write('m.onnx', BRIGHTEST);
});

/** Writes the images, in folders of these names. */
async function images(names: { red: string; green: string; blue: string }): Promise<void> {
  for (const colour of ['red', 'green', 'blue'] as const) {
    const background = COLOURS[colour];
    await mkdir(folder.at('set', names[colour]), { recursive: true });
    for (const [width, format] of [
      [20, 'jpeg'],
      [50, 'png'],
    ] as const) {
      const image = sharp({ create: { width, height: 30, channels: 3, background } });
      await folder.write(`set/${names[colour]}/${width}.${format}`, await image.toFormat(format).toBuffer());
    }
  }
}

const NUMBERED = { red: '0', green: '1', blue: '2' };
const validate = async (...args: string[]) =>
  parseReport((await cliJson(['validate', 'm.onnx', '--no-latency', ...args], { cwd: folder.path })).json);

describe('accuracy on a folder of images', () => {
  test('takes the numbers of the folders as labels', async () => {
    await images(NUMBERED);
    const report = await validate('--images', 'set', '--size', '16');
    expect(report.data).toMatchObject({
      source: 'images',
      runs: 6,
      samples: 6,
      labelled: true,
      shapes: { x: [1, 3, 16, 16] },
    });
    expect(report.providers[0]?.accuracy).toMatchObject({
      output: 'y',
      original: { n: 6, top1: 1 },
      swapped: { n: 6, top1: 1 },
    });
  });

  test('takes the positions of the folders’ sorted names as labels', async () => {
    await images({ red: 'b', green: 'c', blue: 'a' }); // so red is 1, green 2 and blue 0
    const report = await validate('--images', 'set', '--size', '16');
    expect(report.providers[0]?.accuracy?.original).toMatchObject({ n: 6, top1: 0 });
  });

  test('feeds channels in the given order, in batches, from a limited number of images', async () => {
    await images(NUMBERED);
    const options = ['--size', '16', '--channels', 'bgr', '--dim', 'n=3', '--limit', '3', '--resize', '18'];
    const report = await validate('--images', 'set', ...options, '--mean', '0.5', '--std', '0.25,0.25,0.25');
    expect(report.data).toMatchObject({ runs: 1, samples: 3, shapes: { x: [3, 3, 16, 16] } });
    expect(report.providers[0]?.accuracy?.original.top1).toBeCloseTo(1 / 3); // green only
  });
});

test('transparent pixels are told once, with the name of an image that has some', async () => {
  await images(NUMBERED);
  const run = () =>
    cli(['validate', 'm.onnx', '--no-latency', '--images', 'set', '--size', '16'], { cwd: folder.path });
  const told = async () => (await run()).stderr.match(/.*transparent.*/g) ?? [];
  const save = async (name: string, alpha: number) => {
    const background = { r: 200, g: 20, b: 20, alpha };
    const image = sharp({ create: { width: 30, height: 30, channels: 4, background } });
    await folder.write(`set/0/${name}.png`, await image.png().toBuffer());
  };
  await save('opaque', 1);
  expect(await told()).toEqual([]);
  for (const name of ['p', 'q']) await save(name, 0.5);
  expect(await told()).toEqual([expect.stringMatching(/^note: set.0.[pq]\.png has transparent pixels/)]);
});

describe('what goes wrong', () => {
  test.each([
    ['a folder that is not there', ['--images', 'nowhere'], /nowhere.*does not exist/s],
    ['a size that only the user knows', ['--images', 'set'], /does not say how wide.*--size 224/s],
    ['a mean of bytes', ['--images', 'set', '--mean', '123,116,103'], /divide by 255/],
    ['two numbers', ['--images', 'set', '--std', '1,2'], /three numbers/],
    ['a std of 0', ['--images', 'set', '--std', '0'], /above 0/],
    ['a size of 0', ['--images', 'set', '--size', '0'], /at least 1/],
    ['options without images', ['--size', '16'], /--size needs --images/s],
    ['two kinds of data', ['--images', 'set', '--data', 'x.npz'], /cannot be used with/],
  ])('%s', async (_, args, message) => {
    await images(NUMBERED);
    const { code, stdout, stderr } = await cli(['validate', 'm.onnx', ...args], { cwd: folder.path });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });

  test('a truncated image is named', async () => {
    await images(NUMBERED);
    await folder.write('set/1/20.jpeg', (await folder.read('set/1/20.jpeg')).subarray(0, 200));
    const { code, stderr } = await cli(['validate', 'm.onnx', '--images', 'set', '--size', '16'], {
      cwd: folder.path,
    });
    expect(stderr).toMatch(/set.1.20\.jpeg: this image cannot be used/);
    expect(code).toBe(2);
  });
});

test('images without subfolders are samples without labels, for a model with one channel too', async () => {
  const folder = await tempFolder();
  await mkdir(folder.at('photos'));
  for (let index = 0; index < 12; index++) {
    const background = { r: 20 * index, g: 90, b: 7 * index };
    const image = sharp({ create: { width: 30 + index, height: 28, channels: 3, background } });
    await folder.write(`photos/${index}.png`, new Uint8Array(await image.png().toBuffer()));
  }
  const output = folder.at('out.onnx');
  const args = [
    'calibrate',
    modelPath('lenet5.onnx'),
    '--images',
    folder.at('photos'),
    '--steps',
    '0',
    '-o',
    output,
  ];
  const { json } = await cliJson(args);
  expect(json).toMatchObject({ original: null, samples: { source: 'images', fit: 10 } });
});
