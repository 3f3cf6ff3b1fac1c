import { integersOf, quantizationFor } from '../../mish/quantization.js';
import { roundTo } from '../../onnx/scalar.js';
import type { FloatType } from '../../onnx/types.js';
import { floatBytes, floatsIn } from '../../onnx/weights.js';
import { isSymmetric, type StoredIntegers, toIntegers } from './quantised-values.js';

/** New integers, scales and zero points for stored integers. */
export interface NewIntegers {
  readonly values: ArrayLike<number>;
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
}

/** Largest distance from the zero point in weights of 7 bits, which quantisers write where sums of 16 bits could overflow. */
const REDUCED = 64;

/** Returns the largest distance from the zero point that symmetric integers may have. */
function reachOf({ values, elemType, zeroPoints, channelOf }: StoredIntegers): number {
  const [low, high] = integersOf(elemType);
  let most = 0;
  for (let at = 0; at < values.length; at++)
    most = Math.max(most, Math.abs((values[at] ?? 0) - (zeroPoints[channelOf(at)] ?? 0)));
  const whole = Math.floor((high - low) / 2);
  return whole === 127 && most <= REDUCED ? REDUCED : whole;
}

/** Returns the next number above a positive number of a type. */
function nextAbove(value: number, type: FloatType): number {
  const bytes = floatBytes([value], type);
  // The bits of positive numbers count up with them; the first byte is the lowest.
  for (let at = 0; at < bytes.length; at++) {
    const byte = (bytes[at] ?? 0) + 1;
    bytes[at] = byte;
    if (byte < 256) break;
  }
  return floatsIn(bytes, type)[0] ?? value;
}

/**
 * Returns a number rounded to a type; up, if rounding it down is more than half of one of its `steps`. Small numbers of 16 bits have so
 * few digits that a scale rounded down would clip.
 */
function scaleFor(value: number, steps: number, type: FloatType): number {
  const scale = roundTo(value, type);
  return scale > 0 && value * steps > scale * (steps + 0.5) ? nextAbove(scale, type) : scale;
}

/**
 * Quantises numbers as stored integers are quantised: by tensor or by channel, symmetric or not, with scales that hold them all and are
 * not below `leastScales`, where the type of the scales has such numbers.
 */
export function requantise(
  numbers: ArrayLike<number>,
  stored: StoredIntegers,
  leastScales: readonly number[] = [],
): NewIntegers {
  const { elemType, scales, zeroPoint, zeroPoints, channelOf, type } = stored;
  const least = scales.map(() => 0);
  const most = scales.map(() => 0);
  for (let at = 0; at < numbers.length; at++) {
    const [channel, value] = [channelOf(at), numbers[at] ?? 0];
    if (value < (least[channel] ?? 0)) least[channel] = value;
    if (value > (most[channel] ?? 0)) most[channel] = value;
  }
  const isEven = zeroPoints.every((zeroPoint) => isSymmetric(elemType, zeroPoint));
  const [first, last] = integersOf(elemType);
  const steps = isEven ? reachOf(stored) : last - first;
  const made = scales.map((scale, channel) => {
    const [low, high] = [least[channel] ?? 0, most[channel] ?? 0];
    const old = { scale, zeroPoint: zeroPoints[channel] ?? 0 };
    // Without a tensor for it, the zero point stays 0.
    const range = { least: zeroPoint === undefined ? 0 : low, most: high };
    const size = isEven ? Math.max(-low, high) : range.most - range.least;
    const needed = leastScales[channel] ?? 0;
    const fitting = scaleFor(
      size > 0 ? Math.max(size / steps, needed) : Math.max(scale, needed),
      steps,
      type,
    );
    if (!(fitting > 0 && Number.isFinite(fitting))) return old;
    if (isEven || size === 0) return { ...old, scale: fitting };
    const factor = fitting === roundTo(size / steps, type) ? 1 : (fitting * steps) / size;
    const wide = { least: factor * range.least, most: factor * range.most };
    return quantizationFor(wide, { elemType, type }) ?? old;
  });
  const parameters = {
    scales: made.map((one) => one.scale),
    zeroPoints: made.map((one) => one.zeroPoint),
  };
  return { values: toIntegers(numbers, stored, parameters), ...parameters };
}
