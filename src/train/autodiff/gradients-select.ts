import { attribute } from '../../onnx/document.js';
import { DataType } from '../../onnx/types.js';
import { elementCount } from '../../providers/tensor.js';
import { axisOf, type Gradient, type Gradients, plus, times } from './rule.js';
import type { Tape } from './tape.js';

/** Opset from which scatter operators can add elements. */
const SCATTER_ADDS_OPSET = 16;
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
  const flat = tape.node('Cast', [tape.reshape(indices, [count])], { to: DataType.INT64 });
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

/**
 * Adds a tensor of the shape `dims`. Each element of `g` is added to the place along the axis that `indices`, of the shape of `g`,
 * name for it. All other elements are 0, also where `g` is shorter along another axis.
 */
function scattered(
  tape: Tape,
  g: string,
  dims: readonly number[],
  axis: number,
  indices: string,
  from: readonly number[],
): string {
  if (tape.opset >= SCATTER_ADDS_OPSET)
    return tape.node('ScatterElements', [zeros(tape, dims), indices, g], { axis, reduction: 'add' });
  // ONNX Runtime has no OneHot of floats for int32.
  const places = tape.node('Cast', [indices], { to: DataType.INT64 });
  const flags = tape.node('OneHot', [places, tape.ints([dims[axis] ?? 1]), tape.floats([0, 1], [2])], {
    axis,
  });
  const wide = tape.reshape(g, [...from.slice(0, axis), 1, ...from.slice(axis)]);
  const sums = tape.sum(tape.node('Mul', [flags, wide]), [axis + 1]);
  const short = from.map((size, at) => (at === axis ? (dims[axis] ?? 1) : size));
  const missing = dims.map((size, at) => size - (short[at] ?? 0));
  return tape.pad(tape.reshape(sums, short), [...dims.map(() => 0), ...missing]);
}

/** Only the largest elements get a gradient. */
const topK: Gradient = (tape, node, g) => {
  const dims = tape.dims(node.inputs[0] ?? '');
  const [y = '', indices = ''] = node.outputs;
  if (indices === '') return [];
  return [scattered(tape, g, dims, axisOf(node, dims.length, -1), indices, tape.dims(y))];
};

const gatherElements: Gradient = (tape, node, g) => {
  const [x = '', indices = ''] = node.inputs;
  const dims = tape.dims(x);
  return [scattered(tape, g, dims, axisOf(node, dims.length, 0), indices, tape.dims(indices))];
};

/** Batches and the axes that the indices count become one axis, and each list of indices a number. */
const gatherND: Gradient = (tape, node, g) => {
  const [x = '', indices = ''] = node.inputs;
  const [dims, ofIndices] = [tape.dims(x), tape.dims(indices)];
  const first = attribute(node, 'batch_dims')?.i ?? 0;
  const batches = elementCount(dims.slice(0, first));
  const counted = dims.slice(first, first + (ofIndices.at(-1) ?? 0));
  const size = elementCount(counted);
  const count = elementCount(ofIndices.slice(0, -1));
  const rows = tape.reshape(indices, [batches, count / batches, counted.length]);
  // Negative indices count from the end.
  const places = tape.node('Mod', [rows, tape.ints(counted)]);
  const strides = counted.map((_, axis) => elementCount(counted.slice(axis + 1)));
  const inBatch = tape.sum(times(tape, places, tape.ints(strides)), [2]);
  const starts = Array.from({ length: batches }, (_, batch) => batch * size);
  const all = plus(tape, inBatch, tape.reshape(tape.ints(starts), [batches, 1, 1]));
  const flat = [batches * size, ...dims.slice(first + counted.length)];
  return [tape.reshape(selectionGradient(tape, g, flat, 0, all, count), dims)];
};

const maxUnpool: Gradient = (tape, node, g) => {
  const [x = '', indices = ''] = node.inputs;
  const flat = (name: string) => tape.reshape(name, [-1]);
  const gathered = tape.node('Gather', [flat(g), flat(indices)], { axis: 0 });
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
  GatherElements: gatherElements,
  GatherND: gatherND,
  Compress: compress,
  TopK: topK,
  MaxUnpool: maxUnpool,
  ReverseSequence: reverseSequence,
};
