import { OnnxMishError } from '../base/error.js';
import { toBfloat16, toHalf } from '../onnx/scalar.js';
import { arrayFor, type Tensor, type TypedArray, toNumbers } from '../providers/tensor.js';

/** Smallest and largest integer of each type. */
const RANGES: Readonly<Record<string, readonly [low: bigint, high: bigint]>> = {
  bool: [0n, 1n],
  i8: [-(2n ** 7n), 2n ** 7n - 1n],
  u8: [0n, 2n ** 8n - 1n],
  i16: [-(2n ** 15n), 2n ** 15n - 1n],
  u16: [0n, 2n ** 16n - 1n],
  i32: [-(2n ** 31n), 2n ** 31n - 1n],
  u32: [0n, 2n ** 32n - 1n],
  i64: [-(2n ** 63n), 2n ** 63n - 1n],
  u64: [0n, 2n ** 64n - 1n],
};

/**
 * Converts the elements of a tensor to the type of an input; NumPy's defaults are float64 and int64. Rounds floats.
 * Throws `bad-data` for a value that an integer type cannot hold, because an image scaled to [0, 1] would otherwise
 * become zeros. `from` is the index of the first element, for messages.
 */
export function convert(
  array: Tensor,
  elemType: string,
  input: string,
  from = 0,
): TypedArray | readonly string[] {
  const { data } = array;
  if (array.elemType === elemType) return data;
  const bad = (what: string, fix: string) => new OnnxMishError('bad-data', what, { fix });
  const out = arrayFor(elemType, data.length);
  const numbers = toNumbers(array);
  if (out === undefined || numbers === undefined) {
    throw bad(
      `input '${input}' is ${elemType}, but its samples are ${array.elemType}`,
      'Save the samples in a numeric type',
    );
  }
  const lost = (index: number) =>
    bad(
      `input '${input}' is ${elemType}, which cannot hold ${numbers[index]}, element ${from + index} of its samples`,
      `Save the samples as ${elemType}, with the values that the model expects`,
    );
  const range = RANGES[elemType];
  const wide = out instanceof BigInt64Array || out instanceof BigUint64Array;
  // Comparing as numbers is exact: integers that rounding could change are far outside these types.
  const [low, high] = range === undefined ? [] : range.map(Number);
  for (let index = 0; index < data.length; index++) {
    const value = numbers[index] ?? 0;
    if (wide) {
      const exact = data[index];
      const whole = typeof exact === 'bigint' ? exact : Number.isInteger(value) ? BigInt(value) : undefined;
      if (whole === undefined || range === undefined || whole < range[0] || whole > range[1])
        throw lost(index);
      out[index] = whole;
    } else if (low === undefined || high === undefined) {
      out[index] = elemType === 'f16' ? toHalf(value) : elemType === 'bf16' ? toBfloat16(value) : value;
    } else {
      if (!(Number.isInteger(value) && value >= low && value <= high)) throw lost(index);
      out[index] = value;
    }
  }
  return out;
}
