import { expect, test } from 'vitest';
import { sampledFeeds } from '../../src/data/arrays.js';
import { labelsOf } from '../../src/data/labels.js';
import { limitSamples } from '../../src/data/limit-samples.js';
import { datasetOf, splitFeeds } from '../../src/data/split.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { compare } from '../../src/validate/compare.js';
import { floats, model, node, value } from '../support/model.js';
import { wave } from '../support/training.js';

const [SAMPLES, CLASSES, SIZE] = [12, 3, 4];
const provider = nodeProvider('cpu');
const x = { elemType: 'f32', dims: [SAMPLES, 2, SIZE, SIZE], data: wave(SAMPLES * 2 * SIZE * SIZE, 0.9) };
/** Labels of which every seventh does not count. */
const y = {
  elemType: 'u8',
  dims: [SAMPLES, SIZE, SIZE],
  data: Uint8Array.from({ length: SAMPLES * SIZE * SIZE }, (_, at) =>
    at % 7 === 0 ? 255 : (at * at) % CLASSES,
  ),
};
const net = (activation: string) =>
  model({
    nodes: [node('Conv', ['x', 'w'], ['h']), node(activation, ['h'], ['a']), node('Conv', ['a', 'v'], ['y'])],
    initializers: [
      floats('w', [4, 2, 1, 1], [...wave(8, 0.4)]),
      floats('v', [CLASSES, 4, 1, 1], [...wave(12, 0.7)]),
    ],
    inputs: [value('x', 1, ['N', 2, SIZE, SIZE])],
    outputs: [value('y', 1, ['N', CLASSES, SIZE, SIZE])],
  });
const inputs = [{ name: 'x', elemType: 'f32', dims: ['N', 2, SIZE, SIZE] }] as const;
const dataset = (dims = {}) => sampledFeeds({ x, y }, inputs, { labels: 'y', ignoreLabel: 255, dims });

async function judged(data: ReturnType<typeof dataset>) {
  const [original, swapped] = [await provider.open(net('Relu')), await provider.open(net('Tanh'))];
  const { accuracy } = await compare({ original, swapped }, undefined, data, undefined);
  await Promise.all([original.close(), swapped.close()]);
  return accuracy;
}

test('two models are judged by labels of places, whatever the size of a run', async () => {
  const counted = y.data.filter((label) => label !== 255).length;
  const one = await judged(dataset());
  expect(one?.original).toMatchObject({ n: SAMPLES, places: counted });
  expect(one?.original.meanIou).toBeLessThan(one?.original.top1 ?? 0);
  const { value: difference = 0, low = 0, high = 0, midP } = one?.difference ?? {};
  expect(difference).toBeCloseTo((one?.swapped.top1 ?? 0) - (one?.original.top1 ?? 0), 12);
  expect([low < difference, high > difference, midP]).toEqual([true, true, null]);
  expect(await judged(dataset({ N: 4 }))).toEqual(one);
});

test('fewer samples keep their labels', async () => {
  const all = [...y.data];
  const each = SIZE * SIZE;
  const rows = (of: readonly number[]) =>
    of.flatMap((sample) => all.slice(sample * each, (sample + 1) * each));
  const values = (data: Parameters<typeof labelsOf>[0]) => Array.from(labelsOf(data)?.values ?? []);
  expect(values(dataset({ N: 5 }))).toEqual(all.slice(0, 10 * each));
  expect(values(limitSamples(dataset({ N: 2 }), 4))).toEqual(rows([0, 1, 6, 7]));
  const [part] = splitFeeds(dataset({ N: 2 }).feeds, [0.5, 0.5], { seed: 1, limit: 6 });
  if (part === undefined) throw new Error('no part');
  expect(values(datasetOf(dataset({ N: 2 }), part))).toEqual(
    rows(part.indices.flatMap((run) => [2 * run, 2 * run + 1])),
  );
});

test('samples with one label each may be without', async () => {
  const labels = { elemType: 'i64', dims: [3], data: BigInt64Array.from([1n, -100n, 0n]) };
  const few = { elemType: 'f32', dims: [3, 2], data: new Float32Array(6) };
  const data = sampledFeeds({ few, labels }, [{ name: 'few', elemType: 'f32', dims: ['N', 2] }], {
    labels: 'labels',
  });
  expect(labelsOf(data)).toMatchObject({ values: [1, -100, 0], places: { dims: [], ignore: -100 } });
});
