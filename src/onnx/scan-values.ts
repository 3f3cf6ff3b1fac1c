import { onnx } from '../../proto/onnx.js';
import { addBytes } from './checksum.js';
import type { Frame, Scope, Tensor, Value } from './document.js';
import { addSmall, type Field, light, type Reader, Wire, walk } from './reader.js';
import { scalarValue } from './scalar.js';

/** Data of a tensor up to this many bytes is read, for the scalars among them; the rest stays in the file. */
const SMALL = 16;

// Field numbers that the walk has to know; the schema is proto/onnx.proto3.
const TENSOR_DATA = [4, 5, 6, 7, 9, 10, 11];
const TENSOR_TEXT = [12, 16]; // doc_string, metadata_props
const NO_DIMS: readonly number[] = [];
const SPARSE = { values: 1, indices: 2 };

export interface TensorContext {
  readonly reader: Reader;
  /** Every tensor whose data is in another file. */
  readonly external: { tensor: Tensor; scope: string }[];
}

/** The field as what encloses others. */
export function frameOf(field: Field, parent: Frame | undefined): Frame {
  return { lengthAt: field.lengthAt, start: field.body, end: field.end, parent };
}

/** Reads what a tensor says about itself, and its value if it is a scalar. `parent` is what encloses it. */
export async function scanTensor(
  context: TensorContext,
  scope: Scope,
  field: Field,
  place: string,
  parent?: Frame,
): Promise<Tensor> {
  const { reader } = context;
  reader.place = () => `${place} of ${scope.path}`;
  const bytes = await light(reader, field.body, field.end, (part) => {
    if (part.wire !== Wire.LEN) return false;
    if (TENSOR_DATA.includes(part.number)) return part.end - part.body > SMALL;
    return TENSOR_TEXT.includes(part.number);
  });
  const proto = decode(reader, onnx.TensorProto, bytes, field.body);
  const isExternal = proto.dataLocation === onnx.TensorProto.DataLocation.EXTERNAL;
  const tensor: { -readonly [K in keyof Tensor]: Tensor[K] } = {
    name: proto.name,
    dims: proto.dims.length === 0 ? NO_DIMS : proto.dims.slice(),
    elemType: proto.dataType,
    frame: parent && frameOf(field, parent),
    scalar: isExternal ? undefined : scalarValue(proto),
  };
  if (isExternal) {
    tensor.external = new Map(proto.externalData.map((entry) => [entry.key ?? '', entry.value ?? '']));
    context.external.push({ tensor, scope: scope.path });
  }
  return tensor;
}

/** Of a sparse tensor, its `values`: they carry the name and the element type. */
export async function scanSparse(
  context: TensorContext,
  scope: Scope,
  field: Field,
): Promise<Tensor | undefined> {
  let values: Tensor | undefined;
  await walk(context.reader, field.body, field.end, (part) => {
    if (part.wire !== Wire.LEN || (part.number !== SPARSE.values && part.number !== SPARSE.indices))
      return addSmall(context.reader, part);
    return scanTensor(context, scope, part, 'a sparse tensor').then((tensor) => {
      if (part.number === SPARSE.values) values = tensor;
    });
  });
  return values;
}

/** Reads the name and type of a value. */
export async function scanValue(reader: Reader, scope: Scope, field: Field): Promise<Value> {
  reader.place = () => `a value_info of ${scope.path}`;
  const proto = decode(reader, onnx.ValueInfoProto, await reader.bytes(field.body, field.end), field.body);
  const tensor = proto.type?.tensorType;
  const dims = tensor?.shape?.dim?.map((dim) => {
    if (dim.dimParam != null && dim.dimParam !== '') return dim.dimParam;
    return dim.dimValue ?? null;
  });
  const known = tensor?.shape == null ? undefined : (dims ?? []);
  const { sequenceType, mapType, optionalType } = proto.type ?? {};
  const container = (sequenceType ?? mapType ?? optionalType) != null;
  return { name: proto.name, elemType: tensor?.elemType ?? 0, dims: known, ...(container && { container }) };
}

/** A million sites, each of seven nodes, are less than that, and memory holds it: 2 to 3 GB. */
const MOST_PARTS = 8e6;

/** Counts what takes memory; throws `malformed` where it would take too much. */
export function weigh(reader: Reader, parts: number, at: number): void {
  reader.parts += parts;
  if (reader.parts > MOST_PARTS) throw reader.fail(`there are more than ${MOST_PARTS} nodes or the like`, at);
}

/** Decodes a small message; what protobufjs cannot read is `malformed`. */
export function decode<T>(
  reader: Reader,
  type: { decode(bytes: Uint8Array): T },
  bytes: Uint8Array,
  at: number,
): T {
  weigh(reader, 1, at);
  addBytes(reader.checksum, bytes);
  try {
    return type.decode(bytes);
  } catch (cause) {
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
