import type { GraphBuilder, GraphValue } from './graph-builder.js';
import * as of from './graph-operators.js';

// Convolutions with what stands around them in nets, and the activations.

/** What the graph is made for: operators that the provider has. */
export type Target = 'webgl' | 'webgpu';

/** Continues from x; gives up by `need`. */
export type Block = (b: GraphBuilder, x: GraphValue, target: Target) => GraphValue;

/** Relu and what else comes after a convolution; the ones that runtimes fuse come most. */
export function activation(b: GraphBuilder, x: GraphValue, target: Target): GraphValue {
  const more = target === 'webgpu' ? ['Softplus', 'HardSigmoid', 'HardSwish', 'Erf', 'Mish', 'Gelu'] : [];
  const since: Readonly<Record<string, number>> = { HardSwish: 14, Mish: 18, Gelu: 20 };
  const fused = ['Relu', 'Relu', 'Relu', 'Sigmoid', 'Tanh', 'LeakyRelu', 'Relu6', 'Clip'];
  const op = b.pick([...fused, ...fused, 'Elu', 'Swish', 'HardSwish as nodes', 'PRelu', ...more]);
  b.need(b.opset >= (since[op] ?? 0));
  switch (op) {
    case 'LeakyRelu':
      return b.unary(op, x, b.chance(0.5) ? {} : { alpha: { f: 0.25 } });
    case 'Relu6':
      return of.clip(b, x, 0, 6);
    case 'Clip':
      return of.clip(b, x, b.pick([-1, -0.5, 0]), b.pick([0.5, 1, 2]));
    case 'Swish':
      return b.binary('Mul', x, b.unary('Sigmoid', x));
    case 'HardSwish as nodes': {
      const gate = of.clip(b, b.binary('Add', x, b.constant([], [3])), 0, 6);
      const scaled = b.binary('Mul', x, gate);
      return b.binary(b.pick(['Mul', 'Div']), scaled, b.constant([], [b.pick([0.25, 6])]));
    }
    case 'PRelu': {
      b.need(x.dims.length > 1);
      const slope = [x.dims[1] ?? 1, ...x.dims.slice(2).map(() => 1)];
      return b.add('PRelu', [x, b.positive(b.chance(0.3) ? [1] : slope)], x.dims);
    }
    default:
      return b.unary(op, x);
  }
}

export const CHANNELS = [1, 2, 3, 4, 4, 5, 6, 8, 8, 9, 12, 16];

/** A convolution that keeps the size of the image. */
export function sameConv(
  b: GraphBuilder,
  x: GraphValue,
  filters: number,
  kernel: number,
  group = 1,
): GraphValue {
  const pad = (kernel - 1) / 2;
  return of.conv(b, x, { filters, kernel: [kernel, kernel], pads: [pad, pad, pad, pad], group });
}

function anyConv(b: GraphBuilder, x: GraphValue): GraphValue {
  b.need(x.dims.length === 4);
  const channels = x.dims[1] ?? 1;
  const kernel = b.pick<[number, number]>([
    [1, 1],
    [3, 3],
    [3, 3],
    [2, 2],
    [1, 3],
    [3, 1],
    [5, 5],
  ]);
  const pads = b.chance(0.6)
    ? ([kernel[0] >> 1, kernel[1] >> 1, kernel[0] >> 1, kernel[1] >> 1] as const)
    : undefined;
  const strides = b.chance(0.3) ? ([2, 2] as const) : undefined;
  const dilations = b.chance(0.1) ? ([2, 2] as const) : undefined;
  const kind = b.pick(['plain', 'plain', 'plain', 'depthwise', 'grouped']);
  const group = kind === 'plain' ? 1 : kind === 'depthwise' ? channels : channels % 2 === 0 ? 2 : 1;
  const filters = kind === 'plain' ? b.pick(CHANNELS) : group * b.pick([1, 1, 2]);
  return of.conv(b, x, {
    filters,
    kernel,
    group,
    ...(pads === undefined ? {} : { pads }),
    ...(strides === undefined ? {} : { strides }),
    ...(dilations === undefined ? {} : { dilations }),
  });
}

export function batchNorm(b: GraphBuilder, x: GraphValue): GraphValue {
  const [, channels = 0] = x.dims;
  b.need(x.dims.length >= 3);
  const weights = [
    b.positive([channels]),
    b.weights([channels]),
    b.weights([channels]),
    b.positive([channels]),
  ];
  return b.add('BatchNormalization', [x, ...weights], x.dims);
}

export const convActivation: Block = (b, x, target) => {
  const y = anyConv(b, x);
  const z = b.chance(0.2) ? batchNorm(b, y) : y;
  return b.chance(0.85) ? activation(b, z, target) : z;
};

/** Conv, activation, Conv of the same shape, Add, activation: as ResNet has it. */
export const residual: Block = (b, x, target) => {
  b.need(x.dims.length === 4);
  const kernel = b.pick([1, 3]);
  const channels = x.dims[1] ?? 1;
  const first = activation(b, sameConv(b, x, channels, kernel), target);
  const second = sameConv(b, first, channels, kernel);
  const inner = b.chance(0.3) ? activation(b, second, target) : second;
  const sum = b.binary('Add', ...(b.chance(0.5) ? ([inner, x] as const) : ([x, inner] as const)));
  return b.chance(0.7) ? activation(b, sum, target) : sum;
};

export const separable: Block = (b, x, target) => {
  b.need(x.dims.length === 4);
  const channels = x.dims[1] ?? 1;
  const deep = activation(b, sameConv(b, x, channels, 3, channels), target);
  return activation(b, sameConv(b, deep, b.pick(CHANNELS), 1), target);
};

/** Squeeze and excitation. */
export const excitation: Block = (b, x) => {
  b.need(x.dims.length === 4);
  const channels = x.dims[1] ?? 1;
  const mean = globalPool(b, x, 'webgl');
  const less = b.unary('Relu', sameConv(b, mean, Math.max(1, channels >> 1), 1));
  return b.binary('Mul', x, b.unary('Sigmoid', sameConv(b, less, channels, 1)));
};

export const globalPool: Block = (b, x) => {
  b.need(x.dims.length === 4);
  const dims = x.dims.map((size, axis) => (axis < 2 ? size : 1));
  return b.add(b.pick(['GlobalAveragePool', 'GlobalAveragePool', 'GlobalMaxPool']), [x], dims);
};

export const anyPool: Block = (b, x) => of.pool(b, x, b.pick(['MaxPool', 'AveragePool']));
