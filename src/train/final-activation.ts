import type { Node, OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import type { LossName } from './losses.js';

/** Final activations that a loss includes. */
const INCLUDED: Readonly<Record<LossName, string>> = { 'cross-entropy': 'Softmax', bce: 'Sigmoid', mse: '' };

/** Finds the final activation that a loss includes, also behind an Identity; undefined if the output has none. */
export function finalActivation(
  { graph }: OnnxDocument,
  index: GraphIndex,
  output: string,
  loss: LossName,
): Node | undefined {
  let last = index.producer(graph, output);
  // Nodes are in topological order, so this loop ends.
  while (last?.domain === '' && last.opType === 'Identity')
    last = index.producer(graph, last.inputs[0] ?? '');
  return last?.domain === '' && last.opType === INCLUDED[loss] ? last : undefined;
}
