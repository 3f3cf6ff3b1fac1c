import { DataType } from './types.js';

/** Bits of an element, by ONNX's number of the type; absent for strings. */
const BITS: Readonly<Record<number, number>> = {
  [DataType.FLOAT]: 32,
  [DataType.UINT8]: 8,
  [DataType.INT8]: 8,
  [DataType.UINT16]: 16,
  [DataType.INT16]: 16,
  [DataType.INT32]: 32,
  [DataType.INT64]: 64,
  [DataType.BOOL]: 8,
  [DataType.FLOAT16]: 16,
  [DataType.DOUBLE]: 64,
  [DataType.UINT32]: 32,
  [DataType.UINT64]: 64,
  [DataType.COMPLEX64]: 64,
  [DataType.COMPLEX128]: 128,
  [DataType.BFLOAT16]: 16,
  [DataType.FLOAT8E4M3FN]: 8,
  [DataType.FLOAT8E4M3FNUZ]: 8,
  [DataType.FLOAT8E5M2]: 8,
  [DataType.FLOAT8E5M2FNUZ]: 8,
  [DataType.UINT4]: 4,
  [DataType.INT4]: 4,
  [DataType.FLOAT4E2M1]: 4,
  [DataType.FLOAT8E8M0]: 8,
  [DataType.UINT2]: 2,
  [DataType.INT2]: 2,
};

/** Returns the number of bytes of a tensor's raw data; undefined for strings, unknown types and negative dimensions. */
export function rawBytes({
  elemType,
  dims,
}: {
  elemType: number;
  dims: readonly number[];
}): number | undefined {
  const bits = BITS[elemType];
  if (bits === undefined || dims.some((dim) => !(dim >= 0))) return undefined;
  return Math.ceil((dims.reduce((product, dim) => product * dim, 1) * bits) / 8);
}
