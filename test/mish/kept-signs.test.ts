import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { swap } from '../../src/mish/swap.js';
import { LOOP_INITIALIZERS, loopNode } from '../support/bodies.js';
import { casesOf } from '../support/heavy.js';
import { floats, ints, model, node, value } from '../support/model.js';
import { type Feed, f32, run } from '../support/run.js';

// Operators between a Relu and a root, with attributes and operands at random. ONNX Runtime tells whether a root of the original is
// never NaN, and whether one of the swapped model is.

/** The nodes from `from` to `to`, with the constants that they read. */
interface Part {
  readonly nodes: readonly onnx.INodeProto[];
  readonly constants?: readonly onnx.ITensorProto[];
}
type Operator = (from: string, to: string, pick: Pick) => Part;
/** Chooses one of some numbers. */
type Pick = (...numbers: readonly number[]) => number;

const CHANNELS = 2;
const SIDE = 4;
const DIMS = [2, CHANNELS, SIDE, SIDE];

const alone =
  (op: string, attributes: (pick: Pick) => Parameters<typeof node>[3] = () => ({})): Operator =>
  (from, to, pick) => ({ nodes: [node(op, [from], [to], attributes(pick))] });
const perChannel = (name: string, pick: Pick, ...numbers: readonly number[]) =>
  floats(
    name,
    [CHANNELS],
    Array.from({ length: CHANNELS }, () => pick(...numbers)),
  );

const NORMS = ['L1', 'L2', 'MAX'];
/** An operator that takes a matrix. */
const flatly =
  (inside: (...given: Parameters<Operator>) => readonly onnx.INodeProto[]): Operator =>
  (from, to, pick) => ({
    nodes: [
      node('Reshape', [from, 'flat'], ['matrix']),
      ...inside('matrix', 'of it', pick),
      node('Reshape', ['of it', 'whole'], [to]),
    ],
    constants: [ints('flat', [2], [-1, SIDE]), ints('whole', [4], DIMS)],
  });

const OPERATORS: Readonly<Record<string, Operator>> = {
  LpNormalization: alone('LpNormalization', (pick) => ({ axis: pick(1, 2, 3), p: pick(1, 2) })),
  LRN: alone('LRN', (pick) => ({ size: pick(1, 3), bias: { f: pick(1, 2) }, alpha: { f: pick(1e-4, 0.5) } })),
  Shrink: alone('Shrink', (pick) => ({
    lambd: { f: pick(0, 0.1, 0.2, 0.5) },
    bias: { f: pick(0, 0.1, -0.1, 0.5) },
  })),
  Mod: (from, to, pick) => ({
    nodes: [node('Mod', [from, 'divisor'], [to], { fmod: 1 })],
    constants: [floats('divisor', [], [pick(0.3, 1, -2, 5)])],
  }),
  GridSample: (from, to, pick) => ({
    nodes: [node('GridSample', [from, 'grid'], [to], pick(0, 1) === 0 ? {} : { mode: 'nearest' })],
    constants: [
      floats(
        'grid',
        [2, SIDE, SIDE, 2],
        Array.from({ length: 64 }, (_, at) => Math.sin(7 * at)),
      ),
    ],
  }),
  RoiAlign: (from, to) => ({
    nodes: [node('RoiAlign', [from, 'rois', 'images'], [to], { output_height: SIDE, output_width: SIDE })],
    constants: [floats('rois', [2, 4], [0, 0, 3, 3, 0, 1, 2, 3]), ints('images', [2], [0, 1])],
  }),
  MaxUnpool: (from, to) => ({
    nodes: [
      node('MaxPool', [from], ['most', 'places'], { kernel_shape: [2, 2], strides: [2, 2] }),
      node('MaxUnpool', ['most', 'places'], [to], { kernel_shape: [2, 2], strides: [2, 2] }),
    ],
  }),
  CenterCropPad: (from, to) => ({
    nodes: [node('CenterCropPad', [from, 'size'], [to])],
    constants: [ints('size', [4], [2, CHANNELS, 6, 6])],
  }),
  BatchNormalization: (from, to, pick) => ({
    nodes: [node('BatchNormalization', [from, 'scale', 'shift', 'mean', 'variance'], [to])],
    constants: [
      perChannel('scale', pick, 0, 0.5, 2),
      perChannel('shift', pick, 0, 0.01, 1),
      perChannel('mean', pick, 0, -0.02, -1),
      perChannel('variance', pick, 0.5, 1),
    ],
  }),
  Normalizer: flatly((from, to, pick) => [
    node('Normalizer', [from], [to], { norm: NORMS[pick(0, 1, 2)] ?? '' }, { domain: 'ai.onnx.ml' }),
  ]),
  Imputer: flatly((from, to) => [
    node(
      'Imputer',
      [from],
      [to],
      { imputed_value_floats: { floats: [1] }, replaced_value_float: { f: 99 } },
      { domain: 'ai.onnx.ml' },
    ),
  ]),
  'the variance of BatchNormalization': (from, to, pick) => ({
    nodes: [
      node('ReduceMin', [from, 'all axes'], ['least'], { keepdims: 0 }),
      node('BatchNormalization', [from, 'scale', 'shift', 'mean', 'least'], ['normal'], {
        epsilon: { f: pick(1e-5, 0.1, 1) },
      }),
      node('Abs', ['normal'], [to]),
    ],
    constants: [
      ints('all axes', [3], [0, 2, 3]),
      perChannel('scale', pick, 0.5, 2),
      perChannel('shift', pick, 0.01, -1),
      perChannel('mean', pick, 0, 1),
    ],
  }),
  'ReduceLogSumExp of one': alone('ReduceLogSumExp', () => ({ keepdims: 1 })),
  'Sin of Tanh': (from, to) => ({ nodes: [node('Tanh', [from], ['t']), node('Sin', ['t'], [to])] }),
  'Tan of Tanh': (from, to) => ({ nodes: [node('Tanh', [from], ['t']), node('Tan', ['t'], [to])] }),
  HardSwish: alone('HardSwish'),
  Softsign: alone('Softsign'),
  Celu: alone('Celu'),
  Erf: alone('Erf'),
};

/** Places for the operator and the root: the graph, the body of a Loop, and after a Loop that adds up. */
const PLACES = {
  graph: (between: readonly onnx.INodeProto[]) => [
    node('Relu', ['x'], ['r']),
    ...between,
    node('Sqrt', ['b'], ['y']),
  ],
  Loop: (between: readonly onnx.INodeProto[]) => [
    node('Relu', ['x'], ['s']),
    loopNode('s', 'y', [
      node('Identity', ['carried'], ['r']),
      ...between,
      node('Sqrt', ['b'], ['next'], {}, { name: 'root' }),
    ]),
  ],
  'graph after a Loop': (between: readonly onnx.INodeProto[]) => [
    node('Relu', ['x'], ['s']),
    loopNode('zeros', 'r', [node('Add', ['carried', 's'], ['next'])]),
    ...between,
    node('Sqrt', ['b'], ['y']),
  ],
};

const ZEROS = floats(
  'zeros',
  DIMS,
  Array.from({ length: 64 }, () => 0),
);
const feeds: Record<string, Feed> = {
  x: f32(
    Array.from({ length: 64 }, (_, at) => 2 * Math.sin(12.9898 * (at + 1)) * Math.sin(78.233 * at)),
    DIMS,
  ),
};
const hasNaN = async (bytes: Uint8Array) => (await run(bytes, feeds)).y?.some(Number.isNaN) ?? false;

test.each(Object.keys(PLACES) as (keyof typeof PLACES)[])(
  'in a %s, an operator that keeps the sign does not hide a root from the search',
  async (place) => {
    const found = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.entries(OPERATORS)),
        fc.infiniteStream(fc.nat(5)),
        async ([name, operator], numbers) => {
          const pick: Pick = (...from) => from[(numbers.next().value ?? 0) % from.length] ?? 0;
          const { nodes, constants = [] } = operator('r', 'b', pick);
          const bytes = model({
            opset: 20,
            domains: { 'ai.onnx.ml': 3 },
            nodes: PLACES[place](nodes),
            inputs: [value('x', 1, DIMS)],
            initializers: [...constants, ...LOOP_INITIALIZERS, ZEROS],
          });
          const { report } = await swap(bytes);
          if (report.sites.length === 0) return void found.add(name);
          if (await hasNaN(bytes)) return;
          const forced = await swap(bytes, { include: ['r', 's'] });
          expect(report.sites[0]?.doubt ?? (await hasNaN(await forced.output.bytes()))).not.toBe(true);
        },
      ),
      { seed: 31, numRuns: casesOf(300) },
    );
    expect(found.size).toBeGreaterThan(2);
  },
);
