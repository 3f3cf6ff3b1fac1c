// The blocked layout of ONNX Runtime on CPUs: [N, C, H, W] is stored as [N, C / block, H, W, block], where the last block of
// channels is filled up. Its operators keep the four dimensions, so that elementwise operators work on blocked tensors as they are.
import { elementCount } from '../../providers/tensor.js';
import { lastToMiddle } from '../autodiff/rule.js';
import type { Tape } from '../autodiff/tape.js';

/** The domain of ONNX Runtime's operators in the blocked layout. */
export const BLOCKED_DOMAIN = 'com.microsoft.nchwc';

/** ONNX Runtime reorders only numbers of channels that this divides. */
export const CHANNELS_DIVISOR = 4;

/** Returns the number of channels that are stored: whole blocks. */
export const inWholeBlocks = (channels: number, block: number) => Math.ceil(channels / block) * block;

/** Adds zeros behind the first axes of a tensor, up to the wanted lengths. */
export function filled(tape: Tape, x: string, dims: readonly number[], wanted: readonly number[]): string {
  return tape.pad(x, [...dims.map(() => 0), ...dims.map((dim, axis) => (wanted[axis] ?? dim) - dim)]);
}

/** Adds the first elements along the first axes of a tensor, up to the wanted lengths. */
export function cut(tape: Tape, x: string, dims: readonly number[], wanted: readonly number[]): string {
  const axes = wanted.flatMap((length, axis) => (length === dims[axis] ? [] : [axis]));
  if (axes.length === 0) return x;
  return tape.slice(
    x,
    axes.map(() => 0),
    axes.map((axis) => wanted[axis] ?? 0),
    axes,
  );
}

/** Adds the blocked copy of a plain tensor, whose last block is filled up with zeros. */
export const toBlocked = (tape: Tape, x: string) => tape.node('ReorderInput', [x], {}, BLOCKED_DOMAIN);

/** Adds the plain copy of a blocked tensor. */
export const toPlain = (tape: Tape, x: string, channels: number) =>
  tape.node('ReorderOutput', [x], { channels }, BLOCKED_DOMAIN);

/** Adds the mean over places of a blocked tensor, [N, C, 1, 1], which equals the plain layout. */
export function meanOfPlaces(
  tape: Tape,
  x: string,
  [samples = 1, channels = 1]: readonly number[],
  block: number,
): string {
  const means = tape.node('GlobalAveragePool', [x], {}, BLOCKED_DOMAIN);
  return cut(tape, means, [samples, inWholeBlocks(channels, block)], [samples, channels]);
}

/** Adds the sum over samples of each channel's mean over places of a blocked tensor, [C]. */
export const sumOfMeans = (tape: Tape, x: string, dims: readonly number[], block: number): string =>
  tape.reshape(tape.sum(meanOfPlaces(tape, x, dims, block), [0]), [dims[1] ?? 1]);

/** Adds the sum over samples and places of each channel of a blocked tensor, [C]. */
export const sumOfBlocked = (tape: Tape, x: string, dims: readonly number[], block: number): string =>
  tape.node('Mul', [sumOfMeans(tape, x, dims, block), tape.floats([elementCount(dims.slice(2))])]);

/** Parts of an affine function of each channel: act(factor × x + shift + added). */
export interface Affine {
  readonly x: string;
  /** [C] */
  readonly factor: string;
  /** [C]; '' for none. */
  readonly shift?: string | undefined;
  readonly added?: string | undefined;
  readonly channels: number;
  readonly relu?: boolean | undefined;
  readonly block: number;
}

/** Adds an affine function of each channel of a blocked tensor, as a convolution of 1 × 1. */
export function affine(tape: Tape, { x, factor, shift = '', added, channels, relu, block }: Affine): string {
  const stored = inWholeBlocks(channels, block);
  const inputs = [x, tape.reshape(filled(tape, factor, [channels], [stored]), [stored, 1, 1, 1])];
  if (shift !== '') inputs.push(filled(tape, shift, [channels], [stored]));
  else if (added !== undefined) inputs.push('');
  if (added !== undefined) inputs.push(added);
  return blockedConv(tape, inputs, POINT, { group: stored, relu });
}

const POINT = { kernel: [1, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] };

/** Adds x times a factor of each sample and channel, [N, C, 1, 1] in the plain layout. */
export function timesEachChannel(
  tape: Tape,
  x: string,
  factor: string,
  [samples = 1, channels = 1, ...places]: readonly number[],
  block: number,
): string {
  const stored = inWholeBlocks(channels, block);
  const all = samples * stored;
  const factors = filled(tape, factor, [samples, channels, 1, 1], [samples, stored]);
  // As a convolution of 1 × 1 of a single sample, in which each channel of each sample is a channel.
  const inputs = [tape.reshape(x, [1, all, ...places]), tape.reshape(factors, [all, 1, 1, 1])];
  return tape.reshape(blockedConv(tape, inputs, POINT, { group: all }), [samples, stored, ...places]);
}

/** Adds a convolution in the blocked layout. Inputs: x, weights in blocks, and the optional bias and summand. */
export function blockedConv(
  tape: Tape,
  inputs: readonly string[],
  window: {
    readonly kernel: readonly number[];
    readonly strides: readonly number[];
    readonly dilations: readonly number[];
    readonly pads: readonly number[];
  },
  { group, relu = false }: { readonly group: number; readonly relu?: boolean | undefined },
): string {
  const { kernel, strides, dilations, pads } = window;
  const common = { group, kernel_shape: kernel, strides, dilations, pads };
  return tape.node('Conv', inputs, relu ? { ...common, activation: 'Relu' } : common, BLOCKED_DOMAIN);
}

/** Adds the weights of a convolution, [M, C / group, h, w], in blocks of outputs, and of inputs if those are in blocks. */
export function blockedWeights(
  tape: Tape,
  w: string,
  dims: readonly number[],
  block: number,
  inputsToo: boolean,
): string {
  const [outputs = 1, inputs = 1, ...kernel] = dims;
  const m = inWholeBlocks(outputs, block);
  const c = inputsToo ? inWholeBlocks(inputs, block) : inputs;
  const taps = elementCount(kernel);
  const stored = [m, c, ...kernel];
  const blocks = lastToMiddle(tape, filled(tape, w, dims, stored), [m / block, block, c * taps]);
  if (!inputsToo || taps === 1) return tape.reshape(blocks, stored);
  const parts = tape.reshape(blocks, [(m * c) / block / block, block, taps, block]);
  return tape.reshape(tape.node('Transpose', [parts], { perm: [0, 2, 1, 3] }), stored);
}

/**
 * Adds the weights for the gradient of a convolution's input, in blocks: mirrored, with inputs and outputs exchanged.
 *
 * @param blocks The weights in blocks.
 * @param dims Shape of the weights, without what fills up blocks.
 */
export function mirroredWeights(
  tape: Tape,
  blocks: string,
  dims: readonly number[],
  block: number,
  depthwise: boolean,
): string {
  const [outputs = 1, inputs = 1, ...kernel] = dims;
  const m = inWholeBlocks(outputs, block);
  const taps = elementCount(kernel);
  if (depthwise) {
    const backwards = Array.from({ length: (m / block) * taps }, (_, at) => at - 2 * (at % taps) + taps - 1);
    return tape.reshape(chosen(tape, blocks, backwards, block), [m, inputs, ...kernel]);
  }
  const [high, wide] = [m / block, inWholeBlocks(inputs, block) / block];
  const exchanged = lastToMiddle(tape, blocks, [high * wide * taps, block, block]);
  const order = Array.from({ length: high * wide * taps }, (_, at) => {
    const [pair, tap] = [Math.floor(at / taps), taps - 1 - (at % taps)];
    return ((pair % high) * wide + Math.floor(pair / high)) * taps + tap;
  });
  return tape.reshape(chosen(tape, exchanged, order, block * block), [wide * block, m, ...kernel]);
}

/** Adds parts of a tensor, of `length` elements each, in another order. */
const chosen = (tape: Tape, x: string, order: readonly number[], length: number) =>
  tape.node('Gather', [tape.reshape(x, [-1, length]), tape.ints(order)], { axis: 0 });
