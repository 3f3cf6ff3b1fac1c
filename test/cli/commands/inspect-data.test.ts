import { mkdir } from 'node:fs/promises';
import { zipSync } from 'fflate';
import sharp from 'sharp';
import { beforeEach, describe, expect, test } from 'vitest';
import { cli, cliJson } from '../../support/cli.js';
import { externalModel } from '../../support/external.js';
import { type Folder, tempFolder } from '../../support/folder.js';
import { floats, model, node, value } from '../../support/model.js';
import { bytesOf, REAL_MODELS } from '../../support/models.js';
import { npy, raw } from '../../support/numpy.js';

/** Of four units the first is dead, whatever is fed. */
const DEAD = model({
  nodes: [node('Add', ['x', 'b'], ['z']), node('Relu', ['z'], ['y'], {}, { name: 'act\u001b[31m' })],
  initializers: [floats('b', [4], [-100, 0, 0, 100])],
});

let folder: Folder;
beforeEach(async () => {
  folder = await tempFolder();
  await folder.write('m.onnx', DEAD);
  const x = Float32Array.from({ length: 4 * 300 }, (_, index) => Math.sin(index));
  const y = BigInt64Array.from({ length: 300 }, () => 1n);
  await folder.write(
    'd.npz',
    zipSync({ 'x.npy': npy('<f4', [300, 4], raw(x)), 'y.npy': npy('<i8', [300], raw(y)) }),
  );
});
const inspect = (...args: string[]) => cli(['inspect', 'm.onnx', ...args], { cwd: folder.path });
const inspectJson = (...args: string[]) => cliJson(['inspect', 'm.onnx', ...args], { cwd: folder.path });

test('without samples no model runs, and the output stays the same', async () => {
  const { code, json } = await inspectJson();
  expect(code).toBe(0);
  expect(json.activations).toBeUndefined();
});

describe('samples in an .npz', () => {
  test('are drawn by the seed, 256 by default', async () => {
    const { code, json, stderr } = await inspectJson('--data', 'd.npz', '--labels', 'y');
    expect([code, stderr]).toEqual([0, '']);
    const { schema, data, sites, unmeasured } = json.activations;
    expect(schema).toBe('onnx-mish/activations@1');
    expect(data).toEqual({
      source: 'npz',
      seed: null,
      runs: 256,
      of: 300,
      samples: 256,
      shapes: { x: [1, 4] },
    });
    expect(sites).toMatchObject([
      { kind: 'relu', input: 'z', n: 1024, units: { axis: 1, count: 4, neverPositive: 1 }, nan: 0 },
    ]);
    expect(unmeasured).toEqual([]);
    expect(json.sites).toHaveLength(1); // what inspect says anyway is still there
    const again = await inspectJson('--data', 'd.npz', '--labels', 'y', '--seed', '3');
    expect(again.json.activations.sites[0].mean).not.toBe(sites[0].mean);
    const few = await inspectJson('--data', 'd.npz', '--labels', 'y', '--samples', '12');
    expect(few.json.activations.sites[0].n).toBe(48);
  });

  test('give a table within 100 columns, with escaped names', async () => {
    const { code, stdout } = await inspect('--data', 'd.npz', '--labels', 'y');
    expect(code).toBe(0);
    expect(stdout).toContain('1 site to swap');
    expect(stdout).toContain('Inputs of 1 activation, over 256 samples (npz, 256 of 300 runs)');
    expect(stdout).toMatch(/^act\\u001b\[31m +4 +25 % +25 % +/m);
    expect(stdout).toContain('1 unit at 1 site never above 0');
    expect(stdout).not.toContain('\u001b');
    const [, table = ''] = stdout.split('Inputs of');
    for (const line of table.split('\n')) expect([...line].length).toBeLessThanOrEqual(100);
  });

  test('give a page, which is not overwritten without --force', async () => {
    const args = ['--data', 'd.npz', '--labels', 'y', '--samples', '5', '--report', 'out.html'];
    expect((await inspect(...args)).code).toBe(0);
    const html = new TextDecoder().decode(await folder.read('out.html'));
    expect(html).toMatch(/^<!doctype html>/);
    expect(html).toContain('Inputs of the activations of <span class="name">m.onnx</span>');
    expect(await inspect(...args)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('out.html'),
    });
    expect((await inspect(...args, '--force')).code).toBe(0);
  });
});

test('--data random is random data, and the output says so', async () => {
  const { json } = await inspectJson('--data', 'random', '--dim', 'N=2');
  expect(json.activations.data).toMatchObject({ source: 'seed', seed: 0, runs: 32, of: 32, samples: 64 });
  const { stdout } = await inspect('--data', 'random', '--dim', 'N=2', '--samples', '3');
  expect(stdout).toContain('seeded noise, seed 0');
  expect(stdout).toContain('the inputs are noise, so these figures say little about real samples');
});

test('a model that draws random numbers is told, on random data too', async () => {
  const [noise, sum] = [node('RandomNormalLike', ['x'], ['n']), node('Add', ['x', 'n'], ['z'])];
  await folder.write('m.onnx', model({ nodes: [noise, sum, node('Relu', ['z'], ['y'])] }));
  for (const data of ['random', 'd.npz'])
    expect((await inspect('--data', data)).stderr).toContain('note: the model draws random numbers');
});

test('images are read for a model with their channels', async () => {
  const pool = model({
    nodes: [node('GlobalAveragePool', ['x'], ['z']), node('Relu', ['z'], ['y'], {}, { name: 'act' })],
    inputs: [value('x', 1, ['n', 3, 8, 8])],
    outputs: [value('y', 1, ['n', 3, 1, 1])],
  });
  await folder.write('m.onnx', pool);
  await mkdir(folder.at('set', 'red'), { recursive: true });
  for (const name of ['a', 'b']) {
    const image = sharp({ create: { width: 9, height: 9, channels: 3, background: '#ff0000' } });
    await folder.write(`set/red/${name}.png`, await image.png().toBuffer());
  }
  const { json } = await inspectJson('--images', 'set', '--mean', '0.5');
  expect(json.activations.sites[0]).toMatchObject({
    ...{ n: 6, min: -0.5, max: 0.5 },
    units: { axis: 1, count: 3, each: 2, neverPositive: 2, rarelyPositive: 2 },
  });
});

test('a third party’s model is read from a pipe', async () => {
  const { code, json } = await cliJson(
    ['inspect', '-', '--data', 'random', '--dim', 'unk__314=1', '--samples', '2'],
    { input: bytesOf(REAL_MODELS.embedding) },
  );
  expect(code).toBe(0);
  expect(json.activations.sites).toHaveLength(19);
  for (const { kind, units, histogram, letThrough } of json.activations.sites) {
    expect(kind).toBe('leakyrelu');
    expect(units.count % 24).toBe(0);
    expect(histogram.counts.length).toBeGreaterThan(16);
    expect(letThrough).toBeGreaterThan(0.02);
    expect(letThrough).toBeLessThan(0.6);
  }
});

describe('refused with advice', () => {
  test.each([
    [['--report', 'out.html'], 'needs samples', '--data samples.npz'],
    [['--samples', '5'], 'needs samples', '--data samples.npz'],
    [['--data', 'random', '--dim', 'M=1'], "symbolic dimension 'M'", "'N'"],
    [['--data', 'absent.npz'], 'absent.npz', ''],
    [['--data', 'random', '--dim', 'N=1', '--samples', '0'], 'at least 1', ''],
    [
      ['--data', 'random', '--dim', 'N=1', '--report', 'no/where.html'],
      'no/where.html',
      'Make the folder first',
    ],
  ])('%j', async (args, what, fix) => {
    const { code, stderr, stdout } = await inspect(...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(what);
    expect(stderr).toContain(fix);
  });

  test('a model from a pipe with external data', async () => {
    const { code, stderr } = await cli(['inspect', '-', '--data', 'random', '--dim', 'N=1'], {
      input: externalModel('w.bin'),
    });
    expect(code).toBe(2);
    expect(stderr).toMatch(/w\.bin.*\n.*Name the model’s file/s);
  });
});
