import { onnx } from '../../proto/onnx.js';
import { Reader as WireReader } from '../../proto/wire.js';
import { addBytes } from './checksum.js';
import { CONTAINER, wrapType } from './container-types.js';
import type { Frame, Scope, Span, Tensor, Value } from './document.js';
import { concat } from './encode.js';
import { addSmall, checkCount, collect, type Field, light, type Reader, Wire, walk } from './reader.js';
import { hasMinusInfinity, scalarValue } from './scalar.js';

/** Data of a tensor up to this many bytes is read, for the scalars among them; the rest stays in the file. */
const SMALL = 16;
/** Raw data of up to this many bytes is looked through for -Infinity, which masks are made of. */
const MASK = 1024;
/** What a value and a tensor weigh beyond the message that they are read from. */
const VALUE_PARTS = 2;
const TENSOR_PARTS = 2;

// Field numbers that the walk has to know; the schema is proto/onnx.proto3.
const TENSOR_DATA = [4, 5, 6, 7, 9, 10, 11];
const TENSOR_RAW = 9;
const TENSOR_TEXT = [12, 16]; // doc_string, metadata_props
const NO_DIMS: readonly number[] = [];
const SPARSE = { values: 1, indices: 2 };

export interface TensorContext {
  readonly reader: Reader;
  /** Every tensor whose data is in another file. */
  readonly external: { tensor: Tensor; scope: string }[];
}

const utf8 = new TextDecoder();
export const text = (bytes: Uint8Array) => utf8.decode(bytes);

export const spanOf = ({ start, end }: Field): Span => ({ start, end });

/** The field as what encloses others. */
export function frameOf(field: Field, parent: Frame | undefined): Frame {
  return { lengthAt: field.lengthAt, start: field.body, end: field.end, parent };
}

/**
 * Reads what a tensor says about itself, and its value if it is a scalar, from all occurrences of its field, which protobuf
 * merges. `parent` is what encloses it.
 */
export async function scanTensor(
  context: TensorContext,
  scope: Scope,
  fields: readonly Field[],
  place: string,
  parent?: Frame,
): Promise<Tensor> {
  const { reader } = context;
  reader.place = () => `${place} of ${scope.path}`;
  weigh(reader, TENSOR_PARTS, fields[0]?.start ?? 0);
  let room = SMALL;
  let rawRoom = MASK;
  const pieces: Uint8Array[] = [];
  for (const field of fields) {
    const piece = await light(reader, field.body, field.end, (part) => {
      if (!TENSOR_DATA.includes(part.number))
        return part.wire === Wire.LEN && TENSOR_TEXT.includes(part.number);
      const size = Math.max(1, part.end - part.body);
      if (part.number === TENSOR_RAW) rawRoom -= size;
      else room -= size;
      return room < 0 || rawRoom < 0;
    });
    pieces.push(fields.length > 1 ? piece.slice() : piece);
  }
  const [first] = fields;
  const at = first?.body ?? 0;
  const [only = concat(pieces)] = pieces.length === 1 ? pieces : [];
  const proto = decode(reader, onnx.TensorProto, only, at);
  const isExternal = proto.dataLocation === onnx.TensorProto.DataLocation.EXTERNAL;
  const tensor: { -readonly [K in keyof Tensor]: Tensor[K] } = {
    name: proto.name,
    dims: proto.dims.length === 0 ? NO_DIMS : proto.dims.slice(),
    elemType: proto.dataType,
    // What stands in several places cannot be replaced.
    frame: parent && fields.length === 1 && first !== undefined ? frameOf(first, parent) : undefined,
    // Where some of its data was skipped, there is more than one value.
    scalar: isExternal || room < 0 || rawRoom < 0 ? undefined : scalarValue(proto),
  };
  if (hasMinusInfinity(proto)) tensor.minusInfinity = true;
  if (isExternal) {
    tensor.external = externalData(reader, proto, at);
    context.external.push({ tensor, scope: scope.path });
  }
  return tensor;
}

/** Runtimes differ in which of two entries of one key they take, so a file with two is refused. */
function externalData(reader: Reader, { externalData }: onnx.TensorProto, at: number): Map<string, string> {
  const entries = new Map<string, string>();
  for (const { key, value } of externalData) {
    if (entries.has(key ?? '')) throw reader.fail(`its external data has '${key}' twice`, at);
    entries.set(key ?? '', value ?? '');
  }
  return entries;
}

/** Of a sparse tensor, given in all occurrences of its field, its `values`: they carry the name and the element type. */
export async function scanSparse(
  context: TensorContext,
  scope: Scope,
  fields: readonly Field[],
): Promise<Tensor | undefined> {
  const { reader } = context;
  const values: Field[] = [];
  const indices: Field[] = [];
  for (const field of fields) {
    weigh(reader, 1, field.start);
    await walk(reader, field.body, field.end, (part) => {
      if (part.wire === Wire.LEN && part.number === SPARSE.values) collect(reader, values, part);
      else if (part.wire === Wire.LEN && part.number === SPARSE.indices) collect(reader, indices, part);
      else return addSmall(reader, part);
      return undefined;
    });
  }
  const scanned = (same: readonly Field[]) =>
    same.length === 0 ? undefined : scanTensor(context, scope, same, 'a sparse tensor');
  const tensor = await scanned(values);
  await scanned(indices);
  return tensor;
}

/** Scans tensors of an attribute, and gives the one that is no list: all occurrences of the field `single` are one message. */
export async function scanEach(
  fields: readonly Field[],
  single: number,
  scanOne: (same: readonly Field[]) => Promise<Tensor | undefined>,
): Promise<Tensor | undefined> {
  for (const field of fields) if (field.number !== single) await scanOne([field]);
  const same = fields.filter(({ number }) => number === single);
  return same.length === 0 ? undefined : scanOne(same);
}

/** Reads the name and type of a value. */
export function scanValue(reader: Reader, scope: Scope, field: Field): Value | Promise<Value> {
  reader.place = () => `a value_info of ${scope.path}`;
  weigh(reader, VALUE_PARTS, field.start);
  const bytes = reader.bytes(field.body, field.end);
  const read = (found: Uint8Array) => readValue(reader, found, field.body);
  return bytes instanceof Promise ? bytes.then(read) : read(bytes);
}

function readValue(reader: Reader, bytes: Uint8Array, at: number): Value {
  const proto = decode(reader, onnx.ValueInfoProto, bytes, at);
  const tensor = proto.type?.tensorType;
  const dims = tensor?.shape?.dim?.map((dim) => {
    if (dim.dimParam != null && dim.dimParam !== '') return dim.dimParam;
    return dim.dimValue ?? null;
  });
  const known = tensor?.shape == null ? undefined : (dims ?? []);
  const { sequenceType, mapType, optionalType } = proto.type ?? {};
  const container = (sequenceType ?? mapType ?? optionalType) != null;
  const value = { name: proto.name, elemType: tensor?.elemType ?? 0, dims: known };
  return container ? { ...value, container, containerType: containerType(proto.type) } : value;
}

/** The type of a value, as container-types.ts writes it; 0 where it is not known. */
function containerType(type: onnx.ITypeProto | null | undefined): number {
  if (type?.sequenceType != null)
    return wrapType(CONTAINER.sequence, containerType(type.sequenceType.elemType));
  if (type?.optionalType != null)
    return wrapType(CONTAINER.optional, containerType(type.optionalType.elemType));
  if (type?.mapType != null) return wrapType(CONTAINER.map, containerType(type.mapType.valueType));
  return type?.tensorType?.elemType ?? 0;
}

/** Counts what takes memory; throws `malformed` where it would take too much. */
export function weigh(reader: Reader, parts: number, at: number): void {
  reader.parts += parts;
  checkCount(reader, reader.parts + reader.elements, at);
}

/** Elements that a message may have without being counted: the inputs and outputs of most nodes. */
const UNCOUNTED = 8;

/** Decodes a message, and counts the elements of its repeated fields before it keeps them; what cannot be read is `malformed`. */
export function decode<T>(
  reader: Reader,
  type: { decode(bytes: WireReader): T },
  bytes: Uint8Array,
  at: number,
): T {
  weigh(reader, 1, at);
  addBytes(reader.checksum, bytes);
  const wire = WireReader.create(bytes);
  const room = reader.most - reader.parts - reader.elements + UNCOUNTED;
  wire.left = room;
  try {
    const message = type.decode(wire);
    reader.elements += Math.max(0, room - wire.left - UNCOUNTED);
    return message;
  } catch (cause) {
    if (wire.left < 0) checkCount(reader, Infinity, at);
    throw reader.fail('the message cannot be decoded', at, cause);
  }
}

/** Operator set versions by domain. */
export function opsetMap(imports: readonly onnx.IOperatorSetIdProto[]): Map<string, number> {
  return new Map(imports.map((entry) => [defaultDomain(entry.domain ?? ''), entry.version ?? 0]));
}

/** 'ai.onnx' is another spelling of ONNX's own domain. */
export function defaultDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}
