// Gradients where operators have corners, equal values, zeros, infinite derivatives, scalars, and axes of every kind.
import { describe, expect, test } from 'vitest';
import type { onnx } from '../../../proto/onnx.js';
import { type AttributeValue, floats, ints, node } from '../../support/model.js';
import { expectReference, type Reference, type ReferenceCase } from '../../support/reference.js';
import corners from '../reference/corners.json' with { type: 'json' };

const EXPECTED: Readonly<Record<string, Reference>> = corners;

type Attributes = Record<string, AttributeValue>;
type Write = (inputs: readonly string[]) => ReferenceCase;
const f = (value: number) => ({ f: value });
const whole = (name: string, values: readonly number[]) => ints(name, [values.length], values);
const scalar = (name: string, value: number) => ints(name, [], [value]);
const number = (name: string, value: number) => floats(name, [], [value]);

/** A node that reads the case's inputs, and then these constants. */
const unit = (
  op: string,
  attributes: Attributes = {},
  opset = 18,
  ...constants: onnx.ITensorProto[]
): Write => {
  return (inputs) => ({
    nodes: [node(op, [...inputs, ...constants.map(({ name }) => name ?? '')], ['y'], attributes)],
    ...{ opset, constants },
  });
};
const several = (nodes: onnx.INodeProto[], opset = 18, ...constants: onnx.ITensorProto[]): Write => {
  return () => ({ nodes, opset, constants });
};

/** Where chooses a result at the points above 0, and 0 at the others. */
const hidden = (nodes: onnx.INodeProto[], ...constants: onnx.ITensorProto[]): Write =>
  several(
    [...nodes, node('Greater', ['x', 'zero'], ['inside']), node('Where', ['inside', 'h', 'zero'], ['y'])],
    ...([18, number('zero', 0), ...constants] as const),
  );
const after = (first: string, op: string, constants: onnx.ITensorProto[] = [], more: string[] = []): Write =>
  several(
    [node(first, ['x', ...constants.map(({ name }) => name ?? '')], ['h']), node(op, ['h', ...more], ['y'])],
    ...([18, ...constants] as const),
  );
const masked = (op: string, more: string[] = [], attributes: Attributes = {}): Write =>
  several(
    [node('Add', ['x', 'mask'], ['h']), node(op, ['h', ...more], ['y'], attributes)],
    ...([18, floats('mask', [3], [0, 0, -Infinity]), whole('axes', [1])] as const),
  );
const reduce = (op: string, axes: readonly number[]): Write =>
  unit(op, { keepdims: 0 }, 18, whole('axes', axes));
/** A node with several outputs, of which the product of two is read. */
const parts = (names: readonly string[], read: string[], attributes: Attributes, opset: number): Write =>
  several([node('Split', ['x'], [...names], attributes), node('Mul', read, ['y'])], opset);
const topK = (opset: number, attributes: Attributes, ...k: onnx.ITensorProto[]): Write =>
  several(
    [node('TopK', ['x', ...k.map(({ name }) => name ?? '')], ['y', 'places'], attributes)],
    ...([opset, ...k] as const),
  );
const flags = (name: string, dims: readonly number[], values: readonly number[]): onnx.ITensorProto => ({
  ...{ name, dataType: 9, dims: [...dims], int32Data: [...values] },
});
const pool = { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 };
const twice = floats('scales', [4], [1, 1, 2, 2]);

const CASES: Readonly<Record<string, Write>> = {
  ...Object.fromEntries(
    [
      ...[
        'Abs',
        'Relu',
        'PRelu',
        'Selu',
        'HardSwish',
        'Softsign',
        'Softplus',
        'Sigmoid',
        'Tanh',
        'Mish',
        'Erf',
      ],
      ...['Max', 'Min', 'Pow', 'Div', 'GlobalMaxPool'],
    ].map((op) => [op, unit(op)]),
  ),
  LeakyRelu: unit('LeakyRelu', { alpha: f(0.1) }),
  Elu: unit('Elu', { alpha: f(1.5) }),
  Celu: unit('Celu', { alpha: f(1.5) }),
  HardSigmoid: unit('HardSigmoid', { alpha: f(1 / 6) }),
  Shrink: unit('Shrink', { lambd: f(0.5), bias: f(0.5) }),
  ThresholdedRelu: unit('ThresholdedRelu', { alpha: f(1) }),
  Gelu: unit('Gelu', {}, 20),
  'Gelu, tanh': unit('Gelu', { approximate: 'tanh' }, 20),
  Swish: unit('Swish', {}, 24),
  Clip: unit('Clip', {}, 18, number('low', -1), number('high', 3)),
  'Clip, a bound': unit('Clip', {}, 18, number('low', -1)),
  ReduceMax: reduce('ReduceMax', [1]),
  ReduceMin: reduce('ReduceMin', [1]),
  TopK: topK(18, { axis: 1 }, whole('k', [2])),
  MaxPool: unit('MaxPool', { kernel_shape: [2] }),
  'LpPool, p of 3': unit('LpPool', { kernel_shape: [2], p: 3 }),
  'GlobalLpPool, p of 1': unit('GlobalLpPool', { p: 1 }),
  ReduceProd: reduce('ReduceProd', [1]),
  'ReduceProd, all': unit('ReduceProd', { keepdims: 0 }),
  ReduceL1: reduce('ReduceL1', [1]),
  ReduceL2: reduce('ReduceL2', [1]),
  ReduceSumSquare: reduce('ReduceSumSquare', [1]),
  ReduceLogSumExp: reduce('ReduceLogSumExp', [1]),
  'ReduceLogSumExp, a mask': masked('ReduceLogSumExp', ['axes'], { keepdims: 0 }),
  'Pow, squares': unit('Pow', {}, 18, number('two', 2)),
  'Pow, whole exponents': unit('Pow', {}, 18, whole('exponents', [3, 0, 1, 2])),
  'Pow, one': unit('Pow', {}, 13, number('one', 1)),
  'Pow, a power': several([node('Pow', ['two', 'x'], ['y'])], 18, number('two', 2)),
  Mod: unit('Mod', { fmod: 1 }),
  'Softmax, a mask': masked('Softmax'),
  'Softmax, large': unit('Softmax'),
  LpNormalization: unit('LpNormalization', { axis: 1 }),
  'LpNormalization, p of 1': unit('LpNormalization', { axis: 1, p: 1 }),
  RMSNormalization: unit('RMSNormalization', {}, 23),
  LayerNormalization: unit('LayerNormalization'),
  'Sqrt behind Relu': after('Relu', 'Sqrt'),
  'Pow behind Relu': several(
    [node('Relu', ['x'], ['h']), node('Pow', ['h', 'half'], ['y'])],
    ...([18, number('half', 0.5)] as const),
  ),
  'Log behind Clip': after('Clip', 'Log', [number('low', 0.1)]),
  'Sqrt behind Abs': hidden([node('Abs', ['x'], ['a']), node('Sqrt', ['a'], ['h'])]),
  ...Object.fromEntries(
    ['Sqrt', 'Log', 'Reciprocal', 'Acosh', 'Asin', 'Acos', 'Atanh'].map((op) => [
      `${op}, hidden`,
      hidden([node(op, ['x'], ['h'])]),
    ]),
  ),
  'Div, hidden': hidden([node('Div', ['w', 'x'], ['h'])]),
  'Div, 0 by 0, hidden': hidden([node('Div', ['x', 'x'], ['h'])]),
  'Pow, hidden': hidden([node('Pow', ['x', 'power'], ['h'])], number('power', -1.5)),
  'Pow, even and negative, hidden': hidden([node('Pow', ['x', 'power'], ['h'])], number('power', -2)),
  'Pow, its exponent, hidden': hidden([node('Pow', ['x', 'w'], ['h'])]),
  'ReduceLogSum, hidden': hidden(
    [
      node('Unsqueeze', ['x', 'last'], ['wide']),
      node('ReduceLogSum', ['wide', 'last'], ['h'], { keepdims: 0 }),
    ],
    whole('last', [-1]),
  ),
  'Exp, hidden': several(
    [
      ...[node('Exp', ['x'], ['h']), node('Less', ['x', 'three'], ['inside'])],
      node('Where', ['inside', 'h', 'x'], ['y']),
    ],
    ...([18, number('three', 3)] as const),
  ),
  'Log before Clip': several(
    [node('Log', ['x'], ['h']), node('Clip', ['h', 'low'], ['y'])],
    ...([18, number('low', -2)] as const),
  ),
  ...Object.fromEntries(
    ['a vector behind', 'a vector before', 'a vector and a matrix', 'vectors'].map((what) => [
      `MatMul, ${what}`,
      unit('MatMul'),
    ]),
  ),
  'Add, scalar': unit('Add'),
  'Sub, scalars': unit('Sub'),
  'Mul, scalar': unit('Mul'),
  'Div, several axes': several(
    [node('Add', ['w', 'three'], ['h']), node('Div', ['x', 'h'], ['y'])],
    ...([18, number('three', 3)] as const),
  ),
  'Mul, several axes': unit('Mul'),
  'Max, several axes': unit('Max'),
  'Where, several axes': several(
    [node('Where', ['m', 'x', 'w'], ['y'])],
    ...([18, flags('m', [2, 1], [1, 0])] as const),
  ),
  'Where, scalars': several([node('Where', ['m', 'x', 'w'], ['y'])], 18, flags('m', [2], [1, 0])),
  'PRelu, channels': unit('PRelu'),
  'ReduceSum, scalar': unit('ReduceSum'),
  'ReduceMax, to a scalar': unit('ReduceMax', { keepdims: 0 }),
  'Reshape, to a scalar': unit('Reshape', {}, 18, whole('shape', [])),
  'Unsqueeze, scalar': unit('Unsqueeze', {}, 18, whole('axes', [0])),
  'Squeeze, all': unit('Squeeze'),
  'Expand, scalar': unit('Expand', {}, 18, whole('shape', [2, 3])),
  'Gather, a scalar index': unit('Gather', { axis: 1 }, 18, scalar('index', 1)),
  'Gather, a row': unit('Gather', {}, 18, scalar('index', 2)),
  'Gemm, scalar': unit('Gemm'),
  'Clip, scalar': unit('Clip', {}, 18, number('low', -0.5), number('high', 0.9)),
  'Mean, several axes': unit('Mean'),
  'Softmax, one': unit('Softmax', { axis: 1 }),
  'LayerNormalization, one': unit('LayerNormalization'),
  'ReduceMax, one': reduce('ReduceMax', [1]),
  'ReduceMean, one': reduce('ReduceMean', [1]),
  'MaxPool, one': unit('MaxPool', { kernel_shape: [1, 1] }),
  'AveragePool, one': unit('AveragePool', { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  'Conv, one': unit('Conv', { pads: [1, 1, 1, 1] }),
  'Resize, one': several(
    [node('Resize', ['x', '', '', 'sizes'], ['y'], { mode: 'linear' })],
    ...([18, whole('sizes', [1, 2, 3, 2])] as const),
  ),
  'CumSum, one': unit('CumSum', {}, 18, scalar('axis', 1)),
  'TopK, one': topK(18, { axis: 1 }, whole('k', [1])),
  'Pad, reflect, one': unit('Pad', { mode: 'reflect' }, 18, whole('pads', [0, 0, 2, 0, 0, 1])),
  'Concat, one': unit('Concat', { axis: 1 }),
  'ReduceSum, no axes': unit('ReduceSum', { noop_with_empty_axes: 1 }, 18, whole('axes', [])),
  'ReduceSum, empty axes': unit('ReduceSum', { keepdims: 0 }, 18, whole('axes', [])),
  'ReduceMean, absent axes': unit('ReduceMean', {}, 11),
  'ReduceL2, negative axis': unit('ReduceL2', { keepdims: 0, axes: [-2] }, 13),
  'ReduceProd, negative axes': reduce('ReduceProd', [-1, -3]),
  'Transpose, no order': unit('Transpose'),
  'Softmax, negative axis': unit('Softmax', { axis: -2 }, 13),
  'LogSoftmax, opset 11, axis 0': unit('LogSoftmax', { axis: 0 }, 11),
  'Concat, negative axis': unit('Concat', { axis: -2 }),
  'Split, negative axis': parts(['a', 'b'], ['a', 'b'], { axis: -1 }, 13),
  'Split, uneven': parts(['a', 'b', 'c'], ['a', 'b'], { axis: 1, num_outputs: 3 }, 18),
  'Split, opset 11': parts(['a', 'b', 'c'], ['a', 'c'], { axis: 1, split: [2, 1, 2] }, 11),
  'Gather, negative axis': unit('Gather', { axis: -1 }, 18, whole('indices', [3, 0, 3])),
  'GatherElements, negative axis': unit('GatherElements', { axis: -1 }, 18, ints('at', [2, 2], [0, 2, 1, 1])),
  'GatherElements, opset 13': unit('GatherElements', { axis: 1 }, 13, ints('at', [1, 2, 2], [0, -1, 2, 2])),
  'GatherND, opset 13': unit('GatherND', {}, 13, ints('at', [2, 2, 2], [1, 2, 0, -1, 1, 0, -1, 2])),
  'GatherND, batches': unit('GatherND', { batch_dims: 1 }, 18, ints('at', [2, 1], [2, -3])),
  'GatherND, batches of points': unit(
    ...(['GatherND', { batch_dims: 1 }, 13] as const),
    ints('at', [2, 2, 2], [2, 1, 0, 3, 0, 2, 0, 2]),
  ),
  'ScatterElements, negative axis': several(
    [node('ScatterElements', ['x', 'at', 'w'], ['y'], { axis: -1 })],
    ...([18, ints('at', [2, 2], [0, 2, 1, 0])] as const),
  ),
  'TopK, negative axis': topK(18, { axis: -2 }, whole('k', [2])),
  'TopK, opset 9': topK(9, { axis: 1, k: 2 }),
  'CumSum, negative axis': unit('CumSum', {}, 18, scalar('axis', -1)),
  'CumSum, exclusive': unit('CumSum', { exclusive: 1 }, 18, scalar('axis', 1)),
  'CumSum, reverse': unit('CumSum', { reverse: 1 }, 11, scalar('axis', 0)),
  'Flatten, negative axis': unit('Flatten', { axis: -1 }),
  'Flatten, axis 0': unit('Flatten', { axis: 0 }, 9),
  'LayerNormalization, negative axis': unit('LayerNormalization', { axis: -2 }),
  'LpNormalization, negative axis': unit('LpNormalization', { axis: -2 }),
  'Compress, negative axis': unit('Compress', { axis: -1 }, 18, flags('where', [4], [1, 0, 0, 1])),
  'Pad, negative axis': several(
    [node('Pad', ['x', 'pads', '', 'axes'], ['y'])],
    ...([18, whole('pads', [1, 2]), whole('axes', [-1])] as const),
  ),
  'Pad, opset 10': unit('Pad', { pads: [0, 1, 2, -1] }, 10),
  'Slice, opset 9': unit('Slice', { starts: [1, 0], ends: [9, -1], axes: [1, 2] }, 9),
  'Slice, beyond the ends': unit(
    ...(['Slice', {}, 18, whole('starts', [-1, 9]), whole('ends', [9, -9]), whole('axes', [0, 1])] as const),
    whole('steps', [1, -1]),
  ),
  'Unsqueeze, opset 11': unit('Unsqueeze', { axes: [1, 3] }, 11),
  'Squeeze, opset 11': unit('Squeeze', { axes: [-2] }, 11),
  'ReduceSum, opset 11': unit('ReduceSum', { axes: [-1], keepdims: 0 }, 11),
  'Resize, axes': several(
    [
      node('Resize', ['x', '', '', 'sizes'], ['y'], {
        axes: [3, -2],
        nearest_mode: 'floor',
        coordinate_transformation_mode: 'asymmetric',
      }),
    ],
    ...([18, whole('sizes', [6, 4])] as const),
  ),
  'Resize, opset 10': unit('Resize', {}, 10, twice),
  'Upsample, opset 7': unit('Upsample', { scales: { floats: [1, 1, 2, 2] } }, 7),
  'GroupNormalization, opset 18': unit('GroupNormalization', { num_groups: 2 }, 18),
  'MaxPool, ceiling': unit('MaxPool', pool),
  'AveragePool, ceiling': unit('AveragePool', pool, 19),
  'AveragePool, ceiling, padding counts': unit(
    'AveragePool',
    { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1, count_include_pad: 1 },
    19,
  ),
  'CenterCropPad, axes': unit('CenterCropPad', { axes: [-1, 1] }, 18, whole('shape', [2, 5])),
  'Trilu, below': unit('Trilu', {}, 18, scalar('k', -1)),
};

describe('gradients at awkward points equal PyTorch’s', () => {
  test.each(Object.entries(CASES))('%s', async (name, write) => {
    const expected = EXPECTED[name];
    if (expected === undefined) throw new Error(`corners.json has no case '${name}'`);
    await expectReference(write(Object.keys(expected.inputs)), expected);
  });

  test('the cases cover every reference', () => {
    expect(Object.keys(EXPECTED).filter((name) => !(name in CASES))).toEqual([]);
  });
});
