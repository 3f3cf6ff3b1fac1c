import { expect, test } from 'vitest';
import { crc32 } from '../../src/base/crc32.js';
import { INITIAL_RULE_VERSION, initialWeights } from '../../src/experiment/initial-weights.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { trainableWeights } from '../../src/train/trainable.js';
import { floats, model, node, value } from '../support/model.js';
import { normals, trainedCopy } from '../support/training.js';

const zeros = (name: string, dims: number[]) =>
  floats(name, dims, new Array(dims.reduce((product, dim) => product * dim, 1)).fill(7));

/** A net with a weight in each role. Its values are 7, so that a weight without a rule would show. */
const NET = model({
  nodes: [
    node('Conv', ['x', 'conv', 'conv_bias'], ['c']),
    node('BatchNormalization', ['c', 'scale', 'shift', 'mean', 'variance'], ['n']),
    node('Relu', ['n'], ['r']),
    node('ConvTranspose', ['r', 'up'], ['u'], { strides: [2, 2], group: 2 }),
    node('PRelu', ['u', 'slope'], ['p']),
    node('GlobalAveragePool', ['p'], ['g']),
    node('Flatten', ['g'], ['f']),
    node('Gemm', ['f', 'gemm', 'gemm_bias'], ['h'], { transB: 1 }),
    node('Transpose', ['turned'], ['t'], { perm: [1, 0] }),
    node('MatMul', ['h', 't'], ['m']),
    node('Add', ['m', 'added'], ['a']),
    node('Mul', ['a', 'factor'], ['y']),
  ],
  initializers: [
    ...[zeros('conv', [40, 6, 5, 5]), zeros('conv_bias', [40]), zeros('scale', [40]), zeros('shift', [40])],
    ...[
      zeros('mean', [40]),
      zeros('variance', [40]),
      zeros('up', [40, 10, 4, 4]),
      zeros('slope', [20, 1, 1]),
    ],
    ...[zeros('gemm', [50, 20]), zeros('gemm_bias', [50]), zeros('turned', [30, 50]), zeros('added', [30])],
    zeros('factor', [30]),
  ],
  inputs: [value('x', 1, ['N', 6, 8, 8])],
  outputs: [value('y', 1, ['N', 30])],
});

async function valuesOf(gain: number, seed: number) {
  const copy = await trainedCopy(NET, { x: normals(1, 6, 8, 8) });
  const { document, index } = copy;
  const weights = trainableWeights(document, index);
  const running = [...document.graph.initializers.values()]
    .filter(({ name }) => name === 'mean' || name === 'variance')
    .map((tensor) => ({ name: tensor.name, home: document.graph, tensor, type: 'f32' as const }));
  return initialWeights({ gain, seed })(copy, [...weights, ...running]);
}

const deviation = (values: ArrayLike<number> = []) =>
  Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0) / values.length);

test('every trained weight and running statistic gets values by its role', async () => {
  const values = await valuesOf(2, 1);
  const { document } = await modelFromBytes(NET);
  expect([...values.keys()].toSorted()).toEqual([...document.graph.initializers.keys()].toSorted());
  for (const [name, expected] of [
    ...(['conv_bias', 'shift', 'mean', 'gemm_bias', 'added'] as const).map((bias) => [bias, 0] as const),
    ...(['scale', 'variance', 'factor'] as const).map((scale) => [scale, 1] as const),
    ['slope', 0.25] as const,
  ])
    expect(new Set(Array.from(values.get(name) ?? [])), name).toEqual(new Set([expected]));
});

test('matrices and kernels have the deviation gain / √fan-in', async () => {
  const values = await valuesOf(2, 1);
  // Each fan-in by hand. An output place of the transposed convolution takes 40 / 2 channels × 4 of the 16 kernel places.
  for (const [name, fanIn] of [
    ['conv', 6 * 25],
    ['up', 80],
    ['gemm', 20],
    ['turned', 50],
  ] as const)
    expect((deviation(values.get(name)) * Math.sqrt(fanIn)) / 2, name).toBeCloseTo(1, 1);
});

test('another gain scales the same numbers, and another seed gives others', async () => {
  const [one, two, other] = [await valuesOf(1, 1), await valuesOf(2, 1), await valuesOf(1, 2)];
  expect(two.get('conv')).toEqual(Float32Array.from(one.get('conv') ?? [], (value) => 2 * value));
  expect(one.get('gemm')?.[0]).not.toBe(one.get('turned')?.[0]);
  expect(other.get('conv')).not.toEqual(one.get('conv'));
});

test.each([
  ['RNN', 1],
  ['GRU', 3],
  ['LSTM', 4],
] as const)(
  'matrices of %s have the deviation 1 / √fan-in of each, biases are 0',
  async (operator, gates) => {
    const [inputs, hidden] = [90, 40];
    const copy = await trainedCopy(
      model({
        nodes: [node(operator, ['x', 'w', 'r', 'b'], ['y'], { hidden_size: hidden })],
        initializers: [
          zeros('w', [1, gates * hidden, inputs]),
          zeros('r', [1, gates * hidden, hidden]),
          zeros('b', [1, 2 * gates * hidden]),
        ],
        inputs: [value('x', 1, [5, 'N', inputs])],
        outputs: [value('y', 1, [5, 1, 'N', hidden])],
      }),
      { x: normals(5, 2, inputs) },
    );
    const values = initialWeights({ gain: 2, seed: 1 })(copy, trainableWeights(copy.document, copy.index));
    expect(values.size).toBe(3);
    expect(deviation(values.get('w')) * Math.sqrt(inputs)).toBeCloseTo(1, 1);
    expect(deviation(values.get('r')) * Math.sqrt(hidden)).toBeCloseTo(1, 1);
    expect(new Set(Array.from(values.get('b') ?? []))).toEqual(new Set([0]));
  },
);

test('a version of the rule has its numbers', async () => {
  const numbers = [...(await valuesOf(1, 1)).values()].flatMap((values) => Array.from(values));
  const rounded = JSON.stringify(numbers.map((number) => Math.round(number * 1e4)));
  // Where the numbers change on purpose, raise INITIAL_RULE_VERSION with them: runs of both would mix.
  expect([INITIAL_RULE_VERSION, crc32(new TextEncoder().encode(rounded))]).toEqual([3, 498107490]);
});
