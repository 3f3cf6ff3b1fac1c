import {
  attribute,
  type Node,
  type OnnxDocument,
  rewriteObstacle,
  type Scope,
  type StoredTensor,
} from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { DataType } from '../onnx/types.js';
import { createConstantReader } from './constant-reader.js';
import { constantChain, constantTensor, declaredDims } from './constants.js';
import { RELABELS } from './operands.js';
import { wordSet } from './use-moves.js';

// Constants of several elements that are all the same number, as the zeros of Max(x, zeros) and Where(x > 0, x, zeros).

/** Operators that compare or choose. In others, constants of several elements are weights, whose numbers are equal by chance. */
const COMPARES = wordSet('Max Min Where Greater GreaterOrEqual Less LessOrEqual');
export const comparesWith = ({ domain, opType }: Node): boolean => domain === '' && COMPARES.has(opType);

/** Returns whether a node fills a tensor with a number, as `ones_like` does: its elements are no weights. */
export const isFilled = (node: Node | undefined): boolean =>
  node?.domain === '' && node.opType === 'ConstantOfShape';

/** Maximum number of elements to read from a tensor. */
const MAX_ELEMENTS_EACH = 2 ** 22;
/** Maximum number of nodes followed from a comparison to a tensor. */
const MAX_NODES = 4;

const known = new WeakMap<StoredTensor, number>();

/** Reads the tensors that comparisons take, and notes which of them have the same number everywhere. */
export async function readUniform(document: OnnxDocument): Promise<void> {
  const tensors = new Set<StoredTensor>();
  const collect = (scope: Scope | undefined, name: string, left = MAX_NODES): void => {
    for (let home = scope; home !== undefined; home = home.parent) {
      const tensor = home.initializers.get(name);
      if (tensor !== undefined) tensors.add(tensor);
    }
    for (let home = scope; home !== undefined && left > 0; home = home.parent) {
      const node = makers(home).get(name);
      if (node === undefined) continue;
      const tensor = node.opType === 'Constant' ? attribute(node, 'value')?.tensor : undefined;
      if (tensor !== undefined) tensors.add(tensor);
      if (RELABELS.has(node.opType)) collect(home, node.inputs[0] ?? '', left - 1);
      return;
    }
  };
  const all = new Map<Scope, ReadonlyMap<string, Node>>();
  const makers = (scope: Scope): ReadonlyMap<string, Node> => {
    const found =
      all.get(scope) ?? new Map(scope.nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
    all.set(scope, found);
    return found;
  };
  for (const scope of document.scopes)
    for (const node of scope.nodes)
      if (comparesWith(node)) for (const name of node.inputs) collect(scope, name);

  const read = createConstantReader(document, MAX_ELEMENTS_EACH);
  for (const tensor of tensors) {
    const values = known.has(tensor) ? undefined : await read(tensor);
    const [first = Number.NaN] = values ?? [];
    if (values?.every((value) => value === first)) known.set(tensor, first);
  }
}

/** The shape of a constant: its dimensions where they are known, or the number of the value whose shape it takes. */
export interface ConstantShape {
  readonly name: string;
  readonly dims?: readonly (number | string | null)[] | undefined;
  readonly like?: number | undefined;
  /** Whether the numbers are in another file, and were not read. They may be zeros. */
  readonly isUnread?: boolean;
}

/** A constant with the same number in each element. */
export interface Uniform {
  readonly value: number;
  readonly elemType: number;
  readonly shape: ConstantShape;
  /** Names of the values that it is computed from, and its own. */
  readonly names: readonly string[];
}

/** Operators whose result has the shape that an input gives, by the slot of the input. */
const SHAPES: Readonly<Record<string, number>> = { ConstantOfShape: 0, Expand: 1, Reshape: 1 };
const KEEPS_SHAPE = wordSet('Identity Cast CastLike');

/** Finds the constant with one number in all elements that a name stands for; undefined for any other value. */
export function uniformOf(
  index: GraphIndex,
  scope: Scope,
  name: string,
  left = MAX_NODES,
): Uniform | undefined {
  const home = index.home(scope, name);
  if (home === undefined) return undefined;
  const tensor = constantTensor(index, home, name);
  if (tensor !== undefined) {
    const { dims, elemType, external } = tensor;
    const read = tensor.scalar ?? known.get(tensor);
    const isUnread = read === undefined && external !== undefined;
    const value = isUnread ? 0 : read;
    const names = constantChain(index, home, name);
    return value === undefined ? undefined : { value, elemType, shape: { name, dims, isUnread }, names };
  }
  const node = index.producer(home, name);
  if (node?.domain !== '' || left === 0 || rewriteObstacle(node)) return undefined;
  const { opType, inputs } = node;
  const own = { name, dims: declaredDims(index, home, name), like: likeOf(index, home, node) };
  if (opType === 'ConstantOfShape') {
    const given = attribute(node, 'value');
    const { scalar: value = undefined, elemType = 0 } =
      given === undefined ? { scalar: 0, elemType: DataType.FLOAT } : (given.tensor ?? {});
    return value === undefined ? undefined : { value, elemType, shape: own, names: [name, ...inputs] };
  }
  const from = RELABELS.has(opType) ? uniformOf(index, home, inputs[0] ?? '', left - 1) : undefined;
  if (from === undefined) return undefined;
  const elemType = opType === 'Cast' ? (attribute(node, 'to')?.i ?? 0) : from.elemType;
  const shape = KEEPS_SHAPE.has(opType) ? { ...from.shape, name } : own;
  return { value: from.value, elemType, shape, names: [name, ...inputs.slice(1), ...from.names] };
}

/** Returns the number of the value whose shape a node's result takes. */
function likeOf(index: GraphIndex, scope: Scope, { opType, inputs }: Node): number | undefined {
  const slot = Object.hasOwn(SHAPES, opType) ? SHAPES[opType] : undefined;
  if (slot === undefined) return undefined;
  const name = inputs[slot] ?? '';
  const home = index.home(scope, name);
  const node = home && index.producer(home, name);
  if (node?.domain !== '' || node.opType !== 'Shape' || node.attributes.length > 0) return undefined;
  const [of = ''] = node.inputs;
  const from = home && index.home(home, of);
  return from && index.number(from, of);
}
