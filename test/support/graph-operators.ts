import type { GraphBuilder, GraphValue } from './graph-builder.js';
import { product } from './graph-builder.js';

// Operators whose form depends on the opset, or whose dimensions need arithmetic.

const round = (value: number) => Math.floor(value + 1e-9);

export interface ConvOptions {
  readonly filters: number;
  readonly kernel: readonly [number, number];
  readonly strides?: readonly [number, number];
  readonly pads?: readonly [number, number, number, number];
  readonly dilations?: readonly [number, number];
  readonly group?: number;
  readonly bias?: boolean;
}

/** The size of an image after a window has gone over it. */
function windowed(
  size: number,
  kernel: number,
  { stride = 1, pad = 0, dilation = 1, ceil = false }: { [key: string]: number | boolean | undefined },
): number {
  const span = size + Number(pad) - Number(dilation) * (kernel - 1) - 1;
  const steps = span / Number(stride);
  return (ceil ? Math.ceil(steps - 1e-9) : round(steps)) + 1;
}

export function conv(b: GraphBuilder, x: GraphValue, options: ConvOptions): GraphValue {
  const { filters, kernel, group = 1, bias = b.chance(0.6) } = options;
  const { strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1] } = options;
  const [batch = 0, channels = 0, height = 0, width = 0] = x.dims;
  b.need(x.dims.length === 4 && channels % group === 0 && filters % group === 0);
  const inner = channels / group;
  const scale = 1 / Math.sqrt(inner * kernel[0] * kernel[1]);
  const w = b.weights([filters, inner, ...kernel], () => 2 * scale * (2 * b.random() - 1));
  const h = windowed(height, kernel[0], {
    stride: strides[0],
    pad: pads[0] + pads[2],
    dilation: dilations[0],
  });
  const v = windowed(width, kernel[1], {
    stride: strides[1],
    pad: pads[1] + pads[3],
    dilation: dilations[1],
  });
  return b.add('Conv', [x, w, ...(bias ? [b.weights([filters])] : [])], [batch, filters, h, v], {
    ...(b.chance(0.8) ? { kernel_shape: kernel } : {}),
    ...(options.strides === undefined ? {} : { strides }),
    ...(options.pads === undefined ? {} : { pads }),
    ...(options.dilations === undefined ? {} : { dilations }),
    ...(group === 1 && b.chance(0.5) ? {} : { group }),
  });
}

export function convTranspose(b: GraphBuilder, x: GraphValue): GraphValue {
  const [batch = 0, channels = 0, height = 0, width = 0] = x.dims;
  b.need(x.dims.length === 4);
  const [kernel, stride, pad, filters] = [b.int(1, 3), b.int(1, 2), b.int(0, 1), b.pick([1, 2, 3, 4, 8])];
  b.need(pad < kernel);
  const w = b.weights([channels, filters, kernel, kernel], () => (b.random() - 0.5) / Math.sqrt(channels));
  const size = (from: number) => stride * (from - 1) + kernel - 2 * pad;
  const bias = b.chance(0.5) ? [b.weights([filters])] : [];
  return b.add('ConvTranspose', [x, w, ...bias], [batch, filters, size(height), size(width)], {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [pad, pad, pad, pad],
  });
}

export function pool(b: GraphBuilder, x: GraphValue, op: 'MaxPool' | 'AveragePool'): GraphValue {
  const [batch = 0, channels = 0, height = 0, width = 0] = x.dims;
  b.need(x.dims.length === 4);
  const kernel = b.pick([1, 2, 2, 3]);
  const stride = b.int(1, 2);
  const pads = b.chance(0.3) && kernel > 1 ? [1, 1, 1, 1] : [0, 0, 0, 0];
  b.need(Math.min(height, width) >= kernel);
  const ceil = b.opset >= 10 && b.chance(0.1);
  const include = op === 'AveragePool' && b.chance(0.3);
  const pad = pads[0] === 1 ? 2 : 0;
  const size = (from: number) => windowed(from, kernel, { stride, pad, ceil });
  // ONNX and ONNX Runtime differ on a last window that begins outside of the image.
  b.need(!ceil || (pad === 0 && [height, width].every((from) => (size(from) - 1) * stride < from)));
  return b.add(
    op,
    [x],
    [batch, channels, size(height), size(width)],
    {
      kernel_shape: [kernel, kernel],
      ...(stride === 1 && b.chance(0.5) ? {} : { strides: [stride, stride] }),
      ...(pad > 0 ? { pads } : {}),
      ...(ceil ? { ceil_mode: 1 } : {}),
      ...(include ? { count_include_pad: 1 } : {}),
    },
    x.exact && op === 'MaxPool',
  );
}

export function clip(b: GraphBuilder, x: GraphValue, least: number, most: number): GraphValue {
  if (b.opset < 11) return b.unary('Clip', x, { min: { f: least }, max: { f: most } });
  return b.add('Clip', [x, b.constant([], [least]), b.constant([], [most])], x.dims);
}

/** Gives a value other dimensions of the same size. */
export function reshape(b: GraphBuilder, x: GraphValue, dims: readonly number[]): GraphValue {
  const shape = [...dims];
  const [kept] = x.dims;
  if (b.chance(0.2) && kept === dims[0]) shape[0] = 0;
  if (b.chance(0.3)) shape[b.int(Math.min(1, shape.length - 1), shape.length - 1)] = -1;
  return b.add('Reshape', [x, b.integers(shape)], dims, {}, x.exact);
}

/** As exporters write a Flatten: the first dimension from Shape, the rest whatever is left. */
export function shapedReshape(b: GraphBuilder, x: GraphValue): GraphValue {
  const [first = 1] = x.dims;
  const shape = b.aside('Shape', [x], [x.dims.length]);
  const batch = b.aside('Gather', [shape, b.integers([0])], [1], { axis: 0 });
  const dims = b.aside('Concat', [batch, b.integers([-1])], [2], { axis: 0 });
  return b.add('Reshape', [x, dims], [first, product(x.dims.slice(1))], {}, x.exact);
}

export function flatten(b: GraphBuilder, x: GraphValue, axis: number): GraphValue {
  const dims = [product(x.dims.slice(0, axis)), product(x.dims.slice(axis))];
  return b.add('Flatten', [x], dims, axis === 1 && b.chance(0.5) ? {} : { axis }, x.exact);
}

export function transpose(b: GraphBuilder, x: GraphValue, perm: readonly number[]): GraphValue {
  const dims = perm.map((axis) => x.dims[axis] ?? 1);
  return b.add('Transpose', [x], dims, { perm }, x.exact);
}

function withAxes(b: GraphBuilder, op: string, x: GraphValue, axes: readonly number[], dims: number[]) {
  return b.opset < 13
    ? b.add(op, [x], dims, { axes }, x.exact)
    : b.add(op, [x, b.integers(axes)], dims, {}, x.exact);
}

export function squeeze(b: GraphBuilder, x: GraphValue, axes: readonly number[]): GraphValue {
  b.need(x.dims.length > axes.length && axes.length > 0);
  const dims = x.dims.filter((_, axis) => !axes.includes(axis));
  return withAxes(b, 'Squeeze', x, axes, dims);
}

export function unsqueeze(b: GraphBuilder, x: GraphValue, axis: number): GraphValue {
  b.need(x.dims.length < 5);
  return withAxes(b, 'Unsqueeze', x, [axis], [...x.dims.slice(0, axis), 1, ...x.dims.slice(axis)]);
}

export function reduce(
  b: GraphBuilder,
  op: string,
  x: GraphValue,
  axes: readonly number[],
  keep: boolean,
): GraphValue {
  const dims = x.dims.flatMap((size, axis) => (!axes.includes(axis) ? [size] : keep ? [1] : []));
  b.need(dims.length > 0);
  const since = op === 'ReduceSum' ? 13 : 18;
  const keepdims = keep ? 1 : 0;
  return b.opset < since
    ? b.add(op, [x], dims, { axes, keepdims })
    : b.add(op, [x, b.integers(axes)], dims, { keepdims });
}

/** Cuts a value into parts of these lengths. */
export function split(
  b: GraphBuilder,
  x: GraphValue,
  axis: number,
  lengths: readonly number[],
): GraphValue[] {
  const outputs = lengths.map((length) => x.dims.map((size, at) => (at === axis ? length : size)));
  return b.opset < 13
    ? b.many('Split', [x], outputs, { axis, split: lengths }, x.exact)
    : b.many('Split', [x, b.integers(lengths)], outputs, { axis }, x.exact);
}

export function slice(b: GraphBuilder, x: GraphValue): GraphValue {
  const axis = b.int(0, x.dims.length - 1);
  const size = x.dims[axis] ?? 1;
  b.need(size > 1);
  const start = b.int(0, size - 2);
  const end = b.int(start + 1, size);
  const step = b.opset >= 10 && b.chance(0.15) ? 2 : 1;
  const dims = x.dims.map((length, at) => (at === axis ? Math.ceil((end - start) / step) : length));
  const far = end === size && b.chance(0.5) ? 2 ** 31 - 1 : end === size ? end : end - size;
  if (b.opset < 10) return b.add('Slice', [x], dims, { axes: [axis], starts: [start], ends: [far] }, x.exact);
  const more = [b.integers([start]), b.integers([far]), b.integers([axis])];
  return b.add('Slice', [x, ...more, ...(step === 1 ? [] : [b.integers([step])])], dims, {}, x.exact);
}

export function pad(b: GraphBuilder, x: GraphValue): GraphValue {
  const mode = b.pick(['constant', 'constant', 'reflect', 'edge']);
  const spatial = (axis: number) => axis >= Math.max(0, x.dims.length - 2);
  const each = () =>
    x.dims.map((size, axis) =>
      spatial(axis) ? b.int(0, mode === 'reflect' ? Math.min(2, size - 1) : 2) : 0,
    );
  const [before, after] = [each(), each()];
  const dims = x.dims.map((size, axis) => size + (before[axis] ?? 0) + (after[axis] ?? 0));
  const pads = [...before, ...after];
  if (b.opset < 11) return b.add('Pad', [x], dims, { pads, mode }, x.exact);
  const filler = mode === 'constant' && b.chance(0.5) ? [b.constant([], [b.pick([0, 1, -2])])] : [];
  return b.add('Pad', [x, b.integers(pads), ...filler], dims, mode === 'constant' ? {} : { mode }, x.exact);
}

/** Makes an image larger; Upsample before opset 10. */
export function enlarge(b: GraphBuilder, x: GraphValue): GraphValue {
  b.need(x.dims.length === 4);
  const factor = b.pick([2, 2, 3]);
  const dims = x.dims.map((size, axis) => (axis < 2 ? size : size * factor));
  const mode = b.pick(['linear', 'linear', 'nearest']);
  const scales = b.constant([4], [1, 1, factor, factor]);
  if (b.opset < 10) return b.add('Upsample', [x, scales], dims, { mode });
  b.need(b.opset >= 11);
  const coordinates = b.pick(['half_pixel', 'asymmetric', 'align_corners', 'pytorch_half_pixel']);
  const attributes = { mode, coordinate_transformation_mode: coordinates };
  const nearest = mode === 'nearest' ? { nearest_mode: 'floor' } : {};
  const empty = b.opset < 13 ? b.constant([0], []) : '';
  return b.chance(0.6)
    ? b.add('Resize', [x, empty, scales], dims, { ...attributes, ...nearest })
    : b.add('Resize', [x, empty, b.opset < 13 ? b.constant([0], []) : '', b.integers(dims)], dims, {
        ...attributes,
        ...nearest,
      });
}
