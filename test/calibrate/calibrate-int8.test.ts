import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { createRandom, normal } from '../../src/base/random.js';
import type { CalibrateOptions } from '../../src/calibrate/options.js';
import { splitSamples } from '../../src/calibrate/split-samples.js';
import type { Dataset } from '../../src/data/dataset.js';
import { constantTensor } from '../../src/mish/constants.js';
import { inspect } from '../../src/mish/inspect.js';
import { INT8_WAYS, type Int8Way } from '../../src/mish/int8-ways.js';
import { isDequantizer, isQuantizer, quantizationOf, rangeOf } from '../../src/mish/quantization.js';
import { calibrate } from '../../src/node/calibrate-files.js';
import { analyse } from '../../src/onnx/analysis.js';
import { exposeTensors } from '../../src/onnx/expose.js';
import { scan } from '../../src/onnx/scan.js';
import { type Tensors, toNumbers } from '../../src/providers/tensor.js';
import { outputRows } from '../../src/render/calibration-figures.js';
import { readFashion } from '../support/fashion.js';
import { tempFolder } from '../support/folder.js';
import { decode, failure, swapped } from '../support/graph.js';
import { floats, model, node, value } from '../support/model.js';
import { inRuntimeDomain, withDataOutside, withSecondReaders } from '../support/quantised.js';
import { f32, run } from '../support/run.js';

const folder = fileURLToPath(new URL('../mish/int8/', import.meta.url));
const load = (name: string) => Uint8Array.from(readFileSync(`${folder}${name}.onnx`));
const NETS = ['u8', 'u8-symmetric', 'u8-with-relu', 'i8', 'i8-symmetric'];
const CASES = NETS.map((name, at) => [name, INT8_WAYS[at % INT8_WAYS.length] ?? 'exact'] as const);

const PIXELS = 784;
const BATCH = 32;

function runsOf(count: number): Tensors[] {
  const { images } = readFashion('train', count);
  return Array.from({ length: count / BATCH }, (_, at) => {
    const data = images.slice(at * BATCH * PIXELS, (at + 1) * BATCH * PIXELS);
    return { images: { elemType: 'f32', dims: [BATCH, 1, 28, 28], data } };
  });
}

const fitted = runsOf(384);
const UNSEEN = 128;
const images = f32([...readFashion('test', UNSEEN).images], [UNSEEN, 1, 28, 28]);

async function calibrated(
  source: Uint8Array | string,
  int8: Int8Way | undefined,
  options: Partial<CalibrateOptions> = {},
) {
  const data = (): Dataset => ({ source: 'npz', feeds: fitted });
  const { output, report } = await calibrate(source, { data, int8, steps: 0, ...options });
  return { bytes: await output.bytes(), report };
}

const calibratedNets = new Map<string, ReturnType<typeof calibrated>>();

/** Calibrates a stored net without further options, once for all tests. */
function calibratedNet(name: string, int8: Int8Way): ReturnType<typeof calibrated> {
  const key = `${name}, ${int8}`;
  const result = calibratedNets.get(key) ?? calibrated(load(name), int8);
  calibratedNets.set(key, result);
  return result;
}

/** Returns the scores of a model on unseen images. */
async function scoresOf(bytes: Uint8Array): Promise<readonly number[]> {
  return Object.values(await run(bytes, { images }, 'all'))[0] ?? [];
}

const distance = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, one, at) => sum + (one - (b[at] ?? Number.NaN)) ** 2, 0);

/** Returns the quantisation of every QuantizeLinear and DequantizeLinear node with one scale for its tensor. */
async function quantisations(bytes: Uint8Array) {
  const document = await scan(bytes);
  const { index } = analyse(document);
  return document.graph.nodes
    .filter((one) => isQuantizer(one) || isDequantizer(one))
    .map((one) => ({
      node: one,
      scale: constantTensor(index, document.graph, one.inputs[1] ?? ''),
      whole: quantizationOf(index, document.graph, one),
    }));
}

test('weights of 4 bits stay, and a note says so', async () => {
  const message = decode(load('u8'));
  const INT4 = onnx.TensorProto.DataType.INT4;
  for (const tensor of message.graph?.initializer ?? []) {
    if (tensor.name === 'classifier.weight_quantized') {
      const values = new Int8Array(tensor.rawData?.slice().buffer ?? new ArrayBuffer(0));
      const bits = (at: number) => Math.round((values[at] ?? 0) / 19) & 15;
      const rawData = Uint8Array.from(
        { length: values.length / 2 },
        (_, at) => bits(2 * at) | (bits(2 * at + 1) << 4),
      );
      Object.assign(tensor, { dataType: INT4, rawData });
    }
    if (tensor.name === 'classifier.weight_scale') {
      const [scale = 0] = tensor.rawData?.length
        ? new Float32Array(tensor.rawData.slice().buffer)
        : (tensor.floatData ?? []);
      Object.assign(tensor, { floatData: [scale * 19], rawData: new Uint8Array() });
    }
    if (tensor.name === 'classifier.weight_zero_point')
      Object.assign(tensor, { dataType: INT4, int32Data: [0], rawData: new Uint8Array() });
  }
  Object.assign(message, { irVersion: 10, opsetImport: [{ domain: '', version: 21 }] });
  const { bytes, report } = await calibrated(onnx.ModelProto.encode(message).finish(), 'exact');
  expect(report.notes).toContainEqual(
    'the stored numbers of a DequantizeLinear (classifier.weight_DequantizeLinear) are not repaired: int8 reads those of 8, 16 and 32 bits, with a scale for the tensor or for each channel',
  );
  const weights = (of: Uint8Array) =>
    decode(of).graph?.initializer?.find(({ name }) => name === 'classifier.weight_quantized')?.rawData;
  expect(weights(bytes)).toEqual(
    message.graph?.initializer?.find(({ name }) => name === 'classifier.weight_quantized')?.rawData,
  );
});

describe('a net that onnxruntime.quantization wrote', () => {
  test.each(CASES)(
    '%s, %s: the result is nearer to the original on unseen images than the plain swap',
    async (name, int8) => {
      const source = load(name);
      const { bytes, report } = await calibratedNet(name, int8);
      expect(report).toMatchObject({
        kept: 'calibrated',
        int8: { way: int8, sites: 3 },
        samples: { judged: 32 },
      });
      expect(report.int8?.tried.map(({ rule }) => rule)).toEqual(['minmax', 'error']);
      expect(outputRows(report).map(([, row]) => row)).toContain('plain swap'); // that of swap --int8, whatever β is chosen
      const was = await scoresOf(source);
      const plain = await scoresOf((await swapped(source, { int8 })).bytes);
      expect(distance(await scoresOf(bytes), was)).toBeLessThan(0.3 * distance(plain, was));
      const { mish, history } = await inspect(bytes);
      expect(mish).toHaveLength(3);
      expect(history).toMatchObject([{ operation: 'swap', int8 }, { operation: 'calibrate' }]);
    },
  );

  test.each(CASES)(
    '%s, %s: every scale is positive and finite, and weights and biases keep their types',
    async (name, int8) => {
      const { bytes } = await calibratedNet(name, int8);
      const document = await scan(bytes);
      const all = await quantisations(bytes);
      expect(all.length).toBeGreaterThan(10);
      for (const { scale, whole } of all) {
        expect(scale?.elemType).toBe(1);
        if (whole !== undefined) expect(whole.scale > 0 && Number.isFinite(whole.scale)).toBe(true);
      }
      const old = await scan(load(name));
      for (const [key, { elemType, dims }] of old.graph.initializers) {
        const now = document.graph.initializers.get(key);
        if (/quantized$/.test(key)) expect([now?.elemType, now?.dims]).toEqual([elemType, dims]);
      }
    },
  );

  test('outputs of sites do not saturate more often than those of the plain swap', async () => {
    const source = load('u8');
    const saturated = async (bytes: Uint8Array) => {
      const document = await scan(bytes);
      const ends = (await quantisations(bytes)).flatMap(({ node: { opType, inputs }, whole }) =>
        opType === 'QuantizeLinear' && whole && inputs[0] !== 'images'
          ? [{ name: inputs[0] ?? '', most: rangeOf(whole).most }]
          : [],
      );
      const { model: exposed } = exposeTensors(
        document,
        ends.map(({ name }) => name),
      );
      const results = await run(await exposed.bytes(), { images }, 'all');
      const shares = ends.map(({ name, most }) => {
        const values = results[name] ?? [];
        return values.filter((one) => one > most).length / values.length;
      });
      return Math.max(...shares);
    };
    const { bytes } = await calibratedNet('u8', 'exact');
    expect(await saturated(bytes)).toBeLessThanOrEqual(
      0.002 + (await saturated((await swapped(source, { int8: 'exact' })).bytes)),
    );
  });

  test('the same seed gives the same bytes', async () => {
    const [a, b] = [await calibratedNet('i8', 'qlinear'), await calibrated(load('i8'), 'qlinear')];
    expect(Buffer.compare(a.bytes, b.bytes)).toBe(0);
  });

  test('a sharpness that is given stands in the nodes', async () => {
    const { bytes, report } = await calibrated(load('u8'), 'exact', { beta: 2 });
    expect(report).toMatchObject({ beta: 2, curved: null });
    expect((await inspect(bytes)).mish.map(({ beta }) => beta)).toEqual([2, 2, 2]);
  });

  test.each(['u8', 'u8-with-relu'])('%s: an excluded ReLU still clips', async (name) => {
    const { bytes, report } = await calibrated(load(name), 'exact', { exclude: ['*stage2*'] });
    expect(report.sites).toHaveLength(2);
    expect(report.int8?.sites).toBe(2);
    const outputs = (await quantisations(bytes)).filter(
      ({ node: one }) => isQuantizer(one) && /stage2/.test(one.outputs[0] ?? ''),
    );
    expect(outputs.length).toBeGreaterThan(0);
    expect(outputs.at(-1)?.whole?.zeroPoint).toBe(0);
  });
});

test.each(['u8', 'u8-symmetric'])('%s without int8 stays as it is, and a note names int8', async (name) => {
  const source = load(name);
  const { output, report } = await calibrate(source, {
    data: (): Dataset => ({ source: 'npz', feeds: fitted }),
    steps: 0,
  });
  expect(report.sites).toEqual([]);
  expect(report.notes).toContainEqual(expect.stringMatching(/^the model is quantised: int8 /));
  expect(Buffer.compare(await output.bytes(), source)).toBe(0);
});

describe('the same net, written in another way, is calibrated to the same function', () => {
  test('with its weights in a data file, and the result is one file', async () => {
    const folder = await tempFolder();
    const { model: outside, data } = withDataOutside(load('u8'), 'weights.bin');
    await folder.write('weights.bin', data);
    const { bytes, report } = await calibrated(await folder.write('net.onnx', outside), 'exact');
    expect((await scan(bytes)).external).toEqual([]);
    const inside = await calibratedNet('u8', 'exact');
    expect(report.calibrated).toEqual(inside.report.calibrated);
    expect(await scoresOf(bytes)).toEqual(await scoresOf(inside.bytes));
  });

  test.each([
    ['u8', 'QuantizeLinear in the domain of ONNX Runtime', inRuntimeDomain],
    ['u8', 'several QuantizeLinear nodes read what a site computes', withSecondReaders],
    ['u8-with-relu', 'several QuantizeLinear nodes read what a Relu computes', withSecondReaders],
  ])('%s: %s', async (name, _, write) => {
    const options = { outputs: ['scores'], beta: 1 }; // further outputs keep their scale, and so does their β
    const { bytes, report } = await calibrated(write(load(name)), 'exact', options);
    const usual = await calibrated(load(name), 'exact', options);
    const { scales, ...int8 } = report.int8 ?? {};
    expect(usual.report.int8).toMatchObject(int8);
    expect(report.kept).toBe('calibrated');
    const [is, was] = [await scoresOf(bytes), await scoresOf(usual.bytes)];
    const square = was.reduce((sum, one) => sum + one ** 2, 0);
    expect(distance(is, was)).toBeLessThan(1e-3 * square); // a step of rounding here and there
  });
});

test('where the plain swap is written, the report has its β and its sites', async () => {
  const { train } = splitSamples({ source: 'npz', feeds: fitted }, { samples: 384, batch: BATCH, seed: 0 });
  const feeds = fitted.map((feed, at) => {
    const { images: one } = feed;
    if (one === undefined || !train.indices.includes(at)) return feed;
    const data = Float32Array.from(toNumbers(one) ?? [], (pixel) => pixel / 50); // ranges fit these dark images alone
    return { images: { ...one, data } };
  });
  const data = (): Dataset => ({ source: 'npz', feeds });
  const { bytes, report } = await calibrated(load('u8'), 'exact', { data });
  const plain = await swapped(load('u8'), { int8: 'exact' });
  expect(report).toMatchObject({ kept: 'swapped', beta: 1, curved: null });
  expect(report.sites).toEqual(plain.report.sites.map((site) => ({ ...site, bends: null })));
  expect(await scoresOf(bytes)).toEqual(await scoresOf(plain.bytes));
  expect(outputRows(report).map(([, name]) => name)).toContain('plain swap');
});

test('sites that get no operators on integers are repaired as the exact Mish that they become', async () => {
  const source = withSecondReaders(load('u8'));
  const options = { outputs: ['scores'], beta: 1 };
  const [exact, other] = [
    await calibrated(source, 'exact', options),
    await calibrated(source, 'qlinear', options),
  ];
  expect(other.report.int8).toMatchObject({ sites: 3, onIntegers: 0 });
  expect(await scoresOf(other.bytes)).toEqual(await scoresOf(exact.bytes));
});

test.each(['operators', 'operators-with-relu'])(
  '%s without int8: a note says that layers stay',
  async (name) => {
    const { report } = await calibrated(load(name), undefined);
    expect(report.notes).toEqual([
      expect.stringMatching(/^layers on integers \(QLinearConv\) are not repaired/),
    ]);
  },
);

const WIDTH = 12;

/** Two MatMuls without a bias and a Relu between quantised tensors. `isTurned` puts a Transpose before the weights of the second. */
function withoutBiases(isTurned: boolean): Uint8Array {
  const { UINT16, INT8 } = onnx.TensorProto.DataType;
  const zero = (name: string, dataType: number, at: number) => ({
    name,
    dims: [],
    dataType,
    int32Data: [at],
  });
  const pair = (from: string, to: string) => [
    node('QuantizeLinear', [from, 's', 'z'], [`${to}_q`]),
    node('DequantizeLinear', [`${to}_q`, 's', 'z'], [to]),
  ];
  const random = createRandom(4);
  const weights = (name: string) => {
    const int32Data = Array.from({ length: WIDTH * WIDTH }, () => Math.round(40 * normal(random)));
    return { name, dims: [WIDTH, WIDTH], dataType: INT8, int32Data };
  };
  const second = isTurned ? 'wt' : 'wd2';
  return model({
    nodes: [
      ...pair('images', 'x'),
      node('DequantizeLinear', ['w1', 'sw', 'zw'], ['wd1']),
      node('MatMul', ['x', 'wd1'], ['h'], {}, { name: 'first' }),
      ...[...pair('h', 'hd'), node('Relu', ['hd'], ['r']), ...pair('r', 'rd')],
      node('DequantizeLinear', ['w2', 'sw', 'zw'], ['wd2']),
      ...(isTurned ? [node('Transpose', ['wd2'], ['wt'], { perm: [1, 0] })] : []),
      ...[node('MatMul', ['rd', second], ['o'], {}, { name: 'second' }), ...pair('o', 'scores')],
    ],
    initializers: [
      ...[weights('w1'), weights('w2'), floats('sw', [], [0.008]), zero('zw', INT8, 0)],
      ...[floats('s', [], [0.001]), zero('z', UINT16, 32768)],
    ],
    inputs: [value('images', 1, ['N', WIDTH])],
    outputs: [value('scores', 1, ['N', WIDTH])],
    opset: 21,
    ir: 10,
  });
}

function normalRuns(count: number, seed: number): Tensors[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    const data = Float32Array.from({ length: BATCH * WIDTH }, () => normal(random));
    return { images: { elemType: 'f32', dims: [BATCH, WIDTH], data } };
  });
}

test('a MatMul that has no bias is repaired, with one', async () => {
  const source = withoutBiases(false);
  const data = (): Dataset => ({ source: 'npz', feeds: normalRuns(32, 1) });
  const { bytes, report } = await calibrated(source, 'exact', { data, beta: 1 });
  expect(report).toMatchObject({
    kept: 'calibrated',
    layers: [{ label: 'second', method: 'least-squares' }],
  });
  const random = createRandom(2);
  const unseen = Array.from({ length: BATCH * WIDTH }, () => normal(random));
  const given = { images: f32(unseen, [BATCH, WIDTH]) };
  const outputOf = async (one: Uint8Array) => (await run(one, given)).scores ?? [];
  const was = await outputOf(source);
  const plain = await outputOf((await swapped(source, { int8: 'exact' })).bytes);
  expect(distance(await outputOf(bytes), was)).toBeLessThan(0.5 * distance(plain, was));
});

test('weights behind a Transpose, which cannot be written, stay, and so does their layer', async () => {
  const data = (): Dataset => ({ source: 'npz', feeds: normalRuns(32, 1) });
  const { report } = await calibrated(withoutBiases(true), 'exact', { data, beta: 1 });
  expect(report.layers).toEqual([]);
  expect(report.leftAlone).toMatchObject([
    { label: 'second', why: expect.stringMatching(/: Transpose makes/) },
  ]);
});

describe('what is refused', () => {
  test.each(['operators', 'operators-with-relu'])('%s: layers on integers, with advice', async (name) => {
    const refused = failure(calibrated(load(name), 'exact'));
    expect(await refused).toMatchObject({ code: 'bad-usage', fix: expect.stringMatching(/QDQ/) });
  });

  test('a model without quantised sites', async () => {
    const float = model({
      nodes: [node('Relu', ['images'], ['y'])],
      initializers: [floats('w', [1], [1])],
      inputs: [value('images', 1, [BATCH, 1, 28, 28])],
      outputs: [value('y', 1, [BATCH, 1, 28, 28])],
    });
    expect(await failure(calibrated(float, 'exact'))).toMatchObject({
      code: 'bad-usage',
      what: 'the model has no site between quantised tensors',
    });
  });

  test('a model of float8: the reason is in the message', async () => {
    const message = decode(load('u8-with-relu'));
    for (const tensor of message.graph?.initializer ?? [])
      if (tensor.dataType === onnx.TensorProto.DataType.UINT8)
        tensor.dataType = onnx.TensorProto.DataType.FLOAT8E4M3FN;
    const refused = failure(calibrated(onnx.ModelProto.encode(message).finish(), 'exact'));
    expect(await refused).toMatchObject({
      code: 'bad-usage',
      what: expect.stringMatching(/that int8 reads: \S+ has float8e4m3fn, and int8 takes/),
    });
  });

  test('weights in another file, for a model in memory', async () => {
    const message = decode(load('u8'));
    const weight = message.graph?.initializer?.find(({ name }) => name === 'classifier.weight_quantized');
    Object.assign(weight ?? {}, { rawData: new Uint8Array(), int32Data: [], dataLocation: 1 });
    weight?.externalData?.push({ key: 'location', value: 'weights.bin' });
    const whole = onnx.ModelProto.encode(message).finish();
    expect(await failure(calibrated(whole, 'exact'))).toMatchObject({
      code: 'external-data',
      fix: expect.stringMatching(/by its path/),
    });
  });

  test('another activation, and fold', async () => {
    expect(await failure(calibrated(load('u8'), 'exact', { to: 'hardswish' }))).toMatchObject({
      code: 'bad-usage',
    });
    expect(await failure(calibrated(load('u8'), 'exact', { fold: true }))).toMatchObject({
      code: 'bad-usage',
    });
  });
});
