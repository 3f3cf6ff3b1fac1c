import { OnnxMishError } from '../base/error.js';
import { addBytes, addNumbers, type Checksum, startChecksum } from './checksum.js';
import { binaryText } from './encode.js';
import type { ByteSource } from './source.js';

/** Wire types of the protobuf encoding (https://protobuf.dev/programming-guides/encoding/). */
export const Wire = { VARINT: 0, I64: 1, LEN: 2, GROUP: 3, GROUP_END: 4, I32: 5 } as const;

/** A field of a message, by absolute offsets: tag at `start`, value in [`body`, `end`). */
export interface Field {
  readonly number: number;
  readonly wire: number;
  readonly start: number;
  /** Offset of a LEN field's length varint; otherwise equal to `body`. */
  readonly lengthAt: number;
  readonly body: number;
  readonly end: number;
}

/** Reader of a source's tags and lengths through a small window. It trusts no tag or length. */
export interface Reader {
  readonly source: ByteSource;
  /** Description of the current part, for messages. The scanner updates it. */
  place: string | (() => string);
  /** Number of structural parts so far. Each part takes some hundred bytes of memory. */
  parts: number;
  /** Number of elements of repeated fields in memory, beyond the uncounted elements of each part. */
  elements: number;
  /** Maximum number of parts and elements. */
  readonly most: number;
  /** Checksum of all messages decoded so far. */
  checksum: Checksum;
  /** Reads the field at `at` of a message that ends at `end`. Returns a promise only when the window moves. */
  field(at: number, end: number): Field | Promise<Field>;
  /** Reads the bytes [start, end). They are valid until the next call. */
  bytes(start: number, end: number): Uint8Array | Promise<Uint8Array>;
  /** Creates an error at this byte offset. */
  fail(what: string, at: number, cause?: unknown): OnnxMishError;
}

const WINDOW = 64 * 1024;
const LONGEST_PREFIX = 5; // bytes of a tag or a length, which are 32-bit numbers
const LONGEST_VALUE = 10; // bytes of a 64-bit number
const LONGEST_HEADER = LONGEST_PREFIX + LONGEST_VALUE;
const MAX_SMALL_BYTES = 256;
const NOTHING = new Uint8Array(0);
const MAX_GROUP_DEPTH = 100; // protobuf's default recursion limit

/** Maximum number of parts, 2 to 3 GB of memory; a million sites of seven nodes need fewer. */
const MAX_PARTS = 8e6;

/**
 * Creates a reader of a source. Tests lower `most`. Not split because its methods share the window and the position in
 * it: these are fast only as local variables.
 */
export function createReader(source: ByteSource, most = MAX_PARTS): Reader {
  let window = source.bytes ?? NOTHING;
  const buffer = source.readInto && new Uint8Array(WINDOW); // reused for every window
  let base = 0;
  let cursor = 0; // position in the current varint

  const holds = (start: number, end: number) => start >= base && end <= base + window.length;

  async function move(start: number, atLeast: number): Promise<void> {
    const length = Math.min(Math.max(atLeast, WINDOW), source.size - start);
    window = NOTHING; // until the next window is read
    if (buffer !== undefined && length <= WINDOW) {
      window = buffer.subarray(0, length);
      await source.readInto?.(window, start);
    } else window = await source.read(start, length);
    base = start;
    if (window.length !== length) throw reader.fail('the file ended while it was being read', start);
  }

  /** Reads the varint at `cursor`, exact up to 2^53. */
  function varint(end: number, longest: number): number {
    const start = cursor;
    let value = 0;
    for (let index = 0; index < longest; index++) {
      if (cursor >= end) throw reader.fail('the message ends inside a number', start);
      const byte = window[cursor++ - base] ?? 0;
      // Small integers stay integers: V8 boxes floating-point numbers in objects.
      const bits = byte & 0x7f;
      value = index < 4 ? value | (bits << (7 * index)) : value + bits * 2 ** (7 * index);
      if (byte < 0x80) return value;
    }
    throw reader.fail(`a number is longer than ${longest} bytes`, start);
  }

  function header(at: number, end: number): Field {
    cursor = at;
    const tag = varint(end, LONGEST_PREFIX);
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (number < 1 || number > 0x1fffffff) throw reader.fail(`field number ${number} does not exist`, at);
    const lengthAt = cursor;
    switch (wire) {
      case Wire.VARINT:
        varint(end, LONGEST_VALUE);
        return { number, wire, start: at, lengthAt, body: lengthAt, end: cursor };
      case Wire.I64:
      case Wire.I32: {
        const stop = lengthAt + (wire === Wire.I64 ? 8 : 4);
        if (stop > end) throw reader.fail('the message ends inside a fixed-size number', at);
        return { number, wire, start: at, lengthAt, body: lengthAt, end: stop };
      }
      case Wire.LEN: {
        const length = varint(end, LONGEST_PREFIX);
        const body = cursor;
        if (length > end - body) {
          throw reader.fail(
            `a length of ${length} bytes leaves only ${end - body} bytes to read; the file is truncated or corrupt`,
            at,
          );
        }
        return { number, wire, start: at, lengthAt, body, end: body + length };
      }
      case Wire.GROUP:
      case Wire.GROUP_END:
        return { number, wire, start: at, lengthAt, body: lengthAt, end: lengthAt };
      default:
        throw reader.fail(`wire type ${wire} does not exist`, at);
    }
  }

  /** Walks a group to its end, since it has no length. Groups are valid as unknown fields. */
  async function group(open: Field, end: number): Promise<Field> {
    const stack = [open.number];
    let at = open.body;
    while (stack.length > 0) {
      if (at >= end) throw reader.fail('a group has no end', open.start);
      if (stack.length > MAX_GROUP_DEPTH) throw reader.fail('groups are nested too deeply', at);
      const limit = Math.min(at + LONGEST_HEADER, end);
      if (!holds(at, limit)) await move(at, limit - at);
      const field = header(at, end);
      if (field.wire === Wire.GROUP) stack.push(field.number);
      else if (field.wire === Wire.GROUP_END && stack.pop() !== field.number) {
        throw reader.fail('a group ends without a start', at);
      }
      at = field.end;
    }
    return { ...open, end: at };
  }

  function field(at: number, end: number): Field | Promise<Field> {
    const limit = Math.min(at + LONGEST_HEADER, end);
    if (!holds(at, limit)) return move(at, limit - at).then(() => field(at, end));
    const found = header(at, end);
    if (found.wire === Wire.GROUP) return group(found, end);
    if (found.wire === Wire.GROUP_END) throw reader.fail('a group ends without a start', at);
    return found;
  }

  function bytes(start: number, end: number): Uint8Array | Promise<Uint8Array> {
    if (holds(start, end)) return window.subarray(start - base, end - base);
    if (end - start > WINDOW) return source.read(start, end - start);
    return move(start, end - start).then(() => window.subarray(start - base, end - base));
  }

  const reader: Reader = {
    source,
    place: 'the model',
    parts: 0,
    elements: 0,
    most,
    checksum: startChecksum(),
    field,
    bytes,
    fail(what, at, cause) {
      const place = typeof this.place === 'string' ? this.place : this.place();
      return new OnnxMishError('malformed', what, {
        where: `${source.name}, byte ${at}, in ${place}`,
        fix: 'Check that the file was copied or downloaded whole; if it was, it is not a valid ONNX model',
        cause,
      });
    },
  };
  return reader;
}

/** Calls `visit` for each field of the message in [start, end), in order. */
export async function walk(
  reader: Reader,
  start: number,
  end: number,
  visit: (field: Field) => undefined | Promise<void>,
): Promise<void> {
  let at = start;
  while (at < end) {
    const next = reader.field(at, end);
    const field = next instanceof Promise ? await next : next;
    const pending = visit(field);
    if (pending !== undefined) await pending;
    at = field.end;
  }
}

/** Throws `malformed` for more parts and elements than memory should hold. */
export function checkCount(reader: Reader, count: number, at: number): void {
  if (count > reader.most)
    throw reader.fail(`the model has more than ${reader.most} nodes or similar parts`, at);
}

/** Memory that a collected field takes until it is read, as a number of parts. */
const COLLECTED = 2;

/** Adds a field to a list for later reading. Throws `malformed` for too many fields. */
export function collect<T extends { readonly start: number }>(reader: Reader, list: T[], item: T): void {
  checkCount(reader, reader.parts + reader.elements + COLLECTED * list.length, item.start);
  list.push(item);
}

interface Range {
  readonly start: number;
  end: number;
}

/**
 * Reads the message [start, end) without its heavy fields. The rest is a message that is small enough to decode. `visit` returns
 * true for a field to omit. Returns a promise only when the window moves.
 */
export function light(
  reader: Reader,
  start: number,
  end: number,
  visit: (field: Field) => boolean,
): Uint8Array | Promise<Uint8Array> {
  const kept: Range[] = [];
  for (let at = start; at < end; ) {
    const field = reader.field(at, end);
    if (field instanceof Promise) return lightSlowly(reader, field, end, visit, kept);
    keepOrNote(reader, field, visit, kept);
    at = field.end;
  }
  const [only] = kept;
  if (only === undefined) return NOTHING;
  return kept.length === 1 ? reader.bytes(only.start, only.end) : join(reader, kept);
}

/** Continues `light` after a field for which the window moved. */
async function lightSlowly(
  reader: Reader,
  pending: Promise<Field>,
  end: number,
  visit: (field: Field) => boolean,
  kept: Range[],
): Promise<Uint8Array> {
  const first = await pending;
  keepOrNote(reader, first, visit, kept);
  await walk(reader, first.end, end, (field) => keepOrNote(reader, field, visit, kept));
  return join(reader, kept);
}

/** Keeps a field, or adds its number and size to the checksum if `visit` omits it. */
function keepOrNote(
  reader: Reader,
  field: Field,
  visit: (field: Field) => boolean,
  kept: Range[],
): undefined {
  if (visit(field)) {
    addNumbers(reader.checksum, field.number, field.end - field.body);
    return;
  }
  const last = kept.at(-1);
  if (last !== undefined && last.end === field.start) last.end = field.end;
  else collect(reader, kept, { start: field.start, end: field.end });
}

async function join(reader: Reader, kept: readonly Range[]): Promise<Uint8Array> {
  const [only] = kept;
  if (only !== undefined && kept.length === 1) return reader.bytes(only.start, only.end);
  const out = new Uint8Array(kept.reduce((sum, range) => sum + range.end - range.start, 0));
  let at = 0;
  for (const range of kept) {
    out.set(await reader.bytes(range.start, range.end), at);
    at += range.end - range.start;
  }
  return out;
}

/** Adds a small field that is not decoded, such as a graph's name, to the checksum. */
export function addSmall({ bytes, checksum }: Reader, { start, end }: Field): undefined | Promise<void> {
  if (end - start > MAX_SMALL_BYTES) return undefined;
  const found = bytes(start, end);
  if (found instanceof Promise) return found.then((moved) => addBytes(checksum, moved));
  addBytes(checksum, found);
  return undefined;
}

/**
 * Reads the bytes of fields as characters, for a cache key; empty for more than `longest` bytes. Returns a promise only when the
 * window moves or the fields are apart.
 */
export function keyOf(reader: Reader, fields: readonly Field[], longest: number): string | Promise<string> {
  let size = 0;
  for (const { start, end } of fields) size += end - start;
  const [from = 0, to = 0] = [fields[0]?.start, fields.at(-1)?.end];
  if (size === 0 || size > longest) return '';
  if (to - from !== size) return keyOfSeveral(reader, fields);
  const bytes = reader.bytes(from, to);
  return bytes instanceof Promise ? bytes.then(binaryText) : binaryText(bytes);
}

async function keyOfSeveral(reader: Reader, fields: readonly Field[]): Promise<string> {
  let key = '';
  for (const { start, end } of fields) key += binaryText(await reader.bytes(start, end));
  return key;
}
