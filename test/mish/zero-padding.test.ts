import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { swapped } from '../support/graph.js';
import { floats, ints, model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';

const SIZE = 7;
const PADS = [0, 0, 1, 1, 0, 0, 1, 1];
/** Operators between the activation and the Pad, and between the Pad and the pool. */
const MOVES = {
  Identity: (from: string, to: string) => [node('Identity', [from], [to])],
  Concat: (from: string, to: string) => [node('Concat', [from, from], [to], { axis: 1 })],
  Transpose: (from: string, to: string) => [
    node('Transpose', [from], [`${to}/t`], { perm: [0, 1, 3, 2] }),
    node('Transpose', [`${to}/t`], [to], { perm: [0, 1, 3, 2] }),
  ],
};
const POOLS = {
  MaxPool: { kernel_shape: [3, 3], strides: [2, 2] },
  AveragePool: { kernel_shape: [3, 3], strides: [2, 2], count_include_pad: 1 },
};

/** A model with a ReLU, a Pad and a pool. */
const generated = fc.record({
  before: fc.array(fc.constantFrom('Identity', 'Concat', 'Transpose'), { maxLength: 2 }),
  after: fc.array(fc.constantFrom('Identity', 'Transpose'), { maxLength: 2 }),
  pool: fc.constantFrom('MaxPool', 'AveragePool'),
  fill: fc.constantFrom(undefined, 0, -1),
  mode: fc.constantFrom('constant', 'reflect'),
  readers: fc.integer({ min: 1, max: 2 }),
  opset: fc.constantFrom(11, 13, 18),
});

type Generated = typeof generated extends fc.Arbitrary<infer T> ? T : never;

function modelOf({ before, after, pool, fill, mode, readers, opset }: Generated): Uint8Array {
  const chain = (moves: readonly (keyof typeof MOVES)[], from: string, to: string) => [
    ...moves.flatMap((move, at) => MOVES[move](at === 0 ? from : `${to}/${at}`, `${to}/${at + 1}`)),
    node('Identity', [moves.length === 0 ? from : `${to}/${moves.length}`], [to]),
  ];
  const pools = Array.from({ length: readers }, (_, at) =>
    node(pool, ['u'], [`y${at}`], { ...POOLS[pool], strides: [at + 1, 2] }),
  );
  return model({
    opset,
    inputs: [value('x', 1, [1, 2, SIZE, SIZE])],
    nodes: [
      node('Relu', ['x'], ['r']),
      ...chain(before, 'r', 'm'),
      node('Pad', ['m', 'pads', ...(fill === undefined ? [] : ['fill'])], ['q'], { mode }),
      ...chain(after, 'q', 'u'),
      ...pools,
    ],
    outputs: pools.map(({ output }) => value(output?.[0] ?? '', 1)),
    initializers: [ints('pads', [8], PADS), ...(fill === undefined ? [] : [floats('fill', [], [fill])])],
  });
}

test('a note tells where ONNX Runtime leaves out zeros that Mish needs', async () => {
  const random = createRandom(3);
  const x = Array.from({ length: 2 * SIZE ** 2 }, () => -2 * random());
  let told = 0;
  await fc.assert(
    fc.asyncProperty(generated, async (parts) => {
      const { bytes, report } = await swapped(modelOf(parts), { form: 'exp' });
      const feeds = { x: f32(x, [1, 2, SIZE, SIZE]) };
      const [right, optimised] = [await run(bytes, feeds), await run(bytes, feeds, 'all')];
      const isOff = Object.entries(right).some(([name, values]) =>
        values.some((one, at) => Math.abs(one - (optimised[name]?.[at] ?? Number.NaN)) > 1e-5),
      );
      expect(report.notes.some((note) => note.includes('drops the zeros of the Pad'))).toBe(isOff);
      if (isOff) told++;
    }),
    { numRuns: 60, seed: 7 },
  );
  expect(told).toBeGreaterThan(5);
});

test('activations that are never below zero have no note', async () => {
  const parts: Generated = {
    before: [],
    after: [],
    pool: 'MaxPool',
    fill: 0,
    mode: 'constant',
    readers: 1,
    opset: 13,
  };
  const { bytes } = await swapped(modelOf(parts), { form: 'exp' });
  const back = await swapped(bytes, { to: 'relu' });
  expect(back.report.notes.filter((note) => note.includes('Pad'))).toEqual([]);
});

test('a chain in which each value is read twice takes no time', async () => {
  const count = 60;
  const chain = Array.from({ length: count }, (_, at) => [
    node('Add', [`a${at}`, `a${at}`], [`b${at}`]),
    node('Abs', [`b${at}`], [`a${at + 1}`]),
  ]).flat();
  const bytes = (first: string) =>
    model({
      opset: 13,
      inputs: [value('x', 1, [1, 2, SIZE, SIZE])],
      nodes: [
        ...[
          node('Relu', ['x'], ['r']),
          node('Abs', ['x'], ['s']),
          node('Add', [first, first], ['a0']),
          ...chain,
        ],
        ...[node('Pad', [`a${count}`, 'pads'], ['p']), node('MaxPool', ['p'], ['y'], POOLS.MaxPool)],
      ],
      outputs: ['y', 'r'].map((name) => value(name, 1)),
      initializers: [ints('pads', [8], PADS)],
    });
  for (const [first, isTold] of [
    ['s', false],
    ['r', true],
  ] as const) {
    const { report } = await swapped(bytes(first), { form: 'exp' });
    expect(report.notes.some((note) => note.includes('drops the zeros'))).toBe(isTold);
  }
});
