import { expect, test } from 'vitest';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { createTrainer } from '../../src/train/train-model.js';
import { floats, model, node, value } from '../support/model.js';
import { normals } from '../support/training.js';

const NORM = ['scale', 'shift', 'mean', 'variance'];
const names = (layer: string) => NORM.map((kind) => `${layer}.${kind}`);

/** Two convolutions with batch normalisation, and a dense layer. */
const net = model({
  nodes: [
    node('Conv', ['x', 'a.w'], ['c']),
    node('BatchNormalization', ['c', ...names('a')], ['n']),
    node('Conv', ['n', 'b.w'], ['d']),
    node('BatchNormalization', ['d', ...names('b')], ['m']),
    node('GlobalAveragePool', ['m'], ['p']),
    node('Flatten', ['p'], ['f']),
    node('Gemm', ['f', 'head'], ['y']),
  ],
  initializers: [
    floats('a.w', [3, 1, 3, 3], [...normals(27).data]),
    floats('b.w', [3, 3, 3, 3], [...normals(81).data]),
    floats('head', [3, 2], [...normals(6).data]),
    ...['a', 'b'].flatMap((layer) => names(layer).map((name) => floats(name, [3], [0.5, 1, 1.5]))),
  ],
  inputs: [value('x', 1, ['N', 1, 8, 8])],
  outputs: [value('y', 1, ['N', 2])],
});

test.each([
  [[], [], ''],
  [['a.'], ['a.'], ', except in 1 of 2 layers'],
  [['b.'], ['b.'], ', except in 1 of 2 layers'],
  [['a.mean'], ['a.mean', 'a.variance'], ', except in 1 of 2 layers'],
  [['b.variance'], ['b.mean', 'b.variance'], ', except in 1 of 2 layers'],
])('with %j frozen, what begins with %j stays', async (prefixes, staying, but) => {
  const trainer = await createTrainer(net, {
    inputs: { x: normals(64, 1, 8, 8) },
    targets: Array.from({ length: 64 }, (_, at) => at % 2),
    ...{ batch: 32, batchNorm: 'train', rate: 0.01, provider: nodeProvider('cpu') },
    freeze: (name) => prefixes.some((prefix) => name.startsWith(prefix)),
  });
  const before = trainer.weights();
  for await (const { loss } of trainer) expect(loss).toBeGreaterThan(0);
  const after = trainer.weights();
  const moved = [...after].filter(([name, values]) => String(values) !== String(before.get(name)));
  await trainer.close();
  const kept = (name: string) => staying.some((prefix) => name.startsWith(prefix));
  const all = ['a.w', 'b.w', 'head', ...names('a'), ...names('b')];
  expect(moved.map(([name]) => name).toSorted()).toEqual(all.filter((name) => !kept(name)).toSorted());
  expect(trainer.remarks.map(({ text }) => text)).toContainEqual(
    `Batch normalisation uses the statistics of the batch and moves the running statistics${but}`,
  );
});

test.each([['a.mean'], ['b.variance'], ['head']])(
  'a training is not resumed with %s frozen where it was not before',
  async (frozen) => {
    const options = {
      inputs: { x: normals(64, 1, 8, 8) },
      targets: Array.from({ length: 64 }, (_, at) => at % 2),
      ...({ batch: 32, batchNorm: 'train', epochs: 2, provider: nodeProvider('cpu') } as const),
    };
    const trainer = await createTrainer(net, options);
    for await (const { epoch } of trainer) if (epoch === 1) break;
    const resume = trainer.checkpoint();
    await trainer.close();
    const same = await createTrainer(net, { ...options, resume });
    expect(same.epochs).toHaveLength(1);
    await same.close();
    const other = createTrainer(net, { ...options, resume, freeze: (name) => name === frozen });
    await expect(other).rejects.toMatchObject({
      code: 'bad-usage',
      what: expect.stringContaining('the checkpoint is of another model'),
    });
  },
);
