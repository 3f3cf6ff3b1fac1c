// A second, independent reading and writing of the protobuf encoding, so that the tests do not check the
// scanner against itself. Everything is in memory and nothing is lazy.

/** A field of a message: its bytes with the tag, and its payload. */
export interface WireField {
  readonly number: number;
  readonly wire: number;
  readonly whole: Uint8Array;
  readonly body: Uint8Array;
}

/** The fields of a message, in order. Throws on anything malformed. */
export function parse(message: Uint8Array): WireField[] {
  const fields: WireField[] = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new Error('varint cut');
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(value);
    }
  };
  const skip = (wire: number, number: number): number => {
    let start = at;
    if (wire === 0) varint();
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else if (wire === 2) {
      const length = varint();
      start = at;
      at += length;
    } else if (wire === 3) {
      for (;;) {
        const tag = varint();
        if ((tag & 7) === 4) {
          if (tag >>> 3 !== number) throw new Error('group mismatch');
          break;
        }
        skip(tag & 7, tag >>> 3);
      }
    } else throw new Error(`wire type ${wire}`);
    return start;
  };
  while (at < message.length) {
    const start = at;
    const tag = varint();
    const body = skip(tag & 7, tag >>> 3);
    if (at > message.length) throw new Error('field cut');
    fields.push({
      number: tag >>> 3,
      wire: tag & 7,
      whole: message.subarray(start, at),
      body: message.subarray(body, at),
    });
  }
  return fields;
}

/** A varint, made `extra` bytes longer than it has to be. */
export function varint(value: number, extra = 0): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  for (let count = 0; count < extra; count++) bytes.push(128);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) & 127;
  return bytes;
}

/** A length-delimited field, its tag and length made longer than they have to be. */
export function len(
  number: number,
  body: readonly number[] | Uint8Array | string,
  tagExtra = 0,
  lengthExtra = 0,
): number[] {
  const bytes = typeof body === 'string' ? [...new TextEncoder().encode(body)] : [...body];
  return [...varint(number * 8 + 2, tagExtra), ...varint(bytes.length, lengthExtra), ...bytes];
}

/** A varint field. */
export function int(number: number, value: number, extra = 0): number[] {
  return [...varint(number * 8), ...varint(value, extra)];
}

type Level = 'model' | 'graph' | 'function' | 'node' | 'attribute';

/** Which fields of a message hold messages in which something may have been replaced. */
const INSIDE: Readonly<Record<Level, Readonly<Record<number, Level>>>> = {
  model: { 7: 'graph', 25: 'function' },
  graph: { 1: 'node' },
  function: { 7: 'node' },
  node: { 5: 'attribute' },
  attribute: { 6: 'graph', 11: 'graph' },
};

export interface Alignment {
  /** Fields of the source that the output lacks. */
  readonly removed: WireField[];
  /** Fields of the output that the source lacks, with the level they are at. */
  readonly inserted: { readonly level: Level; readonly field: WireField }[];
}

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

function opType(node: Uint8Array): string {
  const field = parse(node).findLast(({ number, wire }) => number === 4 && wire === 2);
  return field === undefined ? '' : new TextDecoder().decode(field.body);
}

/**
 * Aligns two messages field by field, in order. Fields are either the same bytes, tag included, or messages
 * of which only an inner part differs (then the tag is the same, and the length is what it has to be), or
 * removed, or inserted. Throws when a removed field is not a node of one of the `gone` operators.
 */
export function align(
  source: Uint8Array,
  output: Uint8Array,
  gone: ReadonlySet<string>,
  level: Level = 'model',
  found: Alignment = { removed: [], inserted: [] },
): Alignment {
  const [from, to] = [parse(source), parse(output)];
  let next = 0;
  for (const field of from) {
    const inner = field.wire === 2 ? INSIDE[level][field.number] : undefined;
    const isGone = inner === 'node' && gone.has(opType(field.body));
    for (;;) {
      const candidate = to[next];
      if (candidate !== undefined && same(candidate.whole, field.whole)) {
        next++;
        break;
      }
      const counterpart =
        candidate !== undefined &&
        inner !== undefined &&
        candidate.number === field.number &&
        (inner !== 'node' ||
          (!isGone && opType(candidate.body) === opType(field.body) && opType(field.body) !== 'Constant'));
      if (counterpart) {
        align(field.body, candidate.body, gone, inner, found);
        next++;
        break;
      }
      if (isGone && !to.slice(next).some((later) => same(later.whole, field.whole))) {
        found.removed.push(field);
        break;
      }
      if (candidate === undefined) throw new Error(`field ${field.number} of a ${level} is lost`);
      found.inserted.push({ level, field: candidate });
      next++;
    }
  }
  for (const field of to.slice(next)) found.inserted.push({ level, field });
  return found;
}
