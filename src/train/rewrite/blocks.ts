// The blocked layout of ONNX Runtime on CPUs: [N, C, H, W] is stored as [N, C / block, H, W, block]. Its operators keep the
// four dimensions, so that elementwise operators work on blocked tensors as they are.
import { elementCount } from '../../providers/tensor.js';
import type { Tape } from '../autodiff/tape.js';

/** The domain of ONNX Runtime's operators in the blocked layout. */
export const BLOCKED_DOMAIN = 'com.microsoft.nchwc';

/** Adds the blocked copy of a plain tensor. */
export const toBlocked = (tape: Tape, x: string) => tape.node('ReorderInput', [x], {}, BLOCKED_DOMAIN);

/** Adds the plain copy of a blocked tensor. */
export const toPlain = (tape: Tape, x: string, channels: number) =>
  tape.node('ReorderOutput', [x], { channels }, BLOCKED_DOMAIN);

/** Adds the mean over places of a blocked tensor, [N, C, 1, 1], which equals the plain layout. */
export const meanOfPlaces = (tape: Tape, x: string) =>
  tape.node('GlobalAveragePool', [x], {}, BLOCKED_DOMAIN);

/** Adds the sum over samples and places of each channel of a blocked tensor, [C]. */
export function sumOfBlocked(tape: Tape, x: string, dims: readonly number[]): string {
  const [, channels = 1, ...places] = dims;
  const total = tape.reshape(tape.sum(meanOfPlaces(tape, x), [0]), [channels]);
  return tape.node('Mul', [total, tape.floats([elementCount(places)])]);
}

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
}

/** Adds an affine function of each channel of a blocked tensor, as a convolution of 1 × 1. */
export function affine(tape: Tape, { x, factor, shift = '', added, channels, relu }: Affine): string {
  const inputs = [x, tape.reshape(factor, [channels, 1, 1, 1])];
  if (shift !== '' || added !== undefined) inputs.push(shift);
  if (added !== undefined) inputs.push(added);
  return blockedConv(
    tape,
    inputs,
    { kernel: [1, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] },
    {
      group: channels,
      relu,
    },
  );
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

/** Adds the weights of a convolution, [M, C / group, h, w], in blocks. */
export function blockedWeights(tape: Tape, w: string, dims: readonly number[], block: number): string {
  const [m = 1, c = 1, ...kernel] = dims;
  if (c % block === 0) {
    const parts = tape.reshape(w, [m / block, block, c / block, block, ...kernel]);
    return tape.reshape(tape.node('Transpose', [parts], { perm: [0, 2, 4, 5, 3, 1] }), dims);
  }
  const parts = tape.reshape(w, [m / block, block, c, ...kernel]);
  return tape.reshape(tape.node('Transpose', [parts], { perm: [0, 2, 3, 4, 1] }), dims);
}

/** Adds the weights for the gradient of a convolution's input, in blocks: mirrored, with inputs and outputs exchanged. */
export function mirroredWeights(
  tape: Tape,
  w: string,
  dims: readonly number[],
  block: number,
  depthwise: boolean,
): string {
  const [m = 1, c = 1, ...kernel] = dims;
  const taps = elementCount(kernel);
  const mirrored = (x: string, axis: number) => {
    if (taps === 1) return x;
    return tape.node('Gather', [x, tape.ints(Array.from({ length: taps }, (_, at) => taps - 1 - at))], {
      axis,
    });
  };
  if (depthwise) {
    const parts = mirrored(tape.reshape(w, [m / block, block, taps]), 2);
    return tape.reshape(tape.node('Transpose', [parts], { perm: [0, 2, 1] }), dims);
  }
  const parts = mirrored(tape.reshape(w, [m / block, block, c / block, block, taps]), 4);
  return tape.reshape(tape.node('Transpose', [parts], { perm: [2, 0, 4, 1, 3] }), [c, m, ...kernel]);
}
