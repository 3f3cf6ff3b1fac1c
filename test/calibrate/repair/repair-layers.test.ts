import { describe, expect, test } from 'vitest';
import type { onnx } from '../../../proto/onnx.js';
import { createRandom } from '../../../src/base/random.js';
import type { CalibrateOptions } from '../../../src/calibrate/options.js';
import type { Dataset } from '../../../src/data/dataset.js';
import { calibrate } from '../../../src/node/calibrate-files.js';
import { toHalf } from '../../../src/onnx/scalar.js';
import type { Tensors } from '../../../src/providers/tensor.js';
import { tempFolder } from '../../support/folder.js';
import { allNodes, decode, ops } from '../../support/graph.js';
import { ends, type LinearCase, layerParts, tensorOf, type WeightType } from '../../support/linear-ops.js';
import { type ModelParts, model, node, value } from '../../support/model.js';
import { run } from '../../support/run.js';

// Where an activation sees two values a channel, Mish at them is an affine map of ReLU at them, another one for each
// channel: a linear layer after it can undo the difference exactly. Where one of the two is 0, so is Mish: then the map
// has no offset, and padding, which is 0 as well, is no exception.

type Pair = readonly [number, number];

const SCALED: readonly Pair[] = [
  [0, 1],
  [0, 0.5],
  [0, 2],
  [0, 3],
  [0, 0.25],
  [0, 1.5],
];
const SHIFTED: readonly Pair[] = [
  [-1, 2],
  [-0.5, 1],
  [-2, 0.5],
  [-1.5, 3],
  [-3, 1.5],
  [-0.25, 0.75],
];

/** Samples whose channels (axis 1, or the last for MatMul) are one of two values each. */
function twoValued(dims: readonly number[], axis: number, pairs: readonly Pair[], seed: number): number[] {
  const random = createRandom(seed);
  const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const length = dims.reduce((product, dim) => product * dim, 1);
  return Array.from({ length }, (_, at) => {
    const channel = Math.floor(at / inner) % (dims[axis] ?? 1);
    return pairs[channel % pairs.length]?.[random() < 0.5 ? 0 : 1] ?? 0;
  });
}

const SAMPLES = 80;

interface Net {
  readonly x: readonly number[];
  readonly axis: number;
  readonly pairs: readonly Pair[];
  readonly type?: WeightType;
}

function tensors({ x, axis, pairs, type = 'f32' }: Net, seed: number) {
  const data = twoValued(x, axis, pairs, seed);
  const array = type === 'f32' ? Float32Array.from(data) : Uint16Array.from(data, toHalf);
  return { data, feeds: { x: { elemType: type, dims: x, data: array } } satisfies Tensors };
}

function samples(net: Net, seed = 1): Dataset {
  const feeds = Array.from({ length: SAMPLES }, (_, index) => tensors(net, seed * 1000 + index).feeds);
  return { source: 'npz', feeds, samples: SAMPLES };
}

/** Calibrates by least squares alone, with hardly any pull towards the old weights. */
async function repaired(input: Uint8Array | string, net: Net, options: Partial<CalibrateOptions> = {}) {
  const { output, report } = await calibrate(input, {
    ...{ data: () => samples(net), steps: 0, ridge: 1e-9, ...options },
  });
  return { bytes: await output.bytes(), report };
}

/** How far the outputs are from the original's on new samples, as a share of the largest. */
async function error(original: Uint8Array, changed: Uint8Array, net: Net): Promise<number> {
  const { data } = tensors(net, 99);
  const given = { x: { type: net.type ?? 'f32', dims: net.x, data } };
  const [{ y: wanted = [] }, { y: got = [] }] = [await run(original, given), await run(changed, given)];
  expect(got).toHaveLength(wanted.length);
  const scale = Math.max(...wanted.map(Math.abs));
  return Math.max(...wanted.map((one, index) => Math.abs(one - (got[index] ?? Number.NaN)))) / scale;
}

/** An activation, and the layer that has to make up for it. */
function netOf(one: LinearCase, type: WeightType = 'f32', home: 'initializer' | 'constant' = 'initializer') {
  const { nodes, initializers } = layerParts(one, ['a', 'y'], { type, home });
  return model({
    nodes: [node('Relu', ['x'], ['a'], {}, { name: 'act' }), ...nodes],
    initializers,
    ...ends(one, type),
  });
}

const CASES: readonly [string, LinearCase][] = [
  ['Gemm', { op: 'Gemm', x: [2, 6], weight: [6, 4], bias: 4 }],
  ['Gemm, transposed', { op: 'Gemm', x: [2, 6], weight: [4, 6], bias: 4, attributes: { transB: 1 } }],
  [
    'Gemm with alpha and beta',
    {
      op: 'Gemm',
      x: [2, 6],
      weight: [4, 6],
      bias: 4,
      attributes: { transB: 1, alpha: { f: 0.5 }, beta: { f: -2 } },
    },
  ],
  ['Gemm without C', { op: 'Gemm', x: [2, 6], weight: [6, 4], bias: 0, attributes: { beta: { f: 0.25 } } }],
  ['MatMul and Add', { op: 'MatMul', x: [1, 3, 6], weight: [6, 4], bias: 4 }],
  ['MatMul', { op: 'MatMul', x: [1, 3, 6], weight: [6, 4], bias: 0 }],
  ['Conv', { op: 'Conv', x: [1, 3, 5, 5], weight: [4, 3, 3, 3], bias: 4 }],
  ['Conv without a bias', { op: 'Conv', x: [1, 3, 5, 5], weight: [4, 3, 2, 2], bias: 0 }],
  [
    'Conv, groups, strides, dilations',
    {
      ...{ op: 'Conv', x: [1, 4, 9, 8], weight: [6, 2, 3, 2], bias: 6 },
      attributes: { group: 2, strides: [2, 1], dilations: [1, 2] },
    },
  ],
  [
    'Conv, depthwise',
    { op: 'Conv', x: [1, 6, 6, 6], weight: [6, 1, 3, 3], bias: 6, attributes: { group: 6 } },
  ],
  ['Conv, 1-D', { op: 'Conv', x: [1, 3, 9], weight: [4, 3, 3], bias: 4, attributes: { strides: [2] } }],
  ['Conv, 3-D', { op: 'Conv', x: [1, 2, 4, 4, 4], weight: [3, 2, 2, 2, 2], bias: 3 }],
  [
    'Conv, VALID',
    { op: 'Conv', x: [1, 3, 5, 5], weight: [4, 3, 3, 3], bias: 4, attributes: { auto_pad: 'VALID' } },
  ],
  [
    'ConvTranspose',
    { op: 'ConvTranspose', x: [1, 4, 3, 3], weight: [4, 3, 1, 1], bias: 6, attributes: { group: 2 } },
  ],
  ['ConvTranspose without a bias', { op: 'ConvTranspose', x: [1, 3, 4], weight: [3, 2, 1], bias: 0 }],
  ['BatchNormalization', { op: 'BatchNormalization', x: [2, 4, 3, 3], weight: [4], bias: 4 }],
];

const LARGE: readonly [string, LinearCase][] = [
  ['Gemm of many inputs', { op: 'Gemm', x: [16, 610], weight: [610, 3], bias: 3 }],
  ['Conv of many inputs', { op: 'Conv', x: [1, 68, 6, 6], weight: [4, 68, 3, 3], bias: 4 }],
];

const PADDED: readonly [string, LinearCase][] = [
  [
    'ConvTranspose whose windows do not overlap',
    {
      op: 'ConvTranspose',
      x: [1, 4, 3, 3],
      weight: [4, 3, 2, 2],
      bias: 6,
      attributes: { group: 2, strides: [2, 2] },
    },
  ],
  [
    'Conv, pads that differ',
    { op: 'Conv', x: [1, 3, 6, 5], weight: [4, 3, 3, 3], bias: 4, attributes: { pads: [0, 1, 2, 1] } },
  ],
  [
    'Conv, SAME_UPPER',
    {
      op: 'Conv',
      x: [1, 3, 6, 5],
      weight: [4, 3, 2, 3],
      bias: 4,
      attributes: { auto_pad: 'SAME_UPPER', strides: [2, 2] },
    },
  ],
  [
    'Conv, SAME_LOWER',
    { op: 'Conv', x: [1, 3, 6, 5], weight: [4, 3, 2, 4], bias: 4, attributes: { auto_pad: 'SAME_LOWER' } },
  ],
  [
    'ConvTranspose, strides, dilations, pads, output_padding',
    {
      ...{ op: 'ConvTranspose', x: [1, 4, 5, 5], weight: [4, 2, 3, 3], bias: 4 },
      attributes: {
        group: 2,
        strides: [2, 2],
        dilations: [2, 1],
        pads: [1, 0, 1, 2],
        output_padding: [1, 0],
      },
    },
  ],
  [
    'ConvTranspose, 3-D',
    {
      op: 'ConvTranspose',
      x: [1, 2, 3, 3, 3],
      weight: [2, 2, 2, 2, 2],
      bias: 2,
      attributes: { strides: [1, 2, 1] },
    },
  ],
];

const netFor = ({ op, x }: LinearCase, pairs: readonly Pair[], type: WeightType = 'f32'): Net => ({
  ...{ x, pairs, type },
  axis: op === 'MatMul' ? x.length - 1 : 1,
});

describe('a net whose repair is exact is repaired exactly', () => {
  test.each(CASES)('%s', async (_, one) => {
    const net = netFor(one, SHIFTED);
    const original = netOf(one);
    const { bytes, report } = await repaired(original, net);
    expect(report.kept).toBe('calibrated');
    expect(report.layers).toHaveLength(1);
    expect(report.layers[0]).toMatchObject({ op: one.op, parameters: parametersOf(one) });
    expect(report.layers[0]?.before).toBeGreaterThan(1e-3);
    // Products of rows with more than 24 numbers are float32, and the loss is what is left of them.
    const isWide = one.weight.slice(1).reduce((product, dim) => product * dim, 1) > 24;
    expect(report.layers[0]?.after).toBeLessThan(isWide ? 2e-6 : 1e-9);
    expect(await error(original, bytes, net)).toBeLessThan(isWide ? 1e-5 : 1e-6);
  });

  test.each(LARGE)('%s, nearly: its solution is iterative', async (_, one) => {
    const net = netFor(one, SHIFTED);
    const original = netOf(one);
    const { bytes, report } = await repaired(original, net, { ridge: 1e-4 });
    expect(report.layers[0]).toMatchObject({ method: 'least-squares', parameters: parametersOf(one) });
    expect(report.layers[0]?.before).toBeGreaterThan(1e-3);
    expect(report.layers[0]?.after).toBeLessThan(1e-6);
    expect(await error(original, bytes, net)).toBeLessThan(1e-2);
  });

  test.each(PADDED)('%s', async (_, one) => {
    const net = netFor(one, SCALED);
    const original = netOf(one);
    const { bytes, report } = await repaired(original, net);
    expect(report.layers[0]?.before).toBeGreaterThan(1e-3);
    expect(await error(original, bytes, net)).toBeLessThan(1e-4);
  });

  test.each(CASES.filter(([name]) => /^(Gemm|Conv|MatMul)( without.*)?$|^Batch/.test(name)))(
    '%s, in half precision',
    async (_, one) => {
      const net = netFor(one, SHIFTED, 'f16');
      const original = netOf(one, 'f16');
      const { bytes, report } = await repaired(original, net, { ridge: 1e-5 });
      expect(report.kept).toBe('calibrated');
      expect(await error(original, bytes, net)).toBeLessThan(0.01);
      const tensor = decode(bytes).graph?.initializer?.find(({ name }) => name === 'w');
      expect([tensor?.dataType, tensor?.rawData?.length]).toEqual([10, 2 * size(one.weight)]);
    },
  );

  test.each(
    CASES.filter(([name]) => /^(Gemm|Conv|MatMul and Add|BatchNormalization|ConvTranspose)$/.test(name)),
  )('%s, weights in Constant nodes', async (_, one) => {
    const net = netFor(one, SHIFTED);
    const original = netOf(one, 'f32', 'constant');
    const { bytes } = await repaired(original, net);
    expect(await error(original, bytes, net)).toBeLessThan(1e-4);
    expect(ops(bytes).filter((op) => op === 'Constant').length).toBeGreaterThanOrEqual(2);
  });

  test('external weights come into the model, and the data file stays unchanged', async () => {
    const folder = await tempFolder();
    const one: LinearCase = { op: 'Gemm', x: [2, 6], weight: [6, 4], bias: 4 };
    const { nodes, initializers } = layerParts(one, ['a', 'y']);
    const plain = netOf(one);
    let offset = 0;
    const outside = initializers.map(({ rawData, ...rest }): onnx.ITensorProto => {
      const length = rawData?.length ?? 0;
      const entries = { location: 'net.data', offset: String(offset), length: String(length) };
      offset += length;
      const externalData = Object.entries(entries).map(([key, text]) => ({ key, value: text }));
      return { ...rest, dataLocation: 1, externalData };
    });
    const data = Buffer.concat(initializers.map(({ rawData }) => rawData ?? new Uint8Array(0)));
    await folder.write('net.data', new Uint8Array(data));
    const path = await folder.write(
      'net.onnx',
      model({
        nodes: [node('Relu', ['x'], ['a'], {}, { name: 'act' }), ...nodes],
        initializers: outside,
        ...ends(one),
      }),
    );
    const net = netFor(one, SHIFTED);
    const { bytes } = await repaired(path, net);
    expect(await error(plain, bytes, net)).toBeLessThan(1e-4);
    expect(await folder.list()).toEqual(['net.data', 'net.onnx']);
    expect(await folder.read('net.data')).toEqual(new Uint8Array(data));
  });

  test('inputs far above 0 need no repair, and the plain swap stays', async () => {
    const one: LinearCase = { op: 'Gemm', x: [2, 6], weight: [6, 4], bias: 4 };
    const net: Net = { x: [2, 6], axis: 1, pairs: [[40, 90]] };
    const { report } = await repaired(netOf(one), net);
    expect(report.layers[0]).toMatchObject({ method: 'none' });
    expect(report.calibrated.drift[0]?.maxAbs).toBe(0);
  });

  test('two layers in sequence, with a site before each', async () => {
    const first: LinearCase = { op: 'Gemm', x: [1, 6], weight: [6, 4], bias: 4 };
    const second: LinearCase = { op: 'Gemm', x: [1, 4], weight: [4, 3], bias: 3 };
    // The second site sees numbers beyond 30, where Mish is x.
    const far = tensorOf('far', [4], [40, 40, 40, 40]);
    const parts = [
      layerParts(first, ['a', 'h'], { prefix: '1' }),
      layerParts(second, ['b', 'y'], { prefix: '2', seed: 7 }),
    ] as const;
    const original = model({
      nodes: [
        node('Relu', ['x'], ['a'], {}, { name: 'act1' }),
        ...parts[0].nodes,
        node('Add', ['h', 'far'], ['g']),
        node('Relu', ['g'], ['b'], {}, { name: 'act2' }),
        ...parts[1].nodes,
      ],
      initializers: [far, ...parts.flatMap(({ initializers }) => initializers)],
      inputs: [value('x', 1, ['N', 6])],
      outputs: [value('y', 1, ['N', 3])],
    });
    const net: Net = { x: [1, 6], axis: 1, pairs: SHIFTED };
    const { bytes, report } = await repaired(original, net);
    expect(report.layers.map(({ label }) => label)).toEqual(['1layer', '2layer']);
    expect(await error(original, bytes, net)).toBeLessThan(1e-4);
  });
});

const size = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);

/** Weights, and a bias for each output whether it was there or not. */
function parametersOf({ op, weight, attributes }: LinearCase): number {
  const [first = 0, second = 0] = weight;
  const groups = Number(attributes?.group ?? 1);
  const outputs = {
    Conv: first,
    ConvTranspose: second * groups,
    Gemm: attributes?.transB === 1 ? first : second,
    MatMul: second,
    BatchNormalization: first,
  }[op];
  return size(weight) + outputs;
}

describe('a bias that was missing', () => {
  test.each(['Gemm without C', 'Conv without a bias', 'ConvTranspose without a bias', 'MatMul'])(
    '%s',
    async (name) => {
      const one = CASES.find(([label]) => label === name)?.[1] as LinearCase;
      const original = netOf(one);
      const { bytes } = await repaired(original, netFor(one, SHIFTED));
      const [before, after] = [decode(original), decode(bytes)];
      const named = (message: onnx.IModelProto, op: string) =>
        allNodes(message).find(({ opType }) => opType === op);
      if (one.op === 'MatMul') {
        const add = allNodes(after).find(({ name: label }) => label === 'layer/add_bias');
        expect(add).toMatchObject({ opType: 'Add', output: ['y'] });
        expect(named(after, 'MatMul')?.output).toEqual([add?.input?.[0]]);
      } else {
        expect(named(before, one.op)?.input).toHaveLength(2);
        expect(named(after, one.op)?.input).toEqual(['a', 'w', 'layer/bias']);
      }
      expect(named(after, one.op)?.attribute).toEqual(named(before, one.op)?.attribute);
    },
  );

  test('takes the place of an input that is left out by an empty name', async () => {
    const one: LinearCase = { op: 'Conv', x: [1, 3, 5, 5], weight: [4, 3, 2, 2], bias: 0 };
    const { initializers } = layerParts(one, ['a', 'y']);
    const original = model({
      nodes: [node('Relu', ['x'], ['a']), node('Conv', ['a', 'w', ''], ['y'], {}, { name: 'layer' })],
      initializers,
      ...ends(one),
    });
    const net = netFor(one, SHIFTED);
    const { bytes } = await repaired(original, net);
    expect(decode(bytes).graph?.node?.find(({ opType }) => opType === 'Conv')?.input).toEqual([
      ...['a', 'w', 'layer/bias'],
    ]);
    expect(await error(original, bytes, net)).toBeLessThan(1e-4);
  });

  // What a layer is fed with is found in the part of the model before it: nodes of other branches are cut out of it,
  // those right before and after a layer that was given a bias too.
  test.each(['MatMul', 'Conv'] as const)('%s, with other branches right before and after it', async (op) => {
    const is = op === 'Conv';
    const x = is ? [1, 3, 4] : [1, 2, 3];
    const weight = is ? [3, 3, 1] : [3, 3];
    const branch = (prefix: string, seed: number): ModelParts =>
      layerParts({ op, x, weight, bias: 0 }, ['a', `${prefix}h`], { prefix, seed });
    const branches = ['1', '2', '3'].map((prefix, index) => branch(prefix, index + 1));
    const last = layerParts({ op, x, weight, bias: 0 }, ['s', 'y'], { prefix: '4', seed: 9 });
    const original = model({
      nodes: [
        node('Relu', ['x'], ['a'], {}, { name: 'act' }),
        ...branches.flatMap(({ nodes }) => nodes),
        node('Sum', ['2h', '2h'], ['s']),
        ...last.nodes,
        node('Sum', ['1h', '3h'], ['z']),
      ],
      initializers: [...branches, last].flatMap(({ initializers = [] }) => initializers),
      inputs: [value('x', 1, ['N', ...x.slice(1)])],
      outputs: [value('y', 1, ['N', 'c', 'd']), value('z', 1, ['N', 'c', 'd'])],
    });
    const net: Net = { x, axis: is ? 1 : 2, pairs: SHIFTED };
    const { bytes, report } = await repaired(original, net);
    expect(report.layers.map(({ label }) => label)).toEqual(['1layer', '2layer', '3layer', '4layer']);
    expect(await error(original, bytes, net)).toBeLessThan(1e-4);
  });
});
