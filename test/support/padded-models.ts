// Models in which ONNX Runtime may fuse a Pad with the MaxPool behind it.
import fc from 'fast-check';
import { createRandom } from '../../src/base/random.js';
import { floats, ints, model, node, value } from './model.js';
import { f32, run } from './run.js';

export const SIZE = 7;
export const PADS = [0, 0, 1, 1, 0, 0, 1, 1];
/** Operators between the activation and the Pad, and between the Pad and the pool. */
const MOVES = {
  Identity: (from: string, to: string) => [node('Identity', [from], [to])],
  Concat: (from: string, to: string) => [node('Concat', [from, from], [to], { axis: 1 })],
  Transpose: (from: string, to: string) => [
    node('Transpose', [from], [`${to}/t`], { perm: [0, 1, 3, 2] }),
    node('Transpose', [`${to}/t`], [to], { perm: [0, 1, 3, 2] }),
  ],
  Cast: (from: string, to: string) => [node('Cast', [from], [to], { to: 11 })],
};
export const POOLS = {
  MaxPool: { kernel_shape: [3, 3], strides: [2, 2] },
  AveragePool: { kernel_shape: [3, 3], strides: [2, 2], count_include_pad: 1 },
};

/** The parts of a model with an activation, a Pad and pools. */
export const generated = fc.record({
  activation: fc.constantFrom('Relu', 'Relu', 'LeakyRelu'),
  before: fc.array(fc.constantFrom('Identity', 'Concat', 'Transpose'), { maxLength: 2 }),
  after: fc.array(fc.constantFrom('Identity', 'Transpose', 'Cast'), { maxLength: 2 }),
  pool: fc.constantFrom('MaxPool', 'MaxPool', 'MaxPool', 'AveragePool'),
  fill: fc.constantFrom(undefined, 0, 0, -1),
  mode: fc.constantFrom('constant', 'constant', 'constant', 'reflect'),
  readers: fc.integer({ min: 1, max: 2 }),
  areEqual: fc.boolean(),
  isSummed: fc.boolean(),
  hasIndices: fc.constantFrom(false, false, false, true),
  opset: fc.constantFrom(11, 13, 18),
});

export type Generated = typeof generated extends fc.Arbitrary<infer T> ? T : never;

export function modelOf(parts: Generated): Uint8Array {
  const { activation, before, pool, fill, mode, readers, areEqual, isSummed, hasIndices, opset } = parts;
  // ONNX Runtime has no AveragePool of float64.
  const after = parts.after.filter(
    (move, at, all) => move !== 'Cast' || (pool === 'MaxPool' && all.indexOf(move) === at),
  );
  const chain = (moves: readonly (keyof typeof MOVES)[], from: string, to: string) => [
    ...moves.flatMap((move, at) => MOVES[move](at === 0 ? from : `${to}/${at}`, `${to}/${at + 1}`)),
    node('Identity', [moves.length === 0 ? from : `${to}/${moves.length}`], [to]),
  ];
  const names = Array.from({ length: readers }, (_, at) => `y${at}`);
  const pools = names.flatMap((name, at) => [
    ...chain(after, 'q', `u${at}`),
    node(pool, [`u${at}`], [name, ...(hasIndices && pool === 'MaxPool' ? [`i${at}`] : [])], {
      ...POOLS[pool],
      ...(areEqual ? {} : { strides: [at + 1, 2] }),
    }),
  ]);
  const isOne = isSummed && areEqual;
  return model({
    opset,
    inputs: [value('x', 1, [1, 2, SIZE, SIZE])],
    nodes: [
      node(activation, ['x'], ['r']),
      ...chain(before, 'r', 'm'),
      node('Pad', ['m', 'pads', ...(fill === undefined ? [] : ['fill'])], ['q'], { mode }),
      ...pools,
      ...(isOne ? [node('Sum', names, ['y'])] : []),
    ],
    outputs: (isOne ? ['y'] : names).map((name) => value(name, after.includes('Cast') ? 11 : 1)),
    initializers: [ints('pads', [8], PADS), ...(fill === undefined ? [] : [floats('fill', [], [fill])])],
  });
}

/** A model in which ONNX Runtime fuses, if its first activation may be below zero. */
export const plain: Generated = {
  activation: 'Relu',
  before: [],
  after: [],
  pool: 'MaxPool',
  fill: 0,
  mode: 'constant',
  readers: 1,
  areEqual: true,
  isSummed: false,
  hasIndices: false,
  opset: 13,
};

const random = createRandom(3);
/** Inputs below zero. */
export const feeds = {
  x: f32(
    Array.from({ length: 2 * SIZE ** 2 }, () => -2 * random()),
    [1, 2, SIZE, SIZE],
  ),
};

/** Returns whether ONNX Runtime's optimiser changes the results of a model. */
export async function isOptimisedAway(bytes: Uint8Array): Promise<boolean> {
  const [right, optimised] = [await run(bytes, feeds), await run(bytes, feeds, 'all')];
  return Object.entries(right).some(([name, values]) =>
    values.some((value, at) => Math.abs(value - (optimised[name]?.[at] ?? Number.NaN)) > 1e-5),
  );
}
