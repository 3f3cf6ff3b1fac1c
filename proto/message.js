// Encodes and decodes messages by a table of their fields, as protobufjs's generated code does, in a tenth of its size.
import { DEEPEST, Reader, Writer } from './wire.js';

const EMPTY = Object.freeze([]);
const WIRE = { double: 1, float: 5, string: 2, bytes: 2 };
const PACKED = 2;
/** What an element weighs that is an object, where a number or a short string weighs 1. */
const OBJECT = 3;

/** `7 floats float[packed]`: number, name and type; `[]` for a list, `|value` for one of several that exclude each other. */
function parseField(line, typeOf) {
  const [, id, name, type, list, oneof] = /^(\d+) (\w+) ([\w.]+)(\[\w*\])?(?:\|(\w+))?$/.exec(line);
  const isMessage = /^[A-Z]/.test(type);
  let known; // it may come after this one
  const message = () => {
    known ??= typeOf(type);
    return known;
  };
  return {
    id: Number(id),
    name,
    type,
    oneof,
    isRepeated: list !== undefined,
    isPacked: list === '[packed]',
    wire: isMessage ? 2 : (WIRE[type] ?? 0),
    message: isMessage ? message : undefined,
  };
}

function defaultOf({ type, isRepeated, message, oneof }) {
  if (isRepeated) return EMPTY;
  if (message || oneof) return null;
  return type === 'string' ? '' : type === 'bytes' ? new Uint8Array(0) : 0;
}

/** Whether a value is what stands for none. -0 is none of the integers, and something of the floats. */
function isDefault({ type }, value) {
  if (typeof value !== 'number') return value.length === 0;
  return type === 'float' || type === 'double' ? Object.is(value, 0) : value === 0;
}

/** Reads a field into a message; false for one of another wire type. */
function read(reader, message, field, wire, depth) {
  const { name, type, oneof, isRepeated } = field;
  const isRun = isRepeated && wire === PACKED && wire !== field.wire;
  if (wire !== field.wire && !isRun) return false;
  if (isRun) {
    reader[`${type}s`](message[name]);
    return true;
  }
  if (isRepeated) reader.take(field.message || type === 'bytes' ? OBJECT : 1);
  const value = field.message
    ? field.message().decode(reader, reader.size(), depth + 1, isRepeated ? undefined : message[name])
    : reader[type]();
  if (isRepeated) message[name].push(value);
  else if (field.message || oneof || !isDefault(field, value)) message[name] = value;
  else delete message[name];
  if (oneof) message[oneof] = name;
  return true;
}

function write(writer, message, field, depth) {
  const { id, name, type, oneof, isRepeated } = field;
  const value = message[name];
  if (value == null) return;
  if (!isRepeated) {
    if (Object.hasOwn(message, name) && (field.message || oneof || !isDefault(field, value)))
      writeOne(writer, field, value, depth);
  } else if (field.isPacked) {
    if (value.length > 0) writer.uint32(id * 8 + PACKED)[`${type}s`](value);
  } else for (const item of value) writeOne(writer, field, item, depth);
}

function writeOne(writer, { id, type, wire, message }, item, depth) {
  writer.uint32(id * 8 + wire);
  if (message)
    message()
      .encode(item, writer.fork(), depth + 1)
      .ldelim();
  else writer[type](item);
}

function messageOf(table, typeOf) {
  const fields = table === '' ? [] : table.split('\n').map((line) => parseField(line, typeOf));
  const byId = fields.reduce((ids, field) => Object.assign(ids, { [field.id]: field }), []);
  const lists = fields.filter(({ isRepeated }) => isRepeated).map(({ name }) => name);

  class Message {
    constructor(properties) {
      for (const name of lists) this[name] = [];
      if (!properties) return;
      for (const [key, value] of Object.entries(properties))
        if (value != null && key !== '__proto__') this[key] = value;
    }

    static encode(message, writer = Writer.create(), depth = 0) {
      if (depth > DEEPEST) throw Error('max depth exceeded');
      for (const field of fields) write(writer, message, field, depth);
      return writer;
    }

    static decode(source, length, depth = 0, target = undefined) {
      const reader = source instanceof Reader ? source : Reader.create(source);
      if (depth > DEEPEST) throw Error('max depth exceeded');
      const outer = reader.len;
      const end = length === undefined ? outer : reader.pos + length;
      if (end > outer) throw RangeError('index out of range');
      reader.len = end;
      const message = target || new Message();
      while (reader.pos < end) {
        const tag = reader.tag();
        const field = byId[tag >>> 3];
        if (field === undefined || !read(reader, message, field, tag & 7, depth))
          reader.skipType(tag & 7, depth, tag >>> 3);
      }
      if (reader.pos !== end) throw RangeError('index out of range');
      reader.len = outer;
      return message;
    }
  }

  for (const field of fields) Message.prototype[field.name] = defaultOf(field);
  for (const oneof of new Set(fields.flatMap((field) => field.oneof ?? []))) {
    const names = fields.filter((field) => field.oneof === oneof).map(({ name }) => name);
    Object.defineProperty(Message.prototype, oneof, {
      get() {
        return names.findLast((name) => Object.hasOwn(this, name) && this[name] != null);
      },
      set(kept) {
        for (const name of names) if (name !== kept) delete this[name];
      },
    });
  }
  return Message;
}

/** An enum's numbers by name, and behind them its names by number. */
function enumOf(numbers) {
  const names = Object.fromEntries(Object.entries(numbers).map(([name, number]) => [number, name]));
  return Object.assign(Object.create(names), numbers);
}

/** The messages and enums of tables, by their path. Each is made when it is first asked for: most programs need a few. */
export function define(tables) {
  const root = {};
  const typeOf = (path) => path.split('.').reduce((scope, name) => scope[name], root);
  const fill = (scope, prefix) => {
    for (const [path, table] of Object.entries(tables)) {
      const name = path.slice(prefix.length);
      if (!path.startsWith(prefix) || name.includes('.')) continue;
      let made;
      const make = () =>
        typeof table === 'string' ? fill(messageOf(table, typeOf), `${path}.`) : enumOf(table);
      Object.defineProperty(scope, name, {
        enumerable: true,
        get() {
          made ??= make();
          return made;
        },
      });
    }
    return scope;
  };
  return fill(root, '');
}
