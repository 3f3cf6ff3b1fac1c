// Gradients of convolutions and pooling. All use unfolding: a grouped convolution with one-hot kernels copies the elements
// under each kernel into a separate axis. Its transpose adds them up.

import { readsOf, type Window, windowOf } from '../../onnx/conv-window.js';
import { attribute, type Node } from '../../onnx/document.js';
import { elementCount } from '../../providers/tensor.js';
import { sumOfChannels } from './rule.js';
import type { Tape } from './tape.js';

/** Unfolds [N, C, ...inside] to [N, C, taps, places]. */
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
  const wide = tape.avoidsGroups
    ? tape.node('Conv', [tape.reshape(x, [n * c, 1, ...inside]), oneHot(tape, 1, kernel)], common)
    : tape.node('Conv', [x, oneHot(tape, c, kernel)], { group: c, ...common });
  return tape.reshape(wide, [n, c, taps, -1]);
}

/** The adjoint of `unfold`: adds up [N, C, taps, places] to [N, C, ...inside]. */
function fold(
  tape: Tape,
  g: string,
  dims: readonly number[],
  outside: readonly number[],
  window: Window,
): string {
  const [n = 1, c = 1] = dims;
  const taps = elementCount(window.kernel);
  return transposed(tape, tape.reshape(g, [n, c * taps, ...outside]), oneHot(tape, c, window.kernel), {
    ...{ window, outside, inside: dims.slice(2), group: c },
  });
}

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
  const common = { group, kernel_shape: kernel, strides, dilations, pads };
  return tape.node('ConvTranspose', [g, w], { ...common, output_padding: extra });
}

export function oneHot(tape: Tape, channels: number, kernel: readonly number[]): string {
  const taps = elementCount(kernel);
  const data = new Float32Array(channels * taps * taps);
  for (let row = 0; row < channels * taps; row++) data[row * taps + (row % taps)] = 1;
  return tape.floats(data, [channels * taps, 1, ...kernel]);
}

/** Adds the gradient of a convolution's weights, [M, C/group, ...kernel]: output gradient times unfolded input, summed over places. */
export function weightGradient(
  tape: Tape,
  made: { readonly name: string; readonly dims: readonly number[] },
  seen: { readonly name: string; readonly dims: readonly number[] },
  window: Window,
  group: number,
  shape: readonly number[],
): string {
  const [n = 1, m = 1, ...outside] = made.dims;
  const [, c = 1] = seen.dims;
  const places = elementCount(outside);
  const columns = (c / group) * elementCount(window.kernel);
  const wide = tape.reshape(unfold(tape, seen.name, seen.dims, window), [n, group, columns, places]);
  const left = tape.reshape(made.name, [n, group, m / group, places]);
  const right = tape.node('Transpose', [wide], { perm: [0, 1, 3, 2] });
  return tape.reshape(tape.sum(tape.node('MatMul', [left, right]), [0]), shape);
}

/** Adds the gradients of Conv's input, weights and bias. */
export function convolutionGradients(tape: Tape, node: Node, g: string): (string | undefined)[] {
  const [x = '', w = ''] = node.inputs;
  const [dx, dw, dy] = [tape.dims(x), tape.dims(w), tape.dims(node.outputs[0] ?? '')];
  const group = attribute(node, 'group')?.i ?? 1;
  const window = windowOf('Conv', node, dw.slice(2), dx.slice(2), dy.slice(2));
  const gx = transposed(tape, g, w, { window, outside: dy.slice(2), inside: dx.slice(2), group });
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

/**
 * Adds the gradient of MaxPool or AveragePool. MaxPool passes the gradient to the largest element of each window, or in equal parts
 * to equal maxima; AveragePool to all elements of the window.
 */
export function poolGradient(tape: Tape, node: Node, g: string): (string | undefined)[] {
  const x = node.inputs[0] ?? '';
  const y = node.outputs[0] ?? '';
  const kernel = attribute(node, 'kernel_shape')?.ints ?? [];
  const [dx, dy] = [tape.dims(x), tape.dims(y)];
  const window = windowOf('Conv', node, kernel, dx.slice(2), dy.slice(2));
  const [n = 1, c = 1, ...outside] = dy;
  const flat = (name: string) => tape.reshape(name, [n, c, 1, elementCount(outside)]);
  if (node.opType !== 'MaxPool') {
    const shares = averageShares(tape, node, window, dx.slice(2), outside);
    return [fold(tape, tape.node('Mul', [flat(g), shares]), dx, outside, window)];
  }
  const mask = tape.mask('Equal', unfold(tape, x, dx, window), flat(y));
  // Zero padding can equal a maximum of 0, but then the window contains this maximum as well.
  const count = tape.node('Max', [tape.sum(mask, [2]), tape.floats([1])]);
  return [fold(tape, tape.node('Mul', [flat(g), tape.node('Div', [mask, count])]), dx, outside, window)];
}

/** Adds the gradient of LpPool, y = (Σ |x|^p)^(1/p) over a window: x |x|^(p-2) y^(1-p). */
export function lpPoolGradient(tape: Tape, node: Node, g: string): (string | undefined)[] {
  const [x = '', y = ''] = [node.inputs[0], node.outputs[0]];
  const [dx, dy] = [tape.dims(x), tape.dims(y)];
  const kernel = attribute(node, 'kernel_shape')?.ints ?? dx.slice(2);
  const window = windowOf('Conv', node, kernel, dx.slice(2), dy.slice(2));
  const [n = 1, c = 1, ...outside] = dy;
  const p = attribute(node, 'p')?.i ?? 2;
  const positive = (name: string) => tape.node('Max', [name, tape.floats([TINY])]);
  const power = (name: string, exponent: number) => tape.node('Pow', [name, tape.floats([exponent])]);
  const share = tape.node('Mul', [g, power(positive(y), 1 - p)]);
  const wide = tape.node('Expand', [
    tape.reshape(share, [n, c, 1, elementCount(outside)]),
    tape.ints([n, c, elementCount(kernel), elementCount(outside)]),
  ]);
  const folded = fold(tape, wide, dx, outside, window);
  const steep = tape.node('Mul', [x, power(positive(tape.node('Abs', [x])), p - 2)]);
  return [tape.node('Mul', [folded, steep])];
}

/** Replaces 0 as the base of negative powers. */
const TINY = 1e-20;

/** Adds the share of each element in each window of AveragePool, [1, 1, taps, places]. */
function averageShares(
  tape: Tape,
  node: Node,
  window: Window,
  inside: readonly number[],
  outside: readonly number[],
): string {
  const taps = elementCount(window.kernel);
  const countsPadding = (attribute(node, 'count_include_pad')?.i ?? 0) !== 0;
  if (countsPadding || window.pads.every((pad) => pad === 0))
    return tape.floats(new Float32Array(taps).fill(1 / taps), [1, 1, taps, 1]);
  const places = elementCount(outside);
  const reads = readsOf('Conv', window, inside, outside);
  const offsets = new Int32Array(taps);
  const shares = new Float32Array(taps * places);
  for (let place = 0; place < places; place++) {
    reads(place, offsets);
    const count = offsets.reduce((sum, offset) => sum + (offset < 0 ? 0 : 1), 0);
    for (let tap = 0; tap < taps; tap++) shares[tap * places + place] = 1 / Math.max(1, count);
  }
  return tape.floats(shares, [1, 1, taps, places]);
}
