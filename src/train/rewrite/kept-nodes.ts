// Nodes of the model that a training graph keeps, but with other inputs.
import type { Node, Scope } from '../../onnx/document.js';

/** Names what the nested graphs of nodes read. */
export function capturedNames(nodes: readonly Node[]): ReadonlySet<string> {
  const names = new Set<string>();
  const scopesOf = (node: Node): readonly Scope[] => node.attributes.flatMap(({ graphs = [] }) => graphs);
  const open = nodes.flatMap(scopesOf);
  for (let scope = open.pop(); scope !== undefined; scope = open.pop()) {
    for (const { name } of scope.outputs) names.add(name);
    for (const node of scope.nodes) {
      for (const name of node.inputs) names.add(name);
      open.push(...scopesOf(node));
    }
  }
  return names;
}

/** Returns a node with other inputs and outputs. An object spread would lose the node's accessors. */
export function standIn(
  node: Node,
  inputs: readonly string[],
  outputs: readonly string[] = node.outputs,
): Node {
  const { opType, domain, overload, name, attributes, index, span, frame, lossyNames } = node;
  return { opType, domain, overload, name, inputs, outputs, attributes, index, span, frame, lossyNames };
}

const RECURRENT = new Set(['RNN', 'GRU', 'LSTM']);

/** Returns a recurrent node that also gives its states after all places, which the gradient reads; any other node itself. */
export function withStates(node: Node): Node {
  const [all, ...others] = node.outputs;
  if (node.domain !== '' || !RECURRENT.has(node.opType) || all !== '') return node;
  return standIn(node, node.inputs, [`onnx-mish/states/${others.find((name) => name !== '')}`, ...others]);
}
