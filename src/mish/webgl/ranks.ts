import { attribute, type Node, type Scope, type StoredTensor } from '../../onnx/document.js';

/** Dimensions of a value: numbers, symbols, or null for unknown ones. */
export type Dims = readonly (number | string | null)[];

const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/));

/** Maximum number of dimensions; the claim of a constant's size may be larger. */
const MAX_RANK = 64;

/** Operators whose result has the rank of their first input. */
const SAME =
  words(`Abs Acos Asin Atan AveragePool BatchNormalization Cast Ceil Clip Concat Conv ConvTranspose Cos
  DepthToSpace Dropout Elu Exp Floor GlobalAveragePool GlobalMaxPool Identity InstanceNormalization LRN LeakyRelu Log MaxPool
  Neg Not Pad Relu Resize Sigmoid Sin Slice Softmax SpaceToDepth Split Sqrt Tan Tanh Tile Transpose Upsample`);
/** Operators whose result has the largest rank of their inputs. */
const LARGEST = words(
  'Add And Div Equal Greater Less MatMul Max Mean Min Mul Or PRelu Pow Sub Sum Where Xor',
);

/**
 * Returns the dimensions of the main graph's values: those that the model declares, and for others the rank that operators give,
 * with unknown sizes.
 */
export function dimensions(
  { nodes, values, inputs, outputs }: Scope,
  constant: (name: string) => StoredTensor | undefined,
): (name: string) => Dims | undefined {
  const known = new Map<string, Dims>();
  for (const value of [...values.values(), ...outputs, ...inputs])
    if (value.dims !== undefined) known.set(value.name, value.dims);
  const dims = (name: string) => constant(name)?.dims ?? known.get(name);
  for (const node of nodes) {
    const rank = rankOf(node, (name) => dims(name)?.length, constant);
    if (rank === undefined || rank < 0 || rank > MAX_RANK) continue;
    for (const name of node.outputs)
      if (name !== '' && !known.has(name)) known.set(name, new Array<null>(rank).fill(null));
  }
  return dims;
}

/** Returns the rank of a node's outputs; undefined if it is not known. */
function rankOf(
  node: Node,
  rank: (name: string) => number | undefined,
  constant: (name: string) => StoredTensor | undefined,
): number | undefined {
  const { domain, opType, inputs } = node;
  if (domain !== '') return undefined;
  const ranks = inputs.map((name) => rank(name));
  const [first] = ranks;
  /** The number of integers of an attribute, or of a constant second input. */
  const listed = (name: string) => attribute(node, name)?.ints?.length ?? constant(inputs[1] ?? '')?.dims[0];
  if (SAME.has(opType)) return first;
  if (LARGEST.has(opType)) return ranks.reduce(larger, first);
  if (opType === 'Gemm' || opType === 'Flatten') return 2;
  if (opType === 'Reshape') return listed('shape');
  if (opType === 'Gather') return plus(first, plus(ranks[1], -1));
  if (opType === 'Unsqueeze') return plus(first, listed('axes'));
  if (opType === 'Squeeze') return minus(first, listed('axes'));
  if (!opType.startsWith('Reduce')) return undefined;
  return (attribute(node, 'keepdims')?.i ?? 1) !== 0 ? first : minus(first, listed('axes'));
}

const larger = (a: number | undefined, b: number | undefined) =>
  a === undefined || b === undefined ? undefined : Math.max(a, b);
const plus = (a: number | undefined, b: number | undefined) =>
  a === undefined || b === undefined ? undefined : a + b;
const minus = (a: number | undefined, b: number | undefined) => plus(a, b === undefined ? b : -b);
