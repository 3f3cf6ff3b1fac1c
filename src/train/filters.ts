// Division of weights into filters: the elements that compute one output channel or feature.
import { attribute, type Node, type Scope } from '../onnx/document.js';
import type { GraphIndex, Use } from '../onnx/graph-index.js';
import type { Weight } from '../onnx/weights.js';
import { elementCount } from '../providers/tensor.js';
import { einsumTerms } from './autodiff/einsum-terms.js';

/** Division of a weight's elements into filters. */
export interface FilterLayout {
  /** A shape of the elements in row-major order: the weight’s, in which an axis may be divided. */
  readonly dims: readonly number[];
  /** The axes whose indices together number the filters. */
  readonly axes: readonly number[];
}

/** Maximum number of nodes between a weight and the layer that uses it. */
const MAX_PASSES = 16;
/** Operators that keep the elements and their order. */
const RESHAPING = new Set(['Reshape', 'Squeeze', 'Unsqueeze', 'Flatten']);
/** Operators between a weight and its layer. Those that cut or join leave each axis what it is. */
const PASSING = new Set([...RESHAPING, 'Identity', 'Cast', 'Transpose', 'Slice', 'Split', 'Concat']);

/** Returns the shape of a value. */
type Dims = (name: string) => readonly number[];
/** A part of an axis of the weight. A reshape may split it, the outer part first. */
interface Part {
  readonly size: number;
  split?: readonly [Part, Part];
}
/** The parts that an axis of a value consists of. */
type Axis = readonly Part[];

/** Returns the filters of a weight; undefined for biases and the parameters of normalisations and activations. */
export function filterLayout(
  graph: Scope,
  index: GraphIndex,
  { name, tensor }: Weight,
  dims: Dims,
): FilterLayout | undefined {
  const parts: Part[] = tensor.dims.map((size) => ({ size }));
  const find = (
    value: string,
    axes: readonly Axis[] | undefined,
    passed: number,
  ): readonly Axis[] | undefined => {
    if (axes === undefined || passed > MAX_PASSES) return undefined;
    for (const use of index.uses(graph, value)) {
      if (use.kind !== 'input' || use.node.domain !== '') continue;
      const found = PASSING.has(use.node.opType)
        ? find(use.node.outputs[0] ?? '', axesBehind(use.node, axes, dims), passed + 1)
        : filterAxes(use, axes, dims);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const chosen = find(
    name,
    parts.map((part) => [part]),
    0,
  );
  if (chosen === undefined) return undefined;
  const leaves = parts.flatMap(leavesOf);
  const numbered = new Set(chosen.flat().flatMap(leavesOf));
  return {
    dims: leaves.map(({ size }) => size),
    axes: leaves.flatMap((leaf, at) => (numbered.has(leaf) ? [at] : [])),
  };
}

/** Returns the axes of what a node passes on. */
function axesBehind(node: Node, axes: readonly Axis[], dims: Dims): readonly Axis[] | undefined {
  if (node.opType === 'Transpose') return transposed(node, axes);
  return RESHAPING.has(node.opType) ? regrouped(axes.flat(), dims(node.outputs[0] ?? '')) : axes;
}

const leavesOf = (part: Part): Part[] => part.split?.flatMap(leavesOf) ?? [part];

function transposed(node: Node, axes: readonly Axis[]): Axis[] {
  const order = attribute(node, 'perm')?.ints?.map(Number) ?? axes.map((_, at) => axes.length - 1 - at);
  return order.map((axis) => axes[axis] ?? []);
}

/** Divides parts, in their order, among axes of these sizes; undefined where they do not fit. */
function regrouped(parts: Axis, sizes: readonly number[]): Axis[] | undefined {
  const queue = parts.flatMap(leavesOf).filter(({ size }) => size !== 1);
  const axes: Axis[] = [];
  for (const wanted of sizes) {
    const axis: Part[] = [];
    for (let left = wanted; left > 1; ) {
      const part = queue.shift();
      if (part === undefined) return undefined;
      const [outer, inner] = [Math.min(part.size, left), part.size / left];
      if (inner > 1) {
        if (!Number.isInteger(inner)) return undefined;
        part.split = [{ size: outer }, { size: inner }];
        queue.unshift(part.split[1]);
      }
      left /= outer;
      if (!Number.isInteger(left)) return undefined;
      axis.push(part.split?.[0] ?? part);
    }
    axes.push(axis);
  }
  return queue.length === 0 ? axes : undefined;
}

/** Returns the axes that number the filters of a weight where a layer reads it. */
function filterAxes(
  { node, slot }: Extract<Use, { kind: 'input' }>,
  axes: readonly Axis[],
  dims: Dims,
): readonly Axis[] | undefined {
  const along = (axis: number) => [axes.at(axis) ?? []];
  switch (node.opType) {
    case 'Conv':
      return slot === 1 ? along(0) : undefined;
    case 'ConvTranspose':
      return slot === 1 ? ofTransposed(node, axes) : undefined;
    case 'Gemm':
      if (slot > 1) return undefined;
      return along((slot === 0) === isSet(node, slot === 0 ? 'transA' : 'transB') ? 1 : 0);
    case 'MatMul':
      // A vector is one filter.
      return axes.length < 2 ? [] : along(slot === 1 ? -1 : -2);
    case 'Einsum':
      return ofEinsum(node, slot, axes, dims);
    // Gates of units, for each direction.
    case 'RNN':
    case 'GRU':
    case 'LSTM':
      return slot === 1 || slot === 2 ? axes.slice(0, 2) : undefined;
    // Rows of an embedding.
    case 'Gather':
      return slot === 0 ? along(0) : undefined;
    default:
      return undefined;
  }
}

const isSet = (node: Node, name: string) => (attribute(node, name)?.i ?? 0) !== 0;

/** Weights of a transposed convolution are [inputs, outputs of a group, …]; each group of inputs has its outputs. */
function ofTransposed(node: Node, axes: readonly Axis[]): readonly Axis[] | undefined {
  const [inputs = [], outputs = []] = axes;
  const count = elementCount(inputs.map(({ size }) => size));
  const group = Math.max(1, Number(attribute(node, 'group')?.i ?? 1));
  const divided = regrouped(inputs, [group, count / group]);
  return divided && [divided[0] ?? [], outputs];
}

/** The axes of an operand that the output has, too. */
function ofEinsum(node: Node, slot: number, axes: readonly Axis[], dims: Dims): readonly Axis[] | undefined {
  const found = einsumTerms(dims, node);
  return found && axes.filter((_, at) => found.out.includes(found.terms[slot]?.[at] ?? ' '));
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
