import { attribute, type Node } from '../../onnx/document.js';
import { type Dims, isRemoved, type Loaded } from './loaded.js';
import { powerOf } from './power.js';
import { isKnown, mayDiffer } from './texture.js';

/** Operators that change a tensor's dimensions or type, but keep its texture. */
const RESHAPING: readonly string[] = ['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Cast'];

/** Operators that read and write an element at the same texture position. */
const UNARY: readonly string[] = [
  ...['Abs', 'Acos', 'Asin', 'Atan', 'Ceil', 'Clip', 'Cos', 'Elu', 'Exp', 'Floor', 'LeakyRelu', 'Log', 'Neg'],
  ...['Not', 'Relu', 'Sigmoid', 'Sin', 'Sqrt', 'Tan', 'Tanh'],
];
/** Operators that do the same for inputs of equal dimensions. For other inputs they compute positions from indices. */
const BINARY: readonly string[] = [
  'Add',
  'And',
  'Div',
  'Equal',
  'Greater',
  'Less',
  'Mul',
  'Or',
  'PRelu',
  'Pow',
  'Sub',
  'Xor',
];
/** Operators that compute positions from the dimensions of their first input. */
const RECKONING: readonly string[] = ['Sum', 'Softmax', 'Pad', 'Upsample'];

/**
 * Finds results whose texture has another width or height than their dimensions imply, if a reader relies on them. Returns each
 * node with such a reader. Unknown dimensions count as different.
 */
export function misplaced(loaded: Loaded): Map<Node, Node> {
  const { graph, analysis, dims } = loaded;
  /** The dimensions that a value's texture was created for, if they differ from the value's. */
  const textures = new Map<string, Dims | undefined>();
  const textureOf = (name: string) => (textures.has(name) ? textures.get(name) : dims(name));
  const found = new Map<Node, Node>();
  for (const node of graph.nodes) {
    const [x = '', y = ''] = [node.inputs[0], node.outputs[0]];
    if (node.domain !== '' || loaded.rewritten.has(node)) continue;
    const isAlias = isRemoved(node) || node.opType === 'Cast';
    if (isAlias && !textures.has(x)) continue;
    let texture: Dims | undefined;
    if (isAlias || RESHAPING.includes(node.opType)) texture = textureOf(x);
    else if (node.opType === 'DepthToSpace') texture = blocks(node, dims(x));
    else continue;
    if (!mayDiffer(texture, dims(y) ?? (isAlias ? dims(x) : undefined))) continue;
    const reader = analysis.index
      .uses(graph, y)
      .find((use) => use.kind === 'input' && takesForGranted(use.node, use.slot, loaded));
    if (reader?.kind === 'input') found.set(node, reader.node);
    else textures.set(y, texture);
  }
  return found;
}

function takesForGranted(node: Node, slot: number, loaded: Loaded): boolean {
  const { opType, inputs, domain } = node;
  const { dims, rewritten } = loaded;
  if (rewritten.has(node)) return true;
  if (domain !== '') return false;
  if (UNARY.includes(opType) || RECKONING.includes(opType)) return true;
  if (opType === 'BatchNormalization') return slot > 0;
  if (!BINARY.includes(opType)) return false;
  if (powerOf(node, loaded) !== undefined) return slot === 0;
  const [a, b] = inputs.map(dims);
  if (a?.length === 0 || b?.length === 0) return false; // a single element has a single position
  if (a === undefined || b === undefined) return true;
  const differs = (size: Dims[number], other: Dims[number] | undefined) =>
    typeof size === 'number' && typeof other === 'number' && size !== other;
  return a.length === b.length && !a.some((size, axis) => differs(size, b[axis]));
}

/** Returns the six dimensions inside DepthToSpace. */
function blocks(node: Node, dims: Dims | undefined): Dims | undefined {
  if (!isKnown(dims)) return undefined;
  const [batch = 1, channels = 1, height = 1, width = 1] = dims;
  const block = attribute(node, 'blocksize')?.i ?? 1;
  return [batch, channels / block ** 2, height, block, width, block];
}
