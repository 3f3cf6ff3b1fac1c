import { OnnxMishError } from '../base/error.js';
import { integer, plural } from '../base/plural.js';
import { type OnnxDocument, type Scope, type Span, type StoredTensor, tensorOfConstant } from './document.js';
import { concat, messageField } from './encode.js';
import type { GraphIndex } from './graph-index.js';
import { createReader, walk } from './reader.js';
import { fromBfloat16, fromHalf, toBfloat16, toHalf } from './scalar.js';
import type { ByteSource } from './source.js';
import type { Edit } from './splice.js';
import { decodeTensor } from './tensor-data.js';
import { type FloatType, floatType } from './types.js';

/** A constant float tensor: an initializer, or the value of a Constant node. */
export interface Weight {
  /** Name of the value. */
  readonly name: string;
  readonly home: Scope;
  readonly tensor: StoredTensor;
  readonly type: FloatType;
}

/** Opens a file of external data by its location, relative to the model's folder. */
export type OpenData = (location: string) => Promise<ByteSource>;

/**
 * Finds the weight with a name, as seen from a scope; undefined unless it is a constant float tensor that can be rewritten.
 * Initializers that are also inputs, as all were before IR 4, count as weights: their value is the input's default.
 */
export function weightOf(index: GraphIndex, scope: Scope, name: string): Weight | undefined {
  const home = index.home(scope, name);
  if (home === undefined || name === '') return undefined;
  const tensor = home.initializers.get(name) ?? tensorOfConstant(index.producer(home, name));
  const type = floatType(tensor?.elemType);
  if (tensor?.frame === undefined || type === undefined) return undefined;
  return { name, home, tensor, type };
}

/**
 * Reads a weight's elements in row-major order. Reads external data through `openData`. Throws `malformed` if the number of
 * bytes does not match the shape, `external-data` if the data cannot be read, and as `decodeTensor` does.
 */
export async function readWeight(
  { source }: OnnxDocument,
  { name, tensor, type }: Weight,
  openData?: OpenData,
): Promise<Float64Array> {
  const { frame, dims } = tensor;
  const count = dims.reduce((product, dim) => product * dim, 1);
  const raw =
    tensor.external === undefined
      ? decodeTensor(await source.read(frame?.start ?? 0, (frame?.end ?? 0) - (frame?.start ?? 0)), name).data
      : await readExternal(tensor.external, count * SIZES[type], source.name, name, openData);
  if (!(raw instanceof Uint8Array) || raw.length !== count * SIZES[type] || dims.some((dim) => dim < 0)) {
    throw new OnnxMishError(
      'malformed',
      `the tensor '${name}' [${dims}] holds ${plural(raw.length, 'byte')}`,
      {
        where: source.name,
        fix: 'Its data does not fit its shape; export the model again',
      },
    );
  }
  return floatsIn(raw, type);
}

/** Decodes little-endian bytes as numbers of an element type. */
export function floatsIn(bytes: Uint8Array, type: FloatType): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const get = GETTERS[type];
  return Float64Array.from({ length: bytes.length / SIZES[type] }, (_, index) => get(view, index));
}

/** Reads the bytes of external data. Throws `external-data`. */
export async function readExternal(
  external: ReadonlyMap<string, string>,
  bytes: number,
  where: string,
  name: string,
  openData: OpenData | undefined,
): Promise<Uint8Array> {
  if (openData === undefined) {
    throw new OnnxMishError('external-data', `the data of tensor '${name}' is in another file`, {
      where,
      fix: 'Give the model by its path',
    });
  }
  const { data, start } = await externalRange(external, bytes, where, name, openData);
  return data.read(start, bytes);
}

/** Opens the file of external data with `bytes` bytes of a tensor, and returns their position. Throws `external-data`. */
export async function externalRange(
  external: ReadonlyMap<string, string>,
  bytes: number,
  where: string,
  name: string,
  openData: OpenData,
): Promise<{ readonly data: ByteSource; readonly start: number; readonly end: number }> {
  const data = await openData(external.get('location') ?? '');
  const start = Number(external.get('offset') ?? 0);
  const length = Number(external.get('length') ?? bytes);
  const end = start + length;
  if (Number.isSafeInteger(start) && start >= 0 && length === bytes && end <= data.size) {
    return { data, start, end };
  }
  throw new OnnxMishError(
    'external-data',
    `the tensor '${name}' should have ${plural(bytes, 'byte')} of '${data.name}' from byte ${integer(start)} on`,
    { where, fix: 'Check that the data file was copied whole and belongs to this model' },
  );
}

/** Bytes of an element. */
export const SIZES: Readonly<Record<FloatType, number>> = { f16: 2, bf16: 2, f32: 4, f64: 8 };

const GETTERS: Readonly<Record<FloatType, (view: DataView, index: number) => number>> = {
  f16: (view, index) => fromHalf(view.getUint16(2 * index, true)),
  bf16: (view, index) => fromBfloat16(view.getUint16(2 * index, true)),
  f32: (view, index) => view.getFloat32(4 * index, true),
  f64: (view, index) => view.getFloat64(8 * index, true),
};

const SETTERS: Readonly<Record<FloatType, (view: DataView, index: number, value: number) => void>> = {
  f16: (view, index, value) => view.setUint16(2 * index, toHalf(value), true),
  bf16: (view, index, value) => view.setUint16(2 * index, toBfloat16(value), true),
  f32: (view, index, value) => view.setFloat32(4 * index, value, true),
  f64: (view, index, value) => view.setFloat64(8 * index, value, true),
};

/** Encodes numbers as little-endian bytes of an element type. Rounds each to the nearest value. */
export function floatBytes(values: ArrayLike<number>, type: FloatType): Uint8Array {
  const bytes = new Uint8Array(values.length * SIZES[type]);
  const view = new DataView(bytes.buffer);
  const set = SETTERS[type];
  for (let index = 0; index < values.length; index++) set(view, index, values[index] ?? 0);
  return bytes;
}

// Fields of TensorProto with data or its location; the schema is proto/onnx.proto3.
export const DATA = { float: 4, int32: 5, raw: 9, double: 10, external: 13, location: 14 };
const DATA_FIELDS: readonly number[] = Object.values(DATA);

/**
 * Returns the edit that gives a weight new values in its element type and shape. Writes raw_data into the model, since other
 * models may share a data file. All other fields of the tensor stay. Throws `bad-usage` for a wrong number of values.
 */
export async function weightEdit(
  document: OnnxDocument,
  weight: Weight,
  values: ArrayLike<number>,
): Promise<Edit> {
  const { name, tensor, type } = weight;
  const count = tensor.dims.reduce((product, dim) => product * dim, 1);
  if (tensor.frame === undefined || values.length !== count) {
    throw new OnnxMishError(
      'bad-usage',
      `the tensor '${name}' needs ${plural(count, 'value')}, got ${integer(values.length)}`,
    );
  }
  return dataEdit(document, weight, messageField(DATA.raw, floatBytes(values, type)));
}

/** Returns the edit that puts a weight's data into a file of external data. All other fields of the tensor stay. */
export function externalEdit(
  document: OnnxDocument,
  weight: Pick<Weight, 'name' | 'tensor'>,
  place: { readonly location: string; readonly offset: number; readonly length: number },
): Promise<Edit> {
  const entries = Object.entries(place).map(([key, value]) =>
    messageField(
      DATA.external,
      concat([messageField(1, encoder.encode(key)), messageField(2, encoder.encode(String(value)))]),
    ),
  );
  return dataEdit(document, weight, concat([...entries, IS_EXTERNAL]));
}

const encoder = new TextEncoder();
/** The field data_location with the value EXTERNAL. */
const IS_EXTERNAL = Uint8Array.of(DATA.location * 8, 1);

/** Returns the edit that replaces a tensor's data fields. All other fields of the tensor stay. */
export async function dataEdit(
  { source }: OnnxDocument,
  { name, tensor }: Pick<Weight, 'name' | 'tensor'>,
  data: Uint8Array,
): Promise<Edit> {
  const { frame } = tensor;
  if (frame === undefined)
    throw new OnnxMishError('bad-usage', `the tensor '${name}' has no place in the file`);
  const kept = await fieldsWithoutData(source, name, frame);
  return { start: frame.start, end: frame.end, bytes: concat([...kept, data]), frame };
}

/** Reads the fields of a tensor, without those with its data or its location. */
export async function fieldsWithoutData(
  source: ByteSource,
  name: string,
  { start, end }: Span,
): Promise<Uint8Array[]> {
  const kept: Uint8Array[] = [];
  const reader = createReader(source);
  reader.place = `the tensor '${name}'`;
  await walk(reader, start, end, (field) => {
    if (DATA_FIELDS.includes(field.number)) return undefined;
    return source.read(field.start, field.end - field.start).then((bytes) => void kept.push(bytes));
  });
  return kept;
}
