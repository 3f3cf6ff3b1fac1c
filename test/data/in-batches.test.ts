import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sampledFeeds } from '../../src/data/arrays.js';
import { imageFeeds } from '../../src/data/images.js';
import { inBatches } from '../../src/data/in-batches.js';
import { getProvider } from '../../src/node/provider-by-name.js';
import { classified, classifier, FEATURES } from '../support/classified.js';
import { model, node, value } from '../support/model.js';

/** Returns the number of runs that 200 samples are cut into. */
async function runsOf(bytes: Uint8Array, isGiven: (symbol: string) => boolean = () => false) {
  const session = await getProvider('cpu').open(bytes);
  try {
    const x = { ...classified(200).x, elemType: 'f32' } as const;
    const data = await inBatches(
      session,
      (inputs, _, dims) => sampledFeeds({ x }, inputs, { dims }),
      isGiven,
    );
    return data(session.inputs, session.outputs).feeds.length;
  } finally {
    await session.close();
  }
}

test('samples go in runs of 16, unless the size is given', async () => {
  expect(await runsOf(classifier())).toBe(Math.floor(200 / 16));
  expect(await runsOf(classifier(), (symbol) => symbol === 'N')).toBe(200);
});

test('images, which have to fill the last run, go in the largest runs that they fill', async () => {
  const sides = 2;
  const bytes = model({
    nodes: [node('GlobalAveragePool', ['x'], ['y'])],
    inputs: [value('x', 1, ['N', 3, sides, sides])],
    outputs: [value('y', 1, ['N', 3, 1, 1])],
  });
  const session = await getProvider('cpu').open(bytes);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 64, max: 200 }), async (count) => {
      const data = Uint8Array.from({ length: 3 * sides ** 2 }, (_, at) => at);
      const source = { count, decode: async () => ({ width: sides, height: sides, data }) };
      const make = await inBatches(
        session,
        (inputs, _, dims) => imageFeeds(source, inputs, { dims }),
        () => false,
      );
      const { feeds, samples } = make(session.inputs, session.outputs);
      expect(samples).toBe(count);
      const largest = [16, 8, 4, 2, 1].find((batch) => count % batch === 0) ?? 1;
      expect(feeds.length).toBe(count / largest);
    }),
    { seed: 1, numRuns: 15 },
  );
  await session.close();
});

test('samples go one by one through a model that mixes them', async () => {
  const bytes = model({
    nodes: [node('CumSum', ['x', 'axis'], ['y'])],
    initializers: [{ name: 'axis', dims: [], dataType: 7, int64Data: [0] }],
    inputs: [value('x', 1, ['N', FEATURES])],
    outputs: [value('y', 1, ['N', FEATURES])],
  });
  expect(await runsOf(bytes)).toBe(200);
});

test.each([
  ['NaN', Number.NaN],
  ['infinity', Number.POSITIVE_INFINITY],
])('a constant %s in the outputs does not hide that a model mixes samples', async (_, constant) => {
  const tail = (mixes: boolean) =>
    model({
      nodes: [
        ...(mixes ? [node('CumSum', ['x', 'axis'], ['s'])] : [node('Identity', ['x'], ['s'])]),
        node('Mul', ['s', 'zero'], ['z']),
        node('Sum', ['z', 'constant'], ['c']),
        node('Concat', ['s', 'c'], ['y'], { axis: 1 }),
      ],
      initializers: [
        { name: 'axis', dims: [], dataType: 7, int64Data: [0] },
        { name: 'zero', dims: [], dataType: 1, floatData: [0] },
        { name: 'constant', dims: [], dataType: 1, floatData: [constant] },
      ],
      inputs: [value('x', 1, ['N', FEATURES])],
      outputs: [value('y', 1, ['N', 2 * FEATURES])],
    });
  expect(await runsOf(tail(true))).toBe(200);
  expect(await runsOf(tail(false))).toBe(Math.floor(200 / 16));
});
