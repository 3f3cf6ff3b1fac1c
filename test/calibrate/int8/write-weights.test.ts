import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { onnx } from '../../../proto/onnx.js';
import { createRandom, normal } from '../../../src/base/random.js';
import { floatVersion } from '../../../src/calibrate/int8/float-version.js';
import { dequantised, storedIntegersOf } from '../../../src/calibrate/int8/quantised-values.js';
import { writeWeights } from '../../../src/calibrate/int8/write-weights.js';
import { layerEdits, linearMaps } from '../../../src/calibrate/repair/layer-weights.js';
import { linearLayers } from '../../../src/calibrate/repair/linear-layers.js';
import { isDequantizer } from '../../../src/mish/quantization.js';
import { indexGraphs } from '../../../src/onnx/graph-index.js';
import { namer } from '../../../src/onnx/names.js';
import { roundTo } from '../../../src/onnx/scalar.js';
import { type Edit, splice } from '../../../src/onnx/splice.js';
import { readWeight, weightEdit, weightOf } from '../../../src/onnx/weights.js';
import { type EditableModel, modelFromBytes } from '../../../src/providers/loaded-model.js';
import { floats, halves, model, node, value } from '../../support/model.js';
import { behindIdentities, inRuntimeDomain } from '../../support/quantised.js';
import { f32, run } from '../../support/run.js';

const folder = fileURLToPath(new URL('../../mish/int8/', import.meta.url));
const load = (name: string) => Uint8Array.from(readFileSync(`${folder}${name}.onnx`));
const { DataType } = onnx.TensorProto;

/** Multiplies every weight of a float model by a random factor around another one. */
async function changed(given: EditableModel, factor: number): Promise<EditableModel> {
  const { document } = given;
  const index = indexGraphs(document);
  const random = createRandom(7);
  const edits: Edit[] = [];
  for (const name of document.graph.initializers.keys()) {
    const weight = weightOf(index, document.graph, name);
    if (weight === undefined) continue;
    const values = await readWeight(document, weight);
    edits.push(
      await weightEdit(
        document,
        weight,
        values.map((one) => one * (factor + 0.1 * normal(random))),
      ),
    );
  }
  return given.edited(splice(document.source, edits));
}

/** Returns the numbers that each layer reads, with the largest step of its integers. */
async function layersOf({ document }: EditableModel) {
  const index = indexGraphs(document);
  const layers = new Map<string, { values: Float64Array; step: number }>();
  for (const { inputs, outputs } of document.graph.nodes)
    for (const [slot, name] of inputs.entries()) {
      const source = index.producer(document.graph, name);
      const stored = isDequantizer(source) ? await storedIntegersOf(document, index, source) : undefined;
      if (stored === undefined) continue;
      const step = Math.max(...stored.scales);
      layers.set(`${outputs[0]} ${slot}`, { values: dequantised(stored), step });
    }
  return layers;
}

async function written(target: EditableModel, from: EditableModel) {
  const { edits, tensors } = await writeWeights(target, from);
  return { model: await target.edited(splice(target.document.source, edits)), tensors };
}

/** Checks that a quantised model has the weights of a float model, rounded. */
async function expectWeights(quantised: EditableModel, from: EditableModel) {
  const index = indexGraphs(from.document);
  const layers = await layersOf(quantised);
  expect(layers.size).toBeGreaterThan(0);
  for (const { inputs, outputs } of from.document.graph.nodes)
    for (const [slot, name] of inputs.entries()) {
      const weight = weightOf(index, from.document.graph, name);
      if (weight === undefined) continue;
      const { values = new Float64Array(), step = 0 } = layers.get(`${outputs[0]} ${slot}`) ?? {};
      const wanted = await readWeight(from.document, weight);
      expect(values.length).toBe(wanted.length);
      const most = wanted.reduce(
        (worst, one, at) => Math.max(worst, Math.abs(one - (values[at] ?? Number.NaN))),
        0,
      );
      expect(most).toBeLessThanOrEqual(0.5001 * step);
    }
}

/** Stores the weights of a quantised net as floats before a QuantizeLinear node, as tools for quantisation-aware training do. */
function withStoredFloats(bytes: Uint8Array): Uint8Array {
  const message = onnx.ModelProto.decode(bytes);
  const tensors = message.graph?.initializer ?? [];
  const nodes = message.graph?.node ?? [];
  const named = (name = '') => tensors.find((one) => one.name === name);
  const numbers = ({ rawData, int32Data, floatData, dataType }: onnx.ITensorProto): number[] => {
    if (floatData?.length) return [...floatData];
    if (int32Data?.length) return [...int32Data];
    const raw = Uint8Array.from(rawData ?? []);
    return [...(dataType === DataType.FLOAT ? new Float32Array(raw.buffer) : new Int8Array(raw.buffer))];
  };
  const made = nodes.flatMap((one) => {
    const [input = '', scale = '', zero = ''] = one.input ?? [];
    const stored = one.opType === 'DequantizeLinear' ? named(input) : undefined;
    const [scales, dims = []] = [numbers(named(scale) ?? {}), stored?.dims ?? []];
    if (stored?.dataType !== DataType.INT8) return [one];
    const perChannel = scales.length > 1;
    const inner = perChannel ? dims.slice(1).reduce<number>((product, dim) => product * Number(dim), 1) : 1;
    const values = numbers(stored).map(
      (value, at) => value * (scales[perChannel ? Math.floor(at / inner) : 0] ?? 0),
    );
    Object.assign(stored, floats(input, dims.map(Number), values), { int32Data: [] });
    const quantised = `${input}/integers`;
    return [
      {
        ...one,
        opType: 'QuantizeLinear',
        name: `${one.name}/q`,
        input: [input, scale, zero],
        output: [quantised],
      },
      { ...one, input: [quantised, scale, zero] },
    ];
  });
  return onnx.ModelProto.encode({ ...message, graph: { ...message.graph, node: made } }).finish();
}

const KINDS = ['u8', 'u8-symmetric', 'u8-with-relu', 'i8', 'i8-symmetric'];
const CASES = [
  ...KINDS.map((name) => [name, load(name)] as const),
  ...['u8', 'i8'].map((name) => [`${name} with stored floats`, withStoredFloats(load(name))] as const),
];

test.each(['u8', 'i8'])('%s: stored floats and stored integers are the same weights', async (name) => {
  const layers = await layersOf(await modelFromBytes(load(name)));
  const same = await layersOf(await modelFromBytes(withStoredFloats(load(name))));
  expect(same.size).toBe(layers.size);
  for (const [key, { values }] of same) expect(values).toEqual(layers.get(key)?.values);
});

describe.each(CASES)('%s', (_, bytes) => {
  test('the weights of its own float version change nothing', async () => {
    const original = await modelFromBytes(bytes);
    const { edits, tensors } = await writeWeights(original, (await floatVersion(original)).model);
    expect(tensors).toBe(0);
    expect(edits).toEqual([]);
  });

  test.each([0.25, 1, 40])(
    'weights %d times as large are written, rounded by half a step',
    async (factor) => {
      const original = await modelFromBytes(bytes);
      const from = await changed((await floatVersion(original)).model, factor);
      const result = await written(original, from);
      expect(result.tensors).toBe(8);
      await expectWeights(result.model, from);
      expect(result.model.document.source.size).toBeLessThan(1.05 * original.document.source.size);
    },
  );
});

test.each(['u8', 'i8'])('%s: weights that Identity nodes share are written beside them', async (name) => {
  const original = await modelFromBytes(behindIdentities(load(name)));
  const from = await changed((await floatVersion(original)).model, 0.5);
  const { model: result, tensors } = await written(original, from);
  expect(tensors).toBe(8);
  await expectWeights(result, from);
  // The shared tensors stay, for the other readers that they could have.
  const bytesOf = async ({ document: { graph, source } }: EditableModel, key: string) => {
    const { start = 0, end = 0 } = graph.initializers.get(key)?.frame ?? {};
    return Buffer.from(await source.read(start, end - start)).toString('base64');
  };
  for (const key of original.document.graph.initializers.keys())
    expect(await bytesOf(result, key)).toBe(await bytesOf(original, key));
});

const integers = (name: string, dims: readonly number[], data: readonly number[], dataType: number) => ({
  ...{ name, dims: [...dims], dataType, int32Data: [...data] },
});

/** Two Gemms that read one DequantizeLinear; neither has a bias. */
function tiedNet(): Uint8Array {
  const quantise = (from: string, to: string) => [
    node('QuantizeLinear', [from, 'sx', 'zx'], [`${to}_q`]),
    node('DequantizeLinear', [`${to}_q`, 'sx', 'zx'], [to]),
  ];
  return model({
    nodes: [
      node('DequantizeLinear', ['w', 'sw', 'zw'], ['wd']),
      ...quantise('x', 'xd'),
      node('Gemm', ['xd', 'wd'], ['h']),
      ...quantise('h', 'hd'),
      node('Gemm', ['hd', 'wd'], ['y']),
    ],
    initializers: [
      integers('w', [2, 2], [10, -127, 30, 7], DataType.INT8),
      floats('sw', [], [0.02]),
      integers('zw', [], [0], DataType.INT8),
      floats('sx', [], [0.05]),
      integers('zx', [], [128], DataType.UINT8),
    ],
    inputs: [value('x', 1, ['N', 2])],
    outputs: [value('y', 1, ['N', 2])],
  });
}

test('layers that read one DequantizeLinear may get different weights, and a bias that they lacked', async () => {
  const original = await modelFromBytes(tiedNet());
  const from = await modelFromBytes(
    model({
      nodes: [node('Gemm', ['x', 'w1', 'b1'], ['h']), node('Gemm', ['h', 'w2', 'b2'], ['y'])],
      initializers: [
        floats('w1', [2, 2], [1, 2, 3, 4]),
        floats('b1', [2], [0.5, -0.25]),
        floats('w2', [2, 2], [-1, 0.5, 0.25, 8]),
        floats('b2', [2], [-3, 2]),
      ],
      inputs: [value('x', 1, ['N', 2])],
      outputs: [value('y', 1, ['N', 2])],
    }),
  );
  const result = await written(original, from);
  expect(result.tensors).toBe(4);
  await expectWeights(result.model, from);
});

/** A Gemm without a bias on a quantised input, whose weights a DequantizeLinear node reads from these integers. */
function gemmNet(data: readonly number[], scale: number, zeroPoint: number | undefined): Uint8Array {
  return model({
    nodes: [
      node('DequantizeLinear', zeroPoint === undefined ? ['w', 'sw'] : ['w', 'sw', 'zw'], ['wd']),
      node('QuantizeLinear', ['x', 'sx', 'zx'], ['xq']),
      node('DequantizeLinear', ['xq', 'sx', 'zx'], ['xd']),
      node('Gemm', ['xd', 'wd'], ['y']),
    ],
    initializers: [
      integers('w', [2, 2], data, DataType.UINT8),
      floats('sw', [], [scale]),
      ...(zeroPoint === undefined ? [] : [integers('zw', [], [zeroPoint], DataType.UINT8)]),
      floats('sx', [], [0.05]),
      integers('zx', [], [128], DataType.UINT8),
    ],
    inputs: [value('x', 1, ['N', 2])],
    outputs: [value('y', 1, ['N', 2])],
  });
}

/** The Gemm with float weights, and a bias if there is one. */
const floatGemm = (weights: readonly number[], bias?: readonly number[]) =>
  modelFromBytes(
    model({
      nodes: [node('Gemm', bias ? ['x', 'w', 'b'] : ['x', 'w'], ['y'])],
      initializers: [floats('w', [2, 2], weights), ...(bias ? [floats('b', [2], bias)] : [])],
      inputs: [value('x', 1, ['N', 2])],
      outputs: [value('y', 1, ['N', 2])],
    }),
  );

test.each([1, 40, 99, 254])(
  'weights that all move by the same number, to the zero point %d, are written',
  async (zeroPoint) => {
    const data = [0, 255, 100, 180];
    const original = await modelFromBytes(gemmNet(data, 1, 100));
    const from = await floatGemm(data.map((one) => one - zeroPoint));
    const result = await written(original, from);
    expect(result.tensors).toBe(1);
    await expectWeights(result.model, from);
  },
);

test.each([
  ['LSTM', 4],
  ['GRU', 3],
  ['RNN', 1],
])('%s nodes whose first output is absent keep their own weights', async (opType, gates) => {
  const names = ['a', 'b'];
  const original = await modelFromBytes(
    model({
      nodes: [
        node('QuantizeLinear', ['x', 'sx', 'zx'], ['xq']),
        node('DequantizeLinear', ['xq', 'sx', 'zx'], ['xd']),
        ...names.map((one) => node(opType, ['xd', `w_${one}`, `r_${one}`], ['', one], { hidden_size: 1 })),
        node('Add', names, ['y']),
      ],
      initializers: [
        ...names.flatMap((one, at) => [
          floats(
            `w_${one}`,
            [1, gates, 2],
            Array.from({ length: 2 * gates }, (_, place) => at + place),
          ),
          floats(
            `r_${one}`,
            [1, gates, 1],
            Array.from({ length: gates }, (_, place) => at - place),
          ),
        ]),
        floats('sx', [], [0.05]),
        integers('zx', [], [128], DataType.UINT8),
      ],
      inputs: [value('x', 1, [3, 'N', 2])],
      outputs: [value('y', 1, [1, 'N', 1])],
    }),
  );
  const { model: from } = await floatVersion(original);
  expect(await writeWeights(original, from)).toEqual({ edits: [], tensors: 0 });
});

test('weights whose scale is the attribute value_float of a Constant node are written', async () => {
  const message = onnx.ModelProto.decode(gemmNet([0, 255, 100, 180], 0.5, 100));
  const { graph } = message;
  if (!graph) throw new Error('the model has no graph');
  graph.initializer = (graph.initializer ?? []).filter(({ name }) => name !== 'sw');
  graph.node?.unshift(node('Constant', [], ['sw'], { value_float: { f: 0.5 } }));
  const original = await modelFromBytes(onnx.ModelProto.encode(message).finish());
  const own = await floatVersion(original);
  expect(own.left).toEqual([]);
  expect(await writeWeights(original, own.model)).toEqual({ edits: [], tensors: 0 });
  const from = await floatGemm([-1, 2, 0.5, 3]);
  const result = await written(original, from);
  expect(result.tensors).toBe(1);
  await expectWeights(result.model, from);
});

test('integers without a zero point keep 0, and clip negative weights', async () => {
  const original = await modelFromBytes(gemmNet([0, 255, 100, 180], 0.01, undefined));
  const weights = [-1, 2, 0.5, 3];
  const result = await written(original, await floatGemm(weights));
  const { values = [], step = 0 } = (await layersOf(result.model)).get('y 1') ?? {};
  for (const [at, one] of weights.entries())
    expect(Math.abs(Math.max(0, one) - (values[at] ?? Number.NaN))).toBeLessThanOrEqual(0.5001 * step);
});

const WIDTH = 3;

/** A Gemm on a quantised input, with stored integers of this type, and a scale for all of them or for each column. */
function columnsNet(elemType: number, zeroPoint: number, perColumn: boolean, hasBias: boolean): Uint8Array {
  const dims = perColumn ? [WIDTH] : [];
  const all = <T>(one: T) => Array.from({ length: perColumn ? WIDTH : 1 }, () => one);
  const axis = perColumn ? { axis: 1 } : {};
  return model({
    nodes: [
      node('DequantizeLinear', ['w', 'sw', 'zw'], ['wd'], axis),
      ...(hasBias ? [node('DequantizeLinear', ['b', 'sb'], ['bd'], perColumn ? { axis: 0 } : {})] : []),
      node('QuantizeLinear', ['x', 'sx', 'zx'], ['xq']),
      node('DequantizeLinear', ['xq', 'sx', 'zx'], ['xd']),
      node('Gemm', hasBias ? ['xd', 'wd', 'bd'] : ['xd', 'wd'], ['y']),
    ],
    initializers: [
      integers('w', [2, WIDTH], [1, 2, 3, 40, 50, 100], elemType),
      floats('sw', dims, all(0.01)),
      integers('zw', dims, all(zeroPoint), elemType),
      floats('sx', [], [0.05]),
      integers('zx', [], [128], DataType.UINT8),
      ...(hasBias
        ? [integers('b', [WIDTH], [1, 2, 3], DataType.INT32), floats('sb', dims, all(0.0005))]
        : []),
    ],
    inputs: [value('x', 1, ['N', 2])],
    outputs: [value('y', 1, ['N', WIDTH])],
  });
}

const magnitude = fc.tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.integer({ min: -14, max: 2 }));
const numbersOf = (length: number) =>
  fc
    .array(magnitude, { minLength: length, maxLength: length })
    .map((list) => list.map(([size, exponent]) => Math.fround(size * 10 ** exponent)));
const kinds = fc.constantFrom(
  [DataType.INT8, 0] as const,
  [DataType.UINT8, 128] as const,
  [DataType.UINT8, 7] as const,
);

// With the scale of tiny weights, an integer of 32 bits would not hold a bias of usual size.
test('a layer gets weights and a bias of any sizes, rounded by half a step', async () => {
  await fc.assert(
    fc.asyncProperty(
      ...[kinds, fc.boolean(), fc.boolean(), numbersOf(2 * WIDTH), numbersOf(WIDTH)],
      async ([elemType, zeroPoint], perColumn, hasBias, weights, bias) => {
        const original = await modelFromBytes(columnsNet(elemType, zeroPoint, perColumn, hasBias));
        const from = await modelFromBytes(
          model({
            nodes: [node('Gemm', ['x', 'w', 'b'], ['y'])],
            initializers: [floats('w', [2, WIDTH], weights), floats('b', [WIDTH], bias)],
            inputs: [value('x', 1, ['N', 2])],
            outputs: [value('y', 1, ['N', WIDTH])],
          }),
        );
        await expectWeights((await written(original, from)).model, from);
      },
    ),
    { seed: 11, numRuns: 100 },
  );
});

test.each(['integers', 'stored floats'])('a MatMul of %s gets the bias that it lacked', async (kind) => {
  const bytes = model({
    nodes: [
      node('QuantizeLinear', ['x', 'sx', 'zx'], ['xq']),
      node('DequantizeLinear', ['xq', 'sx', 'zx'], ['xd']),
      node('DequantizeLinear', ['w', 'sw', 'zw'], ['wd']),
      node('MatMul', ['xd', 'wd'], ['y']),
    ],
    initializers: [
      integers('w', [2, WIDTH], [10, -127, 30, 7, 5, 100], DataType.INT8),
      floats('sw', [], [0.02]),
      integers('zw', [], [0], DataType.INT8),
      floats('sx', [], [0.001]),
      integers('zx', [], [32768], DataType.UINT16),
    ],
    inputs: [value('x', 1, ['N', 2])],
    outputs: [value('y', 1, ['N', WIDTH])],
    opset: 21,
    ir: 10,
  });
  const original = await modelFromBytes(kind === 'integers' ? bytes : withStoredFloats(bytes));
  const float = (await floatVersion(original)).model;
  const random = createRandom(3);
  const { document } = float;
  const [layer] = linearLayers(document, indexGraphs(document), new Set(['x'])).layers;
  if (layer === undefined) throw new Error('the MatMul is not a layer');
  const maps = (await linearMaps(document, layer, undefined)).map(({ weights, bias }) => ({
    weights: weights.mul(0.5),
    bias: bias.map(() => normal(random)),
  }));
  const from = await float.edited(
    splice(document.source, await layerEdits(document, layer, maps, undefined, namer(document))),
  );
  const result = await written(original, from);
  expect(result.tensors).toBe(2);
  const feeds = { x: f32([0.5, -2, 1, 0.25], [2, 2]) };
  const outputOf = async (one: EditableModel) =>
    (await run(await splice(one.document.source, []).bytes(), feeds)).y ?? [];
  const [got, wanted] = [await outputOf(result.model), await outputOf(from)];
  expect(wanted).toHaveLength(2 * WIDTH);
  for (const [at, one] of wanted.entries())
    expect(Math.abs(one - (got[at] ?? Number.NaN))).toBeLessThan(0.03);
});

/** First opset in which scales may be float16. */
const HALF_SCALES = 19;

/** A Gemm of float16 between quantised tensors, with these scales of its input and its weights. */
function halfNet(scales: readonly [input: number, weights: number], bias: readonly number[]): Uint8Array {
  const [input, weights] = scales.map((scale) => roundTo(scale, 'f16')) as [number, number];
  const pair = (from: string, to: string) => [
    node('QuantizeLinear', [from, 'sx', 'zx'], [`${from}_q`]),
    node('DequantizeLinear', [`${from}_q`, 'sx', 'zx'], [to]),
  ];
  return model({
    opset: HALF_SCALES,
    ir: 9,
    nodes: [
      ...pair('x', 'xd'),
      node('DequantizeLinear', ['w', 'sw', 'zw'], ['wd']),
      ...(bias.length > 0 ? [node('DequantizeLinear', ['b', 'sb'], ['bd'])] : []),
      node('Gemm', bias.length > 0 ? ['xd', 'wd', 'bd'] : ['xd', 'wd'], ['h']),
      ...pair('h', 'y'),
    ],
    initializers: [
      integers('w', [2, 2], [10, -127, 30, 7], DataType.INT8),
      halves('sw', [], [weights]),
      integers('zw', [], [0], DataType.INT8),
      halves('sx', [], [input]),
      integers('zx', [], [128], DataType.UINT8),
      ...(bias.length > 0
        ? [integers('b', [2], bias, DataType.INT32), halves('sb', [], [input * weights])]
        : []),
    ],
    inputs: [value('x', DataType.FLOAT16, ['N', 2])],
    outputs: [value('y', DataType.FLOAT16, ['N', 2])],
  });
}

/** Small numbers of float16, which have few digits. */
const small = fc.integer({ min: 40, max: 4000 }).map((steps) => (steps * 127) / 2 ** 32);

test('weights that scales of few digits would clip are rounded by half a step', async () => {
  await fc.assert(
    fc.asyncProperty(small, async (most) => {
      const original = await modelFromBytes(halfNet([0.05, 0.02], []));
      const weights = [roundTo(most, 'f16'), -roundTo(most, 'f16'), 0, roundTo(most / 3, 'f16')];
      const from = await modelFromBytes(
        model({
          opset: HALF_SCALES,
          ir: 9,
          nodes: [node('Gemm', ['x', 'w'], ['h'])],
          initializers: [halves('w', [2, 2], weights)],
          inputs: [value('x', DataType.FLOAT16, ['N', 2])],
          outputs: [value('h', DataType.FLOAT16, ['N', 2])],
        }),
      );
      // What the integers stand for is rounded to float16 as well, by half of its least step.
      const layers = await layersOf((await written(original, from)).model);
      const { values = [], step = 0 } = layers.get('h 1') ?? {};
      for (const [at, one] of weights.entries())
        expect(Math.abs(one - (values[at] ?? Number.NaN))).toBeLessThanOrEqual(
          0.51 * step + roundTo(most, 'f16') * 2 ** -11 + 2 ** -25,
        );
    }),
    { seed: 4, numRuns: 60 },
  );
});

const scale = fc.double({ min: 0.02, max: 1, noNaN: true });

test('scales of float16: the weights of the own float version change nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.tuple(scale, scale), fc.constantFrom([], [20, -300]), async (scales, bias) => {
      const original = await modelFromBytes(halfNet(scales, bias));
      const { edits, tensors } = await writeWeights(original, (await floatVersion(original)).model);
      expect({ edits, tensors }).toEqual({ edits: [], tensors: 0 });
    }),
    { seed: 8, numRuns: 30 },
  );
});

/** The net before ONNX had scales of float16, with the operators of ONNX Runtime. */
function runtimeHalfNet(): Uint8Array {
  const message = onnx.ModelProto.decode(inRuntimeDomain(halfNet([0.05, 0.02], [])));
  for (const one of message.opsetImport) if (!one.domain) one.version = HALF_SCALES - 1;
  return onnx.ModelProto.encode(message).finish();
}

test.each([
  ['ONNX', halfNet([0.05, 0.02], [])],
  ['ONNX Runtime', runtimeHalfNet()],
])('scales of float16, by %s: a layer gets a bias that it lacked, and runs', async (_, bytes) => {
  const original = await modelFromBytes(bytes);
  const from = await modelFromBytes(
    model({
      opset: HALF_SCALES,
      ir: 9,
      nodes: [node('Gemm', ['x', 'w', 'b'], ['h'])],
      initializers: [halves('w', [2, 2], [0.5, -1, 2, 0.25]), halves('b', [2], [1, -2])],
      inputs: [value('x', DataType.FLOAT16, ['N', 2])],
      outputs: [value('h', DataType.FLOAT16, ['N', 2])],
    }),
  );
  const { edits, tensors } = await writeWeights(original, from);
  expect(tensors).toBe(2);
  const made = await splice(original.document.source, edits).bytes();
  const { y = [] } = await run(made, { x: { type: 'f16', dims: [1, 2], data: [1, 0.5] } });
  // x W + b, up to a step of the output's scale.
  for (const [at, wanted] of [2.5, -2.875].entries())
    expect(Math.abs((y[at] ?? Number.NaN) - wanted)).toBeLessThan(0.06);
});

test.each([
  ['of their own', false, false],
  ['behind Identity nodes of their own', true, false],
  ['that they share', false, true],
  ['that they share behind an Identity node', true, true],
])('layers on floats get different weights: %s', async (_, isBehind, isShared) => {
  const names = isShared ? ['w', 'w'] : ['w', 'v'];
  const [first = '', second = ''] = names.map((name) => (isBehind ? `${name}_copy` : name));
  const net = (tensors: onnx.ITensorProto[], copies: string[], weights: readonly [string, string]) =>
    modelFromBytes(
      model({
        nodes: [
          ...copies.map((name) => node('Identity', [name], [`${name}_copy`])),
          node('MatMul', ['x', weights[0]], ['h']),
          node('MatMul', ['h', weights[1]], ['y']),
        ],
        initializers: tensors,
        inputs: [value('x', 1, ['N', 2])],
        outputs: [value('y', 1, ['N', 2])],
      }),
    );
  const different = [...new Set(names)];
  const original = await net(
    different.map((name) => floats(name, [2, 2], [1, 0, 0, 1])),
    isBehind ? different : [],
    [first, second],
  );
  for (const [a, b] of [
    [
      [1, 2, 3, 4],
      [1, 0, 0, 1],
    ],
    [
      [1, 0, 0, 1],
      [5, 6, 7, 8],
    ],
    [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ],
  ] as const) {
    const from = await net([floats('a', [2, 2], a), floats('b', [2, 2], b)], [], ['a', 'b']);
    const { edits } = await writeWeights(original, from);
    const made = await splice(original.document.source, edits).bytes();
    const feeds = { x: { type: 'f32', dims: [1, 2], data: [0.5, -1] } } as const;
    expect(await run(made, feeds)).toEqual(await run(await splice(from.document.source, []).bytes(), feeds));
  }
});

test('a layer on floats gets a bias of floats', async () => {
  const original = await floatGemm([1, 2, 3, 4]);
  const bias = [0.125, -3];
  const { model: result, tensors } = await written(original, await floatGemm([1, 2, 3, 4], bias));
  expect(tensors).toBe(1);
  const { graph } = result.document;
  const weight = weightOf(indexGraphs(result.document), graph, graph.nodes.at(-1)?.inputs[2] ?? '');
  if (weight === undefined) throw new Error('the layer has no bias');
  expect([...(await readWeight(result.document, weight))]).toEqual(bias);
});

test('a recurrent layer keeps its attributes where it gets weights of its own', async () => {
  const random = createRandom(5);
  for (const [op, gates] of [
    ['LSTM', 4],
    ['GRU', 3],
    ['RNN', 1],
  ] as const) {
    const activations = {
      LSTM: ['LeakyRelu', 'Tanh', 'Elu'],
      GRU: ['HardSigmoid', 'LeakyRelu'],
      RNN: ['Affine'],
    }[op];
    const attributes = {
      hidden_size: 2,
      activations: { strings: [...activations] },
      activation_alpha: { floats: activations.map(() => Math.fround(random())) },
      activation_beta: { floats: activations.map(() => Math.fround(random())) },
    };
    const dims = [1, 2 * gates, 2];
    const stored = Uint8Array.from({ length: 4 * gates }, () => Math.floor(256 * random()));
    // Two layers read the same integers, so that each gets new ones.
    const bytes = model({
      nodes: [
        node('DequantizeLinear', ['w', 'scale'], ['weights']),
        node(op, ['x', 'weights', 'r'], ['y'], attributes),
        node('DequantizeLinear', ['w', 'scale'], ['same']),
        node(op, ['x', 'same', 'r'], ['z'], attributes),
      ],
      opset: 17,
      inputs: [value('x', 1, [3, 1, 2])],
      outputs: [value('y', 1), value('z', 1)],
      initializers: [
        { name: 'w', dataType: DataType.UINT8, dims, rawData: stored },
        floats('scale', [], [0.01]),
        floats(
          'r',
          dims,
          Array.from({ length: 4 * gates }, () => normal(random)),
        ),
      ],
    });
    const target = await modelFromBytes(bytes);
    const { model: again, tensors } = await written(
      target,
      await changed((await floatVersion(target)).model, 1.5),
    );
    expect(tensors).toBeGreaterThan(0);
    const attributesOf = ({ document }: EditableModel) =>
      onnx.ModelProto.decode(document.source.bytes ?? new Uint8Array())
        .graph?.node?.filter(({ opType }) => opType === op)
        .map(({ attribute }) => attribute);
    expect(attributesOf(again)).toEqual(attributesOf(target));
  }
});
