import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import type { Plan } from '../../src/mish/plan.js';
import { swap } from '../../src/mish/swap.js';
import { ifNode } from '../support/bodies.js';
import { casesOf } from '../support/heavy.js';
import { floats, ints, type ModelParts, model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';

// Between a Relu and the node that decides about it stand random operators that keep what is asked, and perhaps one that ends
// the search. Each model is made in the main graph, in the bodies of an If, and in a function.

/** Makes one value from another, by nodes that end in `to`. */
type Part = (from: string, to: string) => onnx.INodeProto[];
const one =
  (opType: string, ...others: string[]): Part =>
  (from, to) => [node(opType, [from, ...others], [to])];
const with_ =
  (opType: string, attributes: Parameters<typeof node>[3], ...others: string[]): Part =>
  (from, to) => [node(opType, [from, ...others], [to], attributes)];

const F32 = 1;
const raw = (name: string, dataType: number, data: number[]) => ({
  ...{ name, dataType, dims: [] },
  rawData: new Uint8Array(data),
});
const CONSTANTS = [
  ...[floats('tiny', [], [1e-3]), floats('half', [], [0.5]), floats('one', [], [1]), floats('two', [], [2])],
  ...[
    floats('three', [1], [3]),
    floats('six', [], [6]),
    floats('minus', [], [-2]),
    floats('scale', [], [0.02]),
  ],
  ...[
    floats(
      'w',
      [4, 4],
      [0.3, -0.2, 0.5, 0.1, -0.4, 0.2, 0.6, -0.7, 0.1, 0.9, -0.3, 0.2, 0.4, -0.6, 0.8, -0.1],
    ),
  ],
  ...[
    floats('bias', [4], [0.1, -0.2, 0.3, -0.4]),
    floats('gains', [4], [1, 2, -1, 3]),
    floats('bits', [], [8]),
  ],
  ...[floats('nought', [], [0]), ints('shape', [2], [-1, 4]), ints('last', [1], [1])],
  ...[raw('zero8', 2, [0]), raw('least8', 3, [128]), raw('middle8', 3, [0])],
];

/** What any question is kept by: values are moved about, and scaled by a lone positive constant. */
const MOVED: Record<string, Part> = {
  Identity: one('Identity'),
  Dropout: one('Dropout'),
  Reshape: one('Reshape', 'shape'),
  'two Transposes': (from, to) => [
    node('Transpose', [from], [`${to}t`]),
    node('Transpose', [`${to}t`], [to]),
  ],
  Concat: (from, to) => [node('Concat', [from, from], [to], { axis: 0 })],
  'Casts to half and back': (from, to) => [
    node('Cast', [from], [`${to}h`], { to: 10 }),
    node('Cast', [`${to}h`], [to], { to: F32 }),
  ],
  'a sequence': (from, to) => [
    node('SequenceConstruct', [from, from], [`${to}s`]),
    node('ConcatFromSequence', [`${to}s`], [to], { axis: 0 }),
  ],
  'Mul by 2': one('Mul', 'two'),
  'Mul by 2 from the left': (from, to) => [node('Mul', ['two', from], [to])],
  'Div by 3': one('Div', 'three'),
  ReduceMax: with_('ReduceMax', { axes: [0], keepdims: 1 }),
  'a Constant node': (from, to) => [
    node('Constant', [], [`${to}c`], { value_float: { f: 1.5 } }),
    node('Mul', [from, `${to}c`], [to]),
  ],
};
/** Means do not commute with a bound. */
const MEANS: Record<string, Part> = { ReduceMean: with_('ReduceMean', { axes: [0], keepdims: 1 }) };
const SUMS: Record<string, Part> = { ReduceSum: with_('ReduceSum', { keepdims: 1 }, 'last') };
const EPSILON: Record<string, Part> = { 'Add of an epsilon': one('Add', 'tiny') };
/** Behind a layer with weights is another signal. */
const LAYERS: Record<string, Part> = {
  MatMul: one('MatMul', 'w'),
  Gemm: one('Gemm', 'w', 'bias'),
  Softmax: one('Softmax'),
  Sigmoid: one('Sigmoid'),
};

/** What has no sign, and is 0 where its operand is. */
const MAGNITUDES: Record<string, Part> = {
  Abs: one('Abs'),
  'its square': (from, to) => [node('Mul', [from, from], [to])],
  'Pow of 2': one('Pow', 'two'),
  ReduceL2: with_('ReduceL2', { keepdims: 1 }),
};

interface Case {
  readonly reason: string;
  readonly keeps: Record<string, Part>;
  readonly decides: Record<string, Part>;
  /** Ends the search; then the Relu is swapped. */
  readonly ends: Record<string, Part>;
}

const CASES: Record<string, Case> = {
  guards: {
    reason: 'guard',
    keeps: { ...MOVED, ...MEANS, ...EPSILON, ...SUMS },
    decides: {
      Sqrt: one('Sqrt'),
      Log: one('Log'),
      Reciprocal: one('Reciprocal'),
      'Pow of a fraction': one('Pow', 'half'),
      'Pow of what is computed': (from, to) => [node('Pow', [from, 'any'], [to])],
      'Pow of a negative': one('Pow', 'minus'),
      Div: (from, to) => [node('Div', ['one', from], [to])],
    },
    ends: {
      ...LAYERS,
      ...MAGNITUDES,
      Exp: one('Exp'),
      'Clip from an epsilon': one('Clip', 'tiny'),
      'Max with an epsilon': one('Max', 'tiny'),
    },
  },
  masks: {
    reason: 'mask',
    keeps: { ...MOVED, ...MEANS, ...EPSILON, Abs: one('Abs'), Neg: one('Neg') },
    decides: {
      'Cast to bool': (from, to) => [
        node('Cast', [from], [`${to}b`], { to: 9 }),
        node('Where', [`${to}b`, 'any', 'nought'], [to]),
      ],
      Sign: one('Sign'),
      ...Object.fromEntries(
        ['Equal', 'Greater', 'Less', 'GreaterOrEqual', 'LessOrEqual'].map((opType): [string, Part] => [
          opType,
          (from, to) => [
            node(opType, [from, 'nought'], [`${to}b`]),
            node('Cast', [`${to}b`], [to], { to: F32 }),
          ],
        ]),
      ),
      'Not of a comparison': (from, to) => [
        node('Greater', ['half', from], [`${to}b`]),
        node('Not', [`${to}b`], [`${to}n`]),
        node('Where', [`${to}n`, 'any', 'nought'], [to]),
      ],
    },
    ends: LAYERS,
  },
  clamps: {
    reason: 'clamp',
    keeps: { ...MOVED, 'Add of 1': one('Add', 'one') },
    decides: {
      Min: one('Min', 'six'),
      'Min from the left': (from, to) => [node('Min', ['six', from], [to])],
      'Min with others': (from, to) => [node('Min', ['any', from, 'six'], [to])],
      'Clip to 6': one('Clip', '', 'six'),
      'Clip from 0 to 6': one('Clip', 'nought', 'six'),
      'Max with 1': one('Max', 'one'),
      'six less it, and so again': (from, to) => [
        node('Sub', ['six', from], [`${to}s`]),
        node('Max', [`${to}s`, 'nought'], [to]),
      ],
    },
    ends: { ...LAYERS, ...MEANS, 'what else is added': one('Add', 'any') },
  },
  scales: {
    reason: 'quantized',
    keeps: {
      ...MOVED,
      ...MEANS,
      ...EPSILON,
      'Clip to 6': one('Clip', '', 'six'),
      'Min with 6': one('Min', 'six'),
    },
    decides: {
      QuantizeLinear: (from, to) => [
        node('QuantizeLinear', [from, 'scale', 'zero8'], [`${to}q`]),
        node('DequantizeLinear', [`${to}q`, 'scale', 'zero8'], [to]),
      ],
      'QuantizeLinear around 0': (from, to) => [
        node('QuantizeLinear', [from, 'scale', 'middle8'], [`${to}q`]),
        node('DequantizeLinear', [`${to}q`, 'scale', 'middle8'], [to]),
      ],
      'in floats': (from, to) => [
        node('Div', [from, 'scale'], [`${to}d`]),
        node('Round', [`${to}d`], [`${to}r`]),
        node('Clip', [`${to}r`, 'nought', 'six'], [`${to}c`]),
        node('Mul', [`${to}c`, 'scale'], [to]),
      ],
      'in floats, bounded first': (from, to) => [
        node('Mul', [from, 'three'], [`${to}d`]),
        node('Clip', [`${to}d`, 'nought', 'six'], [`${to}c`]),
        node('Round', [`${to}c`], [`${to}r`]),
        node('Div', [`${to}r`, 'three'], [to]),
      ],
    },
    ends: LAYERS,
  },
};

const PLACES = ['graph', 'If', 'function'] as const;

/** The parts of a model that has nodes from x to y, with a second input `any`, in one of the places. */
function placed(place: (typeof PLACES)[number], nodes: onnx.INodeProto[]): ModelParts {
  const shared = {
    inputs: [value('x', F32, ['N', 4]), value('any', F32, [1])],
    outputs: [value('y', F32)],
    opset: 17,
  };
  if (place === 'graph') return { ...shared, nodes, initializers: CONSTANTS };
  if (place === 'If') {
    const branch = [...nodes.slice(0, -1), { ...nodes.at(-1), output: ['out'] }];
    const cond = { ...raw('cond', 9, [1]) };
    return {
      ...shared,
      nodes: [ifNode('y', 'out', branch, [node('Neg', ['x'], ['out'])])],
      initializers: [...CONSTANTS, cond],
    };
  }
  const inside = CONSTANTS.map((tensor) => node('Constant', [], [tensor.name ?? ''], { value: { tensor } }));
  const local: onnx.IFunctionProto = {
    ...{ name: 'F', domain: 'local', input: ['x', 'any'], output: ['y'], node: [...inside, ...nodes] },
    opsetImport: [
      { domain: '', version: 17 },
      { domain: 'local', version: 1 },
    ],
  };
  return {
    ...shared,
    nodes: [node('F', ['x', 'any'], ['y'], {}, { domain: 'local' })],
    functions: [local],
    domains: { local: 1 },
  };
}

function chain(parts: readonly Part[]): onnx.INodeProto[] {
  const nodes = [node('Relu', ['x'], ['r'])];
  parts.forEach((part, at) => {
    nodes.push(...part(at === 0 ? 'r' : `v${at}`, at === parts.length - 1 ? 'y' : `v${at + 1}`));
  });
  return nodes;
}

const outcome = async (parts: ModelParts) => {
  const { report } = await swap(model(parts));
  return { sites: report.sites.map(({ output }) => output), skipped: report.skipped };
};
const pick = (parts: Record<string, Part>) => fc.constantFrom(...Object.entries(parts));

describe.each(Object.entries(CASES))('%s', (_, { reason, keeps, decides, ends }) => {
  const between = fc.array(pick(keeps), { maxLength: 4 });
  // A bound makes a clamp, whatever comes after it.
  const unbounded = between.filter((steps) => steps.every(([name]) => !name.endsWith('6')));
  const decider = pick(decides);

  test('are found behind whatever keeps them', async () => {
    await fc.assert(
      fc.asyncProperty(between, decider, fc.constantFrom(...PLACES), async (steps, last, place) => {
        const nodes = chain([...steps, last].map(([, part]) => part));
        const { sites, skipped } = await outcome(placed(place, nodes));
        expect(sites).toEqual([]);
        expect(skipped).toMatchObject([{ output: 'r', reason }]);
        // The node that decided is named.
        expect(skipped[0]?.decidedBy).toBeDefined();
        expect(skipped[0]?.why).toContain(skipped[0]?.decidedBy?.split(': ').at(-1));
      }),
      { seed: 14, numRuns: casesOf(100) },
    );
  });

  test('end at the next layer, and at what makes the sign no matter', async () => {
    await fc.assert(
      fc.asyncProperty(
        ...([unbounded, pick(ends), between, decider, fc.constantFrom(...PLACES)] as const),
        async (before, end, after, last, place) => {
          const has = (parts: Record<string, Part>) => before.some(([name]) => name in parts);
          // That is a guard; it has a test of its own.
          fc.pre(!(has(EPSILON) && end[0] in MAGNITUDES));
          // The sum of many elements below 0 has no bound, so that its Exp may be 0.
          fc.pre(!(has(SUMS) && end[0] === 'Exp'));
          const nodes = chain([...before, end, ...after, last].map(([, part]) => part));
          expect(await outcome(placed(place, nodes))).toMatchObject({ sites: ['r'], skipped: [] });
        },
      ),
      { seed: 15, numRuns: casesOf(100) },
    );
  });
});

describe('an epsilon keeps a magnitude behind it from 0, which Mish less than 0 does not', () => {
  const { decides = {} } = CASES.guards ?? {};
  const divisions = ['Div', 'Reciprocal', 'Pow of a negative', 'Log'];
  const cases = Object.keys(MAGNITUDES).flatMap((magnitude) =>
    divisions.map((name) => [magnitude, name] as const),
  );
  test.each(cases)('%s, %s', async (magnitude, name) => {
    const parts = [EPSILON['Add of an epsilon'], MAGNITUDES[magnitude], decides[name]];
    const nodes = chain(parts.flatMap((part) => part ?? []));
    expect(await outcome(placed('graph', nodes))).toMatchObject({
      sites: [],
      skipped: [{ output: 'r', reason: 'guard' }],
    });
  });
});

test('what guards would break: swapped all the same, the outputs are NaN, infinite or of another sign', async () => {
  const { keeps, decides } = CASES.guards ?? { keeps: {}, decides: {} };
  await fc.assert(
    fc.asyncProperty(fc.array(pick(keeps), { maxLength: 3 }), pick(decides), async (steps, last) => {
      const nodes = chain([...steps, last].map(([, part]) => part));
      const bytes = model(placed('graph', nodes));
      const plan: Plan = {
        schema: 'onnx-mish/plan@1',
        form: 'softplus',
        beta: 1,
        ...{ sites: [{ scope: 'graph', output: 'r' }], skipped: [] },
      };
      const { output } = await swap(bytes, { plan });
      const feeds = { x: f32([-1, -1, -1, -1], [1, 4]), any: f32([0.7], [1]) };
      const [before, after] = [await run(bytes, feeds), await run(await output.bytes(), feeds)];
      const [was, is] = [before.y?.[0] ?? 0, after.y?.[0] ?? 0];
      expect(was).not.toBeNaN();
      const [name] = last;
      if (name === 'Pow of a negative') expect(Number(is)).not.toBeCloseTo(Number(was), 3);
      else expect(Number.isNaN(is) || Number(is) < 0).toBe(true);
    }),
    { seed: 16, numRuns: casesOf(40) },
  );
});

describe('looked at one by one', () => {
  const initializers = CONSTANTS;
  const inputs = [value('x', F32, ['N', 4]), value('any', F32, [1])];
  const reasons = async (...nodes: onnx.INodeProto[]) => {
    const { skipped } = await outcome({
      nodes: [node('Relu', ['x'], ['r']), ...nodes],
      initializers,
      inputs,
    });
    return skipped.map(({ output, reason }) => `${output} ${reason}`);
  };
  const reduce = (opType: string, from: string, to: string) => node(opType, [from], [to], { keepdims: 1 });

  test.each<[string, onnx.INodeProto[]]>([
    ['squared ReLU by Pow', [node('Pow', ['r', 'two'], ['y'])]],
    ['squared ReLU by Mul', [node('Mul', ['r', 'r'], ['y'])]],
    [
      'L2 normalisation',
      [reduce('ReduceL2', 'r', 'n'), node('Clip', ['n', 'tiny'], ['c']), node('Div', ['r', 'c'], ['y'])],
    ],
    [
      'L2 normalisation by a square root',
      [
        ...[node('Pow', ['r', 'two'], ['s']), reduce('ReduceSum', 's', 't'), node('Sqrt', ['t'], ['n'])],
        ...[node('Max', ['n', 'tiny'], ['c']), node('Div', ['r', 'c'], ['y'])],
      ],
    ],
    [
      'generalised-mean pooling',
      [
        ...[node('Clip', ['r', 'tiny'], ['c']), node('Pow', ['c', 'three'], ['p'])],
        ...[
          reduce('ReduceMean', 'p', 'm'),
          node('Div', ['one', 'three'], ['q']),
          node('Pow', ['m', 'q'], ['y']),
        ],
      ],
    ],
    [
      'a LayerNorm written out',
      [
        ...[reduce('ReduceMean', 'r', 'm'), node('Sub', ['r', 'm'], ['d']), node('Pow', ['d', 'two'], ['s'])],
        ...[reduce('ReduceMean', 's', 'v'), node('Add', ['v', 'tiny'], ['e']), node('Sqrt', ['e'], ['q'])],
        ...[
          node('Div', ['d', 'q'], ['n']),
          node('Mul', ['n', 'gains'], ['g']),
          node('Add', ['g', 'bias'], ['y']),
        ],
      ],
    ],
    ['log(1 + ReLU)', [node('Add', ['one', 'r'], ['a']), node('Log', ['a'], ['y'])]],
    ['ReLU over a constant', [node('Div', ['r', 'three'], ['y'])]],
    ['squeeze and excitation', [node('Sigmoid', ['any'], ['g']), node('Mul', ['r', 'g'], ['y'])]],
    ['a bound that float16 needs', [node('Min', ['r', 'large'], ['y'])]],
    [
      'concatenated ReLU',
      [node('Neg', ['x'], ['n']), node('Relu', ['n'], ['s']), node('Concat', ['r', 's'], ['y'], { axis: 1 })],
    ],
  ])('%s is swapped', async (_, nodes) => {
    const parts = { nodes: [node('Relu', ['x'], ['r']), ...nodes], inputs };
    const { skipped } = await outcome({
      ...parts,
      initializers: [...initializers, floats('large', [], [65_000])],
    });
    expect(skipped).toEqual([]);
  });

  test.each<[string, string[], onnx.INodeProto[]]>([
    [
      'generalised-mean pooling without a floor',
      ['r guard'],
      [node('Pow', ['r', 'three'], ['p']), reduce('ReduceMean', 'p', 'm'), node('Pow', ['m', 'half'], ['y'])],
    ],
    [
      'L1 normalisation by a sum',
      ['r guard'],
      [reduce('ReduceSum', 'r', 's'), node('Div', ['r', 's'], ['y'])],
    ],
    [
      'log(0.1 + 2 ReLU)',
      ['r guard'],
      [node('Mul', ['r', 'two'], ['m']), node('Add', ['m', 'tiny'], ['a']), node('Log', ['a'], ['y'])],
    ],
    ['acosh(1 + ReLU)', ['r guard'], [node('Add', ['one', 'r'], ['a']), node('Acosh', ['a'], ['y'])]],
    [
      'a root of a sum of two',
      ['r guard', 's guard'],
      [node('Relu', ['any'], ['s']), node('Add', ['r', 's'], ['a']), node('Sqrt', ['a'], ['y'])],
    ],
    [
      'a root of a product of its halves',
      ['r guard'],
      [
        node('Split', ['r'], ['a', 'b'], { axis: 1 }),
        ...[node('Mul', ['a', 'b'], ['m']), node('Sqrt', ['m'], ['y'])],
      ],
    ],
    [
      'a divisor of linear attention',
      ['r guard', 's guard'],
      [
        ...[node('Relu', ['any'], ['s']), node('MatMul', ['r', 's'], ['m']), reduce('ReduceSum', 'm', 't')],
        ...[node('Add', ['t', 'tiny'], ['e']), node('Div', ['m', 'e'], ['y'])],
      ],
    ],
    [
      'a scale for no negative values, behind a gate',
      ['r quantized'],
      [
        ...[node('Sigmoid', ['any'], ['g']), node('Mul', ['r', 'g'], ['m'])],
        node('QuantizeLinear', ['m', 'scale', 'zero8'], ['y']),
      ],
    ],
    [
      'a scale for no negative values, behind weights',
      ['r quantized'],
      [node('Mul', ['r', 'gains'], ['m']), node('QuantizeLinear', ['m', 'scale', 'least8'], ['y'])],
    ],
    [
      'a bound on what goes in',
      ['q clamp'],
      [node('Min', ['one', 'x'], ['m']), node('Mul', ['m', 'two'], ['n']), node('Relu', ['n'], ['q'])],
    ],
    [
      'a Clip of what goes in',
      ['q clamp'],
      [node('Clip', ['x', '', 'one'], ['m']), node('Relu', ['m'], ['q'])],
    ],
    [
      'ReLU6 by two of them',
      ['q clamp', 'p clamp'],
      [
        ...[node('Relu', ['any'], ['q']), node('Sub', ['six', 'q'], ['s'])],
        node('Relu', ['s'], ['p']),
        node('Sub', ['six', 'p'], ['y']),
      ],
    ],
  ])('%s stays', async (_, expected, nodes) => {
    expect(await reasons(...nodes)).toEqual(expected);
  });

  test.each([
    ['qonnx.custom_op.general', 'Quant'],
    ['qonnx.custom_op.general', 'BipolarQuant'],
    ['qonnx.custom_op.general', 'Trunc'],
    ['finn.custom_op.general', 'MultiThreshold'],
    ['onnx.brevitas', 'Quant'],
    ['org.pytorch.aten', 'fake_quantize_per_tensor_affine'],
    ['org.openvinotoolkit', 'FakeQuantize'],
    ['com.microsoft', 'QuantizeLinear'],
  ])('behind an average, %s.%s has a scale', async (domain, opType) => {
    const quantizer = node(opType, ['m', 'scale', 'nought', 'bits'], ['y'], { signed: 0 }, { domain });
    expect(await reasons(reduce('ReduceMean', 'r', 'm'), quantizer)).toEqual(['r quantized']);
  });

  test.each([
    ['com.microsoft', 'DynamicQuantizeMatMul'],
    ['com.microsoft', 'QuickGelu'],
    ['com.example', 'Trunc'],
    ['com.microsoft', 'DequantizeLinear'],
  ])('%s.%s has none', async (domain, opType) => {
    expect(await reasons(node(opType, ['r', 'scale'], ['y'], {}, { domain }))).toEqual([]);
  });
});

describe('what is swapped in spite of a doubt says so', () => {
  const inputs = [value('x', F32, ['N', 4]), value('any', F32, ['N', 4])];
  const initializers = CONSTANTS;
  const relu = node('Relu', ['x'], ['r'], {}, { name: 'act' });
  const doubts = async (...nodes: onnx.INodeProto[]) => {
    const { report } = await swap(model({ nodes: [relu, ...nodes], initializers, inputs }));
    return report.sites.map(({ output, doubt }) => [output, doubt]);
  };
  test.each<[string, RegExp | undefined, onnx.INodeProto[]]>([
    ['a square', /negative values are lost in a square \(Pow → y\)/, [node('Pow', ['r', 'two'], ['y'])]],
    ['a square of its own', /lost in a square \(Mul → y\)/, [node('Mul', ['r', 'r'], ['y'])]],
    ['a floor', /lost in a bound \(Clip → c\)/, [node('Clip', ['r', 'tiny'], ['c'])]],
    [
      'a root of what is joined with others',
      /operand of Sqrt from being negative, perhaps \(Sqrt → y\)/,
      [node('Add', ['r', 'any'], ['a']), node('Sqrt', ['a'], ['y'])],
    ],
    [
      'a scale of what is joined with others',
      /joined with others, it feeds QuantizeLinear.*\(QuantizeLinear → y\)/,
      [node('Add', ['r', 'any'], ['a']), node('QuantizeLinear', ['a', 'scale', 'middle8'], ['y'])],
    ],
    ['nothing, at a layer', undefined, [node('MatMul', ['r', 'w'], ['m']), node('Sqrt', ['m'], ['y'])]],
    [
      'nothing, at a norm',
      undefined,
      [
        ...[node('ReduceL2', ['r'], ['n'], { keepdims: 1 }), node('Max', ['n', 'tiny'], ['c'])],
        node('Div', ['r', 'c'], ['y']),
      ],
    ],
  ])('%s', async (_, doubt, nodes) => {
    const matching = doubt === undefined ? undefined : expect.stringMatching(doubt);
    expect(await doubts(...nodes)).toEqual([['r', matching]]);
  });

  test('a whole name in --include swaps what a reason speaks against, a pattern does not', async () => {
    const bytes = model({ nodes: [relu, node('Sqrt', ['r'], ['y'])], inputs });
    const swapped = async (...include: string[]) => (await swap(bytes, { include })).report;
    for (const name of ['act', 'r']) {
      expect(await swapped(name)).toMatchObject({
        sites: [
          {
            output: 'r',
            doubt: 'swapped on request, although it keeps the operand of Sqrt from being negative (Sqrt → y)',
          },
        ],
        skipped: [],
      });
    }
    for (const names of [['ac*'], ['?'], ['*', 'other']])
      expect(await swapped(...names)).toMatchObject({ sites: [], skipped: [{ reason: 'guard' }] });
    expect(await swapped('*', 'act')).toMatchObject({ sites: [{ output: 'r' }] });
  });

  test('but not integers', async () => {
    const integers = model({ nodes: [relu], inputs: [value('x', 6, [4])] });
    const { report } = await swap(integers, { include: ['act'] });
    expect(report).toMatchObject({ sites: [], skipped: [{ reason: 'integer' }] });
  });

  test('a plan that moves a skipped site to its sites has the reason as the doubt', async () => {
    const bytes = model({ nodes: [relu, node('Sign', ['r'], ['y'])], inputs });
    const sites = [{ scope: 'graph', output: 'r' }];
    const plan: Plan = { schema: 'onnx-mish/plan@1', form: 'softplus', beta: 1, sites, skipped: [] };
    const { report } = await swap(bytes, { plan });
    expect(report.sites).toMatchObject([
      { doubt: expect.stringMatching(/although it decides a mask \(Sign/) },
    ]);
  });
});
