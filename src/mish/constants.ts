import { type Node, rewriteObstacle, type Scope, type StoredTensor } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { DataType } from '../onnx/types.js';
import { RELABELS } from './operands.js';

/** Maximum number of Identity nodes that are followed from a constant. */
const MAX_COPIES = 4;
/** Maximum number of nodes that reshape or negate a constant, one after the other, and of inputs of such a node. */
const MAX_CHAIN = 4;
const MAX_INPUTS = 3;

/**
 * Returns the tensor of an initializer or Constant node that a scope sees, also behind Identity nodes; undefined if an input may
 * override it. PyTorch writes tensors with equal numbers once, with an Identity for each further one.
 */
export function constantTensor(
  index: GraphIndex,
  scope: Scope,
  name: string,
  copies = MAX_COPIES,
): StoredTensor | undefined {
  const home = index.home(scope, name);
  if (home === undefined) return undefined;
  // Before IR 4 every initializer is also an input, which may override it. onnx-mish writes Constant nodes.
  if (!index.isInput(home, name)) {
    const tensor = home.initializers.get(name);
    if (tensor !== undefined) return tensor;
  }
  const node = index.producer(home, name);
  if (node?.domain !== '' || rewriteObstacle(node)) return undefined;
  if (node.opType === 'Identity' && copies > 0)
    return constantTensor(index, home, node.inputs[0] ?? '', copies - 1);
  if (node.opType !== 'Constant') return undefined;
  return tensorIn(node, name);
}

/** Returns the tensor of a Constant node, whichever attribute holds its number or numbers; undefined for a sparse tensor and for text. */
function tensorIn({ attributes: [given] }: Node, name: string): StoredTensor | undefined {
  if (given === undefined || given.ref !== undefined) return undefined;
  const single = (elemType: number, scalar: number) => ({ name, dims: [], elemType, scalar });
  const several = (elemType: number, numbers: readonly number[] = []) => {
    if (numbers.length === 0) return undefined;
    return { name, dims: [numbers.length], elemType, scalar: numbers.length === 1 ? numbers[0] : undefined };
  };
  switch (given.name) {
    case 'value':
      return given.tensor;
    case 'value_float':
      return single(DataType.FLOAT, given.f);
    case 'value_floats':
      return several(DataType.FLOAT, given.floats);
    case 'value_int':
      return single(DataType.INT64, given.i);
    case 'value_ints':
      return several(DataType.INT64, given.ints);
    default:
      return undefined;
  }
}

/**
 * Returns the names of a constant tensor: its own, then those of the tensors it was reshaped or negated from. Empty
 * if it is not constant.
 */
export function constantChain(index: GraphIndex, scope: Scope, name: string, depth = 0): string[] {
  const home = index.home(scope, name);
  const node = home && index.producer(home, name);
  if (node?.opType !== 'Identity' && constantTensor(index, scope, name) !== undefined) return [name];
  if (home === undefined || node?.domain !== '' || depth >= MAX_CHAIN || rewriteObstacle(node)) return [];
  if ((node.opType !== 'Neg' && !RELABELS.has(node.opType)) || node.inputs.length > MAX_INPUTS) return [];
  const chains = node.inputs.map((input) => constantChain(index, home, input, depth + 1));
  return chains.some(({ length }) => length === 0) ? [] : [name, ...chains.flat()];
}

/** Returns the declared dimensions of a value; undefined if its rank is unknown. */
export function declaredDims(index: GraphIndex, scope: Scope, name: string) {
  const home = index.home(scope, name);
  if (home === undefined) return undefined;
  return (home.values.get(name) ?? index.declared(home, name))?.dims ?? home.initializers.get(name)?.dims;
}
