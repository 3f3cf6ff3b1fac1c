import { fromBfloat16, fromHalf } from '../onnx/scalar.js';

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** Tensor in memory, in row-major order. f16 and bf16 are bit patterns in a Uint16Array, bool is 0 or 1. */
export interface Tensor {
  /** `f32`, `i64`, ...: the short names of onnx/types.ts. */
  readonly elemType: string;
  readonly dims: readonly number[];
  readonly data: TypedArray | readonly string[];
}

/** Tensors by name: inputs or outputs of a model. */
export type Tensors = Readonly<Record<string, Tensor>>;

const ARRAYS: Readonly<Record<string, (length: number) => TypedArray>> = {
  f32: (length) => new Float32Array(length),
  f64: (length) => new Float64Array(length),
  f16: (length) => new Uint16Array(length),
  bf16: (length) => new Uint16Array(length),
  i8: (length) => new Int8Array(length),
  u8: (length) => new Uint8Array(length),
  bool: (length) => new Uint8Array(length),
  i16: (length) => new Int16Array(length),
  u16: (length) => new Uint16Array(length),
  i32: (length) => new Int32Array(length),
  u32: (length) => new Uint32Array(length),
  i64: (length) => new BigInt64Array(length),
  u64: (length) => new BigUint64Array(length),
};

/** Returns an array of zeros for elements of this type; undefined for a type without a JavaScript array. */
export function arrayFor(elemType: string, length: number): TypedArray | undefined {
  return ARRAYS[elemType]?.(length);
}

/** Returns the number of elements of a shape; 1 for a scalar. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** Returns the bytes of all tensors' elements. Strings do not count. */
export function byteCount(tensors: Tensors): number {
  return Object.values(tensors).reduce(
    (sum, { data }) => sum + (ArrayBuffer.isView(data) ? data.byteLength : 0),
    0,
  );
}

/** Returns the dimensions of each tensor, by name. */
export function dimsOf(tensors: Tensors): Record<string, readonly number[]> {
  return Object.fromEntries(Object.entries(tensors).map(([name, { dims }]) => [name, dims]));
}

/** Converts a tensor's elements to numbers; undefined for strings. Integers beyond 2^53 are rounded. */
export function toNumbers({ elemType, data }: Tensor): ArrayLike<number> | undefined {
  if (!ArrayBuffer.isView(data)) return undefined;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const numbers = new Float64Array(data.length);
    for (let index = 0; index < data.length; index++) numbers[index] = Number(data[index]);
    return numbers;
  }
  if (elemType === 'f16') return decoded(data, fromHalf);
  if (elemType === 'bf16') return decoded(data, fromBfloat16);
  return data;
}

/** Array of floats. A loop over it is fast, because JavaScript engines compile it for one kind of element. */
export type FloatArray = Float32Array | Float64Array;

/** Converts a tensor's elements to floats, without a copy where they are floats; undefined for strings. */
export function toFloats(tensor: Tensor): FloatArray | undefined {
  const numbers = toNumbers(tensor);
  const isFloat = numbers instanceof Float32Array || numbers instanceof Float64Array;
  return numbers === undefined || isFloat ? numbers : new Float64Array(numbers);
}

function decoded(bits: ArrayLike<number>, decode: (bits: number) => number): Float32Array {
  const numbers = new Float32Array(bits.length);
  for (let index = 0; index < bits.length; index++) numbers[index] = decode(bits[index] ?? 0);
  return numbers;
}
