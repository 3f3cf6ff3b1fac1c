import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { createTrainer, type ProviderTrainerOptions } from '../../src/train/index.js';
import { floats, ints, model, node, value } from '../support/model.js';
import { wave } from '../support/training.js';

const provider = nodeProvider('cpu');
const COUNT = 24;
const x = { elemType: 'f32' as const, dims: [COUNT, 3], data: wave(COUNT * 3, 0.7, 2) };

/** A dense layer of so many scores, and what follows on them. */
function classifier(scores: number, tail: readonly onnx.INodeProto[]): Uint8Array {
  return model({
    opset: 13,
    nodes: [node('Gemm', ['x', 'w', 'b'], ['z']), ...tail],
    initializers: [
      floats('w', [3, scores], [...wave(3 * scores, 1.1)]),
      floats('b', [scores], Array(scores).fill(0)),
      floats('one', [1], [1]),
      floats('zero', [1], [0]),
      ints('axes', [1], [1]),
    ],
    inputs: [value('x', 1, ['N', 3])],
    outputs: [value('y', 1, ['N', Math.max(2, scores)])],
  });
}

async function trained(bytes: Uint8Array, classes: number, more: Partial<ProviderTrainerOptions> = {}) {
  const targets = Array.from({ length: COUNT }, (_, at) => at % classes);
  const all = { inputs: { x }, targets, epochs: 3, ...more, provider, batch: 8, rate: 0.05 };
  const trainer = await createTrainer(bytes, all);
  for await (const _ of trainer);
  const { loss, accuracy } = await trainer.evaluate(all);
  await trainer.close();
  const isNamed = trainer.remarks.some(({ code }) => code === 'log-probabilities');
  return { loss, accuracy, isNamed, weights: [...trainer.weights().values()].flatMap((one) => [...one]) };
}

/** Models that end in probabilities, each with one that ends in scores of the same cross-entropy. */
const ENDS: Record<
  string,
  { classes: number; scores: number; tail: onnx.INodeProto[]; logits: onnx.INodeProto[] }
> = {
  'a sigmoid and its complement, as by scikit-learn': {
    ...{ classes: 2, scores: 1 },
    tail: [
      node('Sigmoid', ['z'], ['p']),
      node('Sub', ['one', 'p'], ['q']),
      node('Concat', ['q', 'p'], ['y'], { axis: 1 }),
    ],
    logits: [node('Sub', ['z', 'z'], ['o']), node('Concat', ['o', 'z'], ['y'], { axis: 1 })],
  },
  'a written-out Softmax': {
    ...{ classes: 3, scores: 3 },
    tail: [
      node('Exp', ['z'], ['e']),
      node('ReduceSum', ['e', 'axes'], ['sum']),
      node('Div', ['e', 'sum'], ['y']),
    ],
    logits: [node('Identity', ['z'], ['y'])],
  },
  'a Softmax before a bound': {
    ...{ classes: 3, scores: 3 },
    tail: [node('Softmax', ['z'], ['s']), node('Max', ['s', 'zero'], ['y'])],
    logits: [node('Identity', ['z'], ['y'])],
  },
};

describe.each(Object.entries(ENDS))('%s', (_, { classes, scores, tail, logits }) => {
  const [inProbabilities, inScores] = [classifier(scores, tail), classifier(scores, logits)];

  test('trains as the scores', async () => {
    const [found, expected] = [await trained(inProbabilities, classes), await trained(inScores, classes)];
    expect([found.isNamed, expected.isNamed]).toEqual([true, false]);
    expect(found.loss).toBeCloseTo(expected.loss, 4);
    expect(found.accuracy).toBe(expected.accuracy);
    for (const [at, weight] of found.weights.entries())
      expect(weight).toBeCloseTo(expected.weights[at] ?? 0, 4);
  });

  test('teaches as the scores', async () => {
    const [found, expected] = [
      await trained(inScores, classes, { teacher: { model: inProbabilities } }),
      await trained(inScores, classes, { teacher: { model: inScores } }),
    ];
    expect(found.loss).toBeCloseTo(expected.loss, 4);
    for (const [at, weight] of found.weights.entries())
      expect(weight).toBeCloseTo(expected.weights[at] ?? 0, 4);
  });
});

test('scores between 0 and 1 that do not add up to 1 stay scores', async () => {
  const { isNamed } = await trained(classifier(3, [node('Sigmoid', ['z'], ['y'])]), 3);
  expect(isNamed).toBe(false);
});
