// The gradient of a convolution's weights, where x or the gradient is in the blocked layout.
import type { Window } from '../../onnx/conv-window.js';
import { elementCount } from '../../providers/tensor.js';
import { oneHot, unfold } from '../autodiff/gradients-conv.js';
import { gemm } from '../autodiff/rule.js';
import type { Tape } from '../autodiff/tape.js';
import { blockedConv, cut, inWholeBlocks, lastToMiddle } from './blocks.js';

/** A convolution with the gradient of its output in the blocked layout. */
export interface BlockedGradient {
  /** x, its plain copy, and whether x is in the blocked layout. */
  readonly x: string;
  readonly plainX: () => string;
  readonly blocked: boolean;
  readonly g: string;
  /** Shapes of x, the output and the weights. */
  readonly dx: readonly number[];
  readonly dy: readonly number[];
  readonly dw: readonly number[];
  readonly window: Window;
  readonly group: number;
  readonly block: number;
}

/** Number of input channels from which one large matrix product is the fastest way; measured in test/bench/train.md. */
const WIDE = 64;

/** Opset from which Slice has steps. */
const SLICE_STEPS = 10;

/** Adds the gradient of the weights. */
export function blockedWeightGradient(tape: Tape, conv: BlockedGradient): string {
  const { dx, window, group } = conv;
  if (group !== 1) return depthwise(tape, conv);
  const dense = elementCount(window.strides) === 1 && elementCount(window.dilations) === 1;
  const wide = conv.blocked && (dx[1] ?? 1) >= WIDE;
  if (dense) return wide ? channelsLast(tape, conv) : byRows(tape, conv);
  return wide && tape.opset >= SLICE_STEPS ? placesLast(tape, conv) : unfolded(tape, conv);
}

/**
 * Adds the gradient of a depthwise convolution's weights: a depthwise convolution itself, of x with the gradient as its weights and
 * each channel of each sample as a channel. The blocked layout stores both as they are.
 */
function depthwise(tape: Tape, { x, g, dx, dy, dw, window, block }: BlockedGradient): string {
  const [n = 1, channels = 1, ...inside] = dx;
  const [, , ...outside] = dy;
  const { kernel, strides, dilations, pads } = window;
  const c = inWholeBlocks(channels, block);
  const all = n * c;
  const reach = outside.map((size, axis) => (size - 1) * (strides[axis] ?? 1) + 1);
  // Rows at the end that no window reaches give more places than the kernel has.
  const places = inside.map((size, axis) => {
    const padded = size + (pads[axis] ?? 0) + (pads[2 + axis] ?? 0);
    return Math.floor((padded - (reach[axis] ?? 1)) / (dilations[axis] ?? 1)) + 1;
  });
  const [left, right] = [tape.reshape(x, [1, all, ...inside]), tape.reshape(g, [all, 1, ...outside])];
  const exchanged = { kernel: outside, strides: dilations, dilations: strides, pads };
  const found = blockedConv(tape, [left, right], exchanged, { group: all });
  const total = tape.sum(tape.reshape(found, [n, c / block, ...places, block]), [0]);
  const taps = tape.slice(total, [0, 0], kernel, [2, 3]);
  const back = lastToMiddle(tape, taps, [c / block, elementCount(kernel), block]);
  return finished(tape, back, [c, 1, ...kernel], dw);
}

/** Adds the gradient in the shape of the weights, without the channels that fill up blocks. */
function finished(tape: Tape, x: string, stored: readonly number[], dw: readonly number[]): string {
  return cut(tape, tape.reshape(x, stored), stored, dw);
}

/** Unfolds x over the whole window: for any stride and dilation. */
function unfolded(tape: Tape, { plainX, g, dx, dy, dw, window, block }: BlockedGradient): string {
  const [n = 1, outputs = 1, ...outside] = dy;
  const m = inWholeBlocks(outputs, block);
  const [, c = 1] = dx;
  const places = elementCount(outside);
  const columns = c * elementCount(window.kernel);
  const left = tape.reshape(unfold(tape, plainX(), dx, window), [n, 1, columns, places]);
  const right = tape.reshape(g, [n, m / block, places, block]);
  const product = tape.sum(tape.node('MatMul', [left, right]), [0]);
  return finished(
    tape,
    lastToMiddle(tape, product, [m / block, columns, block]),
    [m, c, ...window.kernel],
    dw,
  );
}

/** The shift of the output's rows against the rows of x, as padding at the top and the bottom, for a row of the kernel. */
function rowShift({ dx, dy, window }: BlockedGradient, row: number): [top: number, bottom: number] {
  const top = row - (window.pads[0] ?? 0);
  return [top, (dx[2] ?? 1) - (dy[2] ?? 1) - top];
}

/** Unfolds x over the kernel's width only, and shifts the gradient for each of its rows. */
function byRows(tape: Tape, conv: BlockedGradient): string {
  const { plainX, g, dx, dy, dw, window, block } = conv;
  const [n = 1, c = 1, rows = 1] = dx;
  const [, outputs = 1, outRows = 1, width = 1] = dy;
  const m = inWholeBlocks(outputs, block);
  const [height = 1, across = 1] = window.kernel;
  const [, left = 0, , right = 0] = window.pads;
  const plain = across === 1 && left === 0 && right === 0;
  const x = plainX();
  const wide = plain
    ? x
    : tape.node('Conv', [x, oneHot(tape, c, [1, across])], {
        ...{ group: c, kernel_shape: [1, across], pads: [0, left, 0, right] },
      });
  const columns = tape.reshape(wide, [n, 1, c * across, rows * width]);
  const blocks = tape.reshape(g, [n, m / block, outRows * width, block]);
  const parts = Array.from({ length: height }, (_, row) => {
    const [top, bottom] = rowShift(conv, row);
    const shifted = tape.pad(blocks, [0, 0, top * width, 0, 0, 0, bottom * width, 0]);
    return tape.sum(tape.node('MatMul', [columns, shifted]), [0]);
  });
  const rowsOf = parts.map((part) => tape.reshape(part, [m / block, c, 1, across * block]));
  const all = height === 1 ? (rowsOf[0] ?? '') : tape.node('Concat', rowsOf, { axis: 2 });
  const back = lastToMiddle(tape, all, [m / block, c * height * across, block]);
  return finished(tape, back, [m, c, height, across], dw);
}

/** Adds a copy of a blocked tensor with the channels at the end, [N, H, W, C]. */
function channelsAtEnd(tape: Tape, x: string, dims: readonly number[], block: number): string {
  const [n = 1, c = 1, high = 1, wide = 1] = dims;
  const parts = tape.reshape(x, [n, c / block, high * wide, block]);
  return tape.reshape(tape.node('Transpose', [parts], { perm: [0, 2, 1, 3] }), [n, high, wide, c]);
}

/** Adds the gradient with its inputs before the places of the window, from one with the inputs at the end. */
const tapsLast = (tape: Tape, x: string, dims: readonly [outputs: number, taps: number, inputs: number]) =>
  dims[1] === 1 ? x : lastToMiddle(tape, x, dims);

const joined = (tape: Tape, parts: readonly string[]) =>
  parts.length === 1 ? (parts[0] ?? '') : tape.node('Concat', parts, { axis: 3 });

/** Moves the channels to the end, takes what each place of the window reads, and multiplies all at once: for any stride and dilation. */
function placesLast(tape: Tape, conv: BlockedGradient): string {
  const { x, g, dx, dy, dw, window, block } = conv;
  const [n = 1, inputs = 1, rows = 1, inWidth = 1] = dx;
  const [, outputs = 1, outRows = 1, width = 1] = dy;
  const [c, m] = [inWholeBlocks(inputs, block), inWholeBlocks(outputs, block)];
  const { kernel, strides, dilations, pads } = window;
  const [height = 1, across = 1] = kernel;
  const [top = 0, left = 0, bottom = 0, right = 0] = pads;
  const flat = channelsAtEnd(tape, x, [n, c, rows, inWidth], block);
  const padded = tape.pad(flat, [0, top, left, 0, 0, bottom, right, 0]);
  const read = Array.from({ length: height * across }, (_, tap) => {
    const begins = [Math.floor(tap / across), tap % across].map((at, axis) => at * (dilations[axis] ?? 1));
    const ends = begins.map(
      (begin, axis) => begin + ((axis === 0 ? outRows : width) - 1) * (strides[axis] ?? 1) + 1,
    );
    return tape.node('Slice', [padded, ...[begins, ends, [1, 2], strides].map((list) => tape.ints(list))]);
  });
  const all = tape.reshape(joined(tape, read), [n * outRows * width, height * across * c]);
  const flatG = channelsAtEnd(tape, g, [n, m, outRows, width], block);
  const product = gemm(tape, [tape.reshape(flatG, [n * outRows * width, m]), all], { transA: 1 });
  return finished(tape, tapsLast(tape, product, [m, height * across, c]), [m, c, ...kernel], dw);
}

/** Moves the channels to the end, unfolds x over the width and the gradient over the height, and multiplies all at once. */
function channelsLast(tape: Tape, conv: BlockedGradient): string {
  const { x, g, dx, dy, dw, window, block } = conv;
  const [n = 1, inputs = 1, rows = 1, inWidth = 1] = dx;
  const [, outputs = 1, outRows = 1, width = 1] = dy;
  const [c, m] = [inWholeBlocks(inputs, block), inWholeBlocks(outputs, block)];
  const [height = 1, across = 1] = window.kernel;
  const flatX = channelsAtEnd(tape, x, [n, c, rows, inWidth], block);
  const flatG = channelsAtEnd(tape, g, [n, m, outRows, width], block);
  const columns = Array.from({ length: across }, (_, column) => {
    const begin = (window.pads[1] ?? 0) - column;
    return tape.pad(flatX, [0, 0, begin, 0, 0, 0, width - inWidth - begin, 0]);
  });
  const shifted = Array.from({ length: height }, (_, row) => {
    const [top, bottom] = rowShift(conv, row);
    return tape.pad(flatG, [0, top, 0, 0, 0, bottom, 0, 0]);
  });
  const left = tape.reshape(joined(tape, columns), [n * rows * width, across * c]);
  const right = tape.reshape(joined(tape, shifted), [n * rows * width, height * m]);
  const product = gemm(tape, [right, left], { transA: 1 });
  // From [height, m, across, c] to [m, c, height, across]: ONNX Runtime moves a single axis much faster than several, and would join
  // two moves to one.
  const byRow = tape.split(tape.reshape(product, [height, m, across * c]), height, 0);
  const byOutput = height === 1 ? product : tape.node('Concat', byRow, { axis: 2 });
  return finished(tape, tapsLast(tape, byOutput, [m, height * across, c]), [m, c, height, across], dw);
}
