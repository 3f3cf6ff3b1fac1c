import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { onnx } from '../../../proto/onnx.js';
import { createRandom } from '../../../src/base/random.js';
import { rescale } from '../../../src/calibrate/scale/rescale.js';
import { findSites } from '../../../src/mish/sites.js';
import { exposeTensors } from '../../../src/onnx/expose.js';
import { splice } from '../../../src/onnx/splice.js';
import { modelFromBytes } from '../../../src/providers/loaded-model.js';
import { casesOf } from '../../support/heavy.js';
import { convTensors, positiveVectors, tensorOf, weightsOf } from '../../support/linear-ops.js';
import { ints, type ModelParts, model, node, value } from '../../support/model.js';
import { describeGraph, feedsOf, modelOf, randomGraph } from '../../support/random-graph.js';
import { type Feed, f32, run } from '../../support/run.js';

/** Rescales a model's ReLUs by these sharpnesses, in their order. */
async function rescaled(
  bytes: Uint8Array,
  betaOf: (place: number) => number,
  only: readonly string[] = ['relu', 'leakyrelu'],
) {
  const loaded = await modelFromBytes(bytes);
  const { sites } = await findSites(loaded.document, { only });
  const wanted = sites.map((site, place) => ({ site, beta: betaOf(place) }));
  const { model: edited, ...report } = await rescale(loaded, sites, wanted);
  const { source } = edited.document;
  return { ...report, edited, bytes: await splice(source, []).bytes(), sites };
}

const COUNT = casesOf(400);

// A power of two scales without rounding, so that the outputs have to be the same to the bit.
test('a rescaled graph computes the same', async () => {
  let folded = 0;
  for (let seed = 0; seed < COUNT; seed++) {
    const graph = randomGraph(seed, 'webgpu');
    const bytes = modelOf(graph);
    const random = createRandom(seed);
    const result = await rescaled(bytes, () => 2 ** Math.floor(5 * random()));
    folded += result.folded.length;
    if (result.weights === 0) continue;
    const feeds = Object.fromEntries(
      Object.entries(feedsOf(graph)).map(([name, { dims, data }]) => [name, f32([...data], dims)]),
    );
    expect(await run(result.bytes, feeds), describeGraph(graph)).toEqual(await run(bytes, feeds));
  }
  expect(folded).toBeGreaterThan(COUNT / 20);
});

const conv = (x: string, y: string, w: string, b: string, group = 1) =>
  node('Conv', [x, w, b], [y], { pads: [1, 1, 1, 1], ...(group === 1 ? {} : { group }) });
const relu = (x: string, y: string) => node('Relu', [x], [y], {}, { name: y });
const dense = [tensorOf('wd', [3, 4], weightsOf([3, 4], 60)), tensorOf('bd', [3], weightsOf([3], 61))];
const head = (x: string) => [
  node('GlobalAveragePool', [x], ['p']),
  node('Flatten', ['p'], ['f']),
  node('Gemm', ['f', 'wd', 'bd'], ['y'], { transB: 1 }),
];
const input = f32(weightsOf([1, 4, 6, 6], 99), [1, 4, 6, 6]);

interface Net {
  readonly name: string;
  readonly nodes: readonly onnx.INodeProto[];
  readonly more?: readonly onnx.ITensorProto[];
  readonly parts?: Partial<ModelParts>;
  /** The sites that take a sharpness; sites of the same number have to share it. */
  readonly folded: Readonly<Record<string, number>>;
}

const NETS: readonly Net[] = [
  {
    name: 'a residual block and a dense layer whose weights are transposed',
    nodes: [
      ...[conv('x', 'h0', 'w0', 'b0'), relu('h0', 'r0'), conv('r0', 'h1', 'w1', 'b1'), relu('h1', 'r1')],
      ...[conv('r1', 'h2', 'w2', 'b2'), node('Add', ['h2', 'r0'], ['s']), relu('s', 'r2'), ...head('r2')],
    ],
    folded: { r0: 0, r1: 1, r2: 0 },
  },
  {
    name: 'a concatenation with a pool, and slices of a split',
    nodes: [
      ...[conv('x', 'h0', 'w0', 'b0'), relu('h0', 'r0'), conv('r0', 'h1', 'w1', 'b1'), relu('h1', 'r1')],
      node('MaxPool', ['r0'], ['m'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      node('Concat', ['m', 'r1'], ['c'], { axis: 1 }),
      node('Split', ['c'], ['c0', 'c1'], { axis: 1 }),
      ...[node('Sub', ['c0', 'c1'], ['d']), conv('d', 'h2', 'w2', 'b2'), relu('h2', 'r2'), ...head('r2')],
    ],
    folded: { r0: 0, r1: 0, r2: 1 },
  },
  {
    name: 'a batch normalisation before, one after, and a grouped convolution',
    nodes: [
      conv('x', 'h0', 'w0', 'b0'),
      node('BatchNormalization', ['h0', 's0', 'o0', 'm0', 'v0'], ['n0']),
      relu('n0', 'r0'),
      node('BatchNormalization', ['r0', 's1', 'o1', 'm1', 'v1'], ['n1']),
      relu('n1', 'r1'),
      ...[conv('r1', 'h2', 'wg', 'b2', 2), relu('h2', 'r2'), ...head('r2')],
    ],
    more: [
      ...positiveVectors('s0', 'o0', 'm0', 'v0', 's1', 'o1', 'm1', 'v1'),
      tensorOf('wg', [4, 2, 3, 3], weightsOf([4, 2, 3, 3], 70)),
    ],
    folded: { r0: 0, r1: 1, r2: 2 },
  },
  {
    name: 'weights that two layers share, and a gate',
    nodes: [
      ...[conv('x', 'h0', 'w0', 'b0'), relu('h0', 'r0'), node('Neg', ['x'], ['nx'])],
      ...[conv('nx', 'h1', 'w0', 'b0'), relu('h1', 'r1')],
      ...[conv('r0', 'g0', 'w1', 'b1'), node('Sigmoid', ['g0'], ['g'])],
      ...[node('Mul', ['r1', 'g'], ['z']), conv('z', 'h2', 'w2', 'b2'), relu('h2', 'r2'), ...head('r2')],
    ],
    folded: { r0: 0, r1: 0, r2: 1 },
  },
  {
    name: 'a constant that is added, and one that is multiplied',
    nodes: [
      ...[conv('x', 'h0', 'w0', 'b0'), node('Add', ['h0', 'k'], ['m'])],
      ...[relu('m', 'r0'), node('Mul', ['r0', 'q'], ['t']), relu('t', 'r1'), ...head('r1')],
    ],
    more: [tensorOf('k', [1, 4, 1, 1], [0.1, -0.2, 0.3, 0]), tensorOf('q', [4, 1, 1], [-2, 1, 3, -1])],
    folded: { r0: 0, r1: 1 },
  },
  {
    name: 'layers of recurrences, of an Einsum and of normalisations',
    nodes: [
      ...[conv('x', 'h0', 'w0', 'b0'), relu('h0', 'r0'), node('Reshape', ['r0', 'rows'], ['a'])],
      node('GRU', ['a', 'wr', 'rr'], ['', 'g'], { hidden_size: 4, linear_before_reset: 1 }),
      ...[node('Einsum', ['g', 'we'], ['e'], { equation: 'abc,dc->bd' }), relu('e', 'r1')],
      ...[
        node('Cast', ['r1'], ['f1'], { to: 1 }),
        node('Neg', ['f1'], ['n']),
        node('Reshape', ['n', 'grid'], ['c']),
        conv('c', 'h1', 'w1', 'b1'),
      ],
      ...[
        node('InstanceNormalization', ['h1', 'o0', 's0'], ['i']),
        relu('i', 'r2'),
        conv('r2', 'h2', 'w2', 'b2'),
      ],
      ...[node('LayerNormalization', ['h2', 's1', 'o1'], ['l']), relu('l', 'r3'), ...head('r3')],
    ],
    more: [
      ...[
        tensorOf('wr', [1, 12, 24], weightsOf([1, 12, 24], 80)),
        tensorOf('rr', [1, 12, 4], weightsOf([1, 12, 4], 81)),
      ],
      ...[tensorOf('we', [16, 4], weightsOf([16, 4], 82)), ...positiveVectors('s0', 'o0')],
      ...[tensorOf('s1', [2], [0.5, 2]), tensorOf('o1', [2], [-0.3, 0.7])],
      ...[ints('rows', [3], [6, 1, 24]), ints('grid', [4], [1, 4, 2, 2])],
    ],
    parts: { opset: 17 },
    folded: { r0: 0, r1: 1, r2: 2, r3: 3 },
  },
  {
    name: 'an output of the model, a Sigmoid behind it, and a body that reads it',
    nodes: [
      ...[conv('x', 'h0', 'w0', 'b0'), relu('h0', 'r0'), conv('r0', 'h1', 'w1', 'b1'), relu('h1', 'r1')],
      ...[node('Sigmoid', ['r1'], ['z']), conv('z', 'h2', 'w2', 'b2'), relu('h2', 'r2'), ...head('r2')],
    ],
    parts: { outputs: [value('y', 1), value('r2', 1)] },
    folded: { r0: 0 },
  },
];

const partsOf = ({ nodes, more = [], parts = {} }: Net): Uint8Array =>
  model({
    opset: 11,
    inputs: [value('x', 1, [1, 4, 6, 6])],
    outputs: [value('y', 1)],
    nodes: [...nodes],
    initializers: [...convTensors('0', '1', '2'), ...dense, ...more],
    ...parts,
  });

describe('rescale passes', () => {
  test.each(NETS)('$name', async (net) => {
    const bytes = partsOf(net);
    const names = net.nodes.filter(({ opType }) => opType === 'Relu').map(({ name }) => name ?? '');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(1, 2, 4, 8), { minLength: 3, maxLength: 3 }),
        async (betas) => {
          const betaOf = (place: number) => betas[place] ?? 1;
          const result = await rescaled(bytes, betaOf);
          const wanted = new Map<number, number>();
          for (const [place, name] of names.entries()) {
            const group = net.folded[name];
            if (group !== undefined)
              wanted.set(group, Math.min(betaOf(place), wanted.get(group) ?? Infinity));
          }
          const scales = names.map((name) => wanted.get(net.folded[name] ?? -1) ?? 1);
          const got = new Map(result.folded.map(({ output, beta }) => [output, beta]));
          expect(names.map((name) => got.get(name) ?? 1)).toEqual(scales);
          const feeds: Record<string, Feed> = { x: input };
          expect(await run(result.bytes, feeds)).toEqual(await run(bytes, feeds));
          const { document } = await modelFromBytes(bytes);
          const inside = async (of: typeof document) =>
            run(await exposeTensors(of, names, {}).model.bytes(), feeds);
          const [before, after] = [await inside(document), await inside(result.edited.document)];
          for (const [place, name] of names.entries())
            expect(after[name]).toEqual(before[name]?.map((x) => x * (scales[place] ?? 1)));
        },
      ),
      { seed: 1, numRuns: 4 },
    );
  });
});

test('a site that cannot take its sharpness has a reason', async () => {
  const last = NETS.at(-1);
  if (last === undefined) throw new Error('no net');
  const { kept } = await rescaled(partsOf(last), () => 2);
  expect(kept.map(({ output, beta, why }) => [output, beta, why])).toEqual([
    ['r1', 2, expect.stringContaining('Sigmoid')],
    ['r2', 2, expect.stringContaining("'r2' is an output")],
  ]);
});

test('weights that another reader needs keep their values', async () => {
  const bytes = model({
    opset: 13,
    inputs: [value('x', 1, [2, 4])],
    outputs: [value('y', 1), value('v', 1)],
    nodes: [
      node('MatMul', ['x', 'w'], ['h']),
      relu('h', 'r'),
      node('MatMul', ['r', 'u'], ['y']),
      node('Softmax', ['u'], ['v']),
    ],
    initializers: [tensorOf('w', [4, 4], weightsOf([4, 4], 1)), tensorOf('u', [4, 4], weightsOf([4, 4], 2))],
  });
  const { folded, kept, weights } = await rescaled(bytes, () => 4);
  expect([folded, weights]).toEqual([[], 0]);
  expect(kept).toMatchObject([{ output: 'r', why: expect.stringContaining('Softmax') }]);
});

test('a scale that is no power of two changes outputs by rounding only', async () => {
  for (const net of NETS.slice(0, 5)) {
    const bytes = partsOf(net);
    const [a, b] = [
      await run(bytes, { x: input }),
      await run((await rescaled(bytes, (at) => 1.7 + at)).bytes, { x: input }),
    ];
    for (const [at, x] of (a.y ?? []).entries()) expect(b.y?.[at]).toBeCloseTo(x, 4);
  }
});

/** Nets in which an activation reads a value that is not its input, or a constant. */
const READERS: readonly (readonly [name: string, nodes: readonly onnx.INodeProto[]])[] = [
  [
    'a PRelu whose slopes a layer computes',
    [conv('x', 'g', 'w1', 'b1'), relu('g', 's'), node('PRelu', ['n', 's'], ['q'])],
  ],
  ['a PRelu whose slopes are its input', [node('PRelu', ['n', 'n'], ['q'])]],
  ['a PRelu of constants with computed slopes', [node('PRelu', ['k', 'h'], ['q'])]],
  ['a ReLU of constants', [relu('k', 'r'), node('Add', ['h', 'r'], ['q'])]],
];

test.each(READERS)('%s: the rescaled model computes the same', async (_, nodes) => {
  const bytes = partsOf({
    name: '',
    nodes: [
      ...[conv('x', 'h0', 'w0', 'b0'), relu('h0', 'h'), node('Neg', ['h'], ['n']), ...nodes],
      ...[conv('q', 'h2', 'w2', 'b2'), relu('h2', 'r2'), ...head('r2')],
    ],
    more: [tensorOf('k', [1, 4, 6, 6], weightsOf([1, 4, 6, 6], 5))],
    folded: {},
  });
  const wanted = await run(bytes, { x: input });
  const random = createRandom(2);
  for (let count = 0; count < 5; count++) {
    const result = await rescaled(bytes, () => 2 ** Math.floor(4 * random()), ['relu', 'prelu']);
    expect(await run(result.bytes, { x: input })).toEqual(wanted);
  }
});
