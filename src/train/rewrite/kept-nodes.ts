// Nodes of the model that a training graph keeps, but with other inputs.
import { onnx } from '../../../proto/onnx.js';
import type { ComposedNode, ComposedValue } from '../../onnx/compose.js';
import type { Attribute, Node, Scope } from '../../onnx/document.js';

const Type = onnx.AttributeProto.AttributeType;

function composedValue({ type, f, i, s, ints }: Attribute): ComposedValue | undefined {
  if (type === Type.FLOAT) return { f };
  if (type === Type.INT) return i;
  if (type === Type.STRING) return s;
  return type === Type.INTS ? (ints ?? []) : undefined;
}

/** Returns a node of the model as a node to write; undefined if an attribute is a tensor, a graph or another list. */
export function composedOf({ opType, inputs, outputs, attributes, domain }: Node): ComposedNode | undefined {
  const values: Record<string, ComposedValue> = {};
  for (const attribute of attributes) {
    const value = composedValue(attribute);
    if (value === undefined || attribute.ref !== undefined) return undefined;
    values[attribute.name] = value;
  }
  return domain === '' ? [opType, inputs, outputs, values] : [opType, inputs, outputs, values, domain];
}

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
