import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OnnxMishError } from '../../src/base/error.js';
import type { Dataset } from '../../src/data/dataset.js';
import { sampleDoubt } from '../../src/data/sample-doubt.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { elementCount } from '../../src/providers/tensor.js';
import { withSession } from '../../src/providers/with-session.js';
import { floats, model, node, value } from '../support/model.js';

/** Sizes of two axes, at least one of which is larger than the part of a sample that is looked at. */
const sizes = fc
  .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 513, max: 700 }), fc.boolean())
  .map(([short, long, isLast]) => (isLast ? ([short, long] as const) : ([long, short] as const)));

/** A layer for the two last axes of samples: each of the file's dimensions is free, and the weights fit one size. */
function layerFor(dims: readonly number[]): Uint8Array {
  const length = elementCount(dims);
  return model({
    opset: 13,
    nodes: [
      node('Flatten', ['x'], ['flat']),
      node('MatMul', ['flat', 'w'], ['h']),
      node('Relu', ['h'], ['y']),
    ],
    inputs: [value('x', 1, ['N', ...dims.map((_, axis) => `d${axis}`)])],
    outputs: [value('y', 1, ['N', 3])],
    initializers: [
      floats(
        'w',
        [length, 3],
        Array.from({ length: 3 * length }, (_, at) => Math.sin(at)),
      ),
    ],
  });
}

test.each<Dataset['source']>(['npz', 'images', 'onnx-test'])(
  'a model that runs with samples of one large size only is asked about them: %s',
  async (source) => {
    const provider = nodeProvider('cpu');
    await fc.assert(
      fc.asyncProperty(sizes, fc.constantFrom(1 / 255, 1), async (dims, factor) => {
        const loaded = await modelFromBytes(layerFor(dims));
        const length = elementCount(dims);
        const feeds = [0, 1].map((row) => {
          const data = Float32Array.from({ length }, (_, at) => ((at * 7 + row) % 256) * factor);
          return { x: { elemType: 'f32', dims: [1, ...dims], data } };
        });
        await withSession(loaded.file, { provider }, async (session) => {
          expect(await sampleDoubt(loaded, { feeds, source }, { provider }, session)).toBeUndefined();
        });
      }),
      { seed: 3, numRuns: 6 },
    );
  },
);

test('a model that does not run on pixels in another range, as one that looks up colours, is not asked about that', async () => {
  const provider = nodeProvider('cpu');
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 40 }),
      fc.constantFrom<Dataset['source']>('npz', 'images', 'onnx-test'),
      fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { minLength: 3, maxLength: 12 }),
      async (colours, source, pixels) => {
        const size = Math.fround(colours - 1);
        const loaded = await modelFromBytes(
          model({
            opset: 13,
            nodes: [
              node('Mul', ['x', 'size'], ['scaled']),
              node('Cast', ['scaled'], ['index'], { to: 7 }),
              node('Gather', ['colours', 'index'], ['h']),
              node('Relu', ['h'], ['y']),
            ],
            inputs: [value('x', 1, ['N', pixels.length])],
            outputs: [value('y', 1, ['N', pixels.length])],
            initializers: [
              floats('size', [], [size]),
              floats(
                'colours',
                [colours],
                Array.from({ length: colours }, (_, at) => at / colours),
              ),
            ],
          }),
        );
        const data = Float32Array.of(...pixels.slice(1), 0.75);
        const feeds = [{ x: { elemType: 'f32', dims: [1, pixels.length], data } }];
        await withSession(loaded.file, { provider }, async (session) => {
          expect(await sampleDoubt(loaded, { feeds, source }, { provider }, session)).toBeUndefined();
        });
      },
    ),
    { seed: 1, numRuns: 10 },
  );
});

test('a model of which no copy can be written, as in a read-only folder, is asked without one', async () => {
  const provider = nodeProvider('cpu');
  const some = (name: string, values: number[]) => floats(name, [values.length], values);
  const whole = await modelFromBytes(
    model({
      nodes: [
        node('Mul', ['x', 'two'], ['h']),
        node('BatchNormalization', ['h', 'scale', 'bias', 'mean', 'variance'], ['n']),
        node('Relu', ['n'], ['y']),
      ],
      inputs: [value('x', 1, ['N', 2])],
      outputs: [value('y', 1, ['N', 2])],
      initializers: [
        ...[floats('two', [], [2]), some('scale', [1, 1]), some('bias', [0, 0])],
        ...[some('mean', [0.5, 0.5]), some('variance', [0.1, 0.1])],
      ],
    }),
  );
  const refuse = async () => {
    throw new OnnxMishError('io', 'permission denied');
  };
  const loaded = { ...whole, withEdited: refuse };
  const feeds = [{ x: { elemType: 'f32', dims: [1, 2], data: Float32Array.of(0.25, 0.75) } }];
  await withSession(loaded.file, { provider }, async (session) => {
    for (const source of ['npz', 'images'] as const)
      expect(await sampleDoubt(loaded, { feeds, source }, { provider }, session)).toBeUndefined();
  });
});
