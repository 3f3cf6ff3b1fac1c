import { integersOf, quantizationFor } from '../../mish/quantization.js';
import { roundTo } from '../../onnx/scalar.js';
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

/** Quantises numbers as stored integers are quantised: by tensor or by channel, symmetric or not, with scales that hold them all. */
export function requantise(numbers: ArrayLike<number>, stored: StoredIntegers): NewIntegers {
  const { elemType, scales, zeroPoint, zeroPoints, channelOf, type } = stored;
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
    // Without a tensor for it, the zero point stays 0.
    const range = { least: zeroPoint === undefined ? 0 : low, most: high };
    if (!symmetric) return quantizationFor(range, { elemType, type }) ?? old;
    const fitting = roundTo(Math.max(-low, high) / reach, type);
    return fitting > 0 && Number.isFinite(fitting) ? { ...old, scale: fitting } : old;
  });
  const parameters = {
    scales: made.map(({ scale }) => scale),
    zeroPoints: made.map(({ zeroPoint }) => zeroPoint),
  };
  return { values: toIntegers(numbers, stored, parameters), ...parameters };
}
