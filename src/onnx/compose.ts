import { onnx } from '../../proto/onnx.js';
import { concat, messageField, nodeField, valueField } from './encode.js';
import { DataType } from './types.js';

/** An attribute's value: an integer, integers, a float as { f }, text, texts as { strings }, or a tensor. */
export type ComposedValue =
  | number
  | readonly number[]
  | string
  | { readonly f: number }
  | { readonly strings: readonly string[] }
  | ConstantTensor;

/** A float32 or int64 tensor. */
export interface ConstantTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** A new node: operator, inputs, outputs, attributes, and the domain; ONNX's own by default. */
export type ComposedNode = readonly [
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes?: Readonly<Record<string, ComposedValue>>,
  domain?: string,
];

function nodeProto([opType, input, output, attributes = {}, domain]: ComposedNode): onnx.INodeProto {
  const attribute = Object.entries(attributes).map(([name, value]) => attributeProto(name, value));
  const more = domain === undefined ? {} : { domain };
  return { opType, input: [...input], output: [...output], attribute, ...more };
}

function attributeProto(name: string, value: ComposedValue): onnx.IAttributeProto {
  const Type = onnx.AttributeProto.AttributeType;
  if (typeof value === 'number') return { name, type: Type.INT, i: value };
  if (typeof value === 'string') return { name, type: Type.STRING, s: new TextEncoder().encode(value) };
  if ('f' in value) return { name, type: Type.FLOAT, f: value.f };
  if ('strings' in value)
    return { name, type: Type.STRINGS, strings: value.strings.map((text) => new TextEncoder().encode(text)) };
  if (!('data' in value)) return { name, type: Type.INTS, ints: [...value] };
  const { dims, data } = value;
  const dataType = data instanceof Float32Array ? DataType.FLOAT : DataType.INT64;
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name, type: Type.TENSOR, t: { dataType, dims: [...dims], rawData } };
}

/** Encodes a node as a field of a graph. */
export function composedField(node: ComposedNode): Uint8Array {
  return nodeField('graph', nodeProto(node));
}

/** Encodes a float32 tensor without elements. */
export function emptyTensor(name: string): Uint8Array {
  return onnx.TensorProto.encode({ name, dims: [0], dataType: DataType.FLOAT }).finish();
}

/** Encodes a float32 initializer as fields of a graph. Before IR 4 it is an input as well. */
export function initializerFields(
  name: string,
  dims: readonly number[],
  values: ArrayLike<number>,
  irVersion: number,
): Uint8Array {
  const rawData = new Uint8Array(Float32Array.from(values).buffer);
  const field = initializerField({ name, dims: [...dims], dataType: DataType.FLOAT, rawData });
  return irVersion < MIN_IR_VERSION ? concat([floatInputField(name, dims), field]) : field;
}

/** First IR version in which an initializer need not be an input as well. */
export const MIN_IR_VERSION = 4;

/** Field number of GraphProto's initializers. */
const INITIALIZER_FIELD = 5;

/** Encodes an initializer as a field of a graph. */
export function initializerField(tensor: onnx.ITensorProto): Uint8Array {
  return messageField(INITIALIZER_FIELD, onnx.TensorProto.encode(tensor).finish());
}

/** Encodes a float32 input as a field of a graph. */
export function floatInputField(name: string, dims: readonly number[]): Uint8Array {
  return valueField('input', { name, elemType: DataType.FLOAT, dims });
}

/**
 * Builds a small float32 model of opset 13, for arithmetic on ONNX Runtime. `inputs` and `outputs` give names and
 * ranks; every dimension is free.
 */
export function composeModel(
  nodes: readonly ComposedNode[],
  inputs: Readonly<Record<string, number>>,
  outputs: Readonly<Record<string, number>>,
): Uint8Array {
  const value = ([name, rank]: readonly [string, number]) => {
    const dim = Array.from({ length: rank }, (_, axis) => ({ dimParam: `${name}_${axis}` }));
    return { name, type: { tensorType: { elemType: DataType.FLOAT, shape: { dim } } } };
  };
  const domains = [...new Set(nodes.flatMap(([, , , , domain]) => domain ?? []))];
  return onnx.ModelProto.encode({
    irVersion: 7,
    producerName: 'onnx-mish',
    opsetImport: [{ domain: '', version: 13 }, ...domains.map((domain) => ({ domain, version: 1 }))],
    graph: {
      name: 'composed',
      node: nodes.map(nodeProto),
      input: Object.entries(inputs).map(value),
      output: Object.entries(outputs).map(value),
    },
  }).finish();
}
