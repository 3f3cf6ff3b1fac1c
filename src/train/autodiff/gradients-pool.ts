// Gradients of pooling.
import { readsOf, type Window, windowOf, withoutUnreadTaps } from '../../onnx/conv-window.js';
import { attribute, type Node } from '../../onnx/document.js';
import { elementCount } from '../../providers/tensor.js';
import { fold, transposed, unfold } from './gradients-conv.js';
import { finite } from './rule.js';
import type { Tape } from './tape.js';

/**
 * Adds the gradient of MaxPool or AveragePool. MaxPool passes the gradient to the largest element of each window, and to the first
 * of equal maxima, as PyTorch does; AveragePool to all elements of the window.
 */
export function poolGradient(tape: Tape, node: Node, g: string): (string | undefined)[] {
  const x = node.inputs[0] ?? '';
  const y = node.outputs[0] ?? '';
  const kernel = attribute(node, 'kernel_shape')?.ints ?? [];
  const [dx, dy] = [tape.dims(x), tape.dims(y)];
  if (isPaddedOtherwise(node, kernel, dx.slice(2), dy.slice(2))) return [];
  const whole = windowOf('Conv', node, kernel, dx.slice(2), dy.slice(2));
  const window = withoutUnreadTaps(whole, dx.slice(2), dy.slice(2));
  const [n = 1, c = 1, ...outside] = dy;
  const flat = (name: string) => tape.reshape(name, [n, c, 1, elementCount(outside)]);
  if (node.opType !== 'MaxPool') {
    const shares = averageShares(tape, node, whole, dx.slice(2), outside);
    return [spread(tape, tape.node('Mul', [g, shares]), dx, outside, window)];
  }
  if (isTiling(window, dx, dy)) return [tiledMaximum(tape, x, y, g, dx, window)];
  const mask = tape.mask('Equal', unfold(tape, x, dx, window), flat(y));
  const ranked = tape.node('Mul', [mask, tapRanks(tape, window, dx.slice(2), outside)]);
  const first = tape.mask('Equal', ranked, reducedMax(tape, ranked, 2));
  return [fold(tape, tape.node('Mul', [flat(g), first]), dx, outside, window)];
}

/** Whether an auto_pad is SAME, and so the output's size does not follow from ceil_mode. */
const isSame = (node: Node) => (attribute(node, 'auto_pad')?.s ?? '').startsWith('SAME_');

/**
 * Whether ONNX Runtime pads a pooling with SAME otherwise than ONNX says: it leaves out dilations, and pads by a negative number where
 * strides are longer than windows, so that windows begin behind the first element.
 */
function isPaddedOtherwise(
  node: Node,
  kernel: readonly number[],
  inside: readonly number[],
  outside: readonly number[],
): boolean {
  const listed = (name: string) => attribute(node, name)?.ints ?? kernel.map(() => 1);
  const [strides, dilations] = [listed('strides'), listed('dilations')];
  const isOther = (size: number, axis: number) =>
    (size > 1 && dilations[axis] !== 1) ||
    ((outside[axis] ?? 1) - 1) * (strides[axis] ?? 1) + size - (inside[axis] ?? 1) < -1;
  return isSame(node) && kernel.some(isOther);
}

/** Adds ranks of the taps of each window, the first the highest, [1, 1, taps, places]. Padding, which can equal a maximum of 0, has 0. */
function tapRanks(tape: Tape, window: Window, inside: readonly number[], outside: readonly number[]): string {
  const taps = elementCount(window.kernel);
  if (window.pads.every((pad) => pad === 0))
    return tape.floats(
      Float32Array.from({ length: taps }, (_, tap) => taps - tap),
      [1, 1, taps, 1],
    );
  const places = elementCount(outside);
  const reads = readsOf('Conv', window, inside, outside);
  const offsets = new Int32Array(taps);
  const ranks = new Float32Array(taps * places);
  for (let place = 0; place < places; place++) {
    reads(place, offsets);
    for (let tap = 0; tap < taps; tap++)
      ranks[tap * places + place] = (offsets[tap] ?? 0) < 0 ? 0 : taps - tap;
  }
  return tape.floats(ranks, [1, 1, taps, places]);
}

/** Opset from which ReduceMax's axes are an input. */
const MAX_AXES_INPUT = 18;

/** Adds the maximum over an axis, which stays with length 1. */
const reducedMax = (tape: Tape, x: string, axis: number) =>
  tape.opset >= MAX_AXES_INPUT
    ? tape.node('ReduceMax', [x, tape.ints([axis])])
    : tape.node('ReduceMax', [x], { axes: [axis] });

/**
 * Adds what each element of an output [N, C, ...outside] gives to all elements under its window, [N, C, ...inside]. No axis of taps is
 * needed, since all elements of a window get the same: exporters write a mean over all places as a window of thousands of taps.
 */
function spread(
  tape: Tape,
  g: string,
  dims: readonly number[],
  outside: readonly number[],
  window: Window,
): string {
  const [, c = 1, ...inside] = dims;
  const { kernel } = window;
  // A single window over everything.
  if (elementCount(outside) === 1 && kernel.join() === inside.join())
    return tape.node('Expand', [g, tape.ints(dims)]);
  const ones = tape.floats(new Float32Array(c * elementCount(kernel)).fill(1), [c, 1, ...kernel]);
  return transposed(tape, g, ones, { window, outside, inside, group: c });
}

/** Whether the windows of a pooling cover each element once. */
function isTiling(
  { kernel, strides, dilations, pads }: Window,
  dx: readonly number[],
  dy: readonly number[],
) {
  const covers = (size: number, axis: number) => {
    const places = dy[2 + axis] ?? 1;
    return (places === 1 || size === strides[axis]) && dx[2 + axis] === size * places;
  };
  return elementCount(dilations) === 1 && pads.every((pad) => pad === 0) && kernel.every(covers);
}

/** Maximum number of copies that a Concat joins faster than an Expand makes them. */
const MAX_JOINED = 8;

/** Adds the gradient of MaxPool whose windows cover each element once: no unfolding, but a comparison in the shape of x. */
function tiledMaximum(
  tape: Tape,
  x: string,
  y: string,
  g: string,
  dx: readonly number[],
  { kernel }: Window,
): string {
  const inside = dx.slice(2);
  const repeated = (name: string, times: number, after: number) => {
    if (times === 1) return name;
    const apart = tape.reshape(name, [-1, 1, after]);
    return times > MAX_JOINED
      ? tape.node('Expand', [apart, tape.ints([1, times, 1])])
      : tape.node('Concat', new Array<string>(times).fill(apart), { axis: 1 });
  };
  const upsampled = (name: string) => {
    let result = name;
    for (let axis = kernel.length - 1; axis >= 0; axis--)
      result = repeated(result, kernel[axis] ?? 1, elementCount(inside.slice(axis + 1)));
    return tape.reshape(result, dx);
  };
  const mask = tape.mask('Equal', x, upsampled(y));
  const ranked = tape.node('Mul', [mask, tape.floats(tileRanks(inside, kernel), [1, 1, ...inside])]);
  const highest = tape.node('MaxPool', [ranked], { kernel_shape: kernel, strides: kernel });
  const first = tape.mask('Equal', ranked, upsampled(highest));
  return tape.node('Mul', [first, upsampled(g)]);
}

/** Returns the rank of each element in its tile, the first the highest. */
function tileRanks(inside: readonly number[], kernel: readonly number[]): Float32Array {
  const taps = elementCount(kernel);
  return Float32Array.from({ length: elementCount(inside) }, (_, at) => {
    let [rest, tap, scale] = [at, 0, 1];
    for (let axis = kernel.length - 1; axis >= 0; axis--) {
      const [size, length] = [kernel[axis] ?? 1, inside[axis] ?? 1];
      tap += ((rest % length) % size) * scale;
      rest = Math.floor(rest / length);
      scale *= size;
    }
    return taps - tap;
  });
}

/** Adds the gradient of LpPool, y = (Σ |x|^p)^(1/p) over a window: x |x|^(p-2) y^(1-p). */
export function lpPoolGradient(tape: Tape, node: Node, g: string): (string | undefined)[] {
  const [x = '', y = ''] = [node.inputs[0], node.outputs[0]];
  const [dx, dy] = [tape.dims(x), tape.dims(y)];
  const kernel = attribute(node, 'kernel_shape')?.ints ?? dx.slice(2);
  const inside = dx.slice(2);
  if (isPaddedOtherwise(node, kernel, inside, dy.slice(2))) return [];
  const window = withoutUnreadTaps(windowOf('Conv', node, kernel, inside, dy.slice(2)), inside, dy.slice(2));
  const [, , ...outside] = dy;
  const p = attribute(node, 'p')?.i ?? 2;
  const positive = (name: string) => tape.node('Max', [name, tape.floats([TINY])]);
  const power = (name: string, exponent: number) => tape.node('Pow', [name, tape.floats([exponent])]);
  // A window of zeros has the gradient 0, although the power of its norm may be infinite.
  const share = tape.node('Mul', [g, finite(tape, power(positive(y), 1 - p))]);
  const folded = spread(tape, share, dx, outside, window);
  const steep = tape.node('Mul', [x, power(positive(tape.node('Abs', [x])), p - 2)]);
  return [tape.node('Mul', [folded, steep])];
}

/** Replaces 0 as the base of negative powers. */
const TINY = 1e-20;

/**
 * Adds the share of each element in each window of AveragePool, [1, 1, ...places], or a scalar if all are equal. Padding may count, but
 * not what a window of a rounded-up output covers beyond it.
 */
function averageShares(
  tape: Tape,
  node: Node,
  whole: Window,
  inside: readonly number[],
  outside: readonly number[],
): string {
  const countsPadding = (attribute(node, 'count_include_pad')?.i ?? 0) !== 0;
  const isRoundedUp = (attribute(node, 'ceil_mode')?.i ?? 0) !== 0 && !isSame(node);
  if ((countsPadding && !isRoundedUp) || whole.pads.every((pad) => pad === 0))
    return tape.floats([1 / elementCount(whole.kernel)]);
  const pads = attribute(node, 'pads')?.ints ?? whole.pads.map(() => 0);
  const counts = inside.map((size, axis) => {
    const [begin, end] = countsPadding ? [pads[axis] ?? 0, pads[inside.length + axis] ?? 0] : [0, 0];
    const first = countsPadding ? 0 : -(whole.pads[axis] ?? 0);
    return countsOf(whole, axis, first, size + begin + end, outside[axis] ?? 1);
  });
  const shares = counts.reduce<readonly number[]>(
    (sofar, count) => sofar.flatMap((share) => count.map((one) => share / Math.max(1, one))),
    [1],
  );
  return tape.floats(shares, [1, 1, ...outside]);
}

/** Returns for each place along an axis how many taps are within `size`, if the first window begins at `first`. */
function countsOf(
  { kernel, strides, dilations }: Window,
  axis: number,
  first: number,
  size: number,
  places: number,
): number[] {
  const dilation = dilations[axis] ?? 1;
  return Array.from({ length: places }, (_, place) => {
    const start = first + place * (strides[axis] ?? 1);
    const from = Math.max(0, Math.ceil(-start / dilation));
    return Math.max(0, Math.min(kernel[axis] ?? 1, Math.ceil((size - start) / dilation)) - from);
  });
}
