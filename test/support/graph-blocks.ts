import {
  activation,
  anyPool,
  type Block,
  batchNorm,
  CHANNELS,
  convActivation,
  excitation,
  globalPool,
  residual,
  sameConv,
  separable,
} from './graph-blocks-conv.js';
import { layout, operandDims, sandwich, withConstant } from './graph-blocks-layout.js';
import { broadcast, type GraphBuilder, type GraphValue, product } from './graph-builder.js';
import * as of from './graph-operators.js';

// Structures as nets have them, each of a few nodes, that continue a graph from a value.

export type { Target } from './graph-blocks-conv.js';

/** Two Convs of the same shape from one value, with other activations, joined: gates and branches. */
const branches: Block = (b, x, target) => {
  b.need(x.dims.length === 4);
  const [filters, kernel] = [b.pick(CHANNELS), b.pick([1, 3])];
  const branch = () => {
    const y = sameConv(b, x, filters, kernel);
    return b.chance(0.75) ? activation(b, y, target) : y;
  };
  const [left, right] = [branch(), branch()];
  if (b.chance(0.3)) return concat(b, [left, right], 1);
  return b.binary(b.pick(['Add', 'Mul', 'Sub']), left, right);
};

/** With a value from earlier: of the same dimensions, or of some that broadcast. */
const withEarlier: Block = (b, x) => {
  const others = b.values.filter(
    ({ name, dims }) => name !== x.name && broadcast(dims, x.dims) !== undefined && dims.length > 0,
  );
  const other = b.pick(others);
  const op = b.pick(['Add', 'Add', 'Mul', 'Sub']);
  return b.chance(0.5) ? b.binary(op, x, other) : b.binary(op, other, x);
};

/** Means over axes, broadcast back onto what they are of. */
const centred: Block = (b, x) => {
  b.need(x.dims.length > 1);
  const mean = of.reduce(b, 'ReduceMean', x, [x.dims.length - 1], true);
  return b.binary(b.pick(['Sub', 'Mul', 'Add']), x, mean);
};

const dense: Block = (b, x, target) => {
  const flat = x.dims.length === 2 ? x : of.flatten(b, x, 1);
  const [rows = 1, columns = 1] = flat.dims;
  const units = b.pick([1, 2, 3, 4, 6, 8, 10]);
  const [transB, bias] = [b.chance(0.5) ? 1 : 0, b.opset < 11 || b.chance(0.85)];
  const w = b.weights(
    transB ? [units, columns] : [columns, units],
    () => (2 * b.random() - 1) / Math.sqrt(columns),
  );
  const c = bias ? [b.weights(b.pick([[units], [units], [1, units]]))] : [];
  const y = b.add('Gemm', [flat, w, ...c], [rows, units], {
    ...(transB ? { transB } : {}),
    ...(b.chance(0.2) ? { alpha: { f: 0.5 } } : {}),
    ...(bias && b.chance(0.1) ? { beta: { f: 2 } } : {}),
  });
  return b.chance(0.7) ? activation(b, y, target) : y;
};

const matMul: Block = (b, x, target) => {
  const rank = x.dims.length;
  b.need(rank >= 2);
  const [inner = 1] = x.dims.slice(-1);
  const units = b.pick([1, 2, 3, 4, 6, 8]);
  const stack = b.chance(0.2) ? x.dims.slice(0, -2) : [];
  const w = b.weights([...stack, inner, units], () => (2 * b.random() - 1) / Math.sqrt(inner));
  const y = b.add('MatMul', [x, w], [...x.dims.slice(0, -1), units]);
  const z = b.chance(0.6) ? b.binary('Add', y, b.weights([units])) : y;
  return b.chance(0.5) ? activation(b, z, target) : z;
};

/** Scores of a value with itself, softmax, and the sum that they weigh: attention. */
const attention: Block = (b, x) => {
  const rank = x.dims.length;
  b.need(rank >= 2);
  const [rows = 1, columns = 1] = x.dims.slice(-2);
  const outer = x.dims.slice(0, -2);
  const axes = x.dims.map((_, axis) => axis);
  const swapped = of.transpose(b, x, [...axes.slice(0, -2), rank - 1, rank - 2]);
  const scores = b.add('MatMul', [x, swapped], [...outer, rows, rows]);
  const scaled = b.binary('Mul', scores, b.constant([], [1 / Math.sqrt(columns)]));
  const shares = b.add('Softmax', [scaled], scaled.dims, { axis: b.chance(0.5) ? -1 : rank - 1 });
  return b.add('MatMul', [shares, x], [...outer, rows, columns]);
};

const softmax: Block = (b, x) => {
  const axis = b.pick([-1, x.dims.length - 1, b.int(0, x.dims.length - 1)]);
  b.need(b.opset >= 11 || axis >= 0);
  return b.add('Softmax', [x], x.dims, b.chance(0.2) ? {} : { axis });
};

function concat(b: GraphBuilder, parts: readonly GraphValue[], axis: number): GraphValue {
  const dims = [...(parts[0]?.dims ?? [])];
  dims[axis] = parts.reduce((sum, part) => sum + (part.dims[axis] ?? 1), 0);
  return b.add(
    'Concat',
    parts,
    dims,
    { axis },
    parts.every(({ exact }) => exact),
  );
}

const join: Block = (b, x) => {
  const axis = b.pick([Math.min(1, x.dims.length - 1), b.int(0, x.dims.length - 1)]);
  const fits = ({ dims }: GraphValue) =>
    dims.length === x.dims.length && dims.every((size, at) => at === axis || size === x.dims[at]);
  const others = b.values.filter((value) => fits(value) && value.name !== x.name);
  const own = b.weights(x.dims.map((size, at) => (at === axis ? b.int(1, 3) : size)));
  const other = others.length > 0 && b.chance(0.8) ? b.pick(others) : own;
  const third = others.length > 0 && b.chance(0.2) ? [b.pick(others)] : [];
  return concat(b, b.chance(0.5) ? [x, other, ...third] : [other, x, ...third], axis);
};

/** Parts that go different ways and meet again. */
const splitJoin: Block = (b, x, target) => {
  const axis = b.pick([Math.min(1, x.dims.length - 1), b.int(0, x.dims.length - 1)]);
  const size = x.dims[axis] ?? 1;
  b.need(size > 1);
  const cut = size % 2 === 0 && b.chance(0.7) ? size / 2 : b.int(1, size - 1);
  const [left, right] = of.split(b, x, axis, [cut, size - cut]).map(b.given) as [GraphValue, GraphValue];
  const changed = activation(b, left, target);
  if (cut * 2 === size && b.chance(0.4)) return b.binary(b.pick(['Mul', 'Add']), changed, right);
  return concat(b, b.chance(0.5) ? [changed, right] : [right, changed], axis);
};

/** Channels in another order, as ShuffleNet has it. */
const shuffle: Block = (b, x) => {
  const [batch = 1, channels = 1, ...image] = x.dims;
  b.need(x.dims.length === 4 && channels % 2 === 0);
  const five = of.reshape(b, x, [batch, 2, channels / 2, ...image]);
  return of.reshape(b, of.transpose(b, five, [0, 2, 1, 3, 4]), x.dims);
};

const instanceNorm: Block = (b, x) => {
  const [, channels = 0, ...image] = x.dims;
  b.need(x.dims.length >= 3 && product(image) > 3);
  return b.add('InstanceNormalization', [x, b.positive([channels]), b.weights([channels])], x.dims);
};

const localNorm: Block = (b, x) => {
  b.need(x.dims.length === 4);
  return b.add('LRN', [x], x.dims, { size: b.pick([1, 3, 5]), alpha: { f: 0.5 }, beta: { f: 0.75 } });
};

const REDUCTIONS = ['ReduceMean', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceSum', 'ReduceSumSquare'];

const reduction: Block = (b, x) => {
  const rank = x.dims.length;
  b.need(rank > 1);
  const axes = rank === 4 && b.chance(0.5) ? [2, 3] : [b.int(0, rank - 1)];
  const keep = b.chance(0.5);
  if (b.chance(0.15)) {
    const small = b.binary('Add', b.unary('Abs', x), b.constant([], [0.5]));
    return of.reduce(b, 'ReduceLogSum', small, axes, keep);
  }
  return of.reduce(b, b.pick([...REDUCTIONS, 'ReduceProd']), x, axes, keep);
};

/** Functions of one value, kept to where they are tame. */
const functions: Block = (b, x, target) => {
  const scalar = (value: number) => b.constant([], [value]);
  const op = b.pick([
    'Abs',
    'Neg',
    'Sin',
    'Cos',
    'Atan',
    'Sqrt',
    'Log',
    'Asin',
    'Acos',
    'Tan',
    'Exp',
    'Softsign',
  ]);
  if (op === 'Sqrt' || op === 'Log' || op === 'Softsign') {
    const above = b.binary('Add', b.unary('Abs', x), scalar(1));
    return op === 'Softsign' ? b.binary('Div', x, above) : b.unary(op, above);
  }
  if (op === 'Asin' || op === 'Acos' || op === 'Tan')
    return b.unary(op, b.binary('Mul', b.unary('Tanh', x), scalar(0.5)));
  if (op === 'Exp') return b.unary(op, of.clip(b, x, -4, 2));
  return target === 'webgpu' && b.chance(0.2) ? b.unary('Erf', x) : b.unary(op, x);
};

const others: Block = (b, x, target) => {
  const [batch = 1, channels = 1, height = 1, width = 1] = x.dims;
  const axis = b.int(0, x.dims.length - 1);
  switch (
    b.pick(['space', 'gather', 'tile', 'sum', 'dropout', 'identity', 'transposed', 'mask', 'mask', 'step'])
  ) {
    case 'space':
      b.need(x.dims.length === 4 && channels % 4 === 0);
      return b.add(
        'DepthToSpace',
        [x],
        [batch, channels / 4, height * 2, width * 2],
        { blocksize: 2 },
        x.exact,
      );
    case 'gather': {
      const indices = Array.from({ length: b.int(1, 3) }, () => b.int(0, (x.dims[axis] ?? 1) - 1));
      const dims = x.dims.map((size, at) => (at === axis ? indices.length : size));
      return b.add('Gather', [x, b.integers(indices)], dims, { axis }, x.exact);
    }
    case 'tile': {
      const repeats = x.dims.map((_, at) => (at === axis ? 2 : 1));
      const dims = x.dims.map((size, at) => size * (repeats[at] ?? 1));
      return b.add('Tile', [x, b.integers(repeats)], dims, {}, x.exact);
    }
    case 'sum': {
      const same = b.values.filter(({ dims }) => String(dims) === String(x.dims));
      return b.add('Sum', [x, b.pick(same), ...(b.chance(0.3) ? [b.pick(same)] : [])], x.dims);
    }
    case 'dropout':
      return b.add('Dropout', [x], x.dims, {}, x.exact);
    case 'identity':
      return b.unary('Identity', x);
    case 'transposed':
      return of.convTranspose(b, x);
    case 'mask': {
      // Where numbers are computed, a comparison may turn out either way.
      b.need(x.exact);
      const bound = b.weights(operandDims(b, x.dims));
      const truth = b.aside(b.pick(['Greater', 'Less']), [x, bound], x.dims);
      const both = b.chance(0.3) ? b.aside(b.pick(['And', 'Or', 'Xor']), [truth, truth], x.dims) : truth;
      const last = b.chance(0.3) ? b.aside('Not', [both], x.dims) : both;
      if (target === 'webgpu' && b.chance(0.5))
        return b.add('Where', [last, x, b.weights(operandDims(b, x.dims))], x.dims);
      return b.binary('Mul', b.add('Cast', [last], x.dims, { to: 1 }), x);
    }
    default:
      b.need(x.exact);
      return b.unary(b.pick(['Floor', 'Ceil']), x);
  }
};

/** What only WebGPU has. */
const newer: Block = (b, x) => {
  const [last = 1] = x.dims.slice(-1);
  switch (b.pick(['layer norm', 'expand', 'reciprocal', 'reduce', 'cumsum', 'max', 'softmax', 'einsum'])) {
    case 'layer norm':
      b.need(b.opset >= 17 && last > 2);
      return b.add('LayerNormalization', [x, b.positive([last]), b.weights([last])], x.dims, { axis: -1 });
    case 'expand': {
      b.need(x.dims.length < 5);
      const dims = [2, ...x.dims];
      return b.add('Expand', [x, b.integers(dims)], dims);
    }
    case 'reciprocal':
      return b.unary('Reciprocal', b.binary('Add', b.unary('Abs', x), b.constant([], [0.5])));
    case 'reduce':
      return of.reduce(b, b.pick(['ReduceL1', 'ReduceL2', 'ReduceLogSumExp']), x, [x.dims.length - 1], true);
    case 'cumsum':
      b.need(b.opset >= 11);
      return b.add('CumSum', [x, b.integers([b.int(0, x.dims.length - 1)], [])], x.dims);
    case 'max':
      return b.binary(b.pick(['Max', 'Min']), x, b.weights(operandDims(b, x.dims)));
    case 'softmax':
      return b.add('LogSoftmax', [x], x.dims, { axis: x.dims.length - 1 });
    default: {
      b.need(b.opset >= 12 && x.dims.length === 3);
      const [batch = 1, rows = 1] = x.dims;
      return b.add('Einsum', [x, x], [batch, rows, rows], { equation: 'bij,bkj->bik' });
    }
  }
};

/** The blocks and how often each comes, about. */
export const BLOCKS: readonly (readonly [block: Block, weight: number])[] = [
  [convActivation, 8],
  [residual, 4],
  [branches, 4],
  [separable, 2],
  [excitation, 1],
  [globalPool, 1],
  [anyPool, 2],
  [layout, 3],
  [sandwich, 5],
  [activation, 3],
  [withConstant, 4],
  [withEarlier, 4],
  [centred, 1],
  [dense, 3],
  [matMul, 2],
  [attention, 1],
  [softmax, 1],
  [join, 2],
  [splitJoin, 2],
  [shuffle, 1],
  [batchNorm, 1],
  [instanceNorm, 1],
  [localNorm, 0.5],
  [reduction, 2],
  [functions, 2.5],
  [others, 5],
  [(b, x) => of.slice(b, x), 1],
  [(b, x) => of.pad(b, x), 1],
  [(b, x) => of.enlarge(b, x), 2],
];

/** Those that only WebGPU has operators for. */
export const NEWER: readonly (readonly [block: Block, weight: number])[] = [[newer, 4]];
