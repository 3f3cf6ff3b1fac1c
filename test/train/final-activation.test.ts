import { describe, expect, test } from 'vitest';
import type { Node } from '../../src/onnx/document.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { softmaxAxis } from '../../src/train/final-activation.js';
import { createTrainer, type ProviderTrainerOptions } from '../../src/train/index.js';
import { floats, ints, model, node, value } from '../support/model.js';
import { wave } from '../support/training.js';

const provider = nodeProvider('cpu');
const [COUNT, CLASSES, SIZE] = [8, 3, 4];

/** Nodes behind scores [N, 3, 4, 4] with an activation among them, and the shape of the output for a sample. */
interface Tail {
  readonly before?: readonly Step[];
  readonly axis: number;
  readonly behind: readonly Step[];
  readonly dims: readonly number[];
}
type Step = ['Reshape', number[]] | ['Transpose', number[]] | ['Identity'];

const TAILS: Record<string, Tail> = {
  'a map from its pixels': {
    before: [
      ['Transpose', [0, 2, 3, 1]],
      ['Reshape', [-1, 3]],
    ],
    axis: 1,
    behind: [['Reshape', [-1, 4, 4, 3]]],
    dims: [4, 4, 3],
  },
  'classes moved to the front': {
    before: [['Transpose', [0, 2, 3, 1]]],
    axis: -1,
    behind: [['Identity'], ['Transpose', [0, 3, 1, 2]]],
    dims: [3, 4, 4],
  },
  'classes moved to the end': {
    axis: 1,
    behind: [
      ['Transpose', [0, 2, 3, 1]],
      ['Reshape', [-1, 16, 3]],
    ],
    dims: [16, 3],
  },
  'a split axis of places': {
    before: [['Reshape', [0, 3, 16]]],
    axis: 1,
    behind: [['Reshape', [0, 3, 2, 8]], ['Identity']],
    dims: [3, 2, 8],
  },
};

/** A 1 × 1 convolution with a tail; without an activation, its output has the scores. */
function convolution({ before = [], axis, behind, dims }: Tail, activation: string | undefined) {
  let last = 'h';
  const nodes = [node('Conv', ['x', 'w', 'b'], ['h'])];
  const shapes: ReturnType<typeof ints>[] = [];
  const add = ([opType, numbers]: Step) => {
    const output = `t${nodes.length}`;
    if (opType === 'Reshape') shapes.push(ints(`${output}/shape`, [numbers.length], numbers));
    const inputs = opType === 'Reshape' ? [last, `${output}/shape`] : [last];
    nodes.push(node(opType, inputs, [output], opType === 'Transpose' ? { perm: numbers } : {}));
    last = output;
  };
  before.forEach(add);
  if (activation !== undefined) {
    nodes.push(node(activation, [last], ['s'], activation === 'Sigmoid' ? {} : { axis }));
    last = 's';
  }
  behind.forEach(add);
  nodes.push(node('Identity', [last], ['y']));
  return model({
    nodes,
    initializers: [
      floats('w', [CLASSES, 2, 1, 1], [0.5, -0.5, 0.1, 0.3, -0.2, 0.4]),
      floats('b', [CLASSES], Array(CLASSES).fill(0)),
      ...shapes,
    ],
    inputs: [value('x', 1, ['N', 2, SIZE, SIZE])],
    outputs: [value('y', 1, ['N', ...dims])],
  });
}

const x = {
  elemType: 'f32' as const,
  dims: [COUNT, 2, SIZE, SIZE],
  data: wave(COUNT * 2 * SIZE * SIZE, 0.7, 2),
};

async function trained(bytes: Uint8Array, options: Partial<ProviderTrainerOptions>) {
  const targets = options.targets ?? [];
  const all = { inputs: { x }, targets, ...options, provider, batch: 4, rate: 0.05 };
  const trainer = await createTrainer(bytes, all);
  for await (const _ of trainer);
  const { loss, accuracy } = await trainer.evaluate(all);
  await trainer.close();
  return { loss, accuracy, weights: trainer.weights() };
}

describe.each(Object.entries(TAILS))(
  'an activation before nodes that change the shape trains as its scores: %s',
  (_, tail) => {
    const places = tail.dims.reduce((product, dim) => product * dim, 1) / CLASSES;
    const isLast = tail.dims.at(-1) === CLASSES;
    const labels = {
      elemType: 'f32' as const,
      dims: [COUNT, ...(isLast ? tail.dims.slice(0, -1) : tail.dims.slice(1))],
      data: wave(COUNT * places, 1.7).map((one) => (one > 0.5 ? 0 : one > -0.5 ? 1 : 2)),
    };

    test.each(['Softmax', 'LogSoftmax'])('%s', async (activation) => {
      const expected = await trained(convolution(tail, undefined), { targets: labels });
      const found = await trained(convolution(tail, activation), { targets: labels });
      expect(found).toEqual(expected);
      const teaching = { targets: labels, teacher: { model: convolution(tail, activation) } };
      const taught = await trained(convolution(tail, activation), teaching);
      expect(taught).toEqual(
        await trained(convolution(tail, undefined), {
          ...teaching,
          teacher: { model: convolution(tail, undefined) },
        }),
      );
    });

    test('Sigmoid', async () => {
      const data = wave(COUNT * places * CLASSES, 1.3).map((one) => (one > 0 ? 1 : 0));
      const targets = { elemType: 'f32' as const, dims: [COUNT, ...tail.dims], data };
      const expected = await trained(convolution(tail, undefined), { targets, loss: 'bce' });
      expect(await trained(convolution(tail, 'Sigmoid'), { targets, loss: 'bce' })).toEqual(expected);
    });

    test('a Sigmoid that cross-entropy keeps is named', async () => {
      for (const [activation, loss, isNamed] of [
        ['Sigmoid', 'cross-entropy', true],
        ['Sigmoid', 'mse', false],
        ['Softmax', 'cross-entropy', false],
      ] as const) {
        const data = wave(COUNT * places * CLASSES, 1.3);
        const numbers = { elemType: 'f32' as const, dims: [COUNT, ...tail.dims], data };
        const targets = loss === 'mse' ? numbers : labels;
        const bytes = convolution(tail, activation);
        const trainer = await createTrainer(bytes, { inputs: { x }, targets, loss, provider, batch: 4 });
        await trainer.close();
        expect(trainer.remarks.some(({ code }) => code === 'sigmoid-kept')).toBe(isNamed);
      }
    });
  },
);

test.each([
  ['several axes', { axis: 1, before: [], behind: [['Reshape', [-1, 48]]], dims: [48] }],
  ['axis 2', { axis: 1, before: [], behind: [['Transpose', [0, 2, 1, 3]]], dims: [4, 3, 4] }],
] as [string, Tail][])('a Softmax whose classes are then on %s is refused', async (where, tail) => {
  const targets = Array.from({ length: COUNT }, (_, at) => at % 2);
  await expect(trained(convolution(tail, 'Softmax'), { targets })).rejects.toThrow(
    `the final Softmax is over ${where}`,
  );
});

test('the axis of a Softmax is a single one, or none', () => {
  const axisOf = (dims: number[], axis: number | undefined, opset = 13) => {
    const attributes = axis === undefined ? [] : [{ name: 'axis', i: BigInt(axis) }];
    return softmaxAxis({ attributes } as unknown as Node, opset, dims);
  };
  expect(axisOf([2, 4, 8, 3], undefined)).toBe(3);
  expect(axisOf([2, 4, 8, 3], 1)).toBe(1);
  expect(axisOf([2, 4, 8, 3], -3)).toBe(1);
  expect(axisOf([2, 10], undefined, 9)).toBe(1);
  expect(axisOf([2, 10, 1, 1], 1, 9)).toBe(1);
  expect(axisOf([2, 4, 3], 2, 9)).toBe(2);
  // Before opset 13, Softmax is over all axes from its own.
  expect(axisOf([2, 4, 8, 3], 1, 9)).toBeUndefined();
});
