import { onnx } from '../../proto/onnx.js';

/** Element types by their ONNX number (TensorProto.DataType). */
export const DataType = onnx.TensorProto.DataType;

const SHORT_NAMES: Record<number, string> = {
  [DataType.FLOAT]: 'f32',
  [DataType.UINT8]: 'u8',
  [DataType.INT8]: 'i8',
  [DataType.UINT16]: 'u16',
  [DataType.INT16]: 'i16',
  [DataType.INT32]: 'i32',
  [DataType.INT64]: 'i64',
  [DataType.STRING]: 'string',
  [DataType.BOOL]: 'bool',
  [DataType.FLOAT16]: 'f16',
  [DataType.DOUBLE]: 'f64',
  [DataType.UINT32]: 'u32',
  [DataType.UINT64]: 'u64',
  [DataType.BFLOAT16]: 'bf16',
};

/** The float types that Mish is defined for. */
export type FloatType = 'f16' | 'f32' | 'f64' | 'bf16';

/** ONNX numbers of the float types. */
export const FLOAT_TYPES: Readonly<Record<FloatType, number>> = {
  f16: DataType.FLOAT16,
  f32: DataType.FLOAT,
  f64: DataType.DOUBLE,
  bf16: DataType.BFLOAT16,
};

/** Returns a short name: `f32` for 1, `i64` for 7, `unknown` for undefined or 0; otherwise ONNX's name in lower case. */
export function typeName(elemType: number | undefined): string {
  if (elemType === undefined || elemType === 0) return 'unknown';
  return SHORT_NAMES[elemType] ?? DataType[elemType]?.toLowerCase() ?? `type ${elemType}`;
}

const FLOAT_NAMES: ReadonlyMap<number, FloatType> = new Map(
  Object.entries(FLOAT_TYPES).map(([name, number]) => [number, name as FloatType]),
);

/** Returns the float type with this ONNX number; undefined for other types. */
export function floatType(elemType: number | undefined): FloatType | undefined {
  return elemType === undefined ? undefined : FLOAT_NAMES.get(elemType);
}
