// Division of weights into filters: the elements that compute one output channel or feature.
import { attribute, type Node, type Scope } from '../onnx/document.js';
import type { GraphIndex, Use } from '../onnx/graph-index.js';
import type { Weight } from '../onnx/weights.js';
import { elementCount } from '../providers/tensor.js';

/** Division of a weight's elements into filters. */
export interface FilterLayout {
  /** A shape of the elements in row-major order; groups of a transposed convolution have an axis of their own. */
  readonly dims: readonly number[];
  /** The axes whose indices together number the filters. */
  readonly axes: readonly number[];
}

/** Maximum number of nodes between a weight and the layer that uses it. */
const MAX_PASSES = 16;

/** Returns the filters of a weight; undefined for biases and the parameters of normalisations and activations. */
export function filterLayout(
  graph: Scope,
  index: GraphIndex,
  { name, tensor: { dims } }: Weight,
): FilterLayout | undefined {
  let value = name;
  /** Axes of the weight, in the order in which the value has them. */
  let order = dims.map((_, axis) => axis);
  for (let passed = 0; passed <= MAX_PASSES; passed++) {
    const use = index.uses(graph, value).find(({ kind }) => kind === 'input');
    if (use?.kind !== 'input' || use.node.domain !== '') return undefined;
    const { opType, outputs } = use.node;
    if (opType !== 'Identity' && opType !== 'Cast' && opType !== 'Transpose')
      return layoutIn(use, dims, order);
    if (opType === 'Transpose') order = transposed(use.node, order);
    value = outputs[0] ?? '';
  }
  return undefined;
}

function transposed(node: Node, order: readonly number[]): number[] {
  const axes = attribute(node, 'perm')?.ints?.map(Number) ?? order.map((_, at) => order.length - 1 - at);
  return axes.map((axis) => order[axis] ?? 0);
}

/** Returns the filters of a weight that a layer reads with its axes in this order. */
function layoutIn(
  { node, slot }: Extract<Use, { kind: 'input' }>,
  dims: readonly number[],
  order: readonly number[],
): FilterLayout | undefined {
  if (dims.length < 2) return undefined;
  const along = (axis: number): FilterLayout => ({ dims, axes: [order.at(axis) ?? 0] });
  switch (node.opType) {
    case 'Conv':
      return slot === 1 ? along(0) : undefined;
    case 'ConvTranspose':
      return slot === 1 ? ofTransposed(node, dims, order) : undefined;
    case 'Gemm':
      return slot === 1 ? along(isSet(node, 'transB') ? 0 : 1) : undefined;
    case 'MatMul':
      return along(slot === 1 ? -1 : -2);
    // Rows of an embedding. The axes of an Einsum have no fixed roles.
    case 'Gather':
    case 'Einsum':
      return along(0);
    default:
      return undefined;
  }
}

const isSet = (node: Node, name: string) => (attribute(node, name)?.i ?? 0) !== 0;

/** Weights of a transposed convolution are [inputs, outputs of a group, …]; each group of inputs has its outputs. */
function ofTransposed(
  node: Node,
  dims: readonly number[],
  order: readonly number[],
): FilterLayout | undefined {
  const group = Math.max(1, Number(attribute(node, 'group')?.i ?? 1));
  const [inputs = 0, ...rest] = dims;
  if (group === 1) return { dims, axes: [order[1] ?? 0] };
  if (inputs % group !== 0 || order.some((axis, at) => axis !== at)) return undefined;
  return { dims: [group, inputs / group, ...rest], axes: [0, 2] };
}

/** Returns the number of the filter of each element. */
export function filterNumbers({ dims, axes }: FilterLayout): Uint32Array {
  const count = elementCount(dims);
  const numbers = new Uint32Array(count);
  let below = count;
  for (const [axis, dim] of dims.entries()) {
    below /= dim;
    if (!axes.includes(axis)) continue;
    for (let at = 0; at < count; at++)
      numbers[at] = (numbers[at] ?? 0) * dim + (Math.floor(at / below) % dim);
  }
  return numbers;
}
