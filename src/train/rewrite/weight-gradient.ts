// The gradient of a convolution's weights, where x or the gradient is in the blocked layout.
import type { Window } from '../../onnx/conv-window.js';
import { elementCount } from '../../providers/tensor.js';
import { byShifts, joinedTaps, oneHot, timesTransposed, unfold } from '../autodiff/gradients-conv.js';
import { lastToMiddle } from '../autodiff/rule.js';
import type { Tape } from '../autodiff/tape.js';
import { blockedConv, cut, inWholeBlocks, toPlain } from './blocks.js';

/** A convolution with the gradient of its output in the blocked layout. */
export interface BlockedGradient {
  readonly x: string;
  /** Whether x is in the blocked layout. */
  readonly blocked: boolean;
  /** Adds the plain copy of x. */
  readonly plainX: () => string;
  readonly g: string;
  /** Shapes of x, the output and the weights. */
  readonly dx: readonly number[];
  readonly dy: readonly number[];
  readonly dw: readonly number[];
  readonly window: Window;
  readonly group: number;
  readonly block: number;
}

/** Number of input channels from which a window of 1 × 1 takes one product over all samples; measured in test/bench/train.md. */
const WIDE = 128;

/** Opset from which Slice has steps. */
const SLICE_STEPS = 10;

/** Adds the gradient of the weights. */
export function blockedWeightGradient(tape: Tape, conv: BlockedGradient): string {
  const { dx, window, group, blocked } = conv;
  if (group !== 1) return depthwise(tape, conv);
  const isDense = elementCount(window.strides) === 1 && elementCount(window.dilations) === 1;
  const large = elementCount(window.kernel) > 1 || (dx[1] ?? 1) >= WIDE;
  if (isDense) return blocked && large ? byShiftsOfBlocks(tape, conv) : byRows(tape, conv);
  return blocked && tape.opset >= SLICE_STEPS ? byTaps(tape, conv) : unfolded(tape, conv);
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
        group: c,
        kernel_shape: [1, across],
        pads: [0, left, 0, right],
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

/** Adds the plain copy of a blocked tensor with its channels before the samples, [C, N × H × W], or [shares, C, N / shares × H × W]. */
function channelsFirst(
  tape: Tape,
  x: string,
  dims: readonly number[],
  block: number,
  shares: number,
): string {
  const [n = 1, channels = 1, high = 1, wide = 1] = dims;
  const blocks = inWholeBlocks(channels, block) / block;
  const each = n / shares;
  const isMoved = each > 1 && blocks > 1;
  const parts = tape.reshape(x, [shares, each, blocks, high * wide * block]);
  const moved = isMoved ? tape.node('Transpose', [parts], { perm: [0, 2, 1, 3] }) : x;
  const plain = toPlain(tape, tape.reshape(moved, [shares, blocks * block, each * high, wide]), channels);
  return tape.reshape(plain, [...(shares === 1 ? [] : [shares]), channels, -1]);
}

/** Maximum number of results of a matrix product that ONNX Runtime leaves to a single thread. */
const MAX_SINGLE_RESULTS = 32 * 32;
/** Minimum number of places of all samples from which shares take less time. */
const MIN_SHARED_PLACES = 8192;

/** Returns into how many shares of the samples the products of a gradient are split; measured in test/bench/train.md. */
function sharesOf(
  [n = 1, , rows = 1, width = 1]: readonly number[],
  [m = 1, c = 1]: readonly number[],
): number {
  if (m * c > MAX_SINGLE_RESULTS || n * rows * width < MIN_SHARED_PLACES) return 1;
  return [4, 2].find((shares) => n % shares === 0) ?? 1;
}

/** Shifts x and the gradient in the plain layout. */
function byShiftsOfBlocks(tape: Tape, { x, g, dx, dy, dw, window, block }: BlockedGradient): string {
  const shares = sharesOf(dx, dw);
  const seen = { name: channelsFirst(tape, x, dx, block, shares), dims: dx };
  const made = { name: channelsFirst(tape, g, dy, block, shares), dims: dy };
  return byShifts(tape, made, seen, window, dw, shares);
}

/** Multiplies the gradient by what each place of the window reads: for any stride and dilation. */
function byTaps(tape: Tape, conv: BlockedGradient): string {
  const { x, dx, dy, dw, window, block } = conv;
  const [n = 1, channels = 1, rows = 1, inWidth = 1] = dx;
  const [, , outRows = 1, width = 1] = dy;
  const { kernel, strides, dilations, pads } = window;
  const [height = 1, across = 1] = kernel;
  const [top = 0, left = 0, bottom = 0, right = 0] = pads;
  const blocks = (n * inWholeBlocks(channels, block)) / block;
  const around = [0, top, left, 0, 0, bottom, right, 0];
  const padded = tape.pad(tape.reshape(x, [blocks, rows, inWidth, block]), around);
  const shares = sharesOf(dy, dw);
  const g = channelsFirst(tape, conv.g, dy, block, shares);
  const parts = Array.from({ length: height * across }, (_, tap) => {
    const begins = [Math.floor(tap / across), tap % across].map((at, axis) => at * (dilations[axis] ?? 1));
    const ends = begins.map(
      (begin, axis) => begin + ((axis === 0 ? outRows : width) - 1) * (strides[axis] ?? 1) + 1,
    );
    const operands = [begins, ends, [1, 2], strides].map((list) => tape.ints(list));
    const read = tape.node('Slice', [padded, ...operands]);
    return timesTransposed(
      tape,
      g,
      channelsFirst(tape, read, [n, channels, outRows, width], block, shares),
      shares,
    );
  });
  return joinedTaps(tape, parts, dw, shares);
}
