import fc from 'fast-check';
import { expect, test } from 'vitest';
import { axisIn, unitAxis } from '../../../src/calibrate/activations/unit-axis.js';
import { indexGraphs } from '../../../src/onnx/graph-index.js';
import { modelFromBytes } from '../../../src/providers/loaded-model.js';
import { floats, model, node, value } from '../../support/model.js';

const DEPTH = 20_000;
const deep = Array.from({ length: DEPTH }, (_, at) => node('Relu', [`x${at}`], [`x${at + 1}`]));
const x = `x${DEPTH}`;

test.each([
  ['a weight on the right', node('MatMul', [x, 'w'], ['y']), -1],
  ['a weight on the left', node('MatMul', ['w', x], ['y']), -2],
  ['a computed weight on the left', node('MatMul', ['negative', x], ['y']), -2],
  ['no weight', node('MatMul', [x, x], ['y']), -1],
  ['a Gemm', node('Gemm', [x, 'w'], ['y']), -1],
  ['an Einsum', node('Einsum', [x, 'w'], ['y'], { equation: 'bi,oi->ob' }), 0],
])('the units of a product with %s have their axis behind any number of layers', async (_, last, axis) => {
  const { document } = await modelFromBytes(
    model({
      nodes: [...deep, node('Neg', ['w'], ['negative']), last],
      initializers: [floats('w', [2, 2], [1, 2, 3, 4])],
      inputs: [value('x0', 1, [2, 2])],
      outputs: [value('y', 1)],
    }),
  );
  expect(unitAxis(indexGraphs(document), document.graph, 'y')).toBe(axis);
});

test.each([
  ['a layer', [], -1],
  ['a Transpose', [[1, 0]], 0],
  ['a Transpose that reverses the axes', [undefined], 0],
  ['two that reverse the axes', [undefined, undefined], -1],
  [
    'two that undo each other',
    [
      [1, 0],
      [1, 0],
    ],
    1,
  ],
  [
    'two of another rank',
    [
      [2, 0, 1],
      [2, 0, 1],
    ],
    1,
  ],
] as const)(
  'the units behind %s and any number of elementwise operators have their axis',
  async (_, orders, axis) => {
    const moves = orders.map((perm, at) =>
      node('Transpose', [`t${at}`], [`t${at + 1}`], perm === undefined ? {} : { perm: [...perm] }),
    );
    const { document } = await modelFromBytes(
      model({
        nodes: [
          node('MatMul', ['a', 'w'], ['t0']),
          ...moves,
          node('Identity', [`t${orders.length}`], ['x0']),
          ...deep,
        ],
        initializers: [floats('w', [2, 2], [1, 2, 3, 4])],
        inputs: [value('a', 1, [2, 2])],
        outputs: [value(x, 1)],
      }),
    );
    expect(unitAxis(indexGraphs(document), document.graph, x)).toBe(axis);
  },
);

test.each([
  ...['Elu', 'Gelu', 'HardSwish', 'Neg', 'PRelu', 'Where', 'Pow', 'Mean', 'Concat', 'Slice', 'Pad', 'Resize'],
  ...['QuantizeLinear', 'DequantizeLinear', 'com.microsoft.QuantizeLinear', 'com.microsoft.DequantizeLinear'],
])('the units behind a layer and %s, which keeps the order of axes, are on the last axis', async (name) => {
  const op = name.replace('com.microsoft.', '');
  const inputs = { Where: ['mask', 'h', 'h'], Elu: ['h'], Gelu: ['h'], HardSwish: ['h'], Neg: ['h'] }[op] ?? [
    'h',
    'other',
  ];
  const { document } = await modelFromBytes(
    model({
      nodes: [
        node('MatMul', ['a', 'w'], ['h']),
        { ...node(op, inputs, ['y']), domain: op === name ? '' : 'com.microsoft' },
      ],
      initializers: [floats('w', [2, 2], [1, 2, 3, 4]), floats('other', [1], [1])],
      inputs: [value('a', 1, [1, 3, 2]), value('mask', 9, [1, 3, 2])],
      outputs: [value('y', 1)],
    }),
  );
  expect(unitAxis(indexGraphs(document), document.graph, 'y')).toBe(-1);
});

/** Counts the axes of a tensor of this rank from the first, through transpositions. */
function axisByMoving(
  rank: number,
  axis: number,
  orders: readonly (readonly number[] | undefined)[],
): number {
  let axes = Array.from({ length: rank }, (_, at) => at);
  for (const order of orders)
    axes = order === undefined ? axes.toReversed() : order.map((from) => axes[from] ?? Number.NaN);
  return axes.indexOf(axis);
}

const permutation = (rank: number) =>
  fc.shuffledSubarray(
    Array.from({ length: rank }, (_, at) => at),
    { minLength: rank },
  );
const moved = fc
  .constantFrom(2, 3, 4)
  .chain((rank) =>
    fc.tuple(fc.constant(rank), fc.array(fc.option(permutation(rank), { nil: undefined }), { maxLength: 4 })),
  );

test('units lie where a model of any transpositions moves them', async () => {
  await fc.assert(
    fc.asyncProperty(moved, fc.boolean(), async ([rank, orders], isConv) => {
      const layer = isConv && rank > 2 ? 'Conv' : 'MatMul';
      const { document } = await modelFromBytes(
        model({
          nodes: [
            node(layer, ['a', 'w'], ['t0']),
            ...orders.map((perm, at) =>
              node('Transpose', [`t${at}`], [`t${at + 1}`], perm === undefined ? {} : { perm }),
            ),
            node('Relu', [`t${orders.length}`], ['y']),
          ],
          initializers: [floats('w', [2, 2], [1, 2, 3, 4])],
          inputs: [value('a', 1)],
          outputs: [value('y', 1)],
        }),
      );
      const axis = unitAxis(indexGraphs(document), document.graph, `t${orders.length}`);
      expect(axisIn(axis, rank)).toBe(axisByMoving(rank, layer === 'Conv' ? 1 : rank - 1, orders));
    }),
    { seed: 5, numRuns: 60 },
  );
});
