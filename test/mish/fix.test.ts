import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { createRandom } from '../../src/base/random.js';
import { fix } from '../../src/mish/fixes.js';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import { retarget } from '../../src/mish/retarget.js';
import { swap } from '../../src/mish/swap.js';
import { textureSize } from '../../src/mish/webgl/texture.js';
import { ifNode } from '../support/bodies.js';
import { decode, ops, swapped } from '../support/graph.js';
import { expectClose, POINTS } from '../support/mish.js';
import { floats, ints, model, node, value } from '../support/model.js';
import { feedsOf, modelOf, randomGraph } from '../support/random-graph.js';
import { f32, OPTIMISERS, run } from '../support/run.js';
import { onCpu } from '../support/webgl-run.js';

// What is written for WebGL is the same function everywhere else; that WebGL then computes it right is shown in a browser
// (test/providers/webgl).

const F32 = 1;
const finite = POINTS.filter(Number.isFinite);
const weights = floats('w', [1, 1, 3, 3], [1, -2, 3, -4, 5, -6, 7, -8, 9]);
const conv = (x: string, y: string) => node('Conv', [x, 'w'], [y], { pads: [1, 1, 1, 1] });
const image = (name: string) => value(name, F32, [1, 1, 'H', 1]);

async function fixed(bytes: Uint8Array) {
  const { output, report } = await fix(bytes);
  return { bytes: await output.bytes(), report };
}

interface Case {
  readonly bytes: Uint8Array;
  readonly dims: readonly number[];
  readonly becomes: readonly string[];
  readonly fixes: readonly string[];
}

const column = [1, 1, finite.length, 1];
const flat = [finite.length];
const imageModel = (
  nodes: onnx.INodeProto[],
  outputs: string[],
  more: Partial<Parameters<typeof model>[0]> = {},
) => model({ nodes, inputs: [image('x')], outputs: outputs.map(image), initializers: [weights], ...more });
const vectorModel = (nodes: onnx.INodeProto[], initializers: onnx.ITensorProto[] = [], opset = 18) =>
  model({
    nodes,
    inputs: [value('x', F32, ['N'])],
    outputs: [{ name: 'y' }],
    initializers,
    opset,
  });

const imageOf = (
  nodes: onnx.INodeProto[],
  dims: number[],
  initializers: onnx.ITensorProto[] = [],
  opset = 18,
) => model({ nodes, inputs: [value('x', F32, dims)], outputs: [{ name: 'y' }], initializers, opset });

const CASES: Readonly<Record<string, Case>> = {
  'Convs of one shape, and activations': {
    bytes: imageModel(
      [conv('x', 'c'), node('Relu', ['c'], ['r']), conv('r', 'd'), node('Sigmoid', ['d'], ['y'])],
      ['y'],
    ),
    dims: column,
    becomes: ['Conv', 'Cast', 'Relu', 'Conv', 'Cast', 'Sigmoid'],
    fixes: ['unfuse r', 'unfuse y'],
  },
  'a Conv whose output is the model’s': {
    bytes: imageModel([conv('x', 'c'), node('Relu', ['c'], ['y'])], ['c', 'y']),
    dims: column,
    becomes: ['Conv', 'Cast', 'Relu'],
    fixes: ['unfuse y'],
  },
  'an Identity whose output is the model’s, before one that is read': {
    bytes: imageModel(
      [
        node('Neg', ['x'], ['h']),
        node('Identity', ['h'], ['y']),
        node('Abs', ['x'], ['z']),
        node('Neg', ['z'], ['u']),
      ],
      ['y', 'z', 'u'],
    ),
    dims: column,
    becomes: ['Neg', 'Cast', 'Abs', 'Neg'],
    fixes: ['keep y'],
  },
  'Reshape before an elementwise operator': {
    bytes: vectorModel(
      [node('Reshape', ['x', 's'], ['r']), node('Exp', ['r'], ['y'])],
      [ints('s', [2], [1, -1])],
    ),
    dims: flat,
    becomes: ['Reshape', 'Constant', 'Mul', 'Exp'],
    fixes: ['copy r'],
  },
  'kernels whose size only the weights say': {
    bytes: imageModel(
      [
        node('Conv', ['x', 'w'], ['y'], { auto_pad: 'SAME_UPPER' }),
        node('Conv', ['x', 'v'], ['z'], { auto_pad: 'SAME_UPPER' }),
      ],
      ['y', 'z'],
      { initializers: [weights, floats('v', [1, 1, 1, 1], [2])] },
    ),
    dims: column,
    becomes: ['Conv', 'Conv'],
    fixes: ['kernel z'],
  },
  'a square and a cube': {
    bytes: vectorModel(
      [node('Pow', ['x', 'two'], ['h']), node('Sqrt', ['h'], ['s']), node('Pow', ['s', 'three'], ['y'])],
      [floats('two', [], [2]), floats('three', [], [3])],
    ),
    dims: flat,
    becomes: ['Mul', 'Sqrt', 'Mul', 'Mul'],
    fixes: ['multiply h', 'multiply y'],
  },
  'a Dropout whose output is the model’s, of a value that others read': {
    bytes: imageModel(
      [node('Neg', ['x'], ['h']), node('Dropout', ['h'], ['y']), node('Abs', ['h'], ['z'])],
      ['y', 'z'],
    ),
    dims: column,
    becomes: ['Neg', 'Cast', 'Abs'],
    fixes: ['keep y'],
  },
  'Gemm without a third input': {
    bytes: model({
      nodes: [node('Gemm', ['x', 'w'], ['y'], { transB: 1 })],
      inputs: [value('x', F32, ['N', 1])],
      outputs: [value('y', F32, ['N', 2])],
      initializers: [floats('w', [2, 1], [1, -2])],
    }),
    dims: [finite.length, 1],
    becomes: ['Constant', 'Gemm'],
    fixes: ['bias y'],
  },
  'Split, of lengths as an input': {
    bytes: model({
      nodes: [node('Split', ['x', 'parts'], ['y', 'z'], { axis: -1 }), node('Neg', ['z'], ['u'])],
      inputs: [value('x', F32, [2, 1, 4])],
      outputs: [value('y', F32, [2, 1, 1]), value('u', F32, [2, 1, 3])],
      initializers: [ints('parts', [2], [1, 3])],
    }),
    dims: [2, 1, 4],
    becomes: [
      'Constant',
      'Constant',
      'Constant',
      'Slice',
      'Constant',
      'Constant',
      'Constant',
      'Slice',
      'Neg',
    ],
    fixes: ['slice y'],
  },
  'Split in equal parts': {
    bytes: model({
      nodes: [node('Split', ['x'], ['y', 'z'], { axis: 2, num_outputs: 2 })],
      inputs: [value('x', F32, [2, 1, 4])],
      outputs: [value('y', F32, [2, 1, 2]), value('z', F32, [2, 1, 2])],
    }),
    dims: [2, 1, 4],
    becomes: ['Constant', 'Constant', 'Constant', 'Slice', 'Constant', 'Constant', 'Constant', 'Slice'],
    fixes: ['slice y'],
  },
  'Resize with sizes': {
    bytes: model({
      nodes: [node('Resize', ['x', '', '', 'sizes'], ['y'], { mode: 'linear' })],
      inputs: [value('x', F32, [1, 1, 2, 2])],
      outputs: [value('y', F32, [1, 1, 4, 4])],
      initializers: [ints('sizes', [4], [1, 1, 4, 4])],
    }),
    dims: [1, 1, 2, 2],
    becomes: ['Constant', 'Constant', 'Resize'],
    fixes: ['empty y'],
  },
  'Resize of an input that others read': {
    bytes: model({
      nodes: [node('Resize', ['x', '', 'scales'], ['y'], { mode: 'linear' }), node('Neg', ['x'], ['z'])],
      inputs: [value('x', F32, [1, 1, 2, 3])],
      outputs: [value('y', F32, [1, 1, 4, 6]), value('z', F32, [1, 1, 2, 3])],
      initializers: [floats('scales', [4], [1, 1, 2, 2])],
    }),
    dims: [1, 1, 2, 3],
    becomes: ['Constant', 'Mul', 'Resize', 'Neg'],
    fixes: ['before y'],
  },
  'InstanceNormalization of rows': {
    bytes: model({
      nodes: [node('InstanceNormalization', ['x', 's', 's'], ['y'])],
      inputs: [value('x', F32, [1, 2, 4])],
      outputs: [value('y', F32, [1, 2, 4])],
      initializers: [floats('s', [2], [1, 2])],
    }),
    dims: [1, 2, 4],
    becomes: ['Constant', 'Unsqueeze', 'InstanceNormalization', 'Squeeze'],
    fixes: ['image y'],
  },
  'InstanceNormalization of rows before opset 13': {
    bytes: model({
      nodes: [node('InstanceNormalization', ['x', 's', 's'], ['y'])],
      inputs: [value('x', F32, [1, 2, 4])],
      outputs: [value('y', F32, [1, 2, 4])],
      initializers: [floats('s', [2], [1, 2])],
      opset: 12,
    }),
    dims: [1, 2, 4],
    becomes: ['Unsqueeze', 'InstanceNormalization', 'Squeeze'],
    fixes: ['image y'],
  },
  'Slice with steps': {
    bytes: imageOf(
      [node('Slice', ['x', 'from', 'to', 'axes', 'steps'], ['y'])],
      [1, 3, 6, 5],
      [
        ints('from', [2], [-1, 1]),
        ints('to', [2], [-9, 5]),
        ints('axes', [2], [-1, 2]),
        ints('steps', [2], [-2, 3]),
      ],
    ),
    dims: [1, 3, 6, 5],
    becomes: ['Constant', 'Gather', 'Constant', 'Gather'],
    fixes: ['gather y'],
  },
  'ReduceMean of images': {
    bytes: imageOf([node('ReduceMean', ['x', 'axes'], ['y'])], [2, 3, 4, 5], [ints('axes', [2], [-1, 2])]),
    dims: [2, 3, 4, 5],
    becomes: ['GlobalAveragePool'],
    fixes: ['reduce y'],
  },
  'ReduceMax of images, without their dimensions': {
    bytes: imageOf(
      [node('ReduceMax', ['x', 'axes'], ['y'], { keepdims: 0 })],
      [2, 3, 4, 5],
      [ints('axes', [2], [2, 3])],
    ),
    dims: [2, 3, 4, 5],
    becomes: ['GlobalMaxPool', 'Constant', 'Squeeze'],
    fixes: ['reduce y'],
  },
  'ReduceSum of both last axes': {
    bytes: imageOf([node('ReduceSum', ['x', 'axes'], ['y'])], [2, 4, 5], [ints('axes', [2], [1, -1])]),
    dims: [2, 4, 5],
    becomes: ['Constant', 'MatMul', 'Constant', 'MatMul'],
    fixes: ['reduce y'],
  },
  'ReduceMean of rows': {
    bytes: imageOf(
      [node('ReduceMean', ['x', 'axes'], ['y'], { keepdims: 0 })],
      [4, 5],
      [ints('axes', [1], [0])],
    ),
    dims: [4, 5],
    becomes: ['Constant', 'MatMul', 'Constant', 'Squeeze'],
    fixes: ['reduce y'],
  },
  'Resize to the nearest': {
    bytes: imageOf(
      [
        node('Resize', ['x', '', 'scales'], ['y'], {
          coordinate_transformation_mode: 'asymmetric',
          nearest_mode: 'floor',
        }),
      ],
      [1, 2, 3, 4],
      [floats('scales', [4], [1, 1, 2, 1.5])],
    ),
    dims: [1, 2, 3, 4],
    becomes: ['Constant', 'Gather', 'Constant', 'Gather'],
    fixes: ['resize y'],
  },
  'Resize with aligned corners': {
    bytes: imageOf(
      [
        node('Resize', ['x', '', '', 'sizes'], ['y'], {
          mode: 'linear',
          coordinate_transformation_mode: 'align_corners',
        }),
      ],
      [1, 2, 3, 4],
      [ints('sizes', [4], [1, 2, 7, 9])],
    ),
    dims: [1, 2, 3, 4],
    becomes: ['Constant', 'MatMul', 'Constant', 'MatMul'],
    fixes: ['resize y'],
  },
  'Upsample of opset 9': {
    bytes: imageOf(
      [node('Upsample', ['x', 'scales'], ['y'], { mode: 'linear' })],
      [1, 2, 3, 4],
      [floats('scales', [4], [1, 1, 2, 3])],
      9,
    ),
    dims: [1, 2, 3, 4],
    becomes: ['Constant', 'MatMul', 'Constant', 'MatMul'],
    fixes: ['resize y'],
  },
  LRN: {
    bytes: imageOf(
      [node('LRN', ['x'], ['y'], { size: 5, alpha: { f: 0.5 }, beta: { f: 0.75 } })],
      [1, 5, 2, 3],
    ),
    dims: [1, 5, 2, 3],
    becomes: ['Constant', 'Pad', 'LRN', 'Constant', 'Constant', 'Constant', 'Slice'],
    fixes: ['pad y'],
  },
  'LRN of opset 7': {
    bytes: imageOf([node('LRN', ['x'], ['y'], { size: 3, alpha: { f: 0.5 } })], [1, 5, 2, 3], [], 7),
    dims: [1, 5, 2, 3],
    becomes: ['Pad', 'LRN', 'Slice'],
    fixes: ['pad y'],
  },
  'Pad that reflects, with a single image': {
    bytes: imageOf(
      [node('Pad', ['x', 'pads'], ['y'], { mode: 'reflect' })],
      [1, 3, 3, 5],
      [ints('pads', [8], [0, 0, 2, 1, 0, 0, 1, 4])],
    ),
    dims: [1, 3, 3, 5],
    becomes: ['Constant', 'Gather', 'Constant', 'Gather'],
    fixes: ['gather y'],
  },
  'Pad of opset 9 that reflects and cuts': {
    bytes: imageOf(
      [node('Pad', ['x'], ['y'], { mode: 'reflect', pads: [0, 0, -1, 0, 0, 0, 2, 0] })],
      [1, 1, 4, 3],
      [],
      9,
    ),
    dims: [1, 1, 4, 3],
    becomes: ['Constant', 'Gather'],
    fixes: ['gather y'],
  },
  'Clip with a lower bound only': {
    bytes: vectorModel([node('Clip', ['x', 'low'], ['y'])], [floats('low', [], [-1])]),
    dims: flat,
    becomes: ['Constant', 'Clip'],
    fixes: ['bound y'],
  },
  'Clip with one bound as an attribute, after a Conv': {
    bytes: imageModel([conv('x', 'c'), node('Clip', ['c'], ['y'], { max: { f: 1 } })], ['y'], { opset: 10 }),
    dims: column,
    becomes: ['Conv', 'Cast', 'Clip'],
    fixes: ['unfuse y'],
  },
};

describe('fix', () => {
  describe.each(Object.entries(CASES))('%s', (_, { bytes, dims, becomes, fixes }) => {
    // Sums in another order round otherwise.
    const isRounded = fixes.some((one) => /^(reduce|resize|pad)/.test(one));
    test.each(OPTIMISERS)('is the same on the CPU, optimiser %s', async (optimiser) => {
      const { bytes: after, report } = await fixed(bytes);
      expect(ops(after)).toEqual(becomes);
      expect(report.fixes.map(({ fix: done, output }) => `${done} ${output}`)).toEqual(fixes);
      const tame = finite.filter((x) => Math.abs(x) < 1e12);
      const data =
        dims === flat
          ? tame
          : Array.from(
              { length: dims.reduce((size, dim) => size * dim, 1) },
              (_, at) => finite[at] ?? Math.fround(Math.sin(at)),
            ).map((x) => (isRounded ? Math.fround(Math.sin(x)) : x));
      const feeds = { x: f32(data, dims === flat ? [tame.length] : dims) };
      const [found, wanted] = [await run(after, feeds, optimiser), await run(bytes, feeds, optimiser)];
      if (!isRounded) return expect(found).toEqual(wanted);
      expect(Object.keys(found)).toEqual(Object.keys(wanted));
      for (const [name, exact] of Object.entries(wanted)) expectClose(found[name], exact);
    });

    test('leaves nothing to fix, and is undone', async () => {
      const { bytes: after } = await fixed(bytes);
      expect((await fixed(after)).bytes).toEqual(after);
      expect(await (await undo(after)).bytes()).toEqual(bytes);
    });
  });

  test('keeps the names and texts of nodes, and records the operation', async () => {
    const [one, two, three] = [
      { ...conv('x', 'c'), name: 'one' },
      { ...node('Relu', ['c'], ['r']), name: 'act', docString: 'after one' },
      { ...conv('r', 'y'), name: 'two' },
    ];
    const { bytes, report } = await fixed(imageModel([one, two, three], ['y']));
    const relu = decode(bytes).graph?.node?.find(({ opType }) => opType === 'Relu');
    expect(relu).toMatchObject({ name: 'act', docString: 'after one', output: ['r'] });
    expect(report.fixes).toEqual([
      {
        ...{ label: 'act', node: 'act', op: 'Relu', output: 'r', fix: 'unfuse' },
        why: 'WebGL may run it as one, though their fused activations differ',
      },
    ]);
    expect((await inspect(bytes)).history).toMatchObject([{ operation: 'fix', form: 'webgl', sites: 1 }]);
  });

  test('skips nodes that WebGL computes right, nested graphs and other domains', async () => {
    for (const bytes of [
      imageModel([conv('x', 'c'), node('Relu', ['c'], ['y'])], ['y']),
      model({ nodes: [node('Relu', ['x'], ['y'], {}, { domain: 'other' })], domains: { other: 1 } }),
      model({
        nodes: [ifNode('x', 'y', [node('Pow', ['x', 'two'], ['o'])], [node('Neg', ['x'], ['o'])])],
        inputs: [value('x', F32, ['N']), value('cond', 9, [])],
        initializers: [floats('two', [], [2])],
      }),
      model({ nodes: [node('Pow', ['x', 'half'], ['y'])], initializers: [floats('half', [], [0.5])] }),
    ])
      expect((await fixed(bytes)).bytes).toEqual(bytes);
  });

  describe.each([
    ['float32', F32, 'f32'],
    ['float64', 11, 'f64'],
  ] as const)('of %s', (_, elemType, type) => {
    const dims = [2, 3, 4];
    const reduced = (op: string, axes: number[], keepdims: number) =>
      model({
        nodes: [node(op, ['x', 'axes'], ['y'], { keepdims })],
        inputs: [value('x', elemType, dims)],
        outputs: [value('y', elemType)],
        initializers: [ints('axes', [axes.length], axes)],
        opset: 18,
      });
    const resize = model({
      nodes: [node('Resize', ['x', '', 'scales'], ['y'], { mode: 'cubic' })],
      inputs: [value('x', elemType, [1, ...dims])],
      outputs: [value('y', elemType)],
      initializers: [floats('scales', [4], [1, 1, 2, 2])],
      opset: 18,
    });

    test('a reduction stays the same', async () => {
      const data = Array.from({ length: 24 }, (_, at) => Math.fround(Math.sin(at)));
      for (const op of ['ReduceSum', 'ReduceMean'])
        for (const axes of [[-1], [1], [1, 2]])
          for (const keeps of [0, 1]) {
            const bytes = reduced(op, axes, keeps);
            const { bytes: after, report } = await fixed(bytes);
            expect(report.fixes).toMatchObject([{ fix: 'reduce' }]);
            const feeds = { x: { type, dims, data } };
            expectClose((await run(after, feeds)).y, (await run(bytes, feeds)).y ?? []);
          }
    });

    test('a product has a matrix of the same type', async () => {
      for (const bytes of [reduced('ReduceSum', [1, 2], 1), resize]) {
        const nodes = decode((await fixed(bytes)).bytes).graph?.node ?? [];
        const products = nodes.filter(({ opType }) => opType === 'MatMul');
        expect(products).toHaveLength(2);
        const makers = new Map(nodes.map((one) => [one.output?.[0], one]));
        const constants = products
          .flatMap(({ input }) => input ?? [])
          .flatMap((name) => makers.get(name)?.attribute?.[0]?.t ?? []);
        expect(constants.map(({ dataType }) => dataType)).toEqual([elemType, elemType]);
      }
    });
  });

  test('a Dropout whose mask something reads stays', async () => {
    for (const reader of ['Not', 'none', 'output'] as const) {
      const bytes = model({
        nodes: [
          node('Neg', ['x'], ['h']),
          node('Dropout', ['h'], ['y', 'mask']),
          node('Abs', ['h'], ['z']),
          ...(reader === 'Not' ? [node('Not', ['mask'], ['n'])] : []),
        ],
        opset: 13,
        inputs: [image('x')],
        outputs: [
          image('y'),
          image('z'),
          ...(reader === 'none' ? [] : [value(reader === 'Not' ? 'n' : 'mask', 9)]),
        ],
      });
      const feeds = { x: f32(finite, column) };
      const { bytes: after, report } = await fixed(bytes);
      expect(report.fixes.map(({ fix: done }) => done)).toEqual(reader === 'none' ? ['keep'] : []);
      expect(await run(after, feeds)).toEqual(await run(bytes, feeds));
    }
  });

  test('a Resize has the sizes that ONNX Runtime gives it, by products in float32', async () => {
    const random = createRandom(7);
    const sizes = Array.from({ length: 12 }, () => 1 + Math.floor(random() * 40));
    // 10 times 0.7 is 7 in float32, and less in float64.
    const isTight = (size: number, out: number) => Math.floor(size * Math.fround(out / size)) < out;
    for (const size of sizes) {
      const tight = Array.from({ length: 3 * size }, (_, at) => at + 1).filter((out) => isTight(size, out));
      const out = tight[Math.floor(random() * tight.length)] ?? 1 + Math.floor(random() * 2 * size);
      // Opset 10 rounds up where it makes an image smaller, and opset 11 says how.
      const opset = random() < 0.5 ? 10 : 11;
      const coordinates = { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
      const inputs = opset === 10 ? ['x', 'scales'] : ['x', 'scales', 'scales'];
      const bytes = imageOf(
        [node('Resize', inputs, ['y'], { mode: 'nearest', ...(opset === 10 ? {} : coordinates) })],
        [1, 1, 2, size],
        [floats('scales', [4], [1, 1, 1, Math.fround(out / size)])],
        opset,
      );
      const { bytes: after } = await fixed(bytes);
      if (out !== size) expect(ops(after)).toEqual(['Constant', 'Gather']);
      const feeds = {
        x: f32(
          Array.from({ length: 2 * size }, (_, at) => at),
          [1, 1, 2, size],
        ),
      };
      expect(await run(after, feeds), `${size} to ${out}, opset ${opset}`).toEqual(await run(bytes, feeds));
    }
  });

  test('random graphs stay the same function', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const graph = randomGraph(seed, 'webgl');
      const bytes = modelOf(graph);
      const feeds = feedsOf(graph);
      const was = await onCpu(bytes, feeds).catch(() => undefined);
      if (was === undefined) continue;
      const { bytes: after, report } = await fixed(bytes);
      expect(report.fixes.length > 0).toBe(after !== bytes && after.length !== bytes.length);
      const is = await onCpu(after, feeds);
      for (const [name, { data }] of Object.entries(was)) expectClose(is[name]?.data, data);
      expect(await (await fixed(after)).bytes).toEqual(after);
    }
  });
});

describe('for the target webgl', () => {
  const source = imageModel(
    [
      conv('x', 'c'),
      node('Relu', ['c'], ['r']),
      conv('r', 'd'),
      node('Sigmoid', ['d'], ['s']),
      conv('s', 'y'),
    ],
    ['y'],
  );

  test('a node that is fixed loses the attributes that the raised opset lacks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 7, max: 11 }),
        fc.integer({ min: 12, max: 18 }),
        fc.array(fc.constantFrom('Dropout', 'Identity', 'Reshape', 'Exp'), { minLength: 1, maxLength: 5 }),
        async (from, opset, operators) => {
          const chain = ['Flatten', ...operators, 'Dropout', 'Relu'].map((op, at) => {
            const inputs = op === 'Reshape' ? [`v${at}`, 's'] : [`v${at}`];
            return node(op, inputs, [`v${at + 1}`], op === 'Dropout' ? { ratio: { f: 0.5 } } : {});
          });
          const bytes = model({
            nodes: chain,
            opset: from,
            inputs: [value('v0', F32, [1, 2, 3, 4])],
            outputs: [value(`v${chain.length}`, F32)],
            initializers: [ints('s', [2], [4, 6])],
          });
          const feeds = {
            v0: f32(
              Array.from({ length: 24 }, (_, at) => Math.sin(at)),
              [1, 2, 3, 4],
            ),
          };
          const { output, report } = await swap(bytes, { target: 'webgl', opset });
          expect(report.fixes).not.toEqual([]);
          const plain = await swap(bytes, { form: 'exp' });
          const [is, was] = [
            await run(await output.bytes(), feeds),
            await run(await plain.output.bytes(), feeds),
          ];
          for (const [name, exact] of Object.entries(was)) expectClose(is[name], exact);
        },
      ),
      { numRuns: 8, seed: 3 },
    );
  });

  test('swap also fixes the remaining nodes, and a single undo reverts both', async () => {
    const { output, report } = await swap(source, { target: 'webgl' });
    expect(report.sites).toHaveLength(1);
    expect(report.fixes).toMatchObject([{ fix: 'unfuse', op: 'Sigmoid' }]);
    const bytes = await output.bytes();
    expect((await inspect(bytes)).history.map(({ operation }) => operation)).toEqual(['swap', 'fix']);
    expect(await (await undo(bytes)).bytes()).toEqual(source);
  });

  test.each([{ target: 'wasm' }, { form: 'exp' }, { target: 'webgl', fix: false }] as const)(
    'not for %o',
    async (options) => {
      for (const { output } of [await swap(source, options), await retarget(source, options)])
        expect(ops(await output.bytes())).not.toContain('Cast');
      expect((await swap(source, options)).report).not.toHaveProperty('fixes');
    },
  );

  test('retarget does both at once, and undo undoes both', async () => {
    const { bytes: mish } = await swapped(source);
    const { output, report } = await retarget(mish, { target: 'webgl' });
    expect(report).toMatchObject({ sites: [{ output: 'r' }], fixes: [{ output: 's' }] });
    const bytes = await output.bytes();
    expect((await inspect(bytes)).history.map(({ operation }) => operation)).toEqual([
      'swap',
      'retarget',
      'fix',
    ]);
    expect(await (await undo(bytes)).bytes()).toEqual(mish);
    const feeds = { x: f32([-2, -0.5, 0.5, 2], [1, 1, 4, 1]) };
    expectClose((await run(bytes, feeds)).y, (await run(mish, feeds)).y ?? []);
  });

  test('fixRelu is another name for fix', async () => {
    const by = async (options: object) => (await retarget(source, { form: 'exp', ...options })).report.fixes;
    expect(await by({ fixRelu: true })).toEqual(await by({ fix: true }));
    expect(await by({ fixRelu: true })).toHaveLength(2);
    expect(await by({})).toEqual([]);
  });
});

test.each([
  [[], [1, 1]],
  [[7], [1, 7]],
  [
    [1, 160],
    [1, 160],
  ],
  [
    [160, 1],
    [160, 1],
  ],
  [
    [1, 10, 4, 4],
    [40, 4],
  ],
  [
    [2, 3, 4, 5],
    [24, 5],
  ],
  [
    [2, 1, 3, 4, 5],
    [24, 5],
  ],
  [
    [2, 2, 3, 4, 5],
    [16, 15],
  ],
  [
    [5000, 3, 4],
    [245, 245],
  ],
  [
    [300, 100, 4],
    [300, 400],
  ],
])('a texture for %j is of %j', (dims, size) => {
  expect(textureSize(dims, 4096)).toEqual(size);
});

test('a chain of many nodes', async () => {
  const nodes = Array.from({ length: 9000 }, (_, place) =>
    place % 3 === 0
      ? node('Reshape', [`v${place}`, 's'], [`v${place + 1}`])
      : node(place % 3 === 1 ? 'Relu' : 'Identity', [`v${place}`], [`v${place + 1}`]),
  );
  const bytes = model({
    nodes,
    inputs: [value('v0', F32, [4])],
    outputs: [value('v9000', F32, [1, 4])],
    initializers: [ints('s', [2], [1, -1])],
  });
  const { report } = await fix(bytes);
  expect(report.fixes).toHaveLength(3000);
});
