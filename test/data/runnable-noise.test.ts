import { describe, expect, test } from 'vitest';
import { seededFeeds } from '../../src/data/dataset.js';
import { runnableNoise } from '../../src/data/runnable-noise.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { withSession } from '../../src/providers/with-session.js';
import { ints, model, node, value } from '../support/model.js';

const cpu = nodeProvider('cpu');

/** Returns a model that runs only where an axis of its input has more than `size` elements: that far a Pad reflects it. */
function needsMoreThan(size: number, dims: readonly (number | string)[], axis: number) {
  const pads = dims.map((_, at) => (at === axis ? size : 0));
  return model({
    opset: 13,
    nodes: [node('Pad', ['x', 'pads'], ['p'], { mode: 'reflect' }), node('Relu', ['p'], ['y'])],
    inputs: [value('x', 1, dims)],
    outputs: [value('y', 1)],
    initializers: [ints('pads', [2 * dims.length], [...pads, ...dims.map(() => 0)])],
  });
}

/** Returns the shape of the noise with which the model runs. */
const fittedShape = (bytes: Uint8Array, options: Parameters<typeof seededFeeds>[1] = {}) =>
  withSession(bytes, { provider: cpu }, async (session) => {
    const { feeds, notes } = await runnableNoise(session, seededFeeds(session.inputs, options));
    return [feeds[0]?.x?.dims, notes];
  });

describe('noise gets the first sizes with which the model runs, and a note tells them', () => {
  test.each([
    [0, 1],
    [1, 16],
    [15, 16],
    [16, 64],
    [100, 256],
    [511, 512],
  ])('a sequence of more than %i has %i', async (least, size) => {
    const note = size === 1 ? "as 1: 'N', 'T'" : `as 1: 'N'; as ${size}: 'T'`;
    expect(await fittedShape(needsMoreThan(least, ['N', 'T'], 1))).toEqual([
      [1, size],
      [`free dimensions without a size are taken ${note}`],
    ]);
  });

  test.each([
    ['NCHW', [1, 3, 'H', 'W'], 2, [1, 3, 224, 224], [1, 3, 640, 640]],
    ['NHWC', [1, 'H', 'W', 1], 1, [1, 224, 224, 1], [1, 640, 640, 1]],
  ] as const)('images, %s', async (_, dims, axis, small, large) => {
    expect((await fittedShape(needsMoreThan(223, dims, axis)))[0]).toEqual(small);
    expect((await fittedShape(needsMoreThan(300, dims, axis)))[0]).toEqual(large);
  });
});

test('a free dimension of a later input may count samples', async () => {
  const bytes = model({
    opset: 13,
    nodes: [
      node('Pad', ['x', 'pads'], ['p'], { mode: 'reflect' }),
      node('ReduceMax', ['p'], ['m'], { keepdims: 1 }),
      node('Reshape', ['state', 'one'], ['s']),
      node('Add', ['m', 's'], ['y']),
    ],
    inputs: [value('x', 1, ['', '']), value('state', 1, [2, '', 3])],
    outputs: [value('y', 1)],
    initializers: [ints('pads', [4], [0, 100, 0, 0]), ints('one', [2], [1, 6])],
  });
  const feeds = await withSession(bytes, { provider: cpu }, async (session) => {
    const dataset = await runnableNoise(session, seededFeeds(session.inputs, {}));
    return dataset.feeds;
  });
  expect(Object.values(feeds[0] ?? {}).map(({ dims }) => dims)).toEqual([
    [1, 256],
    [2, 1, 3],
  ]);
});

test('where no size runs, the error is that of the first', async () => {
  await expect(fittedShape(needsMoreThan(512, ['N', 'T'], 1))).rejects.toMatchObject({
    code: 'run-failed',
    message: expect.stringMatching(/Input shape:\{1,1\}/),
  });
});

test('given sizes stay, whether the model runs with them or not', async () => {
  const bytes = needsMoreThan(20, ['N', 'T'], 1);
  expect((await fittedShape(bytes, { dims: { T: 20 } }))[0]).toEqual([1, 20]);
  expect((await fittedShape(bytes, { shapes: { x: [2, 21] } }))[0]).toEqual([2, 21]);
});

test('data of given sizes are not run', async () => {
  const run = () => Promise.reject(new Error('was run'));
  const dataset = seededFeeds([{ name: 'x', elemType: 'f32', dims: ['N', 5] }], {});
  expect(await runnableNoise({ run }, dataset)).toBe(dataset);
});

test('an error of another kind is no reason for other sizes', async () => {
  const stopped = new Error('stopped');
  const run = () => Promise.reject(stopped);
  const dataset = seededFeeds([{ name: 'x', elemType: 'f32', dims: ['N', 'T'] }], {});
  await expect(runnableNoise({ run }, dataset)).rejects.toBe(stopped);
});
