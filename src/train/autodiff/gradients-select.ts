import { attribute } from '../../onnx/document.js';
import { elementCount } from '../../providers/tensor.js';
import { axisOf, type Gradient, type Gradients } from './rule.js';
import type { Tape } from './tape.js';

/** Opset from which scatter operators can add elements. */
export const SCATTER_ADDS_OPSET = 16;
/** Opset from which there are GatherElements and ScatterElements. */
const ELEMENTS_OPSET = 11;
/** Number of elements from which a one-hot matrix takes more time and memory than scattered additions. */
const MAX_ONE_HOT = 2 ** 16;

/** Adds zeros of a shape. */
export const zeros = (tape: Tape, dims: readonly number[]) => tape.node('ConstantOfShape', [tape.ints(dims)]);

/**
 * Adds the gradient of a selection along an axis: each element of the input gets the sum over the places that it was copied to.
 * `indices` names an int64 tensor of `count` non-negative or negative indices.
 */
export function selectionGradient(
  tape: Tape,
  g: string,
  dims: readonly number[],
  axis: number,
  indices: string,
  count: number,
): string {
  const size = dims[axis] ?? 1;
  const before = elementCount(dims.slice(0, axis));
  const after = elementCount(dims.slice(axis + 1));
  const flat = tape.node('Cast', [tape.reshape(indices, [count])], { to: 7 });
  const parts = tape.reshape(g, [before, count, after]);
  if (tape.opset >= SCATTER_ADDS_OPSET && size * count > MAX_ONE_HOT) {
    const wide = tape.node('Expand', [tape.reshape(flat, [1, count, 1]), tape.ints([before, count, after])]);
    const base = zeros(tape, [before, size, after]);
    const sums = tape.node('ScatterElements', [base, wide, parts], { axis: 1, reduction: 'add' });
    return tape.reshape(sums, dims);
  }
  const oneHot = tape.node('OneHot', [flat, tape.ints([size]), tape.floats([0, 1], [2])], { axis: 0 });
  return tape.reshape(tape.node('MatMul', [oneHot, parts]), dims);
}

const gather: Gradient = (tape, node, g) => {
  const [x = '', indices = ''] = node.inputs;
  const dims = tape.dims(x);
  const count = elementCount(tape.dims(indices));
  return [selectionGradient(tape, g, dims, axisOf(node, dims.length, 0), indices, count)];
};

/** The selected slices, or elements without an axis, are those where the condition is true. */
const compress: Gradient = (tape, node, g) => {
  const [x = '', condition = ''] = node.inputs;
  const dims = tape.dims(x);
  const isFlat = attribute(node, 'axis') === undefined;
  const axis = isFlat ? 0 : axisOf(node, dims.length, 0);
  const count = tape.dims(node.outputs[0] ?? '')[axis] ?? 0;
  const from = isFlat ? [elementCount(dims)] : dims;
  const places = tape.node('NonZero', [condition]);
  return [tape.reshape(selectionGradient(tape, g, from, axis, places, count), dims)];
};

/** Only the largest elements get a gradient. Their indices differ from each other, so that nothing is added up. */
const topK: Gradient = (tape, node, g) => {
  const [x = ''] = node.inputs;
  const indices = node.outputs[1] ?? '';
  if (tape.opset < ELEMENTS_OPSET || indices === '') return [];
  const axis = attribute(node, 'axis')?.i ?? -1;
  return [tape.node('ScatterElements', [zeros(tape, tape.dims(x)), indices, g], { axis })];
};

const maxUnpool: Gradient = (tape, node, g) => {
  const [x = '', indices = ''] = node.inputs;
  if (tape.opset < ELEMENTS_OPSET) return [];
  const flat = (name: string) => tape.reshape(name, [-1]);
  const gathered = tape.node('GatherElements', [flat(g), flat(indices)], { axis: 0 });
  return [tape.reshape(gathered, tape.dims(x))];
};

/** The reversal of the same parts of the sequences reverses the gradient. */
const reverseSequence: Gradient = (tape, node, g) => {
  const [batch, time] = [attribute(node, 'batch_axis')?.i ?? 1, attribute(node, 'time_axis')?.i ?? 0];
  return [tape.node('ReverseSequence', [g, node.inputs[1] ?? ''], { batch_axis: batch, time_axis: time })];
};

/** The gradients of operators that select elements by index. */
export const SELECTIONS: Gradients = {
  Gather: gather,
  Compress: compress,
  TopK: topK,
  MaxUnpool: maxUnpool,
  ReverseSequence: reverseSequence,
};
