import { integersOf, quantizationFor } from '../../mish/quantization.js';
import { roundTo } from '../../onnx/scalar.js';
import { DataType } from '../../onnx/types.js';
import { isSymmetric, type StoredIntegers } from './quantised-values.js';

/** New integers, scales and zero points for stored integers. */
export interface NewIntegers {
  readonly values: ArrayLike<number>;
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
}

/** Largest distance from the zero point where a quantiser left a bit unused, against overflows of 16-bit sums. */
const REDUCED = 64;

/** Returns the largest distance from the zero point that symmetric integers may have. */
function reachOf({ values, integers, zeroPoints, channelOf }: StoredIntegers): number {
  const [, high] = integersOf(integers.elemType);
  let most = 0;
  for (let at = 0; at < values.length; at++)
    most = Math.max(most, Math.abs((values[at] ?? 0) - (zeroPoints[channelOf(at)] ?? 0)));
  const [least] = integersOf(integers.elemType);
  const whole = Math.floor((high - least) / 2);
  return whole === 127 && most <= REDUCED ? REDUCED : whole;
}

/** Rounds numbers to integers of given scales. */
export function toIntegers(
  numbers: ArrayLike<number>,
  { integers, channelOf }: Pick<StoredIntegers, 'integers' | 'channelOf'>,
  { scales, zeroPoints }: Pick<NewIntegers, 'scales' | 'zeroPoints'>,
): number[] {
  const [low, high] =
    integers.elemType === DataType.INT32 ? [-(2 ** 31), 2 ** 31 - 1] : integersOf(integers.elemType);
  return Array.from(numbers, (value, at) => {
    const channel = channelOf(at);
    const steps = Math.round(value / (scales[channel] ?? 1)) + (zeroPoints[channel] ?? 0);
    return Math.min(high, Math.max(low, steps));
  });
}

/** Quantises numbers as stored integers are quantised: by tensor or by channel, symmetric or not, with scales that hold them all. */
export function requantise(numbers: ArrayLike<number>, stored: StoredIntegers): NewIntegers {
  const { integers, scales, zeroPoints, channelOf, type } = stored;
  const { elemType } = integers;
  const least = scales.map(() => 0);
  const most = scales.map(() => 0);
  for (let at = 0; at < numbers.length; at++) {
    const [channel, value] = [channelOf(at), numbers[at] ?? 0];
    if (value < (least[channel] ?? 0)) least[channel] = value;
    if (value > (most[channel] ?? 0)) most[channel] = value;
  }
  const symmetric = zeroPoints.every((zeroPoint) => isSymmetric(elemType, zeroPoint));
  const reach = symmetric ? reachOf(stored) : 1;
  const made = scales.map((scale, channel) => {
    const [low, high] = [least[channel] ?? 0, most[channel] ?? 0];
    const old = { scale, zeroPoint: zeroPoints[channel] ?? 0 };
    if (!symmetric) return quantizationFor({ least: low, most: high }, { elemType, type }) ?? old;
    const fitting = roundTo(Math.max(-low, high) / reach, type);
    return fitting > 0 && Number.isFinite(fitting) ? { ...old, scale: fitting } : old;
  });
  const parameters = {
    scales: made.map(({ scale }) => scale),
    zeroPoints: made.map(({ zeroPoint }) => zeroPoint),
  };
  return { values: toIntegers(numbers, stored, parameters), ...parameters };
}
