import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { onnx } from '../../../proto/onnx.js';
import { floatVersion } from '../../../src/calibrate/int8/float-version.js';
import { isDequantizer, isQuantizer } from '../../../src/mish/quantization.js';
import { swap } from '../../../src/mish/swap.js';
import { modelFromBytes } from '../../../src/providers/loaded-model.js';
import { readFashion } from '../../support/fashion.js';
import { decode } from '../../support/graph.js';
import { floats, ints, model, node, value } from '../../support/model.js';
import { withSecondReaders } from '../../support/quantised.js';
import { f32, run } from '../../support/run.js';

const folder = fileURLToPath(new URL('../../mish/int8/', import.meta.url));
const load = (name: string) => Uint8Array.from(readFileSync(`${folder}${name}.onnx`));
const images = f32([...readFashion('test', 32).images], [32, 1, 28, 28]);

const scores = async (bytes: Uint8Array) => Object.values(await run(bytes, { images }, 'all'))[0] ?? [];

test.each(['u8', 'u8-symmetric', 'u8-with-relu', 'i8', 'i8-symmetric'])(
  '%s: the float version has no quantised tensor, the same sites, and the same outputs up to the roundings',
  async (name) => {
    const original = await modelFromBytes(load(name));
    const { model: made, quantised } = await floatVersion(original);
    const nodes = made.document.graph.nodes;
    expect(nodes.filter((node) => isQuantizer(node) || isDequantizer(node))).toEqual([]);
    expect(quantised.length).toBeGreaterThan(4);
    const places = async (source: Uint8Array, int8?: 'exact') =>
      (await swap(source, { int8 })).report.sites.map(({ scope, output }) => [scope, output]);
    if (!(made.file instanceof Uint8Array)) throw new Error('the float version is not in memory');
    expect(await places(made.file)).toEqual(await places(load(name), 'exact'));
    const [was, is] = [await scores(load(name)), await scores(made.file)];
    const squares = (values: readonly number[]) => values.reduce((sum, one) => sum + one ** 2, 0);
    const noise = squares(is.map((one, at) => one - (was[at] ?? Number.NaN)));
    expect(noise / squares(was)).toBeLessThan(0.005);
  },
);

test('integers that others read stay quantised', async () => {
  const { document } = await modelFromBytes(load('operators'));
  const before = document.graph.nodes.filter(isQuantizer).length;
  const { model: made } = await floatVersion(await modelFromBytes(load('operators')));
  expect(made.document.graph.nodes.filter(isQuantizer)).toHaveLength(before);
});

test.each(['u8', 'u8-symmetric', 'u8-with-relu', 'i8', 'i8-symmetric'])(
  '%s, each tensor quantised twice: every tensor is the same up to the roundings, clipped where it was',
  async (name) => {
    const source = withSecondReaders(load(name));
    const { model: made } = await floatVersion(await modelFromBytes(source));
    if (!(made.file instanceof Uint8Array)) throw new Error('the float version is not in memory');
    const [was, is] = [await run(source, { images }, 'all'), await run(made.file, { images }, 'all')];
    expect(Object.keys(was).length).toBeGreaterThan(4);
    for (const [output, values] of Object.entries(was)) {
      const signal = values.reduce((sum, one) => sum + one ** 2, 0);
      const noise = values.reduce((sum, one, at) => sum + (one - (is[output]?.[at] ?? Number.NaN)) ** 2, 0);
      expect(noise, output).toBeLessThan(0.03 * signal);
    }
  },
);

/** Two Gemms, of which the first is quantised to the range from 0 to 6: a ReLU6 without a node. */
const relu6 = (opset: number) =>
  model({
    nodes: [
      node('QuantizeLinear', ['images', 's', 'z'], ['q']),
      node('DequantizeLinear', ['q', 's', 'z'], ['d']),
      node('MatMul', ['d', 'w'], ['h']),
      node('QuantizeLinear', ['h', 's6', 'z6'], ['hq']),
      node('DequantizeLinear', ['hq', 's6', 'z6'], ['y']),
    ],
    initializers: [
      floats('s', [], [0.1]),
      { name: 'z', dims: [], dataType: 2, int32Data: [128] },
      floats('w', [2, 2], [1, -1, 0.5, 1]),
      floats('s6', [], [6 / 255]),
      { name: 'z6', dims: [], dataType: 2, int32Data: [0] },
    ],
    inputs: [value('images', 1, ['N', 2])],
    outputs: [value('y', 1, ['N', 2])],
    opset,
  });

test.each([10, 13])('a range from 0 to 6 becomes a Clip (opset %d)', async (opset) => {
  const source = relu6(opset);
  const { model: made } = await floatVersion(await modelFromBytes(source));
  if (!(made.file instanceof Uint8Array)) throw new Error('the float version is not in memory');
  expect(made.document.graph.nodes.map(({ opType }) => opType)).toEqual(['MatMul', 'Clip', 'Identity']);
  const given = { images: f32([9, 1, -3, 2, 0.5, 0.25, 4, 12], [4, 2]) };
  const [was, is] = [await run(source, given), await run(made.file, given)];
  for (const [at, one] of (was.y ?? []).entries())
    expect(Math.abs(one - (is.y?.[at] ?? 99))).toBeLessThan(0.2);
});

test.each([3, 0.5])('a quantiser behind x + %d becomes the Clip of HardSigmoid', async (shift) => {
  const source = model({
    nodes: [
      node('QuantizeLinear', ['images', 's', 'z'], ['q']),
      node('DequantizeLinear', ['q', 's', 'z'], ['d']),
      node('Add', ['d', 'shift'], ['h']),
      node('QuantizeLinear', ['h', 's_h', 'z_h'], ['hq']),
      node('DequantizeLinear', ['hq', 's_h', 'z_h'], ['y']),
    ],
    initializers: [
      floats('s', [], [0.1]),
      { name: 'z', dims: [], dataType: 2, int32Data: [128] },
      floats('shift', [], [shift]),
      floats('s_h', [], [(1.5 * shift) / 255]), // the samples gave no value up to the bound
      { name: 'z_h', dims: [], dataType: 2, int32Data: [0] },
    ],
    inputs: [value('images', 1, ['N', 2])],
    outputs: [value('y', 1, ['N', 2])],
    opset: 13,
  });
  const { model: made } = await floatVersion(await modelFromBytes(source));
  if (!(made.file instanceof Uint8Array)) throw new Error('the float version is not in memory');
  expect(made.document.graph.nodes.map(({ opType }) => opType)).toEqual(['Add', 'Clip', 'Identity']);
  const given = f32([9, 1, -5, 0.2], [2, 2]);
  const { y } = await run(made.file, { images: given });
  const clipped = [9, 1, -5, 0.2].map((x) => Math.min(Math.max(x + shift, 0), 2 * shift));
  expect([...(y ?? [])]).toEqual(clipped.map((one) => expect.closeTo(one, 5)));
});

/** Stores all constants in Constant nodes, as some exporters do. */
function withConstantNodes(bytes: Uint8Array): Uint8Array {
  const message = decode(bytes);
  const { graph } = message;
  if (!graph) throw new Error('the model has no graph');
  const constants = (graph.initializer ?? []).map((tensor) =>
    node('Constant', [], [tensor.name ?? ''], { value: { tensor } }),
  );
  graph.node = [...constants, ...(graph.node ?? [])];
  graph.initializer = [];
  return onnx.ModelProto.encode(message).finish();
}

test.each([
  ['u8', load('u8'), images],
  ['i8-symmetric', load('i8-symmetric'), images],
  ['a Clip', relu6(13), f32([9, 1, -3, 2, 0.5, 0.25, 4, 12], [4, 2])],
])('%s: constants of nodes give the same float version as stored ones', async (_, source, given) => {
  const outputs = async (bytes: Uint8Array) => {
    const { model: made } = await floatVersion(await modelFromBytes(bytes));
    if (!(made.file instanceof Uint8Array)) throw new Error('the float version is not in memory');
    return run(made.file, { images: given });
  };
  expect(await outputs(withConstantNodes(source))).toEqual(await outputs(source));
});

test.each(['Gather', 'Concat', 'MaxPool'])(
  'what a quantiser behind %s clips is clipped in the float version, too, unless it cannot be negative',
  async (opType) => {
    const pair = (from: string, side: string) => [
      node('QuantizeLinear', [from, `s_${side}`, `z_${side}`], [`${from}_q`]),
      node('DequantizeLinear', [`${from}_q`, `s_${side}`, `z_${side}`], [`${from}_d`]),
    ];
    const zero = (name: string, at: number) => ({
      name,
      dims: [],
      dataType: onnx.TensorProto.DataType.UINT8,
      int32Data: [at],
    });
    for (const at of [0, 128]) {
      const bytes = model({
        nodes: [
          ...pair('x', 'x'),
          opType === 'Gather'
            ? node('Gather', ['x_d', 'all'], ['h'], { axis: 2 })
            : opType === 'Concat'
              ? node('Concat', ['x_d'], ['h'], { axis: 1 })
              : node('MaxPool', ['x_d'], ['h'], { kernel_shape: [1] }),
          ...pair('h', 'h'),
          node('Identity', ['h_d'], ['y']),
        ],
        inputs: [value('x', 1, [1, 1, 4])],
        outputs: [value('y', 1, [1, 1, 4])],
        initializers: [
          floats('s_x', [], [0.02]),
          floats('s_h', [], [0.02]),
          zero('z_x', at),
          zero('z_h', 0),
          ints('all', [4], [3, 2, 1, 0]),
        ],
      });
      const { model: made } = await floatVersion(await modelFromBytes(bytes));
      if (!(made.file instanceof Uint8Array)) throw new Error('the float version is not in memory');
      expect(made.document.graph.nodes.filter((one) => one.opType === 'Relu')).toHaveLength(at === 0 ? 0 : 1);
      const x = f32(at === 0 ? [1, 0.5, 2, 0.1] : [-1, 0.5, -0.2, 1], [1, 1, 4]);
      const [was, is] = [await run(bytes, { x }), await run(made.file, { x })];
      for (const [place, one] of (is.y ?? []).entries())
        expect(one).toBeCloseTo(was.y?.[place] ?? Number.NaN, 1);
    }
  },
);

test.each([
  ['UINT8', true],
  ['INT16', true],
  ['UINT4', false],
  ['INT4', false],
  ['FLOAT8E4M3FN', false],
] as const)('stored floats that output_dtype turns to %s keep their values', async (type, isRead) => {
  const bytes = model({
    opset: 21,
    ir: 10,
    nodes: [
      node('QuantizeLinear', ['w', 's'], ['q'], { output_dtype: onnx.TensorProto.DataType[type] }),
      node('DequantizeLinear', ['q', 's'], ['d']),
      node('MatMul', ['x', 'd'], ['y']),
    ],
    initializers: [floats('w', [2, 2], [1, -2, 3, 5]), floats('s', [], [1])],
    inputs: [value('x', 1, ['N', 2])],
    outputs: [value('y', 1, ['N', 2])],
  });
  const { model: made, left } = await floatVersion(await modelFromBytes(bytes));
  if (!(made.file instanceof Uint8Array)) throw new Error('the float version is not in memory');
  expect(left).toHaveLength(isRead ? 0 : 1);
  const x = f32([1, 2, -0.5, 0.25], [2, 2]);
  expect(await run(made.file, { x })).toEqual(await run(bytes, { x }));
});

test('a function keeps its names, also those that the graph has for quantised values', async () => {
  const branch = (opType: string) => ({
    graph: { name: opType, node: [node(opType, ['d'], ['r'])], output: [value('r', 1, undefined)] },
  });
  const isTrue = { name: 'c', dims: [], dataType: onnx.TensorProto.DataType.BOOL, int32Data: [1] };
  const bytes = model({
    nodes: [
      node('QuantizeLinear', ['x', 's'], ['q']),
      node('DequantizeLinear', ['q', 's'], ['d']),
      node('F', ['d'], ['y'], {}, { domain: 'own' }),
    ],
    initializers: [floats('s', [], [0.5])],
    inputs: [value('x', 1, [2])],
    outputs: [value('y', 1, [2])],
    domains: { own: 1 },
    functions: [
      {
        ...{ name: 'F', domain: 'own', input: ['a'], output: ['b'] },
        opsetImport: [{ domain: '', version: 18 }],
        node: [
          node('Neg', ['a'], ['d']),
          node('Constant', [], ['c'], { value: { tensor: isTrue } }),
          node('If', ['c'], ['b'], { then_branch: branch('Exp'), else_branch: branch('Abs') }),
        ],
      },
    ],
  });
  const { model: made } = await floatVersion(await modelFromBytes(bytes));
  if (!(made.file instanceof Uint8Array)) throw new Error('the float version is not in memory');
  const x = f32([1, 2.5]);
  expect(await run(made.file, { x })).toEqual(await run(bytes, { x }));
});
