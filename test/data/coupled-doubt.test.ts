import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sampledFeeds } from '../../src/data/arrays.js';
import { coupledDoubt } from '../../src/data/coupled-doubt.js';
import { sampleDoubt } from '../../src/data/sample-doubt.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { withSession } from '../../src/providers/with-session.js';
import { coupledSamples } from '../../src/train/coupled-samples.js';
import { floats, ints, model, node, value } from '../support/model.js';

const WIDTH = 3;

/** Models of [T, 3] whose rows are samples, and others whose first axis counts steps of one sequence. */
const BODIES = {
  rows: { nodes: [node('Softmax', ['x'], ['y'], { axis: 1 })], dims: ['T', WIDTH], says: undefined },
  few: { nodes: [node('ReduceMax', ['x'], ['y'], { axes: [1] })], dims: ['T', 1], says: undefined },
  steps: { nodes: [node('CumSum', ['x', 'axis'], ['y'])], dims: ['T', WIDTH], says: 'other outputs' },
  centred: {
    nodes: [node('ReduceMean', ['x'], ['m'], { axes: [0] }), node('Sub', ['x', 'm'], ['y'])],
    dims: ['T', WIDTH],
    says: 'other outputs',
  },
  whole: {
    nodes: [node('ReduceMax', ['x'], ['y'], { axes: [0] })],
    dims: [1, WIDTH],
    says: 'no more outputs',
  },
} as const;

const modelOf = ({ nodes, dims }: (typeof BODIES)[keyof typeof BODIES]) =>
  model({
    opset: 13,
    nodes: [...nodes],
    inputs: [value('x', 1, ['T', WIDTH])],
    outputs: [value('y', 1, dims)],
    initializers: [ints('axis', [], [0])],
  });

test.each(Object.entries(BODIES))(
  'a model whose first axis counts no samples is doubted: %s',
  async (_, body) => {
    await withSession(modelOf(body), { provider: nodeProvider('cpu') }, (session) =>
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.float({ min: 1, max: 9, noNaN: true }), { minLength: 2 * WIDTH, maxLength: 8 * WIDTH }),
          async (values) => {
            const count = Math.floor(values.length / WIDTH);
            const data = Float32Array.from(values.slice(0, count * WIDTH));
            const x = { elemType: 'f32', dims: [count, WIDTH], data };
            const doubt = (dims: Record<string, number>) =>
              coupledDoubt(
                sampledFeeds({ x }, session.inputs, { dims }).feeds,
                (feed) => session.run(feed),
                session.inputs,
                ['y'],
              );
            const found = await doubt({ '*': 1 });
            expect(found?.option).toEqual(body.says && { dims: { T: count } });
            if (body.says !== undefined) expect(found?.text).toContain(body.says);
            expect(await doubt({ T: count })).toBeUndefined(); // as the advice says
          },
        ),
        { seed: 5, numRuns: 20 },
      ),
    );
  },
);

test.each(Object.entries(BODIES))('a training tells of such a model: %s', async (_, body) => {
  const x = {
    elemType: 'f32',
    dims: [4, WIDTH],
    data: Float32Array.from({ length: 4 * WIDTH }, (_, at) => at ** 2),
  };
  const loaded = await modelFromBytes(modelOf(body));
  const told = (await coupledSamples(loaded, { x }, 'y', { provider: nodeProvider('cpu') })).map(
    ({ text }) => text,
  );
  expect(told).toEqual(body.says === undefined ? [] : [expect.stringContaining(body.says)]);
});

test.each([
  [9, 5],
  [13, 5],
  [15, 3],
])(
  'a batch normalisation in training mode is doubted as such, and in inference mode or of weights not: opset %i',
  async (opset, outputs) => {
    const bytes = (mode: number, of: string) =>
      model({
        opset,
        nodes: [
          node('Identity', [of], ['i']),
          node(
            'BatchNormalization',
            ['i', 's', 's', 's', 's'],
            ['b', 'm', 'v', 'n', 'w'].slice(0, mode === 1 ? outputs : 1),
            opset < 14 ? {} : { training_mode: mode },
          ),
          node('Mul', ['x', 'b'], ['y']),
        ],
        inputs: [value('x', 1, ['T', WIDTH])],
        outputs: [value('y', 1, ['T', WIDTH])],
        initializers: [floats('s', [WIDTH], [1, 2, 3]), floats('weights', [1, WIDTH], [1, 2, 3])],
      });
    const x = {
      elemType: 'f32',
      dims: [6, WIDTH],
      data: Float32Array.from({ length: 18 }, (_, at) => Math.sin(at)),
    };
    for (const [mode, of, said] of [
      [1, 'x', 'is in training mode, so the outputs of a sample depend on the others in its run'],
      [0, 'x', undefined],
      [1, 'weights', undefined],
    ] as const) {
      const loaded = await modelFromBytes(bytes(mode, of));
      await withSession(loaded.file, { provider: nodeProvider('cpu') }, async (session) => {
        const { feeds } = sampledFeeds({ x }, session.inputs, { dims: { T: 1 } });
        const doubt = await sampleDoubt(
          loaded,
          { feeds, source: 'npz' },
          { provider: nodeProvider('cpu') },
          session,
        );
        if (said === undefined) expect(doubt).toBeUndefined();
        else expect(doubt?.text).toContain(said);
      });
    }
  },
);
