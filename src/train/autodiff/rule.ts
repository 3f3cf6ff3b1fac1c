// Parts that gradient rules share.
import type { ComposedValue } from '../../onnx/compose.js';
import { attribute, type Node } from '../../onnx/document.js';
import { elementCount } from '../../providers/tensor.js';
import type { Tape } from './tape.js';

/** Stands for the gradient of an input that does not change the output by small steps, such as the type that CastLike reads. */
export const NO_GRADIENT = '';

/**
 * A gradient rule: adds the gradients of a node's inputs to the tape and returns their names, NO_GRADIENT where it is zero by nature,
 * and undefined for an input whose gradient the rule does not compute.
 * `g` is the gradient of the first output, `outputs` the gradients of all outputs.
 */
export type Gradient = (
  tape: Tape,
  node: Node,
  g: string,
  outputs: readonly (string | undefined)[],
) => readonly (string | undefined)[];

export type Gradients = Readonly<Record<string, Gradient>>;

export const times = (tape: Tape, a: string, b: string) => tape.node('Mul', [a, b]);
export const plus = (tape: Tape, a: string, b: string) => tape.node('Add', [a, b]);
export const minus = (tape: Tape, a: string, b: string) => tape.node('Sub', [a, b]);
export const over = (tape: Tape, a: string, b: string) => tape.node('Div', [a, b]);
export const one = (tape: Tape) => tape.floats([1]);
export const zero = (tape: Tape) => tape.floats([0]);
/** Adds factor × x; x itself for a factor of 1. */
export const scaled = (tape: Tape, x: string, factor: number) =>
  factor === 1 ? x : times(tape, x, tape.floats([factor]));
/** Adds x². */
export const square = (tape: Tape, x: string) => times(tape, x, x);
/** Adds 1 - x. */
export const complement = (tape: Tape, x: string) => minus(tape, one(tape), x);

/** Adds 1, 0 or -1: the sign of x. */
export const sign = (tape: Tape, x: string) =>
  minus(tape, tape.mask('Greater', x, zero(tape)), tape.mask('Less', x, zero(tape)));

/** Returns the axis of a node as an index; ONNX counts negative axes from the end. */
export const axisOf = (node: Node, rank: number, otherwise: number) =>
  ((attribute(node, 'axis')?.i ?? otherwise) + rank) % Math.max(1, rank);

/** Sums a gradient over the axes along which an operand was repeated. */
export function unbroadcast(tape: Tape, g: string, from: readonly number[], to: readonly number[]): string {
  if (from.join() === to.join()) return g;
  const lead = from.length - to.length;
  const axes = from.flatMap((dim, axis) =>
    axis < lead || (to[axis - lead] === 1 && dim !== 1) ? [axis] : [],
  );
  return tape.reshape(tape.sum(g, axes), to);
}

/** Returns the number of elements along axes. */
export const countAlong = (dims: readonly number[], axes: readonly number[]) =>
  elementCount(axes.map((axis) => dims[axis] ?? 1));

/** Adds the mean over axes, which stay with length 1. */
export function addMean(tape: Tape, x: string, dims: readonly number[], axes: readonly number[]): string {
  return scaled(tape, tape.sum(x, axes), 1 / countAlong(dims, axes));
}

/** Returns all axes but that of the channels. */
export const axesAroundChannels = (dims: readonly number[]) =>
  dims.flatMap((_, axis) => (axis === 1 ? [] : [axis]));

/** Adds the sum for each channel, [channels]. */
export function sumOfChannels(tape: Tape, x: string, dims: readonly number[]): string {
  return tape.reshape(tape.sum(x, axesAroundChannels(dims)), [dims[1] ?? 1]);
}

/** Default epsilon of normalisations. */
export const DEFAULT_EPSILON = 1e-5;

/** Adds a Gemm. Before opset 11, its third input is required. */
export function gemm(
  tape: Tape,
  inputs: readonly string[],
  attributes: Readonly<Record<string, ComposedValue>>,
): string {
  const isWhole = inputs.length > 2 || tape.opset >= 11;
  return tape.node('Gemm', isWhole ? inputs : [...inputs, zero(tape)], attributes);
}

/**
 * Adds a copy in which the last of three axes is before the middle one: ONNX Runtime moves a single axis much faster than several. The
 * Flatten, which copies nothing, keeps ONNX Runtime's optimiser from two changes that cost time. It would join this Transpose to the next
 * one. Or it would move it behind an operator with two operands, and then both operands need a Transpose.
 */
export const lastToMiddle = (tape: Tape, x: string, dims: readonly [number, number, number]) =>
  tape.node('Flatten', [tape.node('Transpose', [tape.reshape(x, dims)], { perm: [0, 2, 1] })], { axis: 1 });

/** The least divisor, and the greatest derivative: with an infinite one, a gradient of 0 would become NaN. */
const [MIN_DIVISOR, MAX_DERIVATIVE] = [1e-30, 1e30];

/** Adds a divisor that is positive by nature: the least divisor replaces 0, and what rounding leaves below 0. */
export const positiveDivisor = (tape: Tape, x: string) => tape.node('Max', [x, tape.floats([MIN_DIVISOR])]);
/** Adds a derivative with the greatest one in the place of infinity. */
export const finite = (tape: Tape, x: string) => tape.node('Min', [x, tape.floats([MAX_DERIVATIVE])]);
/** Adds a derivative with the greatest and the least one in the place of infinity of either sign. */
export const finiteBothWays = (tape: Tape, x: string) =>
  tape.node('Max', [finite(tape, x), tape.floats([-MAX_DERIVATIVE])]);

/** Adds 1 / √x. */
export const inverseRoot = (tape: Tape, x: string) => over(tape, one(tape), tape.node('Sqrt', [x]));

/** Adds the mask of a ReLU's output: 1 where y > 0, else 0. HardSigmoid is ONNX Runtime's fastest kernel for this. */
export const reluMask = (tape: Tape, y: string) =>
  tape.node('HardSigmoid', [y], { alpha: { f: 1e30 }, beta: { f: 0 } });
