import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { swap } from '../../src/mish/swap.js';
import { withModel } from '../../src/node/load-model.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { weightOf } from '../../src/onnx/weights.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { findBlock } from '../../src/train/find-block.js';
import { graphOptimizer } from '../../src/train/graph-optimizers.js';
import { isHeavy } from '../support/heavy.js';
import { floats, ints, model, node, value } from '../support/model.js';
import { bytesOf } from '../support/models.js';
import { openTraining, wave } from '../support/training.js';
import { wasmProvider } from '../support/wasm-provider.js';
import reference from './reference/steps.json' with { type: 'json' };

const BATCH = 8;
const CLASSES = 10;
const images = wave(BATCH * 784, 0.7391).map((value) => (value + 1) / 2);
const oneHot = Float32Array.from({ length: BATCH * CLASSES }, (_, at) =>
  at % CLASSES === Math.floor(at / CLASSES) % CLASSES ? 1 : 0,
);
const feeds = { images: { elemType: 'f32', dims: [BATCH, 1, 28, 28], data: images } };

const adam = graphOptimizer({ kind: 'adam' });
const STEPS = isHeavy ? 4 : 2;

/** The losses of the first steps, as PyTorch's were made. */
async function losses(
  net: string,
  batchNorm: 'frozen' | 'train',
  act: string,
  provider = nodeProvider('cpu'),
  layout: { readonly block?: number | undefined; readonly avoidsGroups?: boolean } = {},
): Promise<number[]> {
  const bytes = bytesOf(`models/${net}.onnx`);
  const swapped = act === 'mish' ? await (await swap(bytes, { form: 'exp' })).output.bytes() : bytes;
  const { stepper, session } = await openTraining(swapped, feeds, provider, {
    ...{ output: 'scores', loss: 'cross-entropy', batchNorm, ...layout },
    optimizer: graphOptimizer({ kind: 'rmsprop' }),
  });
  const found: number[] = [];
  for (let step = 0; step < STEPS; step++) found.push((await stepper.step(feeds, oneHot, 1e-4)).loss);
  await session.close();
  return found;
}

describe(`${STEPS} steps of RMSProp give PyTorch’s losses`, () => {
  // Each net, each activation, and both ways of batch normalisation.
  const few = ['mlp, frozen, relu', 'lenet5, frozen, mish', 'resnet20, train, mish'];
  const nets = Object.entries(reference.nets).filter(([name]) => isHeavy || few.includes(name));
  test.each(nets)('%s', async (name, expected) => {
    const [net = '', mode, act = ''] = name.split(', ');
    const found = await losses(net, mode === 'train' ? 'train' : 'frozen', act);
    for (const [step, loss] of expected.slice(0, STEPS).entries())
      expect(Math.abs((found[step] ?? Number.NaN) / loss - 1), `step ${step}`).toBeLessThan(1e-4);
  });
});

test('the blocked layout gives the same losses', async () => {
  const block = await findBlock(nodeProvider('cpu'));
  const found = await losses('resnet20', 'train', 'mish', nodeProvider('cpu'), { block });
  for (const [step, loss] of reference.nets['resnet20, train, mish'].slice(0, STEPS).entries())
    expect(Math.abs((found[step] ?? Number.NaN) / loss - 1), `step ${step}`).toBeLessThan(1e-4);
});

test('the blocked layout takes a model that declares the shapes of its values', async () => {
  const block = await findBlock(nodeProvider('cpu'));
  const conv = (x: string, y: string, side: string) =>
    node('Conv', [x, `w_${side}`], [y], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
  const channels = 12; // in no whole number of blocks
  const declared = ['first', 'mish', 'second'].map((name) => value(name, 1, ['N', channels, 6, 6]));
  const found = await Promise.all(
    [[], declared].map(async (values) => {
      const bytes = model({
        nodes: [
          ...[conv('x', 'first', 'a'), node('Softplus', ['first'], ['s']), node('Tanh', ['s'], ['t'])],
          ...[node('Mul', ['first', 't'], ['mish']), conv('mish', 'second', 'b')],
          node('Relu', ['second'], ['r']),
          node('GlobalAveragePool', ['r'], ['pooled']),
          node('Flatten', ['pooled'], ['y']),
        ],
        inputs: [value('x', 1, ['N', 3, 6, 6])],
        outputs: [value('y', 1, ['N', channels])],
        initializers: [
          floats('w_a', [channels, 3, 3, 3], [...wave(channels * 27, 0.7, 0.3)]),
          floats('w_b', [channels, channels, 3, 3], [...wave(channels * channels * 9, 0.9, 0.1)]),
        ],
        values,
      });
      const x = { x: { elemType: 'f32', dims: [BATCH, 3, 6, 6], data: wave(BATCH * 108, 0.31) } };
      const { stepper, session } = await openTraining(bytes, x, nodeProvider('cpu'), {
        ...{ output: 'y', loss: 'mse', batchNorm: 'frozen', block, optimizer: adam },
      });
      const { loss } = await stepper.step(x, new Float32Array(BATCH * channels), 1e-3);
      await session.close();
      return loss;
    }),
  );
  expect(found[0]).toBeGreaterThan(0);
  expect(found[1]).toBe(found[0]);
});

test('gradients without convolutions of groups give the same losses', async () => {
  const found = await losses('lenet5', 'frozen', 'mish', nodeProvider('cpu'), { avoidsGroups: true });
  for (const [step, loss] of reference.nets['lenet5, frozen, mish'].slice(0, STEPS).entries())
    expect(Math.abs((found[step] ?? Number.NaN) / loss - 1), `step ${step}`).toBeLessThan(1e-4);
});

test('WebAssembly gives the same losses', async () => {
  const found = await losses('lenet5', 'frozen', 'mish', wasmProvider());
  for (const [step, loss] of reference.nets['lenet5, frozen, mish'].slice(0, STEPS).entries())
    expect(Math.abs((found[step] ?? Number.NaN) / loss - 1), `step ${step}`).toBeLessThan(1e-4);
});

describe('every weight of models/ is trained', () => {
  test.each([
    ['mobilenet', 'scores', 'cross-entropy', 24],
    ['vgg-leaky', 'scores', 'cross-entropy', 16],
    ['unet', 'restored', 'mse', 26],
  ] as const)('%s', async (name, output, loss, count) => {
    await withModel(`models/${name}.onnx`, async (model) => {
      const options = { output, loss, optimizer: adam } as const;
      const { step, stepper, session } = await openTraining(model, feeds, nodeProvider('cpu'), options);
      expect([...step.unreached, ...step.withoutGradient]).toEqual([]);
      expect(step.state.filter(({ weight }) => weight !== undefined)).toHaveLength(count);
      const targets = loss === 'mse' ? images : oneHot;
      const before = await stepper.step(feeds, targets, 1e-4);
      expect((await stepper.step(feeds, targets, 1e-4)).loss).toBeLessThan(before.loss);
      await session.close();
    });
  });
});

const x = { elemType: 'f32', dims: [6, 3], data: wave(18, 0.9) };
const weights = [floats('w', [3, 2], [...wave(6, 0.4)]), floats('b', [2], [0.1, -0.1])];

/** A small net, as a training step. */
const open = (nodes: onnx.INodeProto[], more: Partial<Parameters<typeof openTraining>[3]> = {}) => {
  const initializers = [...weights, ...[floats('m', [2], [1, 2]), floats('v', [2], [3, 4])]];
  const bytes = model({ nodes, initializers, inputs: [value('x', 1, ['N', 3])], outputs: [value('y', 1)] });
  const options = { output: 'y', loss: 'mse', optimizer: adam, ...more } as const;
  return openTraining(bytes, { x }, nodeProvider('cpu'), options);
};

test.each([
  ['Softmax', 'cross-entropy'],
  ['Sigmoid', 'bce'],
] as const)('a %s at the end is left out for %s', async (op, loss) => {
  const gemm = node('Gemm', ['x', 'w', 'b'], ['h']);
  const targets = Float32Array.from({ length: 12 }, (_, at) => at % 2);
  const [whole, bare] = [
    await open([gemm, node(op, ['h'], ['y'])], { loss }),
    await open([gemm, node('Identity', ['h'], ['y'])], { loss }),
  ];
  for (let step = 0; step < 3; step++)
    expect(await whole.stepper.step({ x }, targets, 0.1)).toEqual(
      await bare.stepper.step({ x }, targets, 0.1),
    );
});

test('running statistics move by the batch’s, with the unbiased variance', async () => {
  const nodes = [
    node('Gemm', ['x', 'w'], ['h']),
    node('BatchNormalization', ['h', 'b', 'b', 'm', 'v'], ['y'], { momentum: { f: 0.75 } }),
  ];
  const { stepper, step, session } = await open(nodes, { batchNorm: 'train' });
  expect(step.state.map(({ input }) => input)).toEqual(expect.arrayContaining(['m', 'v']));
  const column = Array.from({ length: 6 }, (_, row) =>
    [0, 1, 2].reduce((sum, at) => sum + (x.data[3 * row + at] ?? 0) * (wave(6, 0.4)[2 * at] ?? 0), 0),
  );
  const mean = column.reduce((sum, one) => sum + one, 0) / 6;
  const variance = column.reduce((sum, one) => sum + (one - mean) ** 2, 0) / 5;
  await stepper.step({ x }, new Float32Array(12), 0.1);
  expect(stepper.state().get('m')?.[0]).toBeCloseTo(0.75 + 0.25 * mean, 6);
  expect(stepper.state().get('v')?.[0]).toBeCloseTo(0.75 * 3 + 0.25 * variance, 5);
  await session.close();
});

test('a layer that is called twice moves its running statistics twice', async () => {
  const nodes = [
    node('Gemm', ['x', 'w'], ['h']),
    node('BatchNormalization', ['h', 'b', 'b', 'm', 'v'], ['n'], { momentum: { f: 0.75 } }),
    node('BatchNormalization', ['n', 'b', 'b', 'm', 'v'], ['y'], { momentum: { f: 0.75 } }),
  ];
  const once = await open(nodes.slice(0, 2).concat(node('Identity', ['n'], ['y'])), { batchNorm: 'train' });
  const { stepper, session } = await open(nodes, { batchNorm: 'train' });
  for (const one of [once.stepper, stepper]) await one.step({ x }, new Float32Array(12), 0.1);
  const [first, second] = ['m', 'v'].map((name) => once.stepper.state().get(name)?.[0] ?? 0);
  // What the first call gives has the mean 0.1 and the deviation 0.1: its shift and its scale.
  expect(stepper.state().get('m')?.[0]).toBeCloseTo(0.75 * (first ?? 0) + 0.25 * 0.1, 6);
  expect(stepper.state().get('v')?.[0]).toBeCloseTo(0.75 * (second ?? 0) + 0.25 * 0.01 * (6 / 5), 5);
  await session.close();
  await once.session.close();
});

test('nodes in which gradients end are named', async () => {
  const { step } = await open([
    node('Gemm', ['x', 'w'], ['h']),
    node('Hardmax', ['h'], ['r']),
    node('BatchNormalization', ['r', 'b', 'b', 'm', 'v'], ['n']),
    node('Shape', ['n'], ['shape']),
    node('Reshape', ['n', 'shape'], ['y']),
  ]);
  expect(step.withoutGradient.map(({ opType }) => opType)).toEqual(['Hardmax']);
  expect(step.unreached.map(({ name }) => name)).toEqual(['w']);
});

test('a weight that no gradient reaches is named, and stays', async () => {
  const nodes = [
    node('Gemm', ['x', 'w'], ['h']),
    node('Round', ['h'], ['r']),
    node('BatchNormalization', ['r', 'b', 'b', 'm', 'v'], ['y']),
  ];
  const { step } = await open(nodes);
  expect(step.unreached.map(({ name }) => name)).toEqual(['w']);
});

test.each(['Pow', 'Div', 'Mul'])(
  'a step is the same from a later start, where the second operand of %s is a weight that begins as 2',
  async (op) => {
    const x = { elemType: 'f32', dims: [4, 3], data: wave(12, 0.613) };
    const open = async (values: ReadonlyMap<string, ArrayLike<number>>) => {
      const bytes = model({
        nodes: [
          node('MatMul', ['x', 'w'], ['a']),
          node('Softplus', ['a'], ['s']),
          node('Unsqueeze', ['p', 'axes'], ['wide']),
          node(op, ['s', 'wide'], ['y']),
        ],
        inputs: [value('x', 1, ['N', 3])],
        outputs: [value('y', 1)],
        initializers: [
          floats('w', [3, 3], Array.from(values.get('w') ?? wave(9, 0.37))),
          floats('p', [3], Array.from(values.get('p') ?? [2, 2, 2])),
          ints('axes', [1], [0]),
        ],
      });
      const loaded = await modelFromBytes(bytes);
      const { document } = loaded;
      const index = indexGraphs(document);
      const weights = ['w', 'p'].flatMap((name) => weightOf(index, document.graph, name) ?? []);
      const optimizer = graphOptimizer({ kind: 'sgd' });
      return openTraining(loaded, { x }, nodeProvider('cpu'), {
        output: 'y',
        loss: 'mse',
        optimizer,
        weights,
      });
    };
    const targets = wave(12, 1.1);
    const whole = await open(new Map());
    await whole.stepper.step({ x }, targets, 0.5);
    const later = await open(whole.stepper.state());
    await whole.stepper.step({ x }, targets, 0.5);
    await later.stepper.step({ x }, targets, 0.5);
    const [expected, found] = [whole.stepper.state(), later.stepper.state()];
    for (const [name, values] of expected)
      for (const [at, one] of values.entries()) expect(found.get(name)?.[at], name).toBeCloseTo(one, 5);
    expect(expected.size).toBe(2);
    await Promise.all([whole.session.close(), later.session.close()]);
  },
);
