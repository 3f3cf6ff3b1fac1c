import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { batchDoubt } from '../../src/data/random-doubt.js';
import { scan } from '../../src/onnx/scan.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { createTrainer } from '../../src/train/train-model.js';
import { floats, ints, model, node, value } from '../support/model.js';
import { wave } from '../support/training.js';

const inputs = { x: { elemType: 'f32', dims: [6, 2, 5, 5], data: wave(300, 0.9) } };
const targets = { elemType: 'f32', dims: [6, 3], data: wave(18, 0.4) };
const constant = (name: string, values: number[]) =>
  node('Constant', [], [name], { value: { tensor: floats('', [values.length], values) } });

/** A convolution whose weight [1, 3, 18] these nodes standardise into `s`. */
const net = (...nodes: onnx.INodeProto[]) =>
  model({
    nodes: [
      ...nodes,
      node('Reshape', ['s', 'shape'], ['w']),
      node('Conv', ['x', 'w'], ['c']),
      node('GlobalAveragePool', ['c'], ['p']),
      node('Flatten', ['p'], ['y']),
    ],
    initializers: [
      ...[floats('conv.weight', [1, 3, 18], [...wave(54, 0.7)]), floats('conv.gain', [3], [0.5, 1.5, -1])],
      ...[ints('shape', [4], [3, 2, 3, 3]), ints('column', [3], [1, 3, 1])],
      ...[floats('copy', [1, 3, 18], [...wave(54, 0.7)])],
    ],
    inputs: [value('x', 1, ['N', 2, 5, 5])],
    outputs: [value('y', 1, ['N', 3])],
    opset: 17,
  });

/** The mean and the variance of each filter, as PyTorch's exporters write them. */
const statistics = (of: string) => [
  node('ReduceMean', [of], ['mean'], { axes: [0, 2], keepdims: 0 }),
  node('ReduceMean', [of], ['wide'], { axes: [0, 2], keepdims: 1 }),
  node('Sub', [of, 'wide'], ['d']),
  node('Mul', ['d', 'd'], ['dd']),
  node('ReduceMean', ['dd'], ['variance'], { axes: [0, 2], keepdims: 0 }),
  constant('zeros', [0, 0, 0]),
];
const norm = (outputs: string[], mode: Readonly<Record<string, number>>) =>
  node('BatchNormalization', ['conv.weight', 'conv.gain', 'zeros', 'mean', 'variance'], outputs, {
    epsilon: { f: 1e-5 },
    ...mode,
  });

/** The formula. Its weights are found by their names. */
const plain = net(
  ...statistics('conv.weight'),
  constant('epsilon', [1e-5]),
  node('Add', ['variance', 'epsilon'], ['ve']),
  node('Sqrt', ['ve'], ['deviation']),
  node('Div', ['conv.gain', 'deviation'], ['factor']),
  node('Reshape', ['factor', 'column'], ['fw']),
  node('Mul', ['d', 'fw'], ['s']),
);
const inTrainingMode = net(...statistics('copy'), norm(['s', 'rm', 'rv'], { training_mode: 1 }));
const inInferenceMode = net(...statistics('conv.weight'), norm(['s'], {}));

async function train(bytes: Uint8Array, batchNorm: 'frozen' | 'train' = 'frozen') {
  const trainer = await createTrainer(bytes, {
    ...{ inputs, targets, loss: 'mse', batch: 2, epochs: 2, batchNorm, provider: nodeProvider('cpu') },
    ...{ optimizer: { kind: 'sgd', momentum: 0.9 }, rate: 0.1 },
  });
  const losses: number[] = [];
  for await (const { loss } of trainer) losses.push(loss);
  const weights = trainer.weights();
  const { loss } = await trainer.evaluate({ inputs, targets });
  await trainer.close();
  const texts = trainer.remarks.map(({ code }) => code);
  return { trained: trainer.trained.toSorted(), losses: [...losses, loss], weights, texts };
}

test.each([
  ['in training mode', inTrainingMode, 'frozen'],
  ['in training mode', inTrainingMode, 'train'],
  ['with computed statistics', inInferenceMode, 'frozen'],
  ['with computed statistics', inInferenceMode, 'train'],
] as const)(
  'a weight that a batch normalisation %s standardises is trained as by its formula',
  async (_, bytes, batchNorm) => {
    const [wanted, found] = [await train(plain, batchNorm), await train(bytes, batchNorm)];
    expect(found.texts).not.toContain('batch-norm');
    expect(found.trained).toEqual(['conv.gain', 'conv.weight']);
    expect(found.texts).not.toContain('inference-mode');
    expect(found.texts).not.toContain('gradient-ends');
    expect(found.texts).not.toContain('constants-kept');
    for (const [at, loss] of found.losses.entries()) expect(loss).toBeCloseTo(wanted.losses[at] ?? 0, 5);
    const gain = Array.from(found.weights.get('conv.gain') ?? []);
    const before = [0.5, 1.5, -1];
    expect(Math.max(...gain.map((value, at) => Math.abs(value - (before[at] ?? 0))))).toBeGreaterThan(1e-3);
    for (const [name, values] of found.weights)
      for (const [at, number] of Array.from(values).entries())
        expect(number, name).toBeCloseTo(wanted.weights.get(name)?.[at] ?? 0, 4);
  },
);

test('such a normalisation lets no sample depend on the others', async () => {
  expect(batchDoubt(await scan(inTrainingMode))).toBeUndefined();
});
