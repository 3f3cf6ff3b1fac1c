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

/** Encodes a node as a field of its scope: number 1 in a graph, 7 in a function. */
export function nodeField(scope: 'graph' | 'function', node: onnx.INodeProto): Uint8Array {
  return messageField(scope === 'graph' ? 1 : 7, onnx.NodeProto.encode(node).finish());
}

/** Encodes a tensor value as a graph's input or output. */
export function valueField(
  kind: 'input' | 'output',
  { name, elemType, dims }: { name: string; elemType: number; dims: readonly number[] },
): Uint8Array {
  const type = { tensorType: { elemType, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } };
  return messageField(kind === 'input' ? 11 : 12, onnx.ValueInfoProto.encode({ name, type }).finish());
}

/** Encodes a graph output without a type. */
export function outputField(name: string): Uint8Array {
  return messageField(12, onnx.ValueInfoProto.encode({ name }).finish());
}

/** Encodes a metadata_props entry as a field of the model. */
export function metadataField(key: string, value: string): Uint8Array {
  return messageField(14, onnx.StringStringEntryProto.encode({ key, value }).finish());
}

/** Encodes an opset import as a field of the model. */
export function importField(domain: string, version: number): Uint8Array {
  return messageField(8, onnx.OperatorSetIdProto.encode({ domain, version }).finish());
}

/** Converts bytes to characters from 0 to 255. The stack limits the number of bytes. */
export function binaryText(bytes: Uint8Array): string {
  return String.fromCharCode.apply(null, bytes as Iterable<number> as number[]);
}

const lengthOf = (parts: readonly Uint8Array[]) => parts.reduce((sum, part) => sum + part.length, 0);

function fill(out: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Concatenates byte strings. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return fill(new Uint8Array(lengthOf(parts)), parts);
}

const BLOCK = 64 * 1024;

/** Creates a `concat` for many results. Results share a few large buffers, to save memory. */
export function createPacker(): typeof concat {
  let room = new Uint8Array(0);
  return (parts) => {
    const length = lengthOf(parts);
    if (length > room.length) room = new Uint8Array(Math.max(length, BLOCK));
    const out = room.subarray(0, length);
    room = room.subarray(length);
    return fill(out, parts);
  };
}
