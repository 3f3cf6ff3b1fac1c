import { describe, expect, test } from 'vitest';
import type { onnx } from '../../../proto/onnx.js';
import { GRADIENTS } from '../../../src/train/autodiff/gradients.js';
import { type AttributeValue, floats, ints, node } from '../../support/model.js';
import { type ReferenceCase as Case, expectReference, type Reference } from '../../support/reference.js';
import { wave } from '../../support/training.js';
import reference from '../reference/gradients.json' with { type: 'json' };

const EXPECTED: Readonly<Record<string, Reference>> = reference;

type Attributes = Record<string, AttributeValue>;

const f = (value: number) => ({ f: value });

/** One node that reads the weights x, w and b, as many as the case has, and then these constants. */
const unit = (op: string, attributes: Attributes = {}, opset?: number, ...constants: onnx.ITensorProto[]) => {
  return (inputs: readonly string[]): Case => ({
    nodes: [node(op, [...inputs, ...constants.map(({ name }) => name ?? '')], ['y'], attributes)],
    ...(opset === undefined ? {} : { opset }),
    constants,
  });
};
const several = (nodes: onnx.INodeProto[], opset?: number, ...constants: onnx.ITensorProto[]) => {
  return (): Case => ({ nodes, constants, ...(opset === undefined ? {} : { opset }) });
};
const whole = (name: string, values: readonly number[]) => ints(name, [values.length], values);
const flags = (name: string, values: readonly number[]): onnx.ITensorProto => ({
  ...{ name, dataType: 9, dims: [values.length], int32Data: [...values] },
});
const scalar = (name: string, value: number) => ints(name, [], [value]);
const reduce = (op: string, axes: readonly number[], attributes: Attributes = {}) =>
  unit(op, attributes, 18, whole('axes', axes));
const resize = (attributes: Attributes, scales: readonly number[], sizes: readonly number[] = []) =>
  several(
    [
      node(
        'Resize',
        ['x', '', scales.length > 0 ? 'scales' : '', ...(sizes.length > 0 ? ['sizes'] : [])],
        ['y'],
        attributes,
      ),
    ],
    undefined,
    floats('scales', [scales.length], scales),
    whole('sizes', sizes),
  );
const pixel = { coordinate_transformation_mode: 'half_pixel' };
const padded = (mode: string, pads: readonly number[]) => unit('Pad', { mode }, 19, whole('pads', pads));
const pads = [1, 1, 1, 1];
const scattered = ints('at', [2, 1, 5], [0, 2, 1, 1, 0, 2, 2, 0, 1, 0]);

/** A recurrent node whose outputs the case reads, one behind the other. */
const recurrent = (op: string, outputs: readonly string[], attributes: Attributes = {}) => {
  return ([x = '', w = '', r = '', b = '', ...states]: readonly string[]): Case => ({
    nodes: [
      node(op, [x, w, r, b, '', ...states], [...outputs], { hidden_size: 2, ...attributes }),
      ...outputs.filter(Boolean).map((name) => node('Reshape', [name, 'flat'], [`${name}.flat`])),
      node(
        'Concat',
        outputs.filter(Boolean).map((name) => `${name}.flat`),
        ['y'],
        { axis: 0 },
      ),
    ],
    constants: [whole('flat', [-1])],
  });
};
/** Cosines and sines of four places and three angles, for all samples or for each. */
function rotations(samples = 0) {
  const of = (name: string, curve: (angle: number) => number) => {
    const values = Array.from({ length: 12 }, (_, at) => curve(at * 0.3));
    return samples === 0
      ? floats(name, [4, 3], values)
      : floats(name, [samples, 4, 3], Array.from({ length: samples }, () => values).flat());
  };
  return [of('cosines', Math.cos), of('sines', Math.sin)];
}
const both = { direction: 'bidirectional' };
const relus = (count: number) => ({ activations: { strings: Array.from({ length: count }, () => 'Relu') } });

const CASES: Record<string, (inputs: readonly string[]) => Case> = {
  ...Object.fromEntries(
    [
      ...[
        'Abs',
        'Reciprocal',
        'Exp',
        'Log',
        'Sqrt',
        'Sin',
        'Cos',
        'Tan',
        'Asin',
        'Acos',
        'Atan',
        'Sinh',
        'Cosh',
      ],
      ...['Tanh', 'Asinh', 'Acosh', 'Atanh', 'Erf', 'Neg', 'Sigmoid', 'Softplus', 'Softsign', 'Relu', 'Selu'],
      ...[
        'HardSwish',
        'Mish',
        'Add',
        'Sub',
        'Mul',
        'Div',
        'Pow',
        'Max',
        'Min',
        'PRelu',
        'Sum',
        'Mean',
        'MatMul',
      ],
      ...['GlobalAveragePool', 'GlobalMaxPool', 'InstanceNormalization', 'HardSigmoid'],
    ].map((op) => [op, unit(op)]),
  ),
  Mod: unit('Mod', { fmod: 1 }),
  LeakyRelu: unit('LeakyRelu', { alpha: f(0.1) }),
  ThresholdedRelu: unit('ThresholdedRelu', { alpha: f(0.5) }),
  Shrink: unit('Shrink', { lambd: f(0.7), bias: f(0.3) }),
  Elu: unit('Elu', { alpha: f(1.5) }),
  Celu: unit('Celu', { alpha: f(1.5) }),
  Swish: unit('Swish', { alpha: f(1.5) }, 24),
  Gelu: unit('Gelu', {}, 20),
  'Gelu, tanh': unit('Gelu', { approximate: 'tanh' }, 20),
  Clip: unit('Clip', {}, 18, floats('low', [], [-0.7]), floats('high', [], [0.9])),
  Where: several(
    [node('Cast', ['mask'], ['m'], { to: 9 }), node('Where', ['m', 'x', 'w'], ['y'])],
    18,
    ints('mask', [1, 5], [1, 0, 1, 1, 0]),
  ),
  'MatMul, batches': unit('MatMul'),
  Gemm: unit('Gemm', { alpha: f(0.5), beta: f(2) }),
  'Gemm, transA': unit('Gemm', { transA: 1 }),
  'Gemm, transB': unit('Gemm', { transB: 1 }),
  'Gemm, both': unit('Gemm', { transA: 1, transB: 1 }),
  Einsum: unit('Einsum', { equation: 'bij, bkj -> bik' }),
  Attention: unit('Attention', {}, 23),
  'Attention, heads among the features, causal': unit(
    'Attention',
    { q_num_heads: 4, kv_num_heads: 2, is_causal: 1, scale: f(0.3) },
    23,
  ),
  'Attention, shared heads and a mask': unit(
    'Attention',
    {},
    23,
    floats('mask', [3, 5], [0, -1, 0.5, 0, -1e9, 2, 0, 0, -3, 0, 0, 0, -1e9, 0, 1]),
  ),
  'Attention, flags': several(
    [node('Cast', ['flags'], ['mask'], { to: 9 }), node('Attention', ['x', 'w', 'b', 'mask'], ['y'])],
    23,
    ints('flags', [3, 5], [1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 1]),
  ),
  CastLike: unit('CastLike', {}, 19, floats('like', [1], [0])),
  MeanVarianceNormalization: unit('MeanVarianceNormalization'),
  LRN: unit('LRN', { size: 3, alpha: f(0.3), beta: f(0.75), bias: f(2) }),
  Softmax: unit('Softmax', { axis: 1 }),
  'Softmax, opset 11': unit('Softmax', { axis: 2 }, 11),
  LogSoftmax: unit('LogSoftmax'),
  LayerNormalization: unit('LayerNormalization', { axis: 1 }),
  RMSNormalization: unit('RMSNormalization', {}, 23),
  GroupNormalization: unit('GroupNormalization', { num_groups: 2 }, 21),
  LpNormalization: unit('LpNormalization', { axis: 1 }),
  BatchNormalization: unit(
    ...(['BatchNormalization', {}, 18] as const),
    ...[
      floats('m', [4], [...wave(4, 0.3)]),
      floats(
        'v',
        [4],
        [...wave(4, 0.2, 0.5)].map((one) => one + 1),
      ),
    ],
  ),
  ReduceSum: reduce('ReduceSum', [1, -1], { keepdims: 0 }),
  ReduceMean: reduce('ReduceMean', [1, 3]),
  'ReduceMean, all': unit('ReduceMean'),
  ReduceMax: reduce('ReduceMax', [2, 3], { keepdims: 0 }),
  ReduceMin: reduce('ReduceMin', [2, 3], { keepdims: 0 }),
  ...Object.fromEntries(
    ['Prod', 'L1', 'L2', 'SumSquare', 'LogSum', 'LogSumExp'].map((op) => [
      `Reduce${op}`,
      reduce(`Reduce${op}`, [1], { keepdims: 0 }),
    ]),
  ),
  Reshape: unit('Reshape', {}, 18, whole('shape', [4, -1])),
  Transpose: unit('Transpose', { perm: [1, 3, 0, 2] }),
  Concat: several([node('Concat', ['x', 'w', 'x'], ['y'], { axis: 1 })]),
  Split: several(
    [
      node('Split', ['x', 'sizes'], ['first', 'second', 'third'], { axis: 1 }),
      node('Mul', ['first', 'third'], ['y']),
    ],
    18,
    whole('sizes', [1, 2, 1]),
  ),
  Slice: unit('Slice', {}, 18, whole('starts', [1, -3]), whole('ends', [3, 99]), whole('axes', [1, -1])),
  'Slice, steps': unit(
    ...([
      'Slice',
      {},
      18,
      whole('starts', [-2, 0]),
      whole('ends', [-99, 99]),
      whole('axes', [2, 3]),
    ] as const),
    whole('steps', [-2, 3]),
  ),
  Pad: padded('constant', [0, 0, 0, 1, 0, 0, 1, 2]),
  'Pad, negative': padded('constant', [0, 0, 0, -1, 0, 0, -1, 2]),
  'Pad, reflect': padded('reflect', [0, 0, 2, 1, 0, 0, 1, 2]),
  'Pad, edge': padded('edge', [0, 0, 2, 1, 0, 0, 1, 2]),
  'Pad, wrap': padded('wrap', [0, 0, 2, 1, 0, 0, 1, 2]),
  Gather: unit('Gather', { axis: 1 }, 18, ints('indices', [2, 2], [2, 0, -2, 2])),
  'Gather, data': unit('Gather', { axis: 2 }, 18, whole('indices', [4, 0, 4])),
  GatherElements: unit(
    ...(['GatherElements', { axis: 1 }, 18] as const),
    ints('indices', [2, 1, 5], [0, 2, 1, 1, 0, 2, 2, 0, 1, 0]),
  ),
  'ReduceL2, zeros': several(
    [node('Mul', ['x', 'mask'], ['m']), node('ReduceL2', ['m', 'axes'], ['y'], { keepdims: 0 })],
    ...([18, floats('mask', [5], [1, 0, 1, 0, 1]), whole('axes', [1])] as const),
  ),
  Compress: unit('Compress', { axis: 1 }, 18, flags('where', [1, 0, 1])),
  'Compress, flat': unit('Compress', {}, 18, flags('where', [0, 1, 1, 0, 0, 0, 1])),
  TopK: several([node('TopK', ['x', 'k'], ['y', 'places'], { axis: 1 })], 18, whole('k', [2])),
  'TopK, smallest, opset 11': several(
    [node('TopK', ['x', 'k'], ['y', 'places'], { largest: 0 })],
    ...([11, whole('k', [3])] as const),
  ),
  MaxUnpool: unit(
    ...(['MaxUnpool', { kernel_shape: [2, 2], strides: [2, 2] }, 18] as const),
    ints('places', [1, 2, 2, 2], [0, 3, 9, 14, 21, 18, 24, 31]),
  ),
  ReverseSequence: unit('ReverseSequence', { batch_axis: 0, time_axis: 1 }, 18, whole('lengths', [3, 2])),
  CenterCropPad: unit('CenterCropPad', {}, 18, whole('shape', [2, 5, 4])),
  GatherND: unit('GatherND', {}, 18, ints('indices', [3, 2], [1, 2, 0, 2, 1, 2])),
  ScatterElements: several([node('ScatterElements', ['x', 'at', 'w'], ['y'], { axis: 1 })], 18, scattered),
  'ScatterElements, add': several(
    [node('ScatterElements', ['x', 'at', 'w'], ['y'], { axis: 1, reduction: 'add' })],
    ...([18, scattered] as const),
  ),
  ScatterND: several([node('ScatterND', ['x', 'at', 'w'], ['y'])], 18, ints('at', [2, 2], [1, 2, 0, 1])),
  Expand: unit('Expand', {}, 18, whole('shape', [4, 1, 3, 1])),
  Tile: unit('Tile', {}, 18, whole('repeats', [2, 1, 3])),
  DepthToSpace: unit('DepthToSpace', { blocksize: 2 }),
  'DepthToSpace, CRD': unit('DepthToSpace', { blocksize: 2, mode: 'CRD' }),
  SpaceToDepth: unit('SpaceToDepth', { blocksize: 2 }),
  CumSum: unit('CumSum', {}, 18, scalar('axis', 1)),
  'CumSum, reverse, exclusive': unit('CumSum', { reverse: 1, exclusive: 1 }, 18, scalar('axis', 2)),
  Trilu: unit('Trilu', {}, 18, scalar('k', 1)),
  'Trilu, lower': unit('Trilu', { upper: 0 }),
  'Resize, nearest': resize(
    { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
    [1, 1, 2, 3],
  ),
  'Resize, nearest, half pixel': resize({ ...pixel, nearest_mode: 'round_prefer_ceil' }, [], [2, 4, 9, 7]),
  'Resize, linear': resize({ mode: 'linear', ...pixel }, [], [2, 4, 9, 12]),
  'Resize, linear, smaller': resize({ mode: 'linear' }, [], [2, 4, 4, 3]),
  'Resize, linear, align_corners': resize(
    { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
    ...([[], [2, 4, 9, 3]] as const),
  ),
  'Resize, cubic': resize({ mode: 'cubic', ...pixel }, [1, 1, 2, 2]),
  Upsample: unit('Upsample', { mode: 'nearest' }, 9, floats('scales', [4], [1, 1, 2, 2])),
  GridSample: unit('GridSample', {}, 20),
  'GridSample, aligned': unit('GridSample', { mode: 'bilinear', align_corners: 1 }, 16),
  'GridSample, border': unit('GridSample', { padding_mode: 'border' }, 20),
  'GridSample, nearest': unit('GridSample', { mode: 'nearest' }, 20),
  AffineGrid: unit('AffineGrid', {}, 20, whole('size', [2, 1, 3, 4])),
  'AffineGrid, aligned, 3-D': unit('AffineGrid', { align_corners: 1 }, 20, whole('size', [2, 1, 3, 4, 2])),
  Col2Im: unit(
    ...(['Col2Im', { pads, strides: [2, 1] }, 18] as const),
    ...[whole('image', [4, 5]), whole('block', [2, 3])],
  ),
  RotaryEmbedding: several(
    [node('RotaryEmbedding', ['x', 'cosines', 'sines'], ['y'])],
    ...([23, ...rotations(2)] as const),
  ),
  'RotaryEmbedding, interleaved, places': several(
    [
      node('RotaryEmbedding', ['x', 'cosines', 'sines', 'places'], ['y'], {
        ...{ interleaved: 1, num_heads: 2 },
      }),
    ],
    ...([23, ...rotations(), ints('places', [2, 4], [0, 1, 2, 3, 3, 3, 1, 0])] as const),
  ),
  RNN: recurrent('RNN', ['all', 'last']),
  'RNN, bidirectional, relu': recurrent('RNN', ['all', 'last'], { ...both, ...relus(2) }),
  'RNN, relu, last state': recurrent('RNN', ['', 'last'], relus(1)),
  LSTM: recurrent('LSTM', ['all', 'last', 'cells']),
  'LSTM, bidirectional': recurrent('LSTM', ['all', 'last', 'cells'], both),
  'LSTM, last states': recurrent('LSTM', ['', 'last', 'cells']),
  'LSTM, one place': recurrent('LSTM', ['all', 'last', 'cells'], { hidden_size: 4 }),
  'GRU, reset after': recurrent('GRU', ['all', 'last'], { linear_before_reset: 1 }),
  'GRU, reset after, bidirectional': recurrent('GRU', ['all', 'last'], { ...both, linear_before_reset: 1 }),
  'GRU, reset before, reverse': recurrent('GRU', ['all', 'last'], { direction: 'reverse' }),
  Conv: unit('Conv', { pads }),
  'Conv, strides': unit('Conv', { strides: [2, 2], pads }),
  'Conv, dilations': unit('Conv', { dilations: [2, 1], pads: [2, 1, 2, 1] }),
  'Conv, groups': unit('Conv', { group: 2 }),
  'Conv, depthwise': unit('Conv', { group: 4, pads }),
  'Conv, depthwise, wider': unit('Conv', { group: 4, strides: [2, 2], pads }),
  'Conv, 1 by 1': unit('Conv'),
  'Conv, 1-D': unit('Conv', { strides: [2], pads: [1, 1] }),
  'Conv, 3-D': unit('Conv', { strides: [1, 2, 1], pads: [1, 1, 0, 1, 1, 0] }),
  ConvTranspose: unit('ConvTranspose', { strides: [2, 2], pads, output_padding: [1, 1] }),
  'ConvTranspose, groups': unit('ConvTranspose', { strides: [2, 2], group: 2 }),
  'ConvTranspose, 1-D': unit('ConvTranspose', { strides: [3], dilations: [2] }),
  'ConvTranspose, 3-D': unit('ConvTranspose', { strides: [2, 2, 2] }),
  MaxPool: unit('MaxPool', { kernel_shape: [2, 2], strides: [2, 2] }),
  'MaxPool, overlapping': unit('MaxPool', { kernel_shape: [3, 3], strides: [2, 2], pads }),
  'MaxPool, dilations': unit('MaxPool', { kernel_shape: [2, 2], dilations: [2, 2] }),
  'MaxPool, opset 8': unit('MaxPool', { kernel_shape: [2, 2], strides: [2, 2] }, 8),
  'MaxPool, 1-D': unit('MaxPool', { kernel_shape: [3], pads: [1, 1] }),
  LpPool: unit('LpPool', { kernel_shape: [2, 3], strides: [2, 1] }),
  GlobalLpPool: unit('GlobalLpPool'),
  AveragePool: unit('AveragePool', { kernel_shape: [3, 2], strides: [1, 2] }),
  'AveragePool, padding counts': unit('AveragePool', {
    ...{ kernel_shape: [3, 3], strides: [2, 2], pads, count_include_pad: 1 },
  }),
  'AveragePool, padding does not count': unit('AveragePool', { kernel_shape: [3, 3], strides: [2, 2], pads }),
};

describe('gradients equal PyTorch’s', () => {
  test.each(Object.entries(CASES))('%s', async (name, write) => {
    const expected = EXPECTED[name];
    if (expected === undefined) throw new Error(`gradients.json has no case '${name}'`);
    await expectReference(write(Object.keys(expected.inputs)), expected);
  });

  test('the cases cover every PyTorch reference and every gradient rule', () => {
    expect(Object.keys(EXPECTED).filter((name) => !(name in CASES))).toEqual([]);
    // Held against differences in gradients.test.ts.
    const elsewhere = ['Identity', 'Dropout', 'Flatten', 'Squeeze', 'Unsqueeze'];
    const tried = new Set(
      Object.values(CASES).flatMap((write) => write(['x']).nodes.map(({ opType }) => opType)),
    );
    expect(
      Object.keys(GRADIENTS)
        .filter((op) => !tried.has(op))
        .sort(),
    ).toEqual(elsewhere.sort());
  });
});
