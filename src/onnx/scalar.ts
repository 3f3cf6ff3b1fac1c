import type { onnx } from '../../proto/onnx.js';
import { DataType, FLOAT_TYPES, type FloatType, floatType } from './types.js';

const view = new DataView(new ArrayBuffer(8));

/** Converts a float16 bit pattern (IEEE 754 binary16) to a number. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Rounds a number to a float16 bit pattern, ties to even. */
export function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | roundEven(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  const fraction = roundEven((size / 2 ** exponent - 1) * 1024);
  return sign | (((exponent + 15) << 10) + fraction); // a fraction of 1024 carries into the exponent
}

/** Rounds to a whole number, ties to even. */
export function roundEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low;
}

/** Converts a bfloat16 bit pattern, the upper half of a float32, to a number. */
export function fromBfloat16(bits: number): number {
  view.setUint32(0, (bits & 0xffff) << 16);
  return view.getFloat32(0);
}

/** Rounds a number to a bfloat16 bit pattern, ties to even. */
export function toBfloat16(value: number): number {
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
  if (Number.isNaN(value)) return 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Half a unit in the last place of 1. */
export const ROUNDING: Readonly<Record<FloatType, number>> = {
  f16: 2 ** -11,
  bf16: 2 ** -8,
  f32: 2 ** -24,
  f64: 2 ** -53,
};

/** Rounds a number to the nearest value of an element type. */
export function roundTo(value: number, type: FloatType): number {
  if (type === 'f16') return fromHalf(toHalf(value));
  if (type === 'bf16') return fromBfloat16(toBfloat16(value));
  return type === 'f32' ? Math.fround(value) : value;
}

/** Builds a rank-0 tensor of this element type, with its data in raw_data. */
export function scalarTensor(value: number, type: FloatType): onnx.ITensorProto {
  const size = type === 'f64' ? 8 : type === 'f32' ? 4 : 2;
  const raw = new DataView(new ArrayBuffer(size));
  if (type === 'f64') raw.setFloat64(0, value, true);
  else if (type === 'f32') raw.setFloat32(0, value, true);
  else raw.setUint16(0, type === 'f16' ? toHalf(value) : toBfloat16(value), true);
  return { dataType: FLOAT_TYPES[type], rawData: new Uint8Array(raw.buffer) };
}

/** Returns the value of a single-element float or integer tensor with data in the message; otherwise undefined. */
export function scalarValue(tensor: onnx.TensorProto): number | undefined {
  if (tensor.dims.some((dim) => dim !== 1)) return undefined;
  if (tensor.rawData.length > 0) return rawScalar(tensor.dataType, tensor.rawData);
  switch (tensor.dataType) {
    case DataType.FLOAT:
      return tensor.floatData[0];
    case DataType.DOUBLE:
      return tensor.doubleData[0];
    case DataType.INT64:
      return tensor.int64Data[0];
    case DataType.INT32:
    case DataType.UINT8:
    case DataType.INT8:
    case DataType.UINT16:
    case DataType.INT16:
      return tensor.int32Data[0];
    case DataType.FLOAT16:
      return tensor.int32Data[0] === undefined ? undefined : fromHalf(tensor.int32Data[0]);
    case DataType.BFLOAT16:
      return tensor.int32Data[0] === undefined ? undefined : fromBfloat16(tensor.int32Data[0]);
    default:
      return undefined;
  }
}

/** Decodes the little-endian bytes of one element; undefined for another number of bytes, and for a type that is not read. */
export function rawScalar(elemType: number, raw: Uint8Array): number | undefined {
  const read = RAW_READERS[elemType];
  if (read === undefined || raw.length !== read.size) return undefined;
  return read.get(new DataView(raw.buffer, raw.byteOffset, raw.byteLength));
}

/** Returns the size of an element in bytes; undefined for a type that `rawScalar` does not read. */
export const sizeOfScalar = (elemType: number): number | undefined => RAW_READERS[elemType]?.size;

/** Returns whether a float tensor's raw data contains -Infinity. */
export function hasMinusInfinity({ dataType, rawData }: onnx.TensorProto): boolean {
  const read = floatType(dataType) && RAW_READERS[dataType];
  if (read === undefined) return false;
  const data = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  for (let at = 0; at + read.size <= rawData.length; at += read.size)
    if (read.get(data, at) === Number.NEGATIVE_INFINITY) return true;
  return false;
}

const RAW_READERS: Record<number, { size: number; get: (data: DataView, at?: number) => number }> = {
  [DataType.FLOAT]: { size: 4, get: (data, at = 0) => data.getFloat32(at, true) },
  [DataType.DOUBLE]: { size: 8, get: (data, at = 0) => data.getFloat64(at, true) },
  [DataType.INT64]: { size: 8, get: (data, at = 0) => Number(data.getBigInt64(at, true)) },
  [DataType.INT32]: { size: 4, get: (data, at = 0) => data.getInt32(at, true) },
  [DataType.UINT8]: { size: 1, get: (data, at = 0) => data.getUint8(at) },
  [DataType.INT8]: { size: 1, get: (data, at = 0) => data.getInt8(at) },
  [DataType.UINT16]: { size: 2, get: (data, at = 0) => data.getUint16(at, true) },
  [DataType.INT16]: { size: 2, get: (data, at = 0) => data.getInt16(at, true) },
  [DataType.FLOAT16]: { size: 2, get: (data, at = 0) => fromHalf(data.getUint16(at, true)) },
  [DataType.BFLOAT16]: { size: 2, get: (data, at = 0) => fromBfloat16(data.getUint16(at, true)) },
};

/** Rounds each number to the nearest value of an element type. */
export function floatValues(values: ArrayLike<number>, type: FloatType): number[] {
  return Array.from(values, (value) => roundTo(value, type));
}
