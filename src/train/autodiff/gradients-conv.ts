// Gradients of convolutions. They use unfolding: a grouped convolution with one-hot kernels copies the elements
// under each kernel into a separate axis. Its transpose adds them up.

import { type Window, windowOf } from '../../onnx/conv-window.js';
import { attribute, type Node } from '../../onnx/document.js';
import { elementCount } from '../../providers/tensor.js';
import { gemm, lastToMiddle, NO_GRADIENT, sumOfChannels } from './rule.js';
import type { Tape } from './tape.js';

/** Adds the elements under each window of [N, C, ...inside], as [N, C, taps, places]. */
export function unfold(
  tape: Tape,
  x: string,
  [n = 1, c = 1, ...inside]: readonly number[],
  window: Window,
): string {
  const { kernel, strides, dilations, pads } = window;
  const taps = elementCount(kernel);
  const plain = taps === 1 && elementCount(strides) === 1 && pads.every((pad) => pad === 0);
  if (plain) return tape.reshape(x, [n, c, 1, -1]);
  const common = { kernel_shape: kernel, strides, dilations, pads };
  const wide =
    tape.avoidsGroups || isLarge(c, taps)
      ? tape.node('Conv', [tape.reshape(x, [n * c, 1, ...inside]), oneHot(tape, 1, kernel)], common)
      : tape.node('Conv', [x, oneHot(tape, c, kernel)], { group: c, ...common });
  return tape.reshape(wide, [n, c, taps, -1]);
}

/** Adds the adjoint of `unfold`, which adds up [N, C, taps, places] to [N, C, ...inside]. */
export function fold(
  tape: Tape,
  g: string,
  dims: readonly number[],
  outside: readonly number[],
  window: Window,
): string {
  const [n = 1, c = 1, ...inside] = dims;
  const taps = elementCount(window.kernel);
  const [samples, group] = isLarge(c, taps) ? [n * c, 1] : [n, c];
  const wide = tape.reshape(g, [samples, group * taps, ...outside]);
  const shape = { window, outside, inside, group };
  const folded = transposed(tape, wide, oneHot(tape, group, window.kernel), shape);
  return group === c ? folded : tape.reshape(folded, dims);
}

/** Maximum number of elements of kernels that unfold each channel by itself. */
const MAX_KERNEL_ELEMENTS = 2 ** 22;

/** Whether kernels for each channel take too much memory. Each channel is a sample of its own then, and all share one kernel. */
const isLarge = (channels: number, taps: number) => channels * taps ** 2 > MAX_KERNEL_ELEMENTS;

interface Transposition {
  readonly window: Window;
  /** Spatial dims of the input (`inside`) and the output (`outside`). */
  readonly outside: readonly number[];
  readonly inside: readonly number[];
  readonly group: number;
}

/** Adds the adjoint of a convolution in its first operand. */
export function transposed(
  tape: Tape,
  g: string,
  w: string,
  { window, outside, inside, group }: Transposition,
): string {
  const { kernel, strides, dilations, pads } = window;
  const axes = kernel.length;
  const extra = kernel.map((size, axis) => {
    const [stride, begin, end] = [strides[axis] ?? 1, pads[axis] ?? 0, pads[axes + axis] ?? 0];
    const covered = ((outside[axis] ?? 1) - 1) * stride + (size - 1) * (dilations[axis] ?? 1) + 1;
    return (inside[axis] ?? 1) - (covered - begin - end);
  });
  // A ConvTranspose adds less than a stride to its output; there may be more that no window reaches.
  const rest = extra.map((size, axis) => Math.max(0, size - (strides[axis] ?? 1) + 1));
  const common = { group, kernel_shape: kernel, strides, dilations, pads };
  const added = extra.map((size, axis) => size - (rest[axis] ?? 0));
  const result = tape.node('ConvTranspose', [g, w], { ...common, output_padding: added });
  return tape.pad(result, [...new Array<number>(axes + 4).fill(0), ...rest]);
}

/** Adds kernels that copy the elements of a window, in order or reversed. */
export function oneHot(tape: Tape, channels: number, kernel: readonly number[], isReversed = false): string {
  const taps = elementCount(kernel);
  const data = new Float32Array(channels * taps * taps);
  for (let row = 0; row < channels * taps; row++) {
    const tap = row % taps;
    data[row * taps + (isReversed ? taps - 1 - tap : tap)] = 1;
  }
  return tape.floats(data, [channels * taps, 1, ...kernel]);
}

/** A tensor with its shape, [N, C, ...places]. */
interface Shaped {
  readonly name: string;
  readonly dims: readonly number[];
}

/** Adds the gradient of a convolution's weights, [M, C/group, ...kernel]: output gradient times unfolded input, summed over places. */
export function weightGradient(
  tape: Tape,
  made: Shaped,
  seen: Shaped,
  window: Window,
  group: number,
  shape: readonly number[],
): string {
  if (isDense(window, group) && !tape.avoidsGroups) {
    if ((seen.dims[1] ?? 1) < MIN_SHIFTED) return denseWeightGradient(tape, made, seen, window, shape);
    const first = ({ name, dims }: Shaped) => ({ name: channelsFirst(tape, name, dims), dims });
    return byShifts(tape, first(made), first(seen), window, shape);
  }
  const [n = 1, m = 1, ...outside] = made.dims;
  const [, c = 1] = seen.dims;
  const places = elementCount(outside);
  const columns = (c / group) * elementCount(window.kernel);
  const wide = tape.reshape(unfold(tape, seen.name, seen.dims, window), [n, group, columns, places]);
  const left = tape.reshape(made.name, [n, group, m / group, places]);
  const right = tape.node('Transpose', [wide], { perm: [0, 1, 3, 2] });
  return tape.reshape(tape.sum(tape.node('MatMul', [left, right]), [0]), shape);
}

/** Whether a kernel has several rows and columns, and there are no groups, strides and dilations, and less padding than the kernel is long. */
function isDense({ kernel, strides, dilations, pads }: Window, group: number): boolean {
  const [height = 1, width = 1] = kernel;
  const spaced = elementCount(strides) !== 1 || elementCount(dilations) !== 1;
  const isWithin = pads.every((pad, at) => pad < (kernel[at % 2] ?? 1));
  return group === 1 && kernel.length === 2 && height > 1 && width > 1 && !spaced && isWithin;
}

/** Adds the gradient of a convolution's input: a convolution with mirrored weights, or a transposed convolution. */
function mirrored(
  tape: Tape,
  g: string,
  w: string,
  dx: readonly number[],
  dw: readonly number[],
  dy: readonly number[],
  window: Window,
  group: number,
): string {
  const { kernel, pads } = window;
  const [m = 1, c = 1] = dw;
  const isPadded = pads.every((pad) => pad > 0);
  if (!isDense(window, group) || !isPadded)
    return transposed(tape, g, w, { window, outside: dy.slice(2), inside: dx.slice(2), group });
  const taps = elementCount(kernel);
  const exchanged = tape.reshape(tape.node('Transpose', [w], { perm: [1, 0, 2, 3] }), [c, m, taps]);
  const backwards = tape.ints(Array.from({ length: taps }, (_, at) => taps - 1 - at));
  const weights = tape.reshape(tape.node('Gather', [exchanged, backwards], { axis: 2 }), [c, m, ...kernel]);
  const begins = kernel.map((size, axis) => size - 1 - (pads[axis] ?? 0));
  const ends = kernel.map(
    (size, axis) => (dx[2 + axis] ?? 1) + size - 1 - (dy[2 + axis] ?? 1) - (begins[axis] ?? 0),
  );
  return tape.node('Conv', [g, weights], { kernel_shape: kernel, pads: [...begins, ...ends] });
}

/** Unfolds x over the kernel's width only, and the output gradient over its height: less to copy than the whole window. */
function denseWeightGradient(
  tape: Tape,
  made: Shaped,
  seen: Shaped,
  { kernel, pads }: Window,
  shape: readonly number[],
): string {
  const [n = 1, m = 1, outRows = 1, width = 1] = made.dims;
  const [, c = 1, rows = 1] = seen.dims;
  const [height = 1, across = 1] = kernel;
  const [top = 0, left = 0, , right = 0] = pads;
  const wide = tape.node('Conv', [seen.name, oneHot(tape, c, [1, across])], {
    group: c,
    kernel_shape: [1, across],
    pads: [0, left, 0, right],
  });
  const begin = height - 1 - top;
  const tall = tape.node('Conv', [made.name, oneHot(tape, m, [height, 1], true)], {
    group: m,
    kernel_shape: [height, 1],
    pads: [begin, 0, rows - outRows + top, 0],
  });
  const columns = tape.reshape(wide, [n, c * across, rows * width]);
  const shifted = tape.reshape(tall, [n, m * height, rows * width]);
  const turned = tape.node('Transpose', [shifted], { perm: [0, 2, 1] });
  const product = tape.sum(tape.node('MatMul', [columns, turned]), [0]);
  const split = tape.reshape(product, [c, across, m, height]);
  return tape.reshape(tape.node('Transpose', [split], { perm: [2, 0, 3, 1] }), shape);
}

/** Number of input channels from which shifts are faster than unfolding: a matrix product computes with so many at once. */
const MIN_SHIFTED = 16;

/** Adds a copy with the channels before the samples. */
function channelsFirst(tape: Tape, x: string, [n = 1, c = 1, ...places]: readonly number[]): string {
  const parts = tape.reshape(x, [n, c, elementCount(places)]);
  return n === 1 ? parts : tape.node('Transpose', [parts], { perm: [1, 0, 2] });
}

/**
 * Adds the gradient of the weights of a convolution without strides and dilations: shifts x along the width and the output gradient along
 * the height, and multiplies each two of them.
 *
 * @param made The output gradient with its channels before the samples; `dims` is its shape with the samples first.
 * @param seen The input, likewise.
 * @param shares Number of equal shares of the samples; above 1, both tensors begin with an axis of the shares.
 */
export function byShifts(
  tape: Tape,
  made: Shaped,
  seen: Shaped,
  { kernel, pads }: Window,
  shape: readonly number[],
  shares = 1,
): string {
  const [n = 1, m = 1, outRows = 1, width = 1] = made.dims;
  const [, c = 1, rows = 1, inWidth = 1] = seen.dims;
  const [height = 1, across = 1] = kernel;
  const [top = 0, left = 0] = pads;
  const x = tape.reshape(seen.name, [c * n * rows, inWidth]);
  const g = tape.reshape(made.name, [m * n, outRows * width]);
  const places = (n * rows * width) / shares;
  const before = shares === 1 ? [] : [shares];
  const columns = Array.from({ length: across }, (_, column) => {
    const begin = left - column;
    return tape.reshape(tape.pad(x, [0, begin, 0, width - inWidth - begin]), [...before, c, places]);
  });
  const shifted = Array.from({ length: height }, (_, row) => {
    const begin = row - top;
    return tape.reshape(tape.pad(g, [0, begin * width, 0, (rows - outRows - begin) * width]), [
      ...before,
      m,
      places,
    ]);
  });
  const parts = shifted.flatMap((row) => columns.map((column) => timesTransposed(tape, row, column, shares)));
  return joinedTaps(tape, parts, shape, shares);
}

/**
 * Adds a × bᵀ, for each share if there are several. ONNX Runtime computes this product at the speed of its convolutions, and aᵀ × b at
 * half of that speed if the sums are long.
 */
export const timesTransposed = (tape: Tape, a: string, b: string, shares = 1) =>
  shares === 1
    ? gemm(tape, [a, b], { transB: 1 })
    : tape.node('FusedMatMul', [a, b], { transB: 1 }, 'com.microsoft');

/** Joins the gradients of all places of the window, each [outputs, inputs] or [shares, outputs, inputs], in the shape of the weights. */
export function joinedTaps(
  tape: Tape,
  parts: readonly string[],
  shape: readonly number[],
  shares = 1,
): string {
  const [m = 1, c = 1] = shape;
  const all = parts.map((part) => tape.reshape(part, [shares, m, 1, c]));
  const whole = all.length === 1 ? (all[0] ?? '') : tape.node('Concat', all, { axis: 2 });
  const joined = shares === 1 ? whole : tape.sum(whole, [0]);
  if (all.length === 1) return tape.reshape(joined, shape);
  return tape.reshape(lastToMiddle(tape, joined, [m, all.length, c]), shape);
}

/** Adds the gradients of Conv's input, weights and bias. */
export function convolutionGradients(tape: Tape, node: Node, g: string): (string | undefined)[] {
  const [x = '', w = ''] = node.inputs;
  const [dx, dw, dy] = [tape.dims(x), tape.dims(w), tape.dims(node.outputs[0] ?? '')];
  const group = attribute(node, 'group')?.i ?? 1;
  const window = windowOf('Conv', node, dw.slice(2), dx.slice(2), dy.slice(2));
  const gx = mirrored(tape, g, w, dx, dw, dy, window, group);
  const gw = weightGradient(tape, { name: g, dims: dy }, { name: x, dims: dx }, window, group, dw);
  return [gx, gw, sumOfChannels(tape, g, dy)];
}

/** Adds the gradients of ConvTranspose's input, weights and bias. */
export function transposedGradients(tape: Tape, node: Node, g: string): (string | undefined)[] {
  const [x = '', w = ''] = node.inputs;
  const [dx, dw, dy] = [tape.dims(x), tape.dims(w), tape.dims(node.outputs[0] ?? '')];
  const group = attribute(node, 'group')?.i ?? 1;
  const window = windowOf('ConvTranspose', node, dw.slice(2), dx.slice(2), dy.slice(2));
  const { kernel, strides, dilations, pads } = window;
  const gx = tape.node('Conv', [g, w], { group, kernel_shape: kernel, strides, dilations, pads });
  const gw = weightGradient(tape, { name: x, dims: dx }, { name: g, dims: dy }, window, group, dw);
  return [gx, gw, sumOfChannels(tape, g, dy)];
}

/** Adds the gradient of Col2Im, which adds up blocks of an image: the blocks of the image's gradient. */
export function col2ImGradient(tape: Tape, node: Node, g: string): (string | undefined)[] {
  const [x = '', , shape = ''] = node.inputs;
  const kernel = tape.constant(shape);
  const dims = tape.dims(node.outputs[0] ?? '');
  if (kernel === undefined) return [];
  const [strides, dilations, pads] = ['strides', 'dilations', 'pads'].map(
    (name) => attribute(node, name)?.ints,
  );
  const ones = kernel.map(() => 1);
  const window = {
    kernel,
    strides: strides ?? ones,
    dilations: dilations ?? ones,
    pads: pads ?? [...ones, ...ones].map(() => 0),
  };
  return [tape.reshape(unfold(tape, g, dims, window), tape.dims(x)), NO_GRADIENT, NO_GRADIENT];
}
