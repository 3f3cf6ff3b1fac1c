import { onnx } from '../../proto/onnx.js';
import { Writer } from '../../proto/wire.js';

/** Encodes a non-negative integer below 2^53 as a protobuf varint. */
export function varint(value: number): Uint8Array {
  return Writer.create().uint64(value).finish();
}

/** Encodes a LEN field: tag, length and message. */
export function messageField(number: number, message: Uint8Array): Uint8Array {
  return Writer.create()
    .uint32(number * 8 + 2)
    .bytes(message)
    .finish();
}

interface Message<T> {
  encode(message: T, writer: Writer): Writer;
}

/** Writes a message as a field. */
function write<T>(writer: Writer, number: number, type: Message<T>, message: T): Writer {
  return type.encode(message, writer.uint32(number * 8 + 2).fork()).ldelim();
}

/** Encodes a message as a field. */
const field = <T>(number: number, type: Message<T>, message: T): Uint8Array =>
  write(Writer.create(), number, type, message).finish();

/** Number of the field that holds a node of a graph or function. */
const NODE = { graph: 1, function: 7 };

const BLOCK = 64 * 1024;

/** Creates an encoder of many lists of nodes. Its results share a few large buffers, to save memory. */
export function createNodeEncoder(
  block = BLOCK,
): (scope: 'graph' | 'function', nodes: readonly onnx.INodeProto[]) => Uint8Array {
  const writer = new Writer(block);
  return (scope, nodes) => {
    for (const node of nodes) write(writer, NODE[scope], onnx.NodeProto, node);
    return writer.take();
  };
}

/** Encodes a node as a field of its scope. */
export function nodeField(scope: 'graph' | 'function', node: onnx.INodeProto): Uint8Array {
  return createNodeEncoder(128)(scope, [node]);
}

/** Encodes a tensor value as a graph's input or output. */
export function valueField(
  kind: 'input' | 'output',
  { name, elemType, dims }: { name: string; elemType: number; dims: readonly number[] },
): Uint8Array {
  const type = { tensorType: { elemType, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } };
  return field(kind === 'input' ? 11 : 12, onnx.ValueInfoProto, { name, type });
}

/** Encodes a graph output without a type. */
export function outputField(name: string): Uint8Array {
  return field(12, onnx.ValueInfoProto, { name });
}

/** Encodes a metadata_props entry as a field of the model. */
export function metadataField(key: string, value: string): Uint8Array {
  return field(14, onnx.StringStringEntryProto, { key, value });
}

/** Encodes an opset import as a field of the model. */
export function importField(domain: string, version: number): Uint8Array {
  return field(8, onnx.OperatorSetIdProto, { domain, version });
}

/** Converts bytes to characters from 0 to 255. The stack limits the number of bytes. */
export function binaryText(bytes: Uint8Array): string {
  return String.fromCharCode.apply(null, bytes as Iterable<number> as number[]);
}

/** Concatenates byte strings. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
