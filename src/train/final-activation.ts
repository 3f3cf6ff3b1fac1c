import type { Node, OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import type { LossName } from './losses.js';

/** Final activations that a loss includes. */
const INCLUDED: Readonly<Record<LossName, string>> = { 'cross-entropy': 'Softmax', bce: 'Sigmoid', mse: '' };
const PASSES = new Set(['Identity']);
const RESHAPES = new Set(['Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Transpose']);

/** Finds the final activation that a loss includes, also behind an Identity; undefined if the output has none. */
export const finalActivation = (
  document: OnnxDocument,
  index: GraphIndex,
  output: string,
  loss: LossName,
): Node | undefined => activationBehind(PASSES, document, index, output, loss);

/** Finds the final activation that a loss should include, also where nodes between it and the output change the shape. */
export const reshapedActivation = (
  document: OnnxDocument,
  index: GraphIndex,
  output: string,
  loss: LossName,
): Node | undefined => activationBehind(RESHAPES, document, index, output, loss);

function activationBehind(
  operators: ReadonlySet<string>,
  { graph }: OnnxDocument,
  index: GraphIndex,
  output: string,
  loss: LossName,
): Node | undefined {
  let last = index.producer(graph, output);
  // Nodes are in topological order, so this loop ends.
  while (last?.domain === '' && operators.has(last.opType))
    last = index.producer(graph, last.inputs[0] ?? '');
  return last?.domain === '' && last.opType === INCLUDED[loss] ? last : undefined;
}
