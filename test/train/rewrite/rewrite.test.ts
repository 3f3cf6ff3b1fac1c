import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { onnx } from '../../../proto/onnx.js';
import { nodeProvider } from '../../../src/providers/node/provider.js';
import { findBlock } from '../../../src/train/find-block.js';
import { graphOptimizer } from '../../../src/train/graph-optimizers.js';
import { ifNode } from '../../support/bodies.js';
import { isHeavy } from '../../support/heavy.js';
import { floats, ints, model, node, value } from '../../support/model.js';
import { openTraining, wave } from '../../support/training.js';

const cpu = nodeProvider('cpu');
let block: number | undefined;
beforeAll(async () => {
  block = await findBlock(cpu);
});

const SIDE = 6;
const RATE = 2e-3;
const optimizer = graphOptimizer({ kind: 'sgd' });

let seed = 0;
const weight = (name: string, dims: readonly number[], scale = 0.2, shift = 0) => {
  const count = dims.reduce((product, dim) => product * dim, 1);
  seed++;
  return floats(
    name,
    [...dims],
    [...wave(count, 0.37 + 0.01 * seed, scale)].map((one) => one + shift),
  );
};
const pads = (size: number) => ({ pads: [size, size, size, size] });
const norm = (name: string, channels: number) => [
  weight(`${name}.scale`, [channels], 0.3, 1),
  weight(`${name}.bias`, [channels]),
  weight(`${name}.mean`, [channels]),
  weight(`${name}.variance`, [channels], 0.3, 1),
];
const batchNorm = (name: string, x: string, y: string) =>
  node(
    'BatchNormalization',
    [x, ...['scale', 'bias', 'mean', 'variance'].map((part) => `${name}.${part}`)],
    [y],
  );
/** Mish as `swap` writes it for CPUs. */
const mish = (x: string, y: string, factor = 'x') => [
  node('Clip', [x, 'low', 'cap'], [`${y}.c`]),
  node('Exp', [`${y}.c`], [`${y}.e`]),
  node('Add', [`${y}.e`, 'two'], [`${y}.a`]),
  node('Mul', [`${y}.e`, `${y}.a`], [`${y}.w`]),
  node('Add', [`${y}.w`, 'two'], [`${y}.b`]),
  node('Div', [`${y}.w`, `${y}.b`], [`${y}.r`]),
  node('Mul', [factor === 'x' ? x : factor, `${y}.r`], [y]),
];

interface Net {
  readonly nodes: onnx.INodeProto[];
  readonly weights: onnx.ITensorProto[];
  readonly channels?: number;
  readonly opset?: number;
  readonly batch?: number;
  readonly side?: number;
}

/** Nets from x to h, [N, ...], which a mean and a matrix turn into scores. */
const NETS: Readonly<Record<string, Net>> = {
  'convolutions with Relu': {
    nodes: [
      node('Conv', ['x', 'w', 'b'], ['a'], pads(1)),
      node('Relu', ['a'], ['r']),
      node('Conv', ['r', 'v'], ['c'], pads(1)),
      node('Relu', ['c'], ['h']),
    ],
    weights: [weight('w', [16, 3, 3, 3]), weight('b', [16]), weight('v', [32, 16, 3, 3])],
    channels: 32,
  },
  'many channels, uneven padding and no padding': {
    nodes: [
      node('Conv', ['x', 'w'], ['a'], { pads: [1, 0, 1, 2] }),
      node('Conv', ['a', 'v'], ['c'], { pads: [0, 1, 2, 0] }),
      node('Conv', ['c', 'u', 'b'], ['h']),
    ],
    weights: [
      ...[weight('w', [64, 3, 3, 3]), weight('v', [64, 64, 3, 2], 0.05)],
      ...[weight('u', [16, 64, 2, 2], 0.05), weight('b', [16])],
    ],
  },
  'strides, dilations and 1 × 1': {
    nodes: [
      node('Conv', ['x', 'w'], ['a'], { strides: [2, 1], ...pads(1) }),
      node('Conv', ['a', 'v'], ['c'], { dilations: [2, 2], ...pads(2) }),
      node('Tanh', ['c'], ['t']),
      node('Conv', ['t', 'u'], ['h']),
    ],
    weights: [weight('w', [16, 3, 3, 3]), weight('v', [16, 16, 3, 3]), weight('u', [16, 16, 1, 1])],
  },
  'depthwise and grouped': {
    nodes: [
      node('Conv', ['x', 'w'], ['a'], pads(1)),
      node('Conv', ['a', 'v', 'b'], ['c'], { group: 32, ...pads(1) }),
      node('Relu', ['c'], ['r']),
      node('Conv', ['r', 'u'], ['h'], { group: 2, ...pads(1) }),
    ],
    weights: [
      ...[weight('w', [32, 3, 3, 3]), weight('v', [32, 1, 3, 3]), weight('b', [32])],
      weight('u', [16, 16, 3, 3]),
    ],
  },
  'residual blocks with batch normalisation': {
    nodes: [
      node('Conv', ['x', 'w'], ['a'], pads(1)),
      batchNorm('n', 'a', 'an'),
      node('Relu', ['an'], ['r']),
      node('Conv', ['r', 'v', 'b'], ['c'], pads(1)),
      batchNorm('m', 'c', 'cn'),
      node('Add', ['r', 'cn'], ['s']),
      node('Relu', ['s'], ['h']),
    ],
    weights: [
      ...[weight('w', [16, 3, 3, 3]), weight('v', [16, 16, 3, 3]), weight('b', [16])],
      ...[...norm('n', 16), ...norm('m', 16)],
    ],
  },
  'Mish, and Mish of another input': {
    nodes: [
      node('Conv', ['x', 'w'], ['a'], pads(1)),
      ...mish('a', 'm'),
      node('Conv', ['m', 'v'], ['c'], pads(1)),
      node('Mul', ['c', 'two'], ['d']),
      ...mish('d', 'g', 'c'),
      node('Softplus', ['g'], ['p']),
      node('Tanh', ['p'], ['t']),
      node('Mul', ['t', 'g'], ['h']),
    ],
    weights: [weight('w', [16, 3, 3, 3], 0.6), weight('v', [16, 16, 3, 3])],
  },
  'weights that a convolution makes': {
    nodes: [
      node('Conv', ['k', 'j'], ['w']),
      node('Conv', ['x', 'v'], ['a'], pads(1)),
      node('Conv', ['a', 'w'], ['h'], pads(1)),
    ],
    weights: [weight('k', [16, 16, 3, 3]), weight('j', [16, 16, 1, 1]), weight('v', [16, 3, 3, 3])],
  },
  'blocked tensors read in the plain layout': {
    nodes: [
      node('Conv', ['x', 'w'], ['a'], pads(1)),
      node('Relu', ['a'], ['r']),
      node('MaxPool', ['r'], ['p'], { kernel_shape: [2, 2], strides: [1, 1], pads: [0, 0, 1, 1] }),
      node('Add', ['r', 'p'], ['s']),
      node('Transpose', ['s'], ['t'], { perm: [0, 1, 3, 2] }),
      node('Mul', ['t', 'each'], ['h']),
    ],
    weights: [weight('w', [16, 3, 3, 3]), weight('each', [16, 1, 1], 0.5, 1)],
  },
  'many channels with strides and dilations': {
    nodes: [
      node('Conv', ['x', 'w'], ['a'], pads(2)),
      node('Conv', ['a', 'v'], ['c'], { strides: [2, 1], dilations: [1, 2], pads: [2, 1, 0, 1] }),
      node('Conv', ['c', 'u'], ['h'], { strides: [2, 2] }),
    ],
    weights: [
      ...[weight('w', [64, 3, 3, 3]), weight('v', [64, 64, 3, 2], 0.05)],
      weight('u', [16, 64, 1, 1], 0.1),
    ],
  },
  'joined channels': {
    nodes: [
      node('Conv', ['x', 'w'], ['a'], pads(1)),
      node('Relu', ['a'], ['r']),
      node('Conv', ['r', 'v'], ['c'], pads(1)),
      node('Concat', ['r', 'c', 'r'], ['j'], { axis: -3 }),
      node('Conv', ['j', 'u'], ['d'], pads(1)),
      node('Concat', ['d', 'd', 'a'], ['h'], { axis: 1 }),
    ],
    weights: [
      ...[weight('w', [16, 3, 3, 3]), weight('v', [32, 16, 3, 3], 0.1)],
      weight('u', [16, 64, 3, 3], 0.05),
    ],
    channels: 48,
  },
};

async function statesAfter(net: Net, batchNorm: 'frozen' | 'train', size: number | undefined, rate = RATE) {
  const { nodes, weights, channels = 16, opset, batch = 5, side = SIDE } = net;
  const bytes = model({
    ...(opset && { opset }),
    nodes: [
      ...nodes,
      node('GlobalAveragePool', ['h'], ['pooled']),
      node('Reshape', ['pooled', 'flat'], ['f']),
      node('MatMul', ['f', 'last'], ['y']),
    ],
    inputs: [value('x', 1, ['N', 3, side, side])],
    outputs: [value('y', 1)],
    initializers: [
      ...weights,
      ...[floats('two', [], [2]), floats('low', [], [-3e38]), floats('cap', [], [20])],
      ...[floats('zero', [], [0]), floats('three', [], [3]), floats('six', [], [6])],
      ...[ints('flat', [2], [0, channels]), floats('last', [channels, 4], [...wave(4 * channels, 0.77)])],
    ],
  });
  const x = { elemType: 'f32', dims: [batch, 3, side, side], data: wave(batch * 3 * side * side, 0.613) };
  const { stepper, session } = await openTraining(bytes, { x }, cpu, {
    ...{ output: 'y', loss: 'mse', optimizer, batchNorm, block: size },
  });
  const initial = new Map([...stepper.state()].map(([name, values]) => [name, values.slice()]));
  const losses: number[] = [];
  for (let step = 0; step < 3; step++) {
    losses.push((await stepper.step({ x }, wave(4 * batch, 1.1), rate)).loss);
  }
  const state = stepper.state();
  await session.close();
  return { losses, state, initial };
}

const most = (values: Float32Array) => values.reduce((so, value) => Math.max(so, Math.abs(value)), 0);
const apart = (a: Float32Array, b: Float32Array) => most(a.map((value, at) => value - (b[at] ?? NaN)));

/** Holds the training of a net in the blocked layout against the plain layout. */
async function expectSame(net: Net, mode: 'frozen' | 'train') {
  const [plain, blocked] = [await statesAfter(net, mode, undefined), await statesAfter(net, mode, block)];
  for (const [step, loss] of plain.losses.entries())
    expect((blocked.losses[step] ?? NaN) / loss).toBeCloseTo(1, 4);
  expect(plain.losses[2]).toBeLessThan(plain.losses[0] ?? 0);
  expect([...blocked.state.keys()].toSorted()).toEqual([...plain.state.keys()].toSorted());
  for (const [name, values] of plain.state) {
    const other = blocked.state.get(name) ?? new Float32Array(0);
    expect(apart(values, other) / most(values), name).toBeLessThan(1e-4);
  }
}

/** Holds what three small steps of a net change in the blocked layout against the plain layout. */
async function expectSameChanges(net: Net, mode: 'frozen' | 'train') {
  const [plain, blocked] = [
    await statesAfter(net, mode, undefined, 1e-4),
    await statesAfter(net, mode, block, 1e-4),
  ];
  for (const [step, loss] of plain.losses.entries())
    expect((blocked.losses[step] ?? NaN) / loss).toBeCloseTo(1, 4);
  const none = new Float32Array(0);
  const moved = new Map(
    [...plain.state].map(([name, values]) => [name, apart(values, plain.initial.get(name) ?? none)]),
  );
  // A bias before batch normalisation has no gradient but what rounding makes.
  const farthest = Math.max(...moved.values());
  for (const [name, values] of plain.state) {
    const other = blocked.state.get(name) ?? none;
    const rounding = 3e-7 * most(values) + 1e-5 * farthest;
    expect(apart(values, other), name).toBeLessThanOrEqual(2e-3 * (moved.get(name) ?? 0) + rounding);
  }
}

describe.each(['frozen', 'train'] as const)(
  'with batch normalisation %s, the blocked layout trains',
  (mode) => {
    test.each(Object.entries(NETS))('%s', (_, net) => expectSame(net, mode));
  },
);

test.each(['Identity', 'Relu'])(
  'weights that make statistics train, with and without %s before',
  async (op) => {
    const states = async (isApart: boolean, size: number | undefined) => {
      seed = 0;
      const made = [
        node('Conv', ['x', 'w', 'b'], ['a'], pads(1)),
        ...(isApart ? [node('Identity', ['a'], ['i'])] : []),
        ...(op === 'Relu' ? [node('Relu', [isApart ? 'i' : 'a'], ['r'])] : []),
        node('MatMul', ['one', 'roots'], ['product']),
        node('Mul', ['product', 'product'], ['squares']),
        node('Reshape', ['squares', 'vector'], ['n.variance']),
        batchNorm('n', op === 'Relu' ? 'r' : isApart ? 'i' : 'a', 'h'),
      ];
      const weights = [weight('w', [16, 3, 3, 3]), weight('b', [16]), ...norm('n', 16).slice(0, 3)];
      const more = [
        floats('one', [1, 1], [1]),
        weight('roots', [1, 16], 0.2, 0.8),
        ints('vector', [1], [16]),
      ];
      const { state } = await statesAfter({ nodes: made, weights: [...weights, ...more] }, 'frozen', size);
      return state;
    };
    const expected = await states(true, undefined);
    expect([...expected.keys()]).toContain('roots');
    for (const size of [undefined, block]) {
      const found = await states(false, size);
      expect([...found.keys()].toSorted()).toEqual([...expected.keys()].toSorted());
      for (const [name, values] of expected) {
        const other = found.get(name) ?? new Float32Array(0);
        expect(apart(values, other) / most(values), name).toBeLessThan(1e-5);
      }
    }
  },
);

// Clip has its bounds as inputs from opset 11 on.
const old = Object.entries(NETS).filter(([, { nodes }]) => nodes.every(({ opType }) => opType !== 'Clip'));
test.each(old)('the blocked layout trains at opset 9: %s', (_, net) =>
  expectSame({ ...net, opset: 9 }, 'train'),
);

test.each([0, 30, 1000])(
  'batch statistics keep their digits where channels lie %d from zero',
  async (distance) => {
    const net = (shift: number): Net => ({
      nodes: [
        node('Conv', ['x', 'w', 'b'], ['a'], pads(1)),
        batchNorm('n', 'a', 'an'),
        node('Relu', ['an'], ['h']),
      ],
      weights: [
        ...[weight('w', [16, 3, 3, 3]), weight('b', [16], 0.2, shift)],
        ...[weight('n.scale', [16], 0.3, 1), weight('n.bias', [16])],
        ...[weight('n.mean', [16], 0.2, shift), weight('n.variance', [16], 0.3, 1)],
      ],
    });
    seed = 40;
    const near = await statesAfter(net(0), 'train', block);
    seed = 40;
    const far = await statesAfter(net(distance), 'train', block);
    // A float32 at 1000 has steps of 6e-5.
    for (const [step, loss] of near.losses.entries()) expect(far.losses[step]).toBeCloseTo(loss, 4);
  },
);

/** Returns a net with the mean of its `h` and of what an If makes of a tensor. */
function readInside({ nodes, ...net }: Net, tensor: string): Net {
  const read = tensor === 'h' ? 'own' : tensor;
  return {
    ...net,
    nodes: [
      ...nodes.map((one) => ({
        ...one,
        output: (one.output ?? []).map((name) => (name === 'h' ? 'own' : name)),
      })),
      node('ReduceMax', ['x'], ['most'], { keepdims: 0 }),
      node('Greater', ['most', 'low'], ['cond']),
      ifNode(
        'inner',
        'seen',
        [node('GlobalAveragePool', [read], ['seen'])],
        [node('GlobalMaxPool', [read], ['seen'])],
      ),
      node('Mean', ['own', 'inner'], ['h']),
    ],
  };
}

test.each([
  ['convolutions with Relu', 'h'],
  ['strides, dilations and 1 × 1', 't'],
  ['depthwise and grouped', 'h'],
  ['residual blocks with batch normalisation', 'an'],
  ['residual blocks with batch normalisation', 'h'],
  ['Mish, and Mish of another input', 'm'],
  ['Mish, and Mish of another input', 'g'],
  ['Mish, and Mish of another input', 'h'],
  ['blocked tensors read in the plain layout', 's'],
])('a nested graph reads the plain layout: %s, %s', async (name, tensor) => {
  const net = NETS[name];
  if (net !== undefined) await expectSame(readInside(net, tensor), 'train');
});

test('convolutions of any kernel, stride, dilation and padding train in the blocked layout', async () => {
  const axis = fc.record({
    ...{ kernel: fc.integer({ min: 1, max: 4 }), stride: fc.integer({ min: 1, max: 3 }) },
    ...{ dilation: fc.integer({ min: 1, max: 2 }), begin: fc.nat(3), end: fc.nat(3) },
  });
  const two = fc.tuple(axis, axis);
  const fits = ({
    kernel,
    dilation,
    begin,
    end,
  }: {
    kernel: number;
    dilation: number;
    begin: number;
    end: number;
  }) => (kernel - 1) * dilation + 1 <= SIDE + begin + end;
  await fc.assert(
    fc.asyncProperty(
      two,
      fc.constantFrom(12, 16, 32, 128),
      fc.boolean(),
      async (axes, channels, depthwise) => {
        fc.pre(axes.every(fits));
        const inputs = depthwise ? 1 : channels;
        const each = (of: (one: (typeof axes)[number]) => number) => axes.map(of);
        seed = 0;
        await expectSame(
          {
            nodes: [
              node('Conv', ['x', 'w'], ['a'], pads(1)),
              node('Conv', ['a', 'v', 'b'], ['h'], {
                ...{ group: channels / inputs, strides: each(({ stride }) => stride) },
                dilations: each(({ dilation }) => dilation),
                pads: [...each(({ begin }) => begin), ...each(({ end }) => end)],
              }),
            ],
            weights: [
              weight('w', [channels, 3, 3, 3]),
              weight('v', [channels, inputs, ...each(({ kernel }) => kernel)], 1 / inputs),
              weight('b', [channels]),
            ],
            channels,
          },
          'frozen',
        );
      },
    ),
    { numRuns: isHeavy ? 400 : 24, seed: 5 },
  );
});

test('convolutions of few channels and many places train in the blocked layout, whatever divides the batch', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        ...{ batch: fc.constantFrom(3, 4, 6, 8), channels: fc.constantFrom(12, 16, 32) },
        ...{ kernel: fc.integer({ min: 2, max: 3 }), stride: fc.integer({ min: 1, max: 2 }) },
      }),
      async ({ batch, channels, kernel, stride }) => {
        seed = 0;
        const net = {
          nodes: [
            node('Conv', ['x', 'w'], ['a'], pads(1)),
            node('Conv', ['a', 'v'], ['h'], { strides: [stride, stride], ...pads(1) }),
          ],
          weights: [
            weight('w', [channels, 3, 3, 3]),
            weight('v', [channels, channels, kernel, kernel], 1 / channels),
          ],
        };
        // More than 8,192 places.
        const side = stride * Math.ceil(Math.sqrt(8192 / batch)) + 3;
        await expectSame({ ...net, batch, side, channels }, 'frozen');
      },
    ),
    { numRuns: isHeavy ? 60 : 8, seed: 6 },
  );
});

/** A layer of a random net: takes the tensor before it, and returns nodes and weights, and the channels after it. */
interface Layer {
  readonly nodes: onnx.INodeProto[];
  readonly weights: onnx.ITensorProto[];
  readonly channels: number;
}

const LAYERS: Readonly<Record<string, (x: string, y: string, channels: number, next: number) => Layer>> = {
  conv: (x, y, channels, next) => ({
    nodes: [node('Conv', [x, `${y}.w`, `${y}.b`], [y], pads(1))],
    weights: [weight(`${y}.w`, [next, channels, 3, 3], 0.1), weight(`${y}.b`, [next])],
    channels: next,
  }),
  point: (x, y, channels, next) => ({
    nodes: [node('Conv', [x, `${y}.w`], [y])],
    weights: [weight(`${y}.w`, [next, channels, 1, 1])],
    channels: next,
  }),
  strided: (x, y, channels, next) => ({
    nodes: [
      node('Conv', [x, `${y}.w`], [`${y}.c`], { strides: [2, 2], ...pads(2) }),
      node('Relu', [`${y}.c`], [y]),
    ],
    weights: [weight(`${y}.w`, [next, channels, 3, 3], 0.1)],
    channels: next,
  }),
  depthwise: (x, y, channels) => ({
    nodes: [node('Conv', [x, `${y}.w`, `${y}.b`], [y], { group: channels, ...pads(1) })],
    weights: [weight(`${y}.w`, [channels, 1, 3, 3]), weight(`${y}.b`, [channels])],
    channels,
  }),
  joined: (x, y, channels, next) => ({
    nodes: [
      node('Conv', [x, `${y}.w`], [`${y}.c`], pads(1)),
      node('Concat', [x, `${y}.c`], [y], { axis: 1 }),
    ],
    weights: [weight(`${y}.w`, [next, channels, 3, 3], 0.1)],
    channels: channels + next,
  }),
  norm: (x, y, channels) => ({
    nodes: [batchNorm(y, x, `${y}.n`), node('Relu', [`${y}.n`], [y])],
    weights: norm(y, channels),
    channels,
  }),
  'normed residual': (x, y, channels) => ({
    nodes: [
      node('Conv', [x, `${y}.w`], [`${y}.c`], pads(1)),
      batchNorm(y, `${y}.c`, `${y}.n`),
      node('Add', [`${y}.n`, x], [y]),
    ],
    weights: [weight(`${y}.w`, [channels, channels, 3, 3], 0.05), ...norm(y, channels)],
    channels,
  }),
  'squeeze and excitation': (x, y, channels) => ({
    nodes: [
      node('GlobalAveragePool', [x], [`${y}.p`]),
      node('Conv', [`${y}.p`, `${y}.w`], [`${y}.c`]),
      node('Relu', [`${y}.c`], [`${y}.r`]),
      node('Conv', [`${y}.r`, `${y}.v`], [`${y}.d`]),
      node('HardSigmoid', [`${y}.d`], [`${y}.s`]),
      node('Mul', [`${y}.s`, x], [y]),
    ],
    weights: [weight(`${y}.w`, [8, channels, 1, 1]), weight(`${y}.v`, [channels, 8, 1, 1])],
    channels,
  }),
  'written HardSwish': (x, y, channels) => ({
    nodes: [
      node('Add', [x, 'three'], [`${y}.a`]),
      node('Clip', [`${y}.a`, 'zero', 'six'], [`${y}.c`]),
      node('Mul', [x, `${y}.c`], [`${y}.m`]),
      node('Div', [`${y}.m`, 'six'], [y]),
    ],
    weights: [],
    channels,
  }),
  mish: (x, y, channels) => ({ nodes: mish(x, y), weights: [], channels }),
  /** Trained numbers, whose gradient is a sum over the whole tensor. */
  'scale and shift': (x, y, channels) => ({
    nodes: [node('Mul', [x, `${y}.f`], [`${y}.m`]), node('Add', [`${y}.m`, `${y}.s`], [y])],
    weights: [floats(`${y}.f`, [1], [0.9]), floats(`${y}.s`, [1, 1, 1, 1], [0.2])],
    channels,
  }),
  /** Operators that are infinite at zero, with which the last block is filled up. */
  'unbounded at zero': (x, y, channels) => ({
    nodes: [
      node('Conv', [x, `${y}.w`, `${y}.b`], [`${y}.c`]),
      node('Sqrt', [`${y}.c`], [`${y}.r`]),
      node('Reciprocal', [`${y}.c`], [`${y}.i`]),
      node('Log', [`${y}.c`], [`${y}.l`]),
      node('Div', [`${y}.l`, `${y}.r`], [`${y}.d`]),
      node('Sub', [`${y}.i`, `${y}.d`], [`${y}.o`]),
      node('Exp', [`${y}.o`], [y]),
    ],
    weights: [weight(`${y}.w`, [channels, channels, 1, 1], 0.005), weight(`${y}.b`, [channels], 0.5, 4)],
    channels,
  }),
  'plain pooling': (x, y, channels) => ({
    nodes: [node('MaxPool', [x], [y], { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] })],
    weights: [],
    channels,
  }),
};
for (const op of ['Sigmoid', 'Tanh', 'Softplus', 'Softsign', 'Elu', 'LeakyRelu', 'Abs', 'Erf'])
  Object.assign(LAYERS, {
    [op]: (x: string, y: string, channels: number) => ({
      nodes: [node(op, [x], [y])],
      weights: [],
      channels,
    }),
  });

test('random nets whose channels fill no whole block train in the blocked layout', async () => {
  const layer = fc.tuple(fc.constantFrom(...Object.keys(LAYERS)), fc.constantFrom(8, 12, 16, 20, 24, 36, 68));
  await fc.assert(
    fc.asyncProperty(
      fc.array(layer, { minLength: 2, maxLength: 7 }),
      fc.constantFrom(8, 12, 20, 24),
      fc.constantFrom('frozen', 'train'),
      async (layers, first, mode) => {
        seed = 0;
        const parts: Layer[] = [];
        let channels = 3;
        for (const [at, [kind, next]] of [['conv', first] as const, ...layers].entries()) {
          const part = LAYERS[kind]?.(
            at === 0 ? 'x' : `t${at}`,
            at === layers.length ? 'h' : `t${at + 1}`,
            channels,
            next,
          );
          if (part === undefined) continue;
          parts.push(part);
          channels = part.channels;
        }
        await expectSameChanges(
          {
            nodes: parts.flatMap(({ nodes }) => nodes),
            weights: parts.flatMap(({ weights }) => weights),
            channels,
          },
          mode,
        );
      },
    ),
    { numRuns: isHeavy ? 400 : 25, ...(!isHeavy && { seed: 7 }) },
  );
});

test('calls of a layer move its running statistics one after the other, in any order of nodes', async () => {
  const calls = fc.record({
    relus: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    // The later of two nodes that could come next is taken where this is true.
    order: fc.array(fc.boolean(), { minLength: 24, maxLength: 24 }),
  });
  await fc.assert(
    fc.asyncProperty(calls, async ({ relus, order }) => {
      seed = 0;
      const branches = relus.flatMap((relu, at) => [
        node('Conv', ['x', `w${at}`], [`a${at}`], pads(1)),
        batchNorm('n', `a${at}`, `b${at}`),
        ...(relu ? [node('Relu', [`b${at}`], [`c${at}`])] : []),
      ]);
      const [a = '', b = '', c = ''] = relus.map((relu, at) => `${relu ? 'c' : 'b'}${at}`);
      const sums = [node('Add', [a, b], ['s']), node('Add', [c, 's'], ['h'])];
      const weights = [0, 1, 2].map((at) => weight(`w${at}`, [16, 3, 3, 3], 0.2 + 0.2 * at));
      const nodes = inOrder([...branches, ...sums], order);
      await expectSameChanges({ nodes, weights: [...weights, ...norm('n', 16)] }, 'train');
    }),
    { numRuns: isHeavy ? 100 : 6, seed: 8 },
  );
});

/** Returns nodes in another order in which each comes after those that it reads. */
function inOrder(nodes: readonly onnx.INodeProto[], later: readonly boolean[]): onnx.INodeProto[] {
  const left = [...nodes];
  const sorted: onnx.INodeProto[] = [];
  const isMade = (name: string) => !left.some(({ output }) => output?.includes(name));
  while (left.length > 0) {
    const ready = left.filter(({ input }) => input?.every(isMade));
    const next = later[sorted.length] ? ready.at(-1) : ready[0];
    if (next === undefined) throw new Error('a cycle');
    left.splice(left.indexOf(next), 1);
    sorted.push(next);
  }
  return sorted;
}
