import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { OnnxMishError } from '../../src/base/error.js';
import { foldSharpness } from '../../src/mish/fold.js';
import type { FormName } from '../../src/mish/forms.js';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import type { Plan } from '../../src/mish/plan.js';
import { floatValues, toHalf } from '../../src/onnx/scalar.js';
import { graph } from '../support/bodies.js';
import { difference, folded, IMAGE, noise, tensors } from '../support/fold.js';
import { decode, nodesOf, ops, swapped } from '../support/graph.js';
import { casesOf } from '../support/heavy.js';
import { floats, ints, type ModelParts, model, node, value } from '../support/model.js';
import { constant } from '../support/patterns.js';
import { f32 } from '../support/run.js';

/** A tensor of such numbers. */
function weights(name: string, dims: readonly number[], seed = dims.length): onnx.ITensorProto {
  const count = dims.reduce((product, dim) => product * dim, 1);
  return floats(name, dims, noise(count, seed + name.length));
}

const feature = (name: string) => value(name, 1, [1, 4, 8, 8]);
const why = (fold: { readonly kept: readonly { readonly why: string }[] }) =>
  fold.kept.map((kept) => kept.why);

const conv = (x: string, y: string, w: string, b?: string) =>
  node('Conv', [x, w, ...(b === undefined ? [] : [b])], [y], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
const pair = (between: readonly onnx.INodeProto[], act = 'a', out = 'm') => [
  conv('x', act, 'w1', 'b1'),
  node('Relu', [act], [`${act}r`], {}, { name: 'act' }),
  ...between,
  conv(out, 'y', 'w2', 'b2'),
];
const TWO = [
  weights('w1', [4, 4, 3, 3]),
  weights('b1', [4]),
  weights('w2', [4, 4, 3, 3], 7),
  weights('b2', [4], 3),
];
const net = (parts: Partial<ModelParts>) =>
  model({ inputs: [feature('x')], outputs: [feature('y')], initializers: TWO, nodes: [], ...parts });

describe('between two convolutions', () => {
  const forms: FormName[] = ['softplus', 'exp', 'native'];
  const source = net({ nodes: pair([], 'a', 'ar') });

  test.each(forms.flatMap((form) => [2, 4, 0.5, 3, 1.7].map((beta) => ({ form, beta }))))(
    '$form, β = $beta: the weights have it, and the Mish has none',
    async ({ form, beta }) => {
      const { bytes, fold, report } = await folded(source, { form, beta });
      expect(fold).toMatchObject({
        folded: [{ scope: 'graph', label: 'act', output: 'ar', beta }],
        kept: [],
      });
      expect(fold.weights).toBe(3);
      expect(report.sites).toMatchObject([{ beta }]);
      expect(ops(bytes)).toEqual(ops((await swapped(source, { form })).bytes));
      const { mish, history } = await inspect(bytes);
      expect(mish).toMatchObject([{ form, beta: 1 }]);
      expect(history).toMatchObject([{ operation: 'swap', beta, sites: 1, folded: 1 }]);
      const [before, after] = [tensors(source), tensors(bytes)];
      const held = Math.fround(beta);
      const times = (name: string, factor: number) =>
        floatValues(before.get(name)?.map((one) => one * factor) ?? [], 'f32');
      expect(after.get('w1')).toEqual(times('w1', held));
      expect(after.get('b1')).toEqual(times('b1', held));
      expect(after.get('w2')).toEqual(times('w2', 1 / held));
      expect(after.get('b2')).toEqual(before.get('b2'));
    },
  );

  test('β = 1: nothing to fold, and nothing folded', async () => {
    const { bytes, report } = await swapped(source, { fold: true });
    expect(report.fold).toEqual({ folded: [], kept: [], weights: 0 });
    expect(bytes).toEqual((await swapped(source)).bytes);
  });

  test('the record for undo holds the old weights, and the note says what that costs', async () => {
    const { bytes, report } = await swapped(source, { beta: 4, fold: true });
    const bare = await swapped(source, { beta: 4, fold: true, undo: false });
    const changed = 4 * (4 * 4 * 9 * 2 + 4);
    expect(bytes.length - bare.bytes.length).toBeGreaterThan((4 / 3) * changed);
    expect(report.notes.at(-1)).toMatch(/undo keeps the old weights, about 1,\d{3} bytes$/);
    expect(report.noteOptions).toEqual({ [report.notes.at(-1) ?? '']: { undo: false } });
    expect(bare.report.notes.join()).not.toContain('undo');
    await expect(undo(bare.bytes)).rejects.toMatchObject({ code: 'cannot-undo' });
    expect(decode(bare.bytes).graph).toEqual(decode(bytes).graph);
  });

  test('foldSharpness folds the Mish of a swapped model', async () => {
    for (const form of forms) {
      const sharp = await swapped(source, { form, beta: 4 });
      const { output, report } = await foldSharpness(sharp.bytes);
      const bytes = await output.bytes();
      expect(report).toMatchObject({ folded: [{ output: 'ar', beta: 4 }], kept: [], weights: 3 });
      const straight = await swapped(source, { form, beta: 4, fold: true });
      expect(ops(bytes)).toEqual(ops(straight.bytes));
      expect(tensors(bytes)).toEqual(tensors(straight.bytes));
      expect((await inspect(bytes)).history).toMatchObject([
        {},
        { operation: 'fold', form, beta: 4, sites: 1 },
      ]);
      expect(await (await undo(bytes)).bytes()).toEqual(sharp.bytes);
      const again = await foldSharpness(bytes);
      expect(await again.output.bytes()).toEqual(bytes);
    }
  });
});

test('mixtures are folded as well', async () => {
  const source = net({
    nodes: [
      conv('x', 'a', 'w1', 'b1'),
      node('LeakyRelu', ['a'], ['r'], { alpha: { f: 0.2 } }),
      conv('r', 'y', 'w2'),
    ],
  });
  for (const form of ['softplus', 'exp', 'native'] as const) {
    for (const beta of [4, 3]) {
      const { bytes, fold } = await folded(source, { form, beta, leaky: 'mixture' });
      expect(fold.folded).toHaveLength(1);
      expect((await inspect(bytes)).mish).toMatchObject([{ beta: 1, leak: Math.fround(0.2) }]);
    }
  }
});

test('in a chain the weights between two sites keep their values, but not the biases', async () => {
  const source = net({
    nodes: [
      conv('x', 'a', 'w1', 'b1'),
      node('Relu', ['a'], ['r']),
      conv('r', 'b', 'w2', 'b2'),
      node('Relu', ['b'], ['s']),
      conv('s', 'y', 'w3'),
    ],
    initializers: [...TWO, weights('w3', [4, 4, 3, 3], 5)],
  });
  const { bytes, fold } = await folded(source, { beta: 4 });
  expect(fold.folded).toHaveLength(2);
  const [before, after] = [tensors(source), tensors(bytes)];
  const changed = [...before].filter(([name, data]) => String(data) !== String(after.get(name)));
  expect(changed.map(([name]) => name)).toEqual(['w1', 'b1', 'b2', 'w3']);

  // With a sharpness each, the weights between take the quotient.
  const site = (output: string, beta: number) => ({ scope: 'graph', output, beta });
  const plan: Plan = {
    schema: 'onnx-mish/plan@1',
    form: 'exp',
    beta: 1,
    skipped: [],
    sites: [site('r', 8), site('s', 2)],
  };
  const mixed = await swapped(source, { plan, fold: true });
  expect(await difference((await swapped(source, { plan })).bytes, mixed.bytes, IMAGE)).toBe(0);
  expect(tensors(mixed.bytes).get('w2')).toEqual(before.get('w2')?.map((one) => one / 4));
});

describe('what a scale passes through', () => {
  const cases: Record<string, onnx.INodeProto[]> = {
    MaxPool: [node('MaxPool', ['ar'], ['m'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })],
    AveragePool: [node('AveragePool', ['ar'], ['m'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })],
    GlobalAveragePool: [node('GlobalAveragePool', ['ar'], ['g']), node('Expand', ['g', 'shape'], ['m'])],
    Dropout: [node('Dropout', ['ar'], ['m'])],
    'another Relu': [node('LeakyRelu', ['ar'], ['m'], { alpha: { f: 0.1 } })],
    'Transpose and Reshape': [
      node('Transpose', ['ar'], ['t'], { perm: [0, 1, 3, 2] }),
      node('Reshape', ['t', 'shape'], ['m']),
    ],
    'a shape read from it': [node('Shape', ['ar'], ['s']), node('Reshape', ['ar', 's'], ['m'])],
    'zeros around it, and a Slice': [
      node('Pad', ['ar', 'pads'], ['p']),
      node('Slice', ['p', 'starts', 'ends', 'axes'], ['m']),
    ],
    'a constant added': [node('Add', ['ar', 'offset'], ['m'])],
    'a bound': [node('Min', ['offset', 'ar'], ['m'])],
    'batch normalization': [
      node('BatchNormalization', ['ar', 'scale', 'shift', 'mean', 'var'], ['m'], { epsilon: { f: 1e-3 } }),
    ],
    'a factor': [node('Mul', ['ar', 'offset'], ['m'])],
    Resize: [node('Resize', ['ar', '', '', 'shape'], ['m'], { mode: 'nearest' })],
  };
  const more = [
    ints('shape', [4], [1, 4, 8, 8]),
    ints('pads', [8], [0, 0, 1, 1, 0, 0, 1, 1]),
    ints('starts', [2], [1, 1]),
    ints('ends', [2], [9, 9]),
    ints('axes', [2], [2, 3]),
    weights('offset', [4, 1, 1]),
    weights('scale', [4], 1),
    weights('shift', [4], 2),
    weights('mean', [4], 3),
    floats('var', [4], [0.5, 1, 2, 3]),
  ];
  test.each(Object.entries(cases))('after the site: %s', async (_, between) => {
    const source = net({ nodes: pair(between), initializers: [...TWO, ...more] });
    for (const beta of [4, 3]) {
      // By its name, as with a bound it is half of a clamp.
      const { fold } = await folded(source, { beta, only: ['relu'], include: ['ar'] });
      expect(why(fold)).toEqual([]);
      expect(fold.folded).toHaveLength(1);
    }
  });

  test.each(Object.entries(cases).filter(([name]) => !name.startsWith('a shape')))(
    'before the site: %s',
    async (_, between) => {
      const nodes = [
        conv('x', 'ar', 'w1', 'b1'),
        ...between,
        node('Relu', ['m'], ['r'], {}, { name: 'act' }),
        conv('r', 'y', 'w2', 'b2'),
      ];
      const source = net({ nodes, initializers: [...TWO, ...more] });
      for (const beta of [4, 3]) {
        const { fold } = await folded(source, { beta, only: ['relu'], include: ['act'] });
        expect(why(fold)).toEqual([]);
        expect(fold.folded).toHaveLength(1);
      }
    },
  );

  test('MatMul and its Add, Gemm with its factors, on either side of the data', async () => {
    const source = model({
      inputs: [value('x', 1, [3, 4])],
      outputs: [value('y', 1, [3, 5]), value('z', 1, [2, 4])],
      nodes: [
        node('MatMul', ['x', 'w1'], ['p']),
        node('Add', ['b1', 'p'], ['a']),
        node('Relu', ['a'], ['r']),
        node('Gemm', ['r', 'w2', 'c'], ['b'], { alpha: { f: 0.5 }, beta: { f: 3 }, transB: 1 }),
        node('Relu', ['b'], ['s']),
        node('MatMul', ['s', 'w3'], ['y']),
        node('MatMul', ['v', 'x'], ['q']),
        node('Relu', ['q'], ['t']),
        node('Gemm', ['u', 't'], ['z']),
      ],
      initializers: [
        weights('w1', [4, 4]),
        weights('b1', [4]),
        weights('w2', [6, 4]),
        weights('c', [1, 6]),
        weights('w3', [6, 5]),
        weights('v', [2, 3]),
        weights('u', [2, 2]),
      ],
    });
    for (const beta of [8, 1.3]) {
      const { fold } = await folded(source, { beta, form: 'exp' }, { x: f32(noise(12), [3, 4]) });
      expect(why(fold)).toEqual([]);
      expect(fold.folded).toHaveLength(3);
    }
  });

  test('ConvTranspose, groups, weights in Constant nodes', async () => {
    const tensor = weights('', [4, 1, 3, 3], 2);
    const source = net({
      nodes: [
        node('ConvTranspose', ['x', 'w1', 'b1'], ['a'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
        node('Relu', ['a'], ['r']),
        node('Constant', [], ['w'], { value: { tensor } }),
        node('Conv', ['r', 'w'], ['y'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], group: 4 }),
      ],
    });
    expect((await folded(source, { beta: 4 })).fold.folded).toHaveLength(1);
    expect((await folded(source, { beta: 5 })).fold.weights).toBe(3);
  });

  test('several readers, each with weights', async () => {
    const source = net({
      nodes: [
        conv('x', 'a', 'w1'),
        node('Relu', ['a'], ['r']),
        conv('r', 'y', 'w2'),
        node('MaxPool', ['r'], ['p'], { kernel_shape: [2, 2] }),
        conv('p', 'z', 'w3'),
      ],
      outputs: [feature('y'), value('z', 1, [1, 4, 7, 7])],
      initializers: [...TWO, weights('w3', [4, 4, 3, 3])],
    });
    expect((await folded(source, { beta: 4 })).fold).toMatchObject({ folded: [{}], weights: 3 });
  });

  test('weights with two readers that need the same factor', async () => {
    const parts = (other: onnx.INodeProto) => ({
      nodes: [
        conv('x', 'a', 'w1', 'b1'),
        node('Relu', ['a'], ['r']),
        node('Max', ['r', 'floor'], ['m']),
        conv('m', 'b', 'w2', 'b2'),
        node('Relu', ['b'], ['s']),
        other,
        conv('n', 'y', 'w3'),
      ],
      initializers: [...TWO, weights('w3', [4, 4, 3, 3]), floats('floor', [], [0.25])],
    });
    // By their names, as with a floor they are arithmetic.
    const options = { beta: 4, include: ['r', 's'] };
    const both = await folded(net(parts(node('Max', ['s', 'floor'], ['n']))), options);
    expect(both.fold.folded).toHaveLength(2);
    expect(tensors(both.bytes).get('floor')).toEqual([1]);
    const other = await folded(net(parts(node('Div', ['s', 'floor'], ['n']))), options);
    expect(other.fold.folded).toEqual([]);
    expect(why(other.fold)).toContainEqual(expect.stringContaining("other nodes read 'floor'"));
  });
});

describe('the reason why a site is not folded', () => {
  const body = graph('b', [node('Identity', ['ar'], ['i'])], [], [feature('i')]);
  const cases: [string, RegExp, Partial<ModelParts>][] = [
    ['an output', /reaches an output of the model, 'ar'/, { outputs: [feature('y'), feature('ar')] }],
    [
      'another reader of the input',
      /'a' before it has other readers/,
      { outputs: [feature('y'), feature('a')] },
    ],
    ['an input', /it follows 'x', an input/, { nodes: [node('Relu', ['x'], ['ar']), conv('ar', 'y', 'w2')] }],
    [
      'a Sigmoid before it',
      /^it follows Sigmoid → a$/,
      { nodes: [conv('x', 's', 'w1'), node('Sigmoid', ['s'], ['a']), ...pair([], 'a', 'ar').slice(1)] },
    ],
    ['Sigmoid', /reaches Sigmoid → m/, { nodes: pair([node('Sigmoid', ['ar'], ['m'])]) }],
    [
      'a residual',
      /reaches Add 'sum'/,
      { nodes: pair([node('Add', ['ar', 'x'], ['m'], {}, { name: 'sum' })]) },
    ],
    [
      'Concat',
      /reaches Concat/,
      {
        nodes: pair([
          node('Concat', ['ar', 'x'], ['c'], { axis: 1 }),
          node('Slice', ['c', 's', 'e', 'k'], ['m']),
        ]),
        initializers: [...TWO, ints('s', [1], [0]), ints('e', [1], [4]), ints('k', [1], [1])],
      },
    ],
    [
      'a padding that is not 0',
      /reaches Pad/,
      {
        nodes: pair([
          constant('one', 1),
          node('Pad', ['ar', 'pads', 'one'], ['p']),
          node('MaxPool', ['p'], ['m'], { kernel_shape: [3, 3] }),
        ]),
        initializers: [...TWO, ints('pads', [8], [0, 0, 1, 1, 0, 0, 1, 1])],
      },
    ],
    [
      'the next site',
      /reaches Relu → m, an activation, with no weights/,
      { nodes: pair([node('Relu', ['ar'], ['m'])]) },
    ],
    [
      'weights that are made',
      /whose 'w' is not constant/,
      { nodes: pair([node('Neg', ['w2'], ['w']), conv('ar', 'm', 'w')]) },
    ],
    [
      'weights that are an input as well',
      /'w2' is an input of the model as well/,
      {
        nodes: pair([], 'a', 'ar'),
        inputs: [feature('x'), value('w2', 1, [4, 4, 3, 3])],
      },
    ],
    [
      'the same from IR 4 on',
      /'w2' is an input of the model as well/,
      { nodes: pair([], 'a', 'ar'), inputs: [feature('x'), value('w2', 1, [4, 4, 3, 3])], ir: 4, opset: 9 },
    ],
    ['weights that others read', /other nodes read 'w1'/, { nodes: pair([conv('ar', 'm', 'w1')]) }],
    [
      'a body that reads it',
      /reaches Identity → i, in graph/,
      {
        nodes: [
          ...pair([], 'a', 'ar').slice(0, -1),
          constant('no', 0),
          node('Cast', ['no'], ['cond'], { to: 9 }),
          node('If', ['cond'], ['m'], {
            then_branch: body,
            else_branch: body,
          }),
          conv('m', 'y', 'w2'),
        ],
      },
    ],
  ];
  test.each(cases)('%s', async (_, says, parts) => {
    const source = net({ nodes: pair([], 'a', 'ar'), ...parts });
    const { fold, bytes, plain } = await folded(source, { beta: 4 });
    expect(fold.kept.length).toBeGreaterThan(0);
    expect(why(fold)).toContainEqual(expect.stringMatching(says));
    if (fold.folded.length === 0) expect(bytes).toEqual(plain.bytes);
  });

  test('an existing Mish and its constants stay', async () => {
    const source = net({
      nodes: [
        conv('x', 'a', 'w1'),
        constant('b', 2),
        constant('c', 0.5),
        node('Mul', ['a', 'b'], ['s']),
        node('Mish', ['s'], ['m']),
        node('Mul', ['m', 'c'], ['n']),
        node('Relu', ['n'], ['r']),
        conv('r', 'y', 'w2'),
      ],
    });
    const { fold } = await folded(source, { beta: 4 });
    expect(why(fold)).toEqual([expect.stringContaining('it follows an activation')]);
    // The first reaches the second; that one, in a model that has both, comes from the first.
    const sharp = await swapped(source, { beta: 4 });
    expect((await foldSharpness(sharp.bytes)).report).toMatchObject({
      folded: [],
      kept: [{ beta: 2 }, { beta: 4 }],
    });
  });

  test('an inner value of a Mish with other readers', async () => {
    const sharp = await swapped(net({ nodes: pair([], 'a', 'ar') }), { beta: 4 });
    const proto = decode(sharp.bytes);
    const tanh = nodesOf(proto.graph).find(({ opType }) => opType === 'Tanh')?.output?.[0] ?? '';
    const source = net({ nodes: nodesOf(proto.graph), outputs: [feature('y'), feature(tanh)] });
    const { output, report } = await foldSharpness(source);
    expect(report.kept).toMatchObject([{ why: `its inner value '${tanh}' has other readers` }]);
    expect(await output.bytes()).toEqual(source);
  });

  test('a site in a body', async () => {
    const inner = graph(
      'b',
      [conv('x', 'a', 'w1'), node('Relu', ['a'], ['r']), conv('r', 'i', 'w2')],
      [],
      [feature('i')],
    );
    const source = net({
      nodes: [
        constant('no', 0),
        node('Cast', ['no'], ['cond'], { to: 9 }),
        node('If', ['cond'], ['y'], {
          then_branch: inner,
          else_branch: inner,
        }),
      ],
    });
    expect(why((await folded(source, { beta: 4 })).fold)).toEqual([
      'it is not in the main graph',
      'it is not in the main graph',
    ]);
  });

  test('a type that cannot hold the scaled weights', async () => {
    const half = (name: string, dims: number[], data: number[]): onnx.ITensorProto => {
      return { name, dataType: 10, dims, rawData: new Uint8Array(Uint16Array.from(data, toHalf).buffer) };
    };
    const at = async (first: number, second: number) => {
      const source = model({
        inputs: [value('x', 10, [1, 2])],
        outputs: [value('y', 10, [1, 2])],
        nodes: [
          node('MatMul', ['x', 'v'], ['a']),
          node('Relu', ['a'], ['r']),
          node('MatMul', ['r', 'w'], ['y']),
        ],
        initializers: [
          half('v', [2, 2], [1, 2, 3, first]),
          half('w', [2, 2], [second, second, second, second]),
        ],
      });
      const result = await swapped(source, { beta: 4, form: 'exp', fold: true });
      return result.report.fold;
    };
    expect(await at(4, 1)).toMatchObject({ folded: [{}], weights: 2 });
    expect(await at(20000, 1)).toMatchObject({
      folded: [],
      kept: [{ why: "f16 cannot hold the weights 'v' times 4" }],
    });
    expect(await at(4, 2 ** -14 * 1.0009765625)).toMatchObject({
      kept: [{ why: "f16 cannot hold the weights 'w' times 0.25" }],
    });
  });

  test('weights in another file, where nobody can open it', async () => {
    const far: onnx.ITensorProto = {
      ...{ name: 'w2', dataType: 1, dims: [4, 4, 3, 3], dataLocation: 1 },
      externalData: [{ key: 'location', value: 'w.bin' }],
    };
    const source = net({
      nodes: pair([], 'a', 'ar'),
      initializers: [...TWO.slice(0, 2), far, weights('b2', [4])],
    });
    const { report } = await swapped(source, { beta: 4, fold: true });
    expect(report.fold).toMatchObject({
      folded: [],
      kept: [{ why: "the data of tensor 'w2' is in another file" }],
      weights: 0,
    });
    const data = new Uint8Array(Float32Array.from(noise(144)).buffer);
    const openData = async () => {
      const read = async (offset: number, length: number) => data.slice(offset, offset + length);
      return { name: 'w.bin', size: data.length, read };
    };
    const opened = await swapped(source, { beta: 4, fold: true, openData });
    expect(opened.report.fold).toMatchObject({ folded: [{}], weights: 3 });
    expect(tensors(opened.bytes).get('w2')).toEqual(noise(144).map((one) => one / 4));
    // What is the matter with the data is a reason; what is the matter with the disk is an error.
    const fails = (error: Error) =>
      swapped(source, { beta: 4, fold: true, openData: () => Promise.reject(error) });
    for (const code of ['malformed', 'external-data'] as const) {
      const { report } = await fails(new OnnxMishError(code, 'it is not as it should be'));
      expect(report.fold).toMatchObject({ folded: [], kept: [{ why: 'it is not as it should be' }] });
    }
    const broken = new OnnxMishError('io', 'the disk is broken');
    await expect(fails(broken)).rejects.toBe(broken);
    await expect(fails(new Error('a bug'))).rejects.toThrow('a bug');
  });
});

test('initializers that IR 3 requires to be inputs are constants', async () => {
  const inputs = [feature('x'), ...TWO.map(({ name, dims }) => value(name ?? '', 1, dims as number[]))];
  const source = net({ nodes: pair([], 'a', 'ar'), inputs, ir: 3, opset: 8 });
  expect((await folded(source, { beta: 4 })).fold.folded).toHaveLength(1);
});

test('random nets: the same function, to the bit where β is a power of two', {
  timeout: 60_000,
}, async () => {
  const linear = fc.constantFrom('conv', 'bare', 'depthwise', 'norm', 'transposed');
  const passing = fc.constantFrom(
    '',
    'MaxPool',
    'AveragePool',
    'Dropout',
    'Abs',
    'Add',
    'Sigmoid',
    'residual',
    'fork',
    'Max',
  );
  const layer = fc.record({
    linear,
    before: passing,
    after: passing,
    act: fc.constantFrom('Relu', 'LeakyRelu', 'Elu'),
  });
  const options = fc.record({
    beta: fc.constantFrom(0.5, 2, 4, 16, 1.5, 3, 10),
    form: fc.constantFrom('softplus' as const, 'exp' as const, 'native' as const),
    leaky: fc.constantFrom('mish' as const, 'mixture' as const),
    only: fc.constantFrom(['relu', 'leakyrelu'], ['relu'], ['relu', 'leakyrelu', 'elu']),
  });
  let [sites, done] = [0, 0];
  await fc.assert(
    fc.asyncProperty(fc.array(layer, { minLength: 1, maxLength: 4 }), options, async (layers, chosen) => {
      const nodes: onnx.INodeProto[] = [];
      const initializers: onnx.ITensorProto[] = [];
      const outputs: onnx.IValueInfoProto[] = [];
      let [at, count] = ['x', 0];
      const fresh = () => `v${++count}`;
      const weight = (dims: number[], offset = 0) => {
        const name = `w${++count}`;
        const data = noise(
          dims.reduce((product, dim) => product * dim, 1),
          count,
        );
        initializers.push(
          floats(
            name,
            dims,
            data.map((one) => (offset + one) / (dims.length > 1 ? 3 : 1)),
          ),
        );
        return name;
      };
      const put = (op: string, inputs: string[], attributes = {}) => {
        const y = fresh();
        nodes.push(node(op, inputs, [y], attributes));
        return y;
      };
      const window = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
      const pass = (kind: string, from: string): string => {
        switch (kind) {
          case '':
            return from;
          case 'MaxPool':
          case 'AveragePool':
            return put(kind, [from], window);
          case 'Add':
          case 'Max':
            return put(kind, [from, weight([4, 1, 1])]);
          case 'residual':
            return put('Add', [from, 'x']);
          case 'fork':
            outputs.push(feature(put('Conv', [from, weight([4, 4, 3, 3])], window)));
            return from;
          default:
            return put(kind, [from]);
        }
      };
      for (const { linear, before, act, after } of layers) {
        if (linear === 'depthwise')
          at = put('Conv', [at, weight([4, 1, 3, 3]), weight([4])], { ...window, group: 4 });
        else if (linear === 'transposed')
          at = put('ConvTranspose', [at, weight([4, 4, 3, 3]), weight([4])], window);
        else
          at = put('Conv', [at, weight([4, 4, 3, 3]), ...(linear === 'bare' ? [] : [weight([4])])], window);
        if (linear === 'norm')
          at = put('BatchNormalization', [at, weight([4]), weight([4]), weight([4]), weight([4], 2)]);
        at = pass(before, at);
        at = put(act, [at]);
        at = pass(after, at);
      }
      const last = put('Conv', [at, weight([4, 4, 3, 3])], window);
      nodes.push(node('Identity', [last], ['y']));
      const source = model({
        inputs: [feature('x')],
        outputs: [feature('y'), ...outputs],
        nodes,
        initializers,
      });
      const { fold, report, bytes, plain } = await folded(source, chosen);
      expect(fold.folded.length + fold.kept.length).toBe(report.sites.length);
      expect(ops(bytes).length).toBeLessThanOrEqual(ops(plain.bytes).length);
      sites += report.sites.length;
      done += fold.folded.length;
    }),
    { numRuns: casesOf(80), seed: 4 },
  );
  // Most of them can be, or the property says nothing.
  expect(sites).toBeGreaterThan(casesOf(80));
  expect(done / sites).toBeGreaterThan(0.3);
});
