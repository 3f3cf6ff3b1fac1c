import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { field } from './bombs.js';

// Models that consist of one repeated field of the schema, in each place where a model can have it.

const SCHEMA = new URL('../../proto/onnx.proto3', import.meta.url).pathname;

/** A message of the schema, as protobufjs reads and writes it. */
export function messageType(name: string): protobuf.Type {
  return protobuf.parse(readFileSync(SCHEMA, 'utf8'), { keepCase: false }).root.lookupType(`onnx.${name}`);
}

/** A repeated field, and the fields that lead to it from the model. */
export interface Place {
  readonly name: string;
  /** Numbers of the fields from ModelProto on, the repeated one last. */
  readonly path: readonly number[];
  readonly type: string;
  readonly isPackable: boolean;
  /** Holds the data of a tensor. */
  readonly isData: boolean;
}

/** Messages that are skipped over whole. */
const WHOLE = [
  'trainingInfo',
  'configuration',
  'deviceConfigurations',
  'attributeProto',
  'quantizationAnnotation',
];
const DATA = ['floatData', 'int32Data', 'stringData', 'int64Data', 'rawData', 'doubleData', 'uint64Data'];

/** Every repeated field that can be reached from ModelProto, by the shortest way; raw_data as well, which is data. */
export function repeatedFields(): Place[] {
  const root = protobuf.parse(readFileSync(SCHEMA, 'utf8'), { keepCase: false }).root;
  root.resolveAll();
  const places: Place[] = [];
  const seen = new Set<string>();
  const queue: { type: protobuf.Type; path: number[]; name: string }[] = [
    { type: root.lookupType('onnx.ModelProto'), path: [], name: 'ModelProto' },
  ];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const one of next.type.fieldsArray) {
      const { resolvedType, id, repeated } = one;
      const path = [...next.path, id];
      const name = `${next.name}.${one.name}`;
      const isData = next.type.name === 'TensorProto' && DATA.includes(one.name);
      const isPackable =
        repeated && (Object.hasOwn(protobuf.types.packed, one.type) || resolvedType instanceof protobuf.Enum);
      if (repeated || isData) places.push({ name, path, type: one.type, isPackable, isData });
      if (!(resolvedType instanceof protobuf.Type) || path.length > 5 || WHOLE.includes(one.name)) continue;
      const key = `${next.type.name}.${one.name}`;
      if (seen.has(key)) continue;
      seen.add(key);
      queue.push({ type: resolvedType, path, name });
    }
  }
  return places;
}

const WIDTH: Readonly<Record<string, number>> = { float: 4, double: 8 };

/** So many empty elements, or zeros, each a field of its own. */
export function many({ path, type, isPackable }: Place, count: number): Uint8Array {
  const number = path.at(-1) ?? 0;
  const size = isPackable ? (WIDTH[type] ?? 1) : 1;
  const wire = isPackable ? ({ 4: 5, 8: 1 }[size] ?? 0) : 2;
  const one = [...varint(number * 8 + wire), ...new Array<number>(size).fill(0)];
  return Buffer.alloc(one.length * count, Uint8Array.from(one));
}

/** One packed field, or one of bytes, of so many zeros. */
export function packed({ path }: Place, bytes: number): Uint8Array {
  return field(path.at(-1) ?? 0, Buffer.alloc(bytes));
}

function varint(value: number): number[] {
  const bytes = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}

/** What has to stand beside a field so that the message is read at all: an operator for a node. */
const BESIDE: Readonly<Record<number, Uint8Array>> = { 1: field(4, 'X') };

/** A model with that content at the end of a place's path. */
export function around({ path }: Place, content: Uint8Array): Uint8Array {
  let inner = content;
  for (let level = path.length - 2; level >= 0; level--) {
    const isNode =
      (path[level] === 1 && path[level - 1] === 7) || (path[level] === 7 && path[level - 1] === 25);
    const beside = isNode ? BESIDE[1] : undefined;
    inner = field(path[level] ?? 0, ...(beside === undefined ? [] : [beside]), inner);
  }
  const head = Uint8Array.from([0x08, 8, ...field(8, Uint8Array.of(0x10, 18))]);
  const graph = path[0] === 7 ? [] : [field(7, field(2, 'g'))];
  return Buffer.concat([head, ...graph, inner]);
}
