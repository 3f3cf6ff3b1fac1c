import { expect, test } from 'vitest';
import { seededFeeds } from '../../src/data/dataset.js';
import { sampleDoubt } from '../../src/data/sample-doubt.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { withSession } from '../../src/providers/with-session.js';
import { floats, model, node, value } from '../support/model.js';

const COUNT = 64;
const truth = { name: 'true', dataType: 9, dims: [], rawData: Uint8Array.of(1) };
const untruth = { name: 'false', dataType: 9, dims: [], rawData: Uint8Array.of(0) };
const DRAWS = [
  [node('RandomNormalLike', ['x'], ['y'])],
  [node('RandomUniformLike', ['x'], ['y'])],
  [node('RandomNormal', [], ['n'], { shape: [1, COUNT] }), node('Add', ['x', 'n'], ['y'])],
  [node('RandomUniform', [], ['n'], { shape: [1, COUNT] }), node('Add', ['x', 'n'], ['y'])],
  [node('Sigmoid', ['x'], ['s']), node('Bernoulli', ['s'], ['y'])],
  [node('Multinomial', ['x'], ['m'], { sample_size: COUNT }), node('Cast', ['m'], ['y'], { to: 1 })],
  [node('Dropout', ['x', 'half', 'true'], ['y'])],
  [node('Dropout', ['x', 'half', 'false'], ['y'])],
  [
    node('Constant', [], ['no'], { value: { tensor: { ...untruth, name: '' } } }),
    node('Dropout', ['x', 'half', 'no'], ['y']),
  ],
  [node('Dropout', ['x', 'half'], ['y'])],
  [node('Dropout', ['x'], ['y'])],
  [node('Relu', ['x'], ['y'])],
];

test.each(
  DRAWS.map((nodes) => [nodes.map(({ opType, input }) => `${opType} of ${input?.length}`).join(), nodes]),
)('a model that draws random numbers is told from others: %s', async (_, nodes) => {
  const bytes = model({
    nodes: nodes as (typeof DRAWS)[number],
    opset: 15,
    inputs: [value('x', 1, [1, COUNT])],
    outputs: [value('y', 1, [1, COUNT])],
    initializers: [floats('half', [], [0.5]), truth, untruth],
  });
  const options = { provider: nodeProvider('cpu') };
  const loaded = await modelFromBytes(bytes);
  await withSession(bytes, options, async (session) => {
    const data = seededFeeds(session.inputs, {});
    const [feed = {}] = data.feeds;
    const [one, two] = [await session.run(feed), await session.run(feed)];
    const differ = one.y?.data.join() !== two.y?.data.join();
    const doubt = await sampleDoubt(loaded, data, options, session);
    expect(doubt?.text.includes('draws random numbers') ?? false).toBe(differ);
  });
});
