import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { onnx } from '../../../proto/onnx.js';
import { scan } from '../../../src/onnx/scan.js';
import { webglProblems } from '../../../src/providers/webgl/check.js';
import type { ProblemKind } from '../../../src/providers/webgl/facts.js';
import { graph } from '../../support/bodies.js';
import { externalModel } from '../../support/external.js';
import { swapped } from '../../support/graph.js';
import {
  type AttributeValue,
  floats,
  ints,
  type ModelParts,
  model,
  node,
  value,
} from '../../support/model.js';
import { bytesOf, REAL_MODELS } from '../../support/models.js';
import { openWebglPage, type WebglPage } from '../../support/webgl-page.js';
import { feedsFor, numbers, webglError } from '../../support/webgl-run.js';

let page: WebglPage;
beforeAll(async () => {
  page = await openWebglPage();
});
afterAll(() => page.close());

const problems = async (bytes: Uint8Array) => webglProblems(await scan(bytes));

const F32 = 1;
const I64 = 7;
const F16 = 10;
const f32 = (name: string, ...dims: number[]) => value(name, F32, dims);
const IMAGE = [1, 2, 4, 4];

interface Parts extends Partial<ModelParts> {
  /** Dimensions of the input x. */
  readonly x?: number[];
}

/** A model of these nodes from x; they make y. */
function of(nodes: onnx.INodeProto[], y: number[], { x = IMAGE, ...rest }: Parts = {}): Uint8Array {
  return model({ nodes, inputs: [f32('x', ...x)], outputs: [f32('y', ...y)], ...rest });
}

/** A model of one operator from x and other inputs to y. */
function one(
  op: string,
  inputs: readonly string[],
  y: number[],
  { attributes = {}, ...parts }: Parts & { readonly attributes?: Record<string, AttributeValue> } = {},
): Uint8Array {
  return of([node(op, ['x', ...inputs], ['y'], attributes)], y, parts);
}

const raw = (name: string, dataType: number, dims: number[], data: ArrayBufferView): onnx.ITensorProto => ({
  name,
  dataType,
  dims,
  rawData: new Uint8Array(data.buffer),
});
const toI32 = node('Cast', ['x'], ['i'], { to: 6 });
const toBool = node('Greater', ['x', 'x'], ['b']);
const toF32 = node('Cast', ['t'], ['y'], { to: F32 });
const s4 = floats('s', [4], [1, 1, 2, 2]);
const pads = ints('p', [8], [0, 0, 1, 1, 0, 0, 1, 1]);
const half = [1, 2, 8, 8];
const linear = { mode: 'linear' };

interface Case {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly kind: ProblemKind;
  readonly says: RegExp;
}
const refused = (name: string, bytes: Uint8Array, kind: ProblemKind, says: RegExp): Case => ({
  name,
  bytes,
  kind,
  says,
});

const branch = (label: string, op: string) => graph(label, [node(op, ['x'], ['o'])], [], [f32('o', 4)]);

const REFUSED: Case[] = [
  refused(
    'an operator that it lacks',
    one('Softplus', [], IMAGE),
    'operator',
    /^WebGL does not support Softplus$/,
  ),
  refused('Mish', one('Mish', [], IMAGE), 'operator', /^WebGL does not support Mish$/),
  refused(
    'a later version',
    one('ReduceSum', [], [1, 1, 1, 1], { opset: 13 }),
    'opset',
    /ReduceSum in opset 1 to 12, and the model has opset 13/,
  ),
  refused(
    'an earlier version',
    one('Relu', [], IMAGE, { opset: 5 }),
    'opset',
    /Relu in opset 6 on, and the model has opset 5/,
  ),
  refused(
    'If',
    of(
      [
        toBool,
        node('ReduceMax', ['x'], ['m'], { keepdims: 0 }),
        node('If', ['m'], ['y'], { then_branch: branch('a', 'Neg'), else_branch: branch('b', 'Abs') }),
      ],
      [4],
      { x: [4], opset: 13 },
    ),
    'graph-attribute',
    /nested graphs, such as those of If/,
  ),
  refused(
    'a function',
    of([node('F', ['x'], ['y'], {}, { domain: 'local' })], [4], {
      x: [4],
      domains: { local: 1 },
      functions: [
        {
          name: 'F',
          domain: 'local',
          input: ['a'],
          output: ['b'],
          node: [node('Neg', ['a'], ['b'])],
          opsetImport: [{ domain: '', version: 18 }],
        },
      ],
    }),
    'function',
    /a model's own functions, such as local.F/,
  ),
  refused(
    'another domain',
    of([node('Gelu', ['x'], ['y'], {}, { domain: 'com.microsoft' })], [4], {
      x: [4],
      domains: { 'com.microsoft': 1 },
    }),
    'domain',
    /domain com.microsoft, such as Gelu/,
  ),
  refused(
    'an old file',
    one('Neg', [], [4], { x: [4], opset: 6, ir: 2 }),
    'ir-version',
    /IR version 3 and newer, and the model has 2/,
  ),
  refused('external data', externalModel('data.bin'), 'external-data', /one holds the data of bias/),

  refused(
    'an f16 initializer',
    of([node('Cast', ['h'], ['c'], { to: 1 }), node('Mul', ['x', 'c'], ['y'])], [4], {
      x: [4],
      initializers: [raw('h', F16, [1], Uint16Array.of(0))],
    }),
    'element-type',
    /element type f16 of h/,
  ),
  refused(
    'an f16 constant',
    of(
      [
        node('Constant', [], ['h'], { value: { tensor: raw('', F16, [1], Uint16Array.of(0)) } }),
        node('Cast', ['h'], ['c'], { to: 1 }),
        node('Mul', ['x', 'c'], ['y']),
      ],
      [4],
      { x: [4] },
    ),
    'element-type',
    /element type f16 of the value of Constant/,
  ),
  refused(
    'a cast to f16',
    of([node('Cast', ['x'], ['t'], { to: F16 }), toF32], IMAGE),
    'element-type',
    /does not support a cast to f16/,
  ),
  refused(
    'an f16 output',
    one('Cast', [], IMAGE, { attributes: { to: F16 }, outputs: [value('y', F16, IMAGE)] }),
    'element-type',
    /element type f16 of the output y/,
  ),
  refused(
    'a wide integer',
    one('Slice', ['a', 'b'], [3], {
      x: [4],
      initializers: [ints('a', [1], [1]), raw('b', I64, [1], BigInt64Array.of(2n ** 63n - 1n))],
    }),
    'value',
    /32-bit integers, and b exceeds them/,
  ),
  refused(
    'integers where floats are asked for',
    of([toI32, node('Transpose', ['i'], ['t']), toF32], [4, 4, 2, 1]),
    'element-type',
    /Transpose does not support i32/,
  ),
  refused(
    'truth values where numbers are asked for',
    of([toBool, node('Gather', ['b', 'k'], ['t']), toF32], [1], {
      x: [4],
      initializers: [ints('k', [1], [0])],
    }),
    'element-type',
    /Gather does not support bool/,
  ),

  refused(
    'an output that is an input',
    one('Neg', [], [4], { x: [4], outputs: [f32('y', 4), f32('x', 4)] }),
    'outputs',
    /no node computes, such as x/,
  ),
  refused(
    'an output that is an initializer',
    one('Neg', [], [4], {
      x: [4],
      outputs: [f32('y', 4), f32('w', 1)],
      initializers: [floats('w', [1], [3])],
    }),
    'outputs',
    /such as w/,
  ),
  refused(
    'indices of MaxPool',
    of([node('MaxPool', ['x'], ['y', 'i'], { kernel_shape: [2, 2] })], [1, 2, 3, 3]),
    'outputs',
    /only the first output of MaxPool/,
  ),
  refused(
    'a left out input',
    one('Clip', ['', 'a'], [4], { x: [4], initializers: [floats('a', [], [0])] }),
    'inputs',
    /omitted input, such as input 2 of this Clip/,
  ),
  refused(
    'a Constant of another attribute',
    of([node('Constant', [], ['c'], { value_float: { f: 2 } }), node('Mul', ['x', 'c'], ['y'])], [4], {
      x: [4],
    }),
    'attribute',
    /only with the attribute value/,
  ),
  refused(
    'seven dimensions',
    one('Add', ['x'], [1, 1, 1, 1, 1, 2, 2], { x: [1, 1, 1, 1, 1, 2, 2] }),
    'rank',
    /at most 6 dimensions, and an input of Add has 7/,
  ),

  refused(
    '1-D Conv',
    one('Conv', ['w'], [1, 1, 4], { x: [1, 1, 4], initializers: [floats('w', [1, 1, 1], [2])] }),
    'rank',
    /Conv takes weights of four dimensions.* has 3/,
  ),
  refused(
    '1-D ConvTranspose',
    one('ConvTranspose', ['w'], [1, 1, 4], { x: [1, 1, 4], initializers: [floats('w', [1, 1, 1], [2])] }),
    'rank',
    /ConvTranspose takes weights of four/,
  ),
  refused(
    'ceil_mode',
    one('MaxPool', [], [1, 2, 3, 3], { attributes: { kernel_shape: [2, 2], ceil_mode: 1 } }),
    'attribute',
    /MaxPool does not support ceil_mode/,
  ),
  refused(
    'ceil_mode of AveragePool',
    one('AveragePool', [], [1, 2, 3, 3], { attributes: { kernel_shape: [2, 2], ceil_mode: 1 } }),
    'attribute',
    /AveragePool does not support ceil_mode/,
  ),
  refused(
    'storage_order',
    one('MaxPool', [], [1, 2, 3, 3], { attributes: { kernel_shape: [2, 2], storage_order: 1 } }),
    'attribute',
    /does not support storage_order/,
  ),
  refused(
    'axes as an input',
    one('ReduceMean', ['a'], [1, 2, 1, 1], { initializers: [ints('a', [2], [2, 3])] }),
    'inputs',
    /axes as an attribute only/,
  ),
  refused(
    'Gemm of two inputs',
    one('Gemm', ['w'], [3, 2], { x: [3, 4], initializers: [floats('w', [4, 2], numbers(8))] }),
    'inputs',
    /third input/,
  ),
  refused(
    'Gemm with a scalar',
    one('Gemm', ['w', 'c'], [3, 2], {
      x: [3, 4],
      initializers: [floats('w', [4, 2], numbers(8)), floats('c', [], [1])],
    }),
    'rank',
    /third input of one or two dimensions.* has 0/,
  ),
  refused(
    'MatMul of a vector',
    one('MatMul', ['w'], [2], { x: [4], initializers: [floats('w', [4, 2], numbers(8))] }),
    'rank',
    /MatMul takes two or more/,
  ),
  refused(
    'MatMul with a vector',
    one('MatMul', ['w'], [2], { x: [2, 4], initializers: [floats('w', [4], numbers(4))] }),
    'rank',
    /MatMul takes two or more/,
  ),
  refused(
    'BatchNormalization of a matrix',
    one('BatchNormalization', ['s', 's', 's', 's'], [2, 3], {
      x: [2, 3],
      initializers: [floats('s', [3], [1, 2, 3])],
    }),
    'rank',
    /three or more dimensions.* has 2/,
  ),
  refused(
    'InstanceNormalization of a signal',
    one('InstanceNormalization', ['s', 's'], [1, 2, 4], {
      x: [1, 2, 4],
      initializers: [floats('s', [2], [1, 2])],
    }),
    'rank',
    /four dimensions/,
  ),
  refused(
    'LRN of a signal',
    one('LRN', [], [1, 2, 4], { x: [1, 2, 4], attributes: { size: 1 } }),
    'rank',
    /four dimensions/,
  ),
  refused(
    'dynamic pads',
    of(
      [
        node('Shape', ['x'], ['q']),
        node('Concat', ['q', 'q'], ['p'], { axis: 0 }),
        node('Pad', ['x', 'p'], ['y']),
      ],
      [3, 6, 12, 12],
    ),
    'dynamic',
    /Pad takes pads and value only from constants/,
  ),
  refused(
    'axes of Pad',
    one('Pad', ['p', 'v', 'a'], [1, 2, 6, 6], {
      initializers: [ints('p', [4], [1, 1, 1, 1]), floats('v', [], [1]), ints('a', [2], [2, 3])],
    }),
    'inputs',
    /Pad does not support axes/,
  ),
  refused(
    'a mode of Pad',
    one('Pad', ['p'], [1, 2, 6, 6], { opset: 19, initializers: [pads], attributes: { mode: 'wrap' } }),
    'attribute',
    /does not support the mode wrap/,
  ),
  refused(
    'dynamic bounds',
    of([node('ReduceMax', ['x'], ['q'], { keepdims: 0 }), node('Clip', ['x', 'a', 'q'], ['y'])], [4], {
      x: [4],
      opset: 13,
      initializers: [floats('a', [], [0])],
    }),
    'dynamic',
    /Clip takes its bounds only/,
  ),
  refused(
    'a dynamic Slice',
    of([node('Shape', ['x'], ['s']), node('Slice', ['x', 'a', 's'], ['y'])], [3], {
      x: [4],
      initializers: [ints('a', [1], [1])],
    }),
    'dynamic',
    /starts, ends, axes and steps/,
  ),
  refused(
    'steps',
    one('Slice', ['a', 'b', 'c', 's'], [2], {
      x: [4],
      initializers: [ints('a', [1], [0]), ints('b', [1], [4]), ints('c', [1], [0]), ints('s', [1], [2])],
    }),
    'inputs',
    /steps of 1, and this step is 2/,
  ),
  refused(
    'Resize nearest',
    one('Resize', ['', 's'], half, { initializers: [s4], attributes: { mode: 'nearest' } }),
    'attribute',
    /only the mode linear, and this mode is nearest/,
  ),
  refused(
    'Resize cubic',
    one('Resize', ['', 's'], half, { initializers: [s4], attributes: { mode: 'cubic' } }),
    'attribute',
    /and this mode is cubic/,
  ),
  refused(
    'Resize by default',
    one('Resize', ['', 's'], half, { initializers: [s4] }),
    'attribute',
    /and this mode is nearest/,
  ),
  refused(
    'Resize of opset 10',
    one('Resize', ['s'], half, { opset: 10, initializers: [s4], attributes: linear }),
    'opset',
    /Resize fails in opset 10/,
  ),
  refused(
    'coordinates of Resize',
    one('Resize', ['', 's'], half, {
      opset: 19,
      initializers: [s4],
      attributes: { ...linear, coordinate_transformation_mode: 'half_pixel_symmetric' },
    }),
    'attribute',
    /coordinate_transformation_mode half_pixel_symmetric/,
  ),
  refused(
    'other coordinates of Resize',
    one('Resize', ['', 's'], half, {
      opset: 11,
      initializers: [s4, floats('r', [0], [])],
      attributes: { ...linear, coordinate_transformation_mode: 'tf_half_pixel_for_nn' },
    }),
    'attribute',
    /tf_half_pixel_for_nn/,
  ),
  refused(
    'sizes of Resize alone',
    one('Resize', ['', '', 's'], half, { initializers: [ints('s', [4], half)], attributes: linear }),
    'inputs',
    /sizes only where roi and scales are given/,
  ),
  refused(
    'Resize of a volume',
    one('Resize', ['', 's'], [1, 4, 8], {
      x: [1, 2, 4],
      initializers: [floats('s', [3], [1, 2, 2])],
      attributes: linear,
    }),
    'rank',
    /two or four dimensions.* has 3/,
  ),
  refused(
    'Upsample of opset 9',
    one('Upsample', ['s'], half, { opset: 9, initializers: [s4] }),
    'opset',
    /Upsample fails in opset 9/,
  ),
  refused(
    'Sum that broadcasts',
    one('Sum', ['w'], [2, 2], { x: [2, 2], initializers: [floats('w', [2], [1, 2])] }),
    'inputs',
    /only inputs of one shape/,
  ),
  refused('Squeeze without axes', one('Squeeze', [], [4], { x: [1, 4] }), 'inputs', /Squeeze needs its axes/),
  refused(
    'Squeeze without axes, before',
    one('Squeeze', [], [4], { x: [1, 4], opset: 11 }),
    'attribute',
    /Squeeze needs its axes/,
  ),
  refused(
    'Dropout with a ratio',
    one('Dropout', ['r'], [4], { x: [4], initializers: [floats('r', [], [0.5])] }),
    'inputs',
    /one input only/,
  ),
];

const FINE: [string, Uint8Array][] = [
  ['Pad', one('Pad', ['p'], [1, 2, 6, 6], { initializers: [pads] })],
  ['Pad with a value', one('Pad', ['p', 'v'], [1, 2, 6, 6], { initializers: [pads, floats('v', [], [1])] })],
  [
    'Pad, reflecting',
    one('Pad', ['p'], [1, 2, 6, 6], { initializers: [pads], attributes: { mode: 'reflect' } }),
  ],
  ['Resize linear', one('Resize', ['', 's'], half, { initializers: [s4], attributes: linear })],
  [
    'Resize by sizes',
    one('Resize', ['e', 'e', 'z'], half, {
      initializers: [floats('e', [0], []), ints('z', [4], half)],
      attributes: linear,
    }),
  ],
  [
    'Resize, corners aligned',
    one('Resize', ['', 's'], half, {
      initializers: [s4],
      attributes: { ...linear, coordinate_transformation_mode: 'align_corners' },
    }),
  ],
  [
    'Resize with a Constant',
    of(
      [node('Constant', [], ['s'], { value: { tensor: s4 } }), node('Resize', ['x', '', 's'], ['y'], linear)],
      half,
    ),
  ],
  [
    'Slice',
    one('Slice', ['a', 'b'], [2], { x: [4], initializers: [ints('a', [1], [-3]), ints('b', [1], [-1])] }),
  ],
  [
    'Gemm',
    one('Gemm', ['w', 'c'], [3, 2], {
      x: [3, 4],
      initializers: [floats('w', [4, 2], numbers(8)), floats('c', [2], [1, 2])],
    }),
  ],
  [
    'MatMul of a stack',
    one('MatMul', ['w'], [2, 3, 2], { x: [2, 3, 4], initializers: [floats('w', [4, 2], numbers(8))] }),
  ],
  [
    'BatchNormalization',
    one('BatchNormalization', ['s', 's', 's', 's'], IMAGE, { initializers: [floats('s', [2], [1, 2])] }),
  ],
  ['ReduceMean', one('ReduceMean', [], [1, 2, 1, 1], { opset: 13, attributes: { axes: [2, 3] } })],
  ['1-D MaxPool', one('MaxPool', [], [1, 1, 3], { x: [1, 1, 4], attributes: { kernel_shape: [2] } })],
  [
    '3-D MaxPool',
    one('MaxPool', [], [1, 1, 3, 3, 3], { x: [1, 1, 4, 4, 4], attributes: { kernel_shape: [2, 2, 2] } }),
  ],
  ['Transpose of six dimensions', one('Transpose', [], [2, 2, 1, 1, 1, 1], { x: [1, 1, 1, 1, 2, 2] })],
  [
    'Split',
    of([node('Split', ['x'], ['y', 'z'], { axis: 0 })], [2], {
      x: [4],
      opset: 11,
      outputs: [f32('y', 2), f32('z', 2)],
    }),
  ],
  ['Softmax over channels', one('Softmax', [], IMAGE, { attributes: { axis: 1 } })],
  ['PRelu', one('PRelu', ['w'], IMAGE, { initializers: [floats('w', [2, 1, 1], [0.1, 0.2])] })],
  ['Gather by int64', one('Gather', ['k'], [2], { x: [4], initializers: [ints('k', [2], [3, -1])] })],
  [
    'a shape computed with',
    of(
      [
        node('Shape', ['x'], ['s']),
        node('Gather', ['s', 'k'], ['g']),
        node('Concat', ['g', 'n'], ['d'], { axis: 0 }),
        node('Reshape', ['x', 'd'], ['y']),
      ],
      [1, 32],
      { initializers: [ints('k', [1], [0]), ints('n', [1], [-1])] },
    ),
  ],
  ['a shape as output', one('Shape', [], [4], { outputs: [value('y', I64, [4])] })],
  ['a truth value as output', one('Greater', ['x'], [4], { x: [4], outputs: [value('y', 9, [4])] })],
  [
    'strings that nobody reads',
    one('Neg', [], [4], {
      x: [4],
      initializers: [{ name: 'h', dataType: 8, dims: [1], stringData: [Uint8Array.of(65)] }],
    }),
  ],
  [
    'FusedConv',
    of(
      [node('FusedConv', ['x', 'w'], ['y'], { activation: 'Relu' }, { domain: 'com.microsoft' })],
      [1, 1, 4, 4],
      { domains: { 'com.microsoft': 1 }, initializers: [floats('w', [1, 2, 1, 1], [2, -3])] },
    ),
  ],
];

describe('what WebGL refuses is told beforehand', () => {
  test.each(REFUSED)('$name', async ({ bytes, kind, says }) => {
    const found = await problems(bytes);
    expect(found).toContainEqual(expect.objectContaining({ kind, message: expect.stringMatching(says) }));
    expect(await page.run(bytes, feedsFor(bytes))).toHaveProperty('error');
  });
});

describe('what it runs has no problem', () => {
  test.each(FINE)('%s', async (_, bytes) => {
    expect(await problems(bytes)).toEqual([]);
    expect(await webglError(page, bytes)).toBeLessThan(1e-5);
  });
});

describe('types of inputs', () => {
  const typed = (elemType: number) =>
    model({
      nodes: [node('Cast', ['x'], ['y'], { to: F32 })],
      inputs: [value('x', elemType, [2])],
      outputs: [f32('y', 2)],
    });

  test.each([
    ['float32', F32],
    ['float64', 11],
    ['int32', 6],
    ['uint8', 2],
    ['bool', 9],
  ] as const)('%s is taken', async (type, elemType) => {
    expect(await problems(typed(elemType))).toEqual([]);
    const outcome = await page.run(typed(elemType), { x: { type, dims: [2], data: [0, 1] } });
    expect(outcome).toMatchObject({ outputs: { y: { data: [0, 1] } } });
  });

  test('int64 is not', async () => {
    expect(await problems(typed(I64))).toMatchObject([
      { kind: 'element-type', node: null, op: null, opset: null },
    ]);
    const outcome = await page.run(typed(I64), { x: { type: 'int64', dims: [2], data: [0, 1] } });
    expect(outcome).toMatchObject({ error: expect.stringContaining("expected type 'int32' but got int64") });
  });
});

test('a problem says where it is', async () => {
  const [problem] = await problems(of([node('Softplus', ['x'], ['y'], {}, { name: 'soft' })], IMAGE));
  expect(problem).toEqual({
    kind: 'operator',
    message: 'WebGL does not support Softplus',
    node: 'soft',
    op: 'Softplus',
    opset: 18,
  });
});

test('names that objects have are no operators', async () => {
  expect(await problems(one('constructor', [], IMAGE))).toMatchObject([{ kind: 'operator' }]);
});

test('real models', async () => {
  const kinds = async (path: string) => {
    const { bytes } = await swapped(bytesOf(path), { form: 'exp' });
    return [...new Set((await problems(bytes)).map(({ kind, op }) => `${kind} ${op}`))];
  };
  expect(await kinds(REAL_MODELS.alexa)).toEqual([]);
  expect(await kinds(REAL_MODELS.jarvis)).toContain('graph-attribute If');
  expect(await kinds(REAL_MODELS.vad)).toContain('graph-attribute If');
});
