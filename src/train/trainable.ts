import type { Node, OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { type Weight, weightOf } from '../onnx/weights.js';

/** Indices of the inputs that are trainable weights, by operator. */
const TRAINABLE_INPUTS: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [1, 2],
  MatMul: [0, 1],
  BatchNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
  GroupNormalization: [1, 2],
  PRelu: [1],
};

/** Operators between a weight and the node that uses it. */
const PASSED_THROUGH = new Set([
  'Identity',
  'Transpose',
  'Cast',
  'Reshape',
  'Squeeze',
  'Unsqueeze',
  'Flatten',
]);
/** Operators after which an Add of a constant is a bias. */
const WITHOUT_BIAS = new Set(['MatMul', 'Conv', 'ConvTranspose', 'Gemm']);

/**
 * Finds the trainable float32 weights of the main graph: those of linear layers and normalisations, also behind an
 * Identity, Transpose or Cast. Lists a shared weight once.
 */
export function trainableWeights(document: OnnxDocument, index: GraphIndex): Weight[] {
  const { graph } = document;
  const weights = new Map<string, Weight>();
  const add = (input: string | undefined) => {
    const weight = input && rootWeight(document, index, input);
    if (weight) weights.set(weight.name, weight);
  };
  for (const node of graph.nodes) {
    if (node.domain !== '') continue;
    if (Object.hasOwn(TRAINABLE_INPUTS, node.opType))
      for (const slot of TRAINABLE_INPUTS[node.opType] ?? []) add(node.inputs[slot]);
    else if (node.opType === 'Add' && isBiasAdd(node, document, index))
      for (const name of node.inputs) add(name);
  }
  return [...weights.values()];
}

function isBiasAdd({ inputs }: Node, { graph }: OnnxDocument, index: GraphIndex): boolean {
  return inputs.some((name) => WITHOUT_BIAS.has(index.producer(graph, name)?.opType ?? ''));
}

/** Finds the weight behind a name, through nodes that pass it on. */
function rootWeight({ graph }: OnnxDocument, index: GraphIndex, name: string): Weight | undefined {
  let root = name;
  // Nodes are in topological order, so this loop ends.
  for (let node = index.producer(graph, root); node !== undefined; node = index.producer(graph, root)) {
    if (node.domain !== '' || !PASSED_THROUGH.has(node.opType)) break;
    root = node.inputs[0] ?? '';
  }
  const weight = weightOf(index, graph, root);
  const inMain = weight?.home === graph ? weight : undefined;
  return inMain?.type === 'f32' ? inMain : undefined;
}
