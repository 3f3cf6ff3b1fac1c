// Parts that gradient rules share.
import { attribute, type Node } from '../../onnx/document.js';
import type { Tape } from './tape.js';

/**
 * A gradient rule: adds the gradients of a node's inputs to the tape and returns their names, undefined for an input without one.
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
export const scaled = (tape: Tape, x: string, factor: number) => times(tape, x, tape.floats([factor]));
/** Adds 1 - x. */
export const complement = (tape: Tape, x: string) => minus(tape, one(tape), x);

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

/** Adds the mean over axes, which stay with length 1. */
export function addMean(tape: Tape, x: string, dims: readonly number[], axes: readonly number[]): string {
  const count = axes.reduce((product, axis) => product * (dims[axis] ?? 1), 1);
  return scaled(tape, tape.sum(x, axes), 1 / count);
}
