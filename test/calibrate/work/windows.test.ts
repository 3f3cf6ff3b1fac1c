import { expect, test } from 'vitest';
import { createRandom } from '../../../src/base/random.js';
import type { CalibrateOptions } from '../../../src/calibrate/options.js';
import { drawWindows, findWindows } from '../../../src/calibrate/work/windows.js';
import type { Dataset } from '../../../src/data/dataset.js';
import { cutWindow } from '../../../src/data/windows.js';
import { calibrate } from '../../../src/node/calibrate-files.js';
import { modelFromBytes } from '../../../src/providers/loaded-model.js';
import { nodeProvider } from '../../../src/providers/node/provider.js';
import type { Tensors } from '../../../src/providers/tensor.js';
import { tensorOf, weightsOf } from '../../support/linear-ops.js';
import { model, node, value } from '../../support/model.js';

const provider = nodeProvider('cpu');
const CHANNELS = 6;
const FREE = ['N', 2, 'H', 'W'];

/** Returns smooth images with some noise, in the given shape. */
function images(count: number, dims: readonly [number, number, number, number], seed: number): Tensors[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    const [fast, slow, shift] = [0.05 + 0.2 * random(), 0.01 + 0.02 * random(), 6 * random()];
    const width = dims[3];
    const data = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
    for (let at = 0; at < data.length; at++)
      data[at] = Math.sin(fast * (at % width) + shift) + Math.cos((slow * at) / width) + random() - 0.5;
    return { x: { elemType: 'f32', dims, data } };
  });
}

const conv = (
  input: string,
  output: string,
  from: number,
  to: number,
  attributes = { pads: [1, 1, 1, 1] },
) => ({
  node: node('Conv', [input, `w_${output}`, `b_${output}`], [output], attributes),
  weights: [
    tensorOf(`w_${output}`, [to, from, 3, 3], weightsOf([to, from, 3, 3], output.length)),
    tensorOf(`b_${output}`, [to], weightsOf([to], 2)),
  ],
});

/** Returns a net of two convolutions with other nodes between them, from `a` to `m`. */
function net(middle: ReturnType<typeof node>[], { dims = FREE, last = 'y', pads = [1, 1, 1, 1] } = {}) {
  const [first, second] = [conv('x', 'h', 2, CHANNELS, { pads }), conv('m', 'c', CHANNELS, 2, { pads })];
  return model({
    nodes: [
      first.node,
      node('Relu', ['h'], ['a']),
      ...middle,
      second.node,
      node(last === 'y' ? 'Identity' : last, ['c'], ['y']),
    ],
    initializers: [
      ...first.weights,
      ...second.weights,
      tensorOf('ones', [CHANNELS], Array(CHANNELS).fill(1)),
    ],
    inputs: [value('x', 1, dims)],
    outputs: [value('y', 1, ['N', 2, 'H2', 'W2'])],
  });
}

const found = async (bytes: Uint8Array, feeds = images(2, [1, 2, 512, 520], 1)) =>
  findWindows(await modelFromBytes(bytes), feeds, { provider });

test('a net that is the same at every place gets windows', async () => {
  for (const bytes of [
    net([node('Identity', ['a'], ['m'])]),
    net([node('Identity', ['a'], ['m'])], { pads: [0, 0, 0, 0] }),
    net([node('MaxPool', ['a'], ['m'], { kernel_shape: [2, 2], strides: [2, 2] })]),
    net([node('Tanh', ['a'], ['m'])]),
  ]) {
    const { windows, notes } = await found(bytes);
    expect(windows?.side).toBe(128);
    expect(windows?.image).toEqual([512, 520]);
    expect(notes).toEqual([]);
  }
});

test('a net that looks at the whole image stays with whole images, and a note says why', async () => {
  const zeros = ['ones', 'ones'];
  const gate = [
    node('GlobalAveragePool', ['a'], ['g']),
    node('GlobalMaxPool', ['a'], ['p']),
    node('Add', ['g', 'p'], ['s']),
    node('Mul', ['a', 's'], ['m']),
  ];
  const normalised = [node('InstanceNormalization', ['a', ...zeros], ['m'])];
  for (const middle of [gate, normalised]) {
    const { windows, notes } = await found(net(middle));
    expect(windows).toBeUndefined();
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/whole images.*something else \(-?\d+ dB\)/);
  }
  const pooled = await found(net([node('Identity', ['a'], ['m'])], { last: 'GlobalAveragePool' }));
  expect(pooled.windows).toBeUndefined();
  expect(pooled.notes[0]).toMatch(/do not grow with the image/);
});

test('small images stay whole without a note, and large ones of a fixed size with one', async () => {
  const plain = [node('Identity', ['a'], ['m'])];
  expect(await found(net(plain), images(2, [1, 2, 511, 600], 1))).toEqual({ notes: [] });
  const fixed = (height: number) => net(plain, { dims: ['N', 2, height, 520] });
  expect(await found(fixed(511), images(2, [1, 2, 511, 520], 1))).toEqual({ notes: [] });
  const { windows, notes } = await found(fixed(512));
  expect(windows).toBeUndefined();
  expect(notes).toEqual([expect.stringMatching(/whole images: the input 'x' has the fixed size 512 × 520/)]);
});

test('windows are parts of the images, of one size, as often as their area allows, and the same for a seed', async () => {
  const feeds = [...images(3, [1, 2, 512, 600], 2), ...images(1, [1, 2, 100, 600], 3)];
  const axes = new Map([['x', [2, 3] as const]]);
  const windows = { side: 256, axes, image: [512, 600] as const };
  const subset = { feeds, runs: 4, indices: [5, 7, 8, 9] };
  const draw = (seed: number) => drawWindows(subset, windows, { seed });
  const valuesOf = ({ x }: Tensors) => (x?.data ?? new Float32Array(0)) as Float32Array;
  const bytes = (run: Tensors) => Buffer.from(valuesOf(run).buffer);
  const all = async (seed: number) => Buffer.concat(((await draw(seed)).feeds as Tensors[]).map(bytes));
  const drawn = await draw(1);
  expect(drawn.runs).toBe(3 * 4);
  expect((await all(1)).equals(await all(1))).toBe(true);
  expect((await all(1)).equals(await all(2))).toBe(false);
  for (const [index, window] of (drawn.feeds as Tensors[]).entries()) {
    expect(window.x?.dims).toEqual([1, 2, 256, 256]);
    const run = feeds[Math.floor(index / 4)] ?? {};
    const at = valuesOf(run).indexOf(valuesOf(window)[0] ?? Number.NaN);
    const wanted = cutWindow(run, axes, [Math.floor(at / 600), at % 600], [256, 256]);
    expect(bytes(wanted).equals(bytes(window))).toBe(true);
  }
});

test('weights from windows serve whole images as weights from whole images do', async () => {
  const nodes = [node('Identity', ['a'], ['m'])];
  const dims = [1, 2, 512, 512] as const;
  const feeds = images(16, dims, 4);
  const dataset: Dataset = { source: 'npz', feeds };
  const options: CalibrateOptions = { data: () => dataset, steps: 0, beta: 1 };
  const figures = async (bytes: Uint8Array) => {
    const { report } = await calibrate(bytes, options);
    return {
      report,
      before: report.swapped.drift[0]?.sqnr ?? 0,
      after: report.calibrated.drift[0]?.sqnr ?? 0,
    };
  };
  const windowed = await figures(net(nodes));
  const whole = await figures(net(nodes, { dims: [1, 2, 512, 512] }));
  expect(windowed.report.notes.join()).toMatch(
    /solved from 192 windows of 128 × 128.*; whole images compare/,
  );
  expect(whole.report.notes.join()).toMatch(/whole images: .* fixed size/);
  expect(windowed.report.samples).toEqual(whole.report.samples);
  expect(windowed.before).toBeCloseTo(whole.before, 3);
  expect(windowed.after).toBeGreaterThan(windowed.before + 3);
  expect(Math.abs(windowed.after - whole.after)).toBeLessThan(0.5);
});
