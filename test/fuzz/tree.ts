// Models as trees of protobuf fields, to be changed at any depth with every length around the change still right.
import { varint } from '../support/wire.js';

/** The messages of ONNX, and which of their fields hold which message (proto/onnx.proto3). */
const MESSAGES = {
  model: { 7: 'graph', 8: 'opset', 14: 'entry', 25: 'function' },
  graph: {
    ...{ 1: 'node', 5: 'tensor', 11: 'value', 12: 'value', 13: 'value' },
    ...{ 15: 'sparse', 16: 'entry' },
  },
  node: { 5: 'attribute', 9: 'entry' },
  attribute: {
    ...{ 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 14: 'type', 15: 'type' },
    ...{ 22: 'sparse', 23: 'sparse' },
  },
  tensor: { 13: 'entry' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  value: { 2: 'type' },
  type: { 1: 'tensorType', 4: 'sequence', 9: 'sequence', 8: 'tensorType' },
  sequence: { 1: 'type' },
  tensorType: { 2: 'shape' },
  shape: { 1: 'dim' },
  dim: {},
  opset: {},
  entry: {},
  function: { 7: 'node', 9: 'opset', 11: 'attribute', 12: 'value', 14: 'entry' },
} as const satisfies Readonly<Record<string, Readonly<Record<number, string>>>>;

export type Message = keyof typeof MESSAGES;

/** A field; never changed once it is made, so that trees share what they have in common. */
export interface Part {
  readonly number: number;
  /** The wire type. */
  readonly wire: number;
  /** The message it holds, and that message's fields. */
  readonly message?: Message | undefined;
  readonly parts?: readonly Part[] | undefined;
  /** What stands after tag and length. */
  readonly body: Uint8Array;
  /** The whole field. */
  readonly bytes: Uint8Array;
  /** How many fields there are in it, itself among them. */
  readonly count: number;
}

export function join(pieces: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

/** A field with this content; wire type 2 has a length before it. */
export function leaf(number: number, wire: number, body: Uint8Array): Part {
  const head = [...varint(number * 8 + wire), ...(wire === 2 ? varint(body.length) : [])];
  return { number, wire, body, bytes: join([Uint8Array.from(head), body]), count: 1 };
}

/** A field that holds a message. */
export function branch(number: number, message: Message, parts: readonly Part[]): Part {
  const plain = leaf(number, 2, encode(parts));
  return { ...plain, message, parts, count: 1 + countOf(parts) };
}

export function encode(parts: readonly Part[]): Uint8Array {
  return join(parts.map(({ bytes }) => bytes));
}

export function countOf(parts: readonly Part[]): number {
  let count = 0;
  for (const part of parts) count += part.count;
  return count;
}

/** The fields of a message. Throws on what is malformed: seeds are sound. */
export function parse(bytes: Uint8Array, message: Message = 'model'): Part[] {
  const parts: Part[] = [];
  let at = 0;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error('the seed is cut');
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = number();
    const [field, wire] = [Math.floor(tag / 8), tag % 8];
    let start = at;
    if (wire === 0) number();
    else if (wire === 1 || wire === 5) at += wire === 1 ? 8 : 4;
    else if (wire === 2) {
      const length = number();
      start = at;
      at += length;
    } else throw new Error(`the seed has wire type ${wire}`);
    const body = bytes.slice(start, at);
    const inner = wire === 2 ? (MESSAGES[message] as Readonly<Record<number, Message>>)[field] : undefined;
    parts.push(inner === undefined ? leaf(field, wire, body) : branch(field, inner, parse(body, inner)));
  }
  return parts;
}

/** The field at this place in reading order. */
export function partAt(parts: readonly Part[], at: number): Part | undefined {
  let rest = at;
  for (const part of parts) {
    if (rest === 0) return part;
    if (rest < part.count) return partAt(part.parts ?? [], rest - 1);
    rest -= part.count;
  }
  return undefined;
}

/** The tree with others in the place of the field at `at`; `message` is what the fields belong to. */
export function replaceAt(
  parts: readonly Part[],
  at: number,
  replace: (part: Part, message: Message) => readonly Part[],
  message: Message = 'model',
): readonly Part[] {
  const out: Part[] = [];
  let rest = at;
  for (const part of parts) {
    if (rest === 0) out.push(...replace(part, message));
    else if (rest > 0 && rest < part.count && part.message !== undefined) {
      out.push(
        branch(part.number, part.message, replaceAt(part.parts ?? [], rest - 1, replace, part.message)),
      );
    } else out.push(part);
    rest -= part.count;
  }
  return out;
}

/** The model with the data of its tensors cut short: its structure, small enough to be changed often. */
export function withoutWeights(parts: readonly Part[], message: Message = 'model'): Part[] {
  const data = [4, 5, 6, 7, 9, 10, 11];
  return parts.map((part) => {
    if (part.parts !== undefined && part.message !== undefined) {
      return branch(part.number, part.message, withoutWeights(part.parts, part.message));
    }
    const cut = message === 'tensor' && data.includes(part.number) && part.body.length > 64;
    return cut ? leaf(part.number, part.wire, part.body.subarray(0, 64)) : part;
  });
}
