import { onnx } from '../../proto/onnx.js';
import { Reader as WireReader } from '../../proto/wire.js';
import { addBytes } from './checksum.js';
import { CONTAINER_CODES, wrapType } from './container-types.js';
import type { DeclaredValue, Frame, Scope, Span, StoredTensor } from './document.js';
import { concat } from './encode.js';
import { checkCount, collect, type Field, light, type Reader, Wire } from './reader.js';
import { hasMinusInfinity, scalarValue } from './scalar.js';

/** Maximum size in bytes of tensor data that is read, to find scalars. Larger data stays in the file. */
const SMALL = 16;
/** Maximum size in bytes of raw data that is searched for -Infinity, which masks contain. */
const MASK = 1024;
/** Memory of a value and of a tensor beyond their message, as a number of parts; see `Reader.parts`. */
const VALUE_PARTS = 2;
const TENSOR_PARTS = 2;

// Field numbers for the walk; the schema is proto/onnx.proto3.
const TENSOR_DATA = [4, 5, 6, 7, 9, 10, 11];
const TENSOR_RAW = 9;
const TENSOR_TEXT = [12, 16]; // doc_string, metadata_props
const NO_DIMS: readonly number[] = [];

export interface TensorContext {
  readonly reader: Reader;
  /** Every tensor with external data. */
  readonly external: { tensor: StoredTensor; scope: string }[];
}

const utf8 = new TextDecoder();
export const text = (bytes: Uint8Array) => utf8.decode(bytes);

export const spanOf = ({ start, end }: Field): Span => ({ start, end });

/** Converts a field to a frame. */
export function frameOf(field: Field, parent: Frame | undefined): Frame {
  return { lengthAt: field.lengthAt, start: field.body, end: field.end, parent };
}

/**
 * Reads the metadata of a tensor, and the value of a scalar, from all occurrences of its field, as protobuf merges them.
 * `parent` is the enclosing message.
 */
export async function scanTensor(
  context: TensorContext,
  scope: Scope,
  fields: readonly Field[],
  place: string,
  parent?: Frame,
): Promise<StoredTensor> {
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
  const tensor: { -readonly [K in keyof StoredTensor]: StoredTensor[K] } = {
    name: proto.name,
    dims: proto.dims.length === 0 ? NO_DIMS : proto.dims.slice(),
    elemType: proto.dataType,
    // A tensor with several occurrences cannot be replaced.
    frame: parent && fields.length === 1 && first !== undefined ? frameOf(first, parent) : undefined,
    // Skipped data means that the tensor has several values.
    scalar: isExternal || room < 0 || rawRoom < 0 ? undefined : scalarValue(proto),
  };
  if (hasMinusInfinity(proto)) tensor.minusInfinity = true;
  if (isExternal) {
    tensor.external = externalData(reader, proto, at);
    context.external.push({ tensor, scope: scope.path });
  }
  return tensor;
}

/** Reads external_data. Refuses duplicate keys, since runtimes differ in the entry that they take. */
function externalData(reader: Reader, { externalData }: onnx.TensorProto, at: number): Map<string, string> {
  const entries = new Map<string, string>();
  for (const { key, value } of externalData) {
    if (entries.has(key ?? '')) throw reader.fail(`its external data has '${key}' twice`, at);
    entries.set(key ?? '', value ?? '');
  }
  return entries;
}

/**
 * Reads a sparse tensor as its `values`, which have the name and the element type, with its own dims, from all occurrences of its
 * field.
 */
export async function scanSparse(
  context: TensorContext,
  scope: Scope,
  fields: readonly Field[],
): Promise<StoredTensor | undefined> {
  const { reader } = context;
  const values: Field[] = [];
  const indices: Field[] = [];
  let dims: readonly number[] = [];
  for (const field of fields) {
    const bytes = await light(reader, field.body, field.end, (part) => {
      const tensors = part.wire === Wire.LEN ? [values, indices][part.number - 1] : undefined;
      if (tensors) collect(reader, tensors, part);
      return tensors !== undefined;
    });
    dims = dims.concat(decode(reader, onnx.SparseTensorProto, bytes, field.start).dims);
  }
  const scanned = (same: readonly Field[]) =>
    same.length === 0 ? undefined : scanTensor(context, scope, same, 'a sparse tensor');
  const tensor = await scanned(values);
  await scanned(indices);
  return tensor && { ...tensor, dims, scalar: undefined }; // the other elements are 0
}

/** Scans the tensors of an attribute. Returns the tensor of the field `single`, whose occurrences merge. */
export async function scanEach(
  fields: readonly Field[],
  single: number,
  scanOne: (same: readonly Field[]) => Promise<StoredTensor | undefined>,
): Promise<StoredTensor | undefined> {
  for (const field of fields) if (field.number !== single) await scanOne([field]);
  const same = fields.filter(({ number }) => number === single);
  return same.length === 0 ? undefined : scanOne(same);
}

/** Reads the name and type of a value. */
export function scanValue(
  reader: Reader,
  scope: Scope,
  field: Field,
): DeclaredValue | Promise<DeclaredValue> {
  reader.place = () => `a value_info of ${scope.path}`;
  weigh(reader, VALUE_PARTS, field.start);
  const bytes = reader.bytes(field.body, field.end);
  const read = (found: Uint8Array) => readValue(reader, found, field.body);
  return bytes instanceof Promise ? bytes.then(read) : read(bytes);
}

function readValue(reader: Reader, bytes: Uint8Array, at: number): DeclaredValue {
  const proto = decode(reader, onnx.ValueInfoProto, bytes, at);
  const tensor = proto.type?.tensorType;
  const dims = tensor?.shape?.dim?.map((dim) => {
    if (dim.dimParam != null && dim.dimParam !== '') return dim.dimParam;
    return dim.dimValue ?? null;
  });
  const known = tensor?.shape == null ? undefined : (dims ?? []);
  const { sequenceType, mapType, optionalType } = proto.type ?? {};
  const value = { name: proto.name, elemType: tensor?.elemType ?? 0, dims: known };
  if ((sequenceType ?? mapType ?? optionalType) == null) return value;
  return { ...value, containerType: containerType(proto.type) };
}

/** Returns the type of a value as a code of container-types.ts; 0 for unknown. */
function containerType(type: onnx.ITypeProto | null | undefined): number {
  if (type?.sequenceType != null)
    return wrapType(CONTAINER_CODES.sequence, containerType(type.sequenceType.elemType));
  if (type?.optionalType != null)
    return wrapType(CONTAINER_CODES.optional, containerType(type.optionalType.elemType));
  if (type?.mapType != null) return wrapType(CONTAINER_CODES.map, containerType(type.mapType.valueType));
  return type?.tensorType?.elemType ?? 0;
}

/** Counts parts. Throws `malformed` if they would take too much memory. */
export function weigh(reader: Reader, parts: number, at: number): void {
  reader.parts += parts;
  checkCount(reader, reader.parts + reader.elements, at);
}

/** Uncounted elements per message; enough for the inputs and outputs of most nodes. */
const UNCOUNTED = 8;

/** Decodes a message and counts the elements of its repeated fields. Throws `malformed` if it cannot. */
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

/** Returns the opsets by domain. */
export function opsetMap(imports: readonly onnx.IOperatorSetIdProto[]): Map<string, number> {
  return new Map(imports.map((entry) => [defaultDomain(entry.domain ?? ''), entry.version ?? 0]));
}

/** Replaces 'ai.onnx', an alias of ONNX's default domain, by ''. */
export function defaultDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}
