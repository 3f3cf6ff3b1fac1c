import { onnx } from '../../proto/onnx.js';
import type { ComposedNode, ComposedValue } from './compose.js';
import type { Attribute, Node } from './document.js';

const Type = onnx.AttributeProto.AttributeType;

function composedValue({ type, f, i, s, ints, strings }: Attribute): ComposedValue | undefined {
  if (type === Type.FLOAT) return { f };
  if (type === Type.INT) return i;
  if (type === Type.STRING) return s;
  if (type === Type.STRINGS) return { strings: strings ?? [] };
  return type === Type.INTS ? (ints ?? []) : undefined;
}

/** Returns a node of the model as a node to write; undefined if an attribute is a tensor, a graph or another list. */
export function composedNode({
  opType,
  inputs,
  outputs,
  attributes,
  domain,
}: Node): ComposedNode | undefined {
  const values: Record<string, ComposedValue> = {};
  for (const attribute of attributes) {
    const value = composedValue(attribute);
    if (value === undefined || attribute.ref !== undefined) return undefined;
    values[attribute.name] = value;
  }
  return domain === '' ? [opType, inputs, outputs, values] : [opType, inputs, outputs, values, domain];
}
