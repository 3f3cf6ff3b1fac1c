import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { swap } from '../../src/mish/swap.js';
import { LOOP_INITIALIZERS, loopNode, scanNode } from '../support/bodies.js';
import { floats, model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';

const F32 = 1;
const POSITIVE = [0.5, 0, 1, 0.25];
const NEGATIVE = [0.5, -0.1, 1, 0.25];

const LAYERS: Record<string, onnx.INodeProto> = {
  MatMul: node('MatMul', ['r', 'w'], ['m'], {}, { name: 'layer' }),
  'MatMul from the left': node('MatMul', ['w', 'r'], ['m'], {}, { name: 'layer' }),
  Gemm: node('Gemm', ['r', 'w', 'b'], ['m'], {}, { name: 'layer' }),
  'Gemm without a bias': node('Gemm', ['r', 'w', ''], ['m'], {}, { name: 'layer' }),
};
const ENDS: Record<string, onnx.INodeProto> = {
  Sqrt: node('Sqrt', ['m'], ['y'], {}, { name: 'end' }),
  Log: node('Log', ['m'], ['y'], {}, { name: 'end' }),
  Pow: node('Pow', ['m', 'half'], ['y'], {}, { name: 'end' }),
  Div: node('Div', ['r', 'm'], ['y'], {}, { name: 'end' }),
};

const made = (layers: readonly onnx.INodeProto[], end: onnx.INodeProto, w = POSITIVE, b = [0, 0]) =>
  model({
    nodes: [node('Relu', ['x'], ['r'], {}, { name: 'act' }), ...layers, end],
    initializers: [
      floats('w', [2, 2], w),
      floats('v', [2, 2], NEGATIVE),
      floats('b', [2], b),
      floats('half', [], [0.5]),
      floats('w4', [1, 1, 3, 3], Array(9).fill(1)),
    ],
    inputs: [value('x', F32, [2, 2])],
    outputs: [value('y', F32, [2, 2])],
  });
const doubtsOf = async (bytes: Uint8Array) => {
  const { report } = await swap(bytes);
  expect(report.sites).toHaveLength(1);
  return report.sites[0]?.doubt;
};

describe.each(Object.keys(LAYERS))('a Relu before %s', (name) => {
  const layer = LAYERS[name] ?? {};
  test.each(Object.keys(ENDS))('with non-negative weights and %s has a doubt', async (opType) => {
    const end = ENDS[opType] ?? {};
    expect(await doubtsOf(made([layer], end))).toMatch(
      new RegExp(`^the weights of layer are all non-negative, and ${opType} end follows: `),
    );
    expect(await doubtsOf(made([layer], end, NEGATIVE))).toBeUndefined();
  });
});

test('a layer with negative weights that leads to a root hides no other', async () => {
  const roots = ([first, second]: readonly [string, string]) => [
    node('MatMul', ['r', first], ['m1'], {}, { name: 'layer1' }),
    node('Sqrt', ['m1'], ['s1']),
    node('MatMul', ['r', second], ['m2'], {}, { name: 'layer2' }),
    node('Sqrt', ['m2'], ['s2']),
  ];
  const end = node('Add', ['s1', 's2'], ['y']);
  for (const weights of [
    ['v', 'w'],
    ['w', 'v'],
  ] as const)
    expect(await doubtsOf(made(roots(weights), end))).toMatch(
      new RegExp(`^the weights of layer${weights.indexOf('w') + 1} are all non-negative`),
    );
  expect(await doubtsOf(made(roots(['v', 'v']), end))).toBeUndefined();
});

test.each(['Loop', 'Scan'])(
  'a sum over the rounds of a %s before the layer leaves the doubt',
  async (repeats) => {
    const { MatMul = {}, Gemm = {} } = LAYERS;
    const before =
      repeats === 'Loop'
        ? loopNode('start', 'r', [node('Relu', ['x'], ['a']), node('Add', ['carried', 'a'], ['next'])])
        : scanNode('x', 'all', [node('Relu', ['row'], ['mapped'])], 2);
    for (const layer of [MatMul, Gemm]) {
      const input = [...(layer.input ?? [])];
      input[0] = repeats === 'Loop' ? 'r' : 'total';
      for (const [w, isDoubtful] of [
        [POSITIVE, true],
        [NEGATIVE, false],
      ] as const) {
        const bytes = model({
          nodes: [before, { ...layer, input }, node('Sqrt', ['m'], ['y'], {}, { name: 'end' })],
          initializers: [
            ...LOOP_INITIALIZERS,
            floats('w', [2, 2], w),
            floats('b', [2], [0, 0]),
            floats('start', repeats === 'Loop' ? [2, 2] : [2], repeats === 'Loop' ? [0, 0, 0, 0] : [0, 0]),
          ],
          inputs: [value('x', F32, [2, 2])],
          outputs: [value('y', F32)],
        });
        expect((await doubtsOf(bytes)) !== undefined).toBe(isDoubtful);
      }
    }
  },
);

test('what has a doubt may give NaN, and did not before', async () => {
  const { MatMul = {} } = LAYERS;
  const { Sqrt = {} } = ENDS;
  const bytes = made([MatMul], Sqrt);
  const feeds = { x: f32([-1, -1, -2, 0.1], [2, 2]) };
  expect((await run(bytes, feeds)).y?.some(Number.isNaN)).toBe(false);
  const { output } = await swap(bytes);
  expect((await run(await output.bytes(), feeds)).y?.some(Number.isNaN)).toBe(true);
});

test('a negative bias, or a layer between with negative weights, leaves no doubt', async () => {
  const { Gemm = {}, MatMul = {} } = LAYERS;
  const { Sqrt = {} } = ENDS;
  expect(await doubtsOf(made([Gemm], Sqrt, POSITIVE, [0, -1]))).toBeUndefined();
  const first = { ...MatMul, output: ['l'] };
  for (const [weights, doubt] of [
    ['w', expect.stringContaining('the weights of layer are')],
    ['v', undefined],
  ] as const)
    expect(await doubtsOf(made([first, node('MatMul', ['l', weights], ['m'])], Sqrt))).toEqual(doubt);
});

test.each(['Conv', 'ConvTranspose'])(
  'a Relu before %s with non-negative weights has a doubt',
  async (opType) => {
    const nodes = [
      node('Relu', ['x'], ['r']),
      node(opType, ['r', 'k'], ['m'], {}, { name: 'layer' }),
      node('Log', ['m'], ['y'], {}, { name: 'end' }),
    ];
    const inputs = [value('x', F32, [1, 1, 4])];
    for (const [kernel, isDoubtful] of [
      [[1, 2], true],
      [[1, -2], false],
    ] as const) {
      const initializers = [floats('k', [1, 1, 2], [...kernel])];
      expect((await doubtsOf(model({ nodes, inputs, initializers }))) !== undefined).toBe(isDoubtful);
    }
  },
);

test('weights that cannot be read leave no doubt and no error', async () => {
  const nodes = [node('Relu', ['x'], ['r']), node('MatMul', ['r', 'w'], ['m']), node('Sqrt', ['m'], ['y'])];
  const short = { name: 'w', dataType: F32, dims: [2, 2], rawData: new Uint8Array(12) };
  const elsewhere = {
    ...{ name: 'w', dataType: F32, dims: [2, 2], dataLocation: 1 },
    externalData: [{ key: 'location', value: 'weights.bin' }],
  };
  for (const w of [short, elsewhere])
    expect(await doubtsOf(model({ nodes, initializers: [w] }))).toBeUndefined();
});

test.each([
  ['the factor of a Gemm’s weights', { alpha: { f: -1 } }],
  ['the factor of a Gemm’s bias', { beta: { f: -1 } }],
])('a negative number as %s leaves no doubt', async (_, attributes) => {
  const { Sqrt = {} } = ENDS;
  const gemm = (factors: typeof attributes) => node('Gemm', ['r', 'w', 'b'], ['m'], factors);
  const positive = Object.fromEntries(Object.keys(attributes).map((name) => [name, { f: 0 }]));
  expect(await doubtsOf(made([gemm(attributes)], Sqrt))).toBeUndefined();
  expect(await doubtsOf(made([gemm(positive as typeof attributes)], Sqrt))).toBeDefined();
});

test.each([
  ['a layer of another domain', [{ ...node('MatMul', ['r', 'w'], ['m']), domain: 'com.example' }]],
  ['a layer whose weights the signal gives', [node('Conv', ['w4', 'r'], ['m'])]],
  ['a bias that is computed', [node('Gemm', ['r', 'w', 'x'], ['m'])]],
] as const)('%s leaves no doubt', async (_, layers) => {
  const { Sqrt = {} } = ENDS;
  expect(await doubtsOf(made(layers, Sqrt))).toBeUndefined();
});

test('a LeakyRelu, which gives negative numbers already, has no doubt', async () => {
  const { MatMul = {} } = LAYERS;
  const { Sqrt = {} } = ENDS;
  const nodes = [node('LeakyRelu', ['x'], ['r']), MatMul, Sqrt];
  const bytes = model({
    ...{ nodes, initializers: [floats('w', [2, 2], POSITIVE)] },
    ...{ inputs: [value('x', F32, [2, 2])], outputs: [value('y', F32, [2, 2])] },
  });
  expect(await doubtsOf(bytes)).toBeUndefined();
});
