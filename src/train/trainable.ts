import { attribute, type Node, type OnnxDocument, type StoredTensor } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { type Weight, weightOf } from '../onnx/weights.js';
import { sequenceWeights } from './sequence-weights.js';

/** Indices of the inputs that are trainable weights, by operator. */
const TRAINABLE_INPUTS: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  BatchNormalization: [0, 1, 2], // a weight is normalised by weight standardisation
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
  RMSNormalization: [1],
  GroupNormalization: [1, 2],
  PRelu: [1],
  RNN: [1, 2, 3],
  GRU: [1, 2, 3],
  LSTM: [1, 2, 3],
};

/** Operators between a weight and the node that uses it, and between a layer and its bias or scale. */
export const PASSED_THROUGH: ReadonlySet<string> = new Set([
  'Identity',
  'Transpose',
  'Cast',
  'CastLike',
  'Reshape',
  'Squeeze',
  'Unsqueeze',
  'Flatten',
]);
/** Operators that pass on a part of a weight, as PyTorch's exporter orders the gates of an LSTM. */
const CUTTING: ReadonlySet<string> = new Set(['Slice', 'Split']);
/** Operators after which an Add or Mul of a vector is a bias or a scale. */
const LAYERS = new Set([
  ...['MatMul', 'Conv', 'ConvTranspose', 'Gemm', 'Einsum', 'BatchNormalization', 'InstanceNormalization'],
  ...['LayerNormalization', 'GroupNormalization', 'MeanVarianceNormalization', 'LpNormalization'],
]);
/**
 * Finds the trainable float32 weights of the main graph, also behind an Identity, Transpose or Cast: those of linear layers,
 * embeddings, tokens and normalisations, and vectors that are added to or multiplied by a layer or a written-out normalisation.
 * Those that the exporter calls parameters are weights whatever reads them. Lists a shared weight once.
 */
export function trainableWeights(
  document: OnnxDocument,
  index: GraphIndex,
  parameters: ReadonlySet<string> = new Set(),
): Weight[] {
  const weights = new Map<string, Weight>();
  const add = (weight: Weight | undefined) => {
    if (weight !== undefined) weights.set(weight.name, weight);
  };
  /** The nodes that add a bias or multiply by a scale, after which others may follow. */
  const affine = new Set<Node>();
  for (const node of document.graph.nodes) {
    for (const name of node.inputs) {
      const weight = parameters.has(name) ? weightOf(index, document.graph, name) : undefined;
      if (weight?.type === 'f32') add(weight);
    }
    if (node.domain !== '') continue;
    for (const slot of slotsOf(node, document, index))
      for (const weight of rootWeights(document, index, node.inputs[slot] ?? '')) add(weight);
    if (node.opType !== 'Add' && node.opType !== 'Mul') continue;
    const vectors = node.inputs.map((name, slot) => {
      const other = node.inputs[1 - slot] ?? '';
      const found = rootWeights(document, index, name);
      return found.every(isVector) && isOfLayer(other, document, index, affine) ? found : [];
    });
    const [first = []] = vectors.filter(({ length }) => length > 0);
    if (first.length > 0) affine.add(node);
    for (const weight of first) add(weight);
  }
  for (const weight of sequenceWeights(document, index)) add(weight);
  return [...weights.values()];
}

function slotsOf(node: Node, document: OnnxDocument, index: GraphIndex): readonly number[] {
  if (node.opType === 'Einsum') return [...node.inputs.keys()];
  if (node.opType === 'Gather') return isEmbedding(node, document, index) ? [0] : [];
  const slots = Object.hasOwn(TRAINABLE_INPUTS, node.opType) ? TRAINABLE_INPUTS[node.opType] : undefined;
  return slots?.filter((slot) => slot > 0 || !isTable(node, document, index)) ?? [];
}

/** Returns whether a layer's input is a Constant node beside stored weights: a table of coordinates, say, not a weight. */
function isTable({ inputs: [x = '', w = ''] }: Node, document: OnnxDocument, index: GraphIndex): boolean {
  const areStored = (name: string) =>
    rootWeights(document, index, name).map((weight) => document.graph.initializers.has(weight.name));
  return areStored(x).includes(false) && areStored(w).includes(true);
}

/** Returns whether a Gather takes rows of a matrix by indices that the model computes or reads. */
function isEmbedding(node: Node, document: OnnxDocument, index: GraphIndex): boolean {
  const { graph } = document;
  const [table = '', indices = ''] = node.inputs;
  const isFixed =
    index.home(graph, indices)?.initializers.has(indices) ||
    producerBehind(indices, document, index)?.opType === 'Constant';
  if ((attribute(node, 'axis')?.i ?? 0) !== 0 || isFixed) return false;
  return weightOf(index, graph, table)?.tensor.dims.length === 2;
}

/** Returns whether a tensor has a value per channel. A tensor with -Infinity is a mask. */
export function isVector({
  tensor: { dims, minusInfinity },
}: {
  readonly tensor: Pick<StoredTensor, 'dims' | 'minusInfinity'>;
}): boolean {
  return dims.length > 0 && minusInfinity === undefined && dims.filter((dim) => dim !== 1).length <= 1;
}

/** Returns whether a value is a layer's result, to which a bias or a scale may belong. */
function isOfLayer(
  name: string,
  document: OnnxDocument,
  index: GraphIndex,
  affine: ReadonlySet<Node>,
): boolean {
  const node = producerBehind(name, document, index);
  if (node === undefined || node.domain !== '') return false;
  return LAYERS.has(node.opType) || affine.has(node) || isNormalisation(node, document, index);
}

/** Returns whether a node divides by the root of a mean, as a written-out layer or RMS normalisation does. */
export function isNormalisation(node: Node, document: OnnxDocument, index: GraphIndex): boolean {
  const behind = (name = '') => producerBehind(name, document, index);
  const isCentred = node.inputs.some((name) => behind(name)?.opType === 'Sub');
  const isRootOfMean = (name = ''): boolean => {
    const root = behind(name);
    if (root?.opType !== 'Sqrt' && root?.opType !== 'Pow') return false;
    if (isCentred) return true;
    const squares = behind(root.inputs[0]);
    const means = squares?.opType === 'Add' ? squares.inputs.map(behind) : [squares];
    return means.some((mean) => mean?.opType === 'ReduceMean');
  };
  const [a, b] = node.inputs;
  if (node.opType === 'Div') return isRootOfMean(b);
  if (node.opType !== 'Mul') return false;
  // The reciprocal of the root: Reciprocal, 1 / root, or a power of −1/2.
  return [a, b].some((name) => {
    const factor = behind(name);
    if (factor?.opType === 'Pow') return isRootOfMean(name);
    return (
      (factor?.opType === 'Reciprocal' || factor?.opType === 'Div') && isRootOfMean(factor.inputs.at(-1))
    );
  });
}

/** Finds the node that computes a value, through nodes that pass it on. */
function producerBehind(name: string, { graph }: OnnxDocument, index: GraphIndex): Node | undefined {
  let node = index.producer(graph, name);
  // Nodes are in topological order, so this loop ends.
  while (node?.domain === '' && PASSED_THROUGH.has(node.opType))
    node = index.producer(graph, node.inputs[0] ?? '');
  return node;
}

/**
 * Finds the weights that a value consists of, through nodes that pass them on, cut or join them; none for a value with a part that is
 * no weight.
 */
export function rootWeights({ graph }: OnnxDocument, index: GraphIndex, name: string): Weight[] {
  const found: Weight[] = [];
  const names = new Set([name]);
  // A set is walked to its end, also where the walk adds to it, and has each name once, however often parts are joined.
  for (const part of names) {
    const node = index.producer(graph, part);
    const operator = node?.domain === '' ? node.opType : '';
    const weight = weightOf(index, graph, part);
    if (PASSED_THROUGH.has(operator) || CUTTING.has(operator)) names.add(node?.inputs[0] ?? '');
    else if (operator === 'Concat') for (const input of node?.inputs ?? []) names.add(input);
    else if (weight?.home === graph && weight.type === 'f32') found.push(weight);
    else return [];
  }
  return found;
}
