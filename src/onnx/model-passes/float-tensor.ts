import { FLOAT_TYPES, type FloatType } from '../types.js';
import { floatBytes } from '../weights.js';
import type { TensorProto } from './model-proto.js';

/** Returns a tensor of numbers, without a name. */
export function floatTensor(
  numbers: ArrayLike<number>,
  type: FloatType,
  dims: readonly number[],
): TensorProto {
  return { dataType: FLOAT_TYPES[type], dims: [...dims], rawData: floatBytes(numbers, type) };
}
