import { roundToEven } from './intervals.js';
import { integersOf, type Quantization, rangeOf } from './quantization.js';
import { mish, sigmoid } from './reference.js';

/** QLinearSigmoid and QLinearMul, with which ONNX Runtime computes x · σ(ax + b) on 8-bit integers. */
export interface QlinearFit {
  /** Quantisation that QLinearSigmoid is told for its input: the scale times a, the zero point shifted by b. */
  readonly shifted: { readonly scale: number; readonly zeroPoint: number };
  /** Quantisation of the sigmoid. */
  readonly gate: { readonly scale: number; readonly zeroPoint: number };
  /** Largest difference from Mish over all integers within the output's range, its rounding included. */
  readonly bound: number;
}

/** The slopes a and the zero points around a shift b that are tried. The shift is that of the best x · σ(ax + b) on all numbers. */
export const SEARCH = { least: 0.9, most: 1.8, step: 0.02, shift: 0.57393, shiftsTried: 2 };

const { fround } = Math;

/** The quantisations of QLinearSigmoid and QLinearMul: of x, of the sigmoid's input, of the sigmoid, and of the result. */
export interface QlinearMish extends Pick<QlinearFit, 'shifted' | 'gate'> {
  readonly x: Quantization;
  readonly y: Quantization;
}

/** Returns what QLinearSigmoid and QLinearMul of ONNX Runtime's CPU provider compute for an integer, in float32 as they do. */
export function qlinearAt(integer: number, { x, shifted, gate, y }: QlinearMish): number {
  const [low, high] = integersOf(x.elemType);
  const clamp = (value: number) => Math.min(high, Math.max(low, value));
  const gated = clamp(
    roundToEven(sigmoid((integer - shifted.zeroPoint) * shifted.scale) / gate.scale) + gate.zeroPoint,
  );
  const product = (integer - x.zeroPoint) * (gated - gate.zeroPoint);
  const scaled = fround(product * fround(fround(x.scale * gate.scale) / y.scale));
  return (clamp(roundToEven(fround(scaled + y.zeroPoint))) - y.zeroPoint) * y.scale;
}

/** Returns Mish of all integers of x from the least to the greatest, within the range of y. */
export function mishOnIntegers(x: Quantization, y: Quantization, beta: number): Float64Array {
  const [low, high] = integersOf(x.elemType);
  const { least, most } = rangeOf(y);
  return Float64Array.from({ length: high - low + 1 }, (_, at) =>
    Math.min(most, Math.max(least, mish((low + at - x.zeroPoint) * x.scale, beta))),
  );
}

/** Finds the slope and the zero point with the least difference from Mish of this sharpness over all 256 integers. */
export function fitQlinear(x: Quantization, y: Quantization, beta: number): QlinearFit {
  const [low, high] = integersOf(x.elemType);
  const gate = { scale: fround(1 / (high - low)), zeroPoint: low };
  const wanted = mishOnIntegers(x, y, beta);

  function differenceOf(scale: number, zeroPoint: number, limit: number): number {
    let worst = 0;
    for (let at = 0; at < wanted.length && worst < limit; at++) {
      const result = qlinearAt(low + at, { x, shifted: { scale, zeroPoint }, gate, y });
      worst = Math.max(worst, Math.abs(result - (wanted[at] ?? 0)));
    }
    return worst;
  }

  let best: QlinearFit = { shifted: x, gate, bound: Number.POSITIVE_INFINITY };
  for (let slope = SEARCH.least; slope <= SEARCH.most; slope += SEARCH.step) {
    const scale = fround(slope * beta * x.scale);
    const ideal = Math.round(x.zeroPoint - SEARCH.shift / scale);
    for (let zeroPoint = ideal - SEARCH.shiftsTried; zeroPoint <= ideal + SEARCH.shiftsTried; zeroPoint++) {
      if (zeroPoint < low || zeroPoint > high) continue;
      const bound = differenceOf(scale, zeroPoint, best.bound);
      if (bound < best.bound) best = { shifted: { scale, zeroPoint }, gate, bound };
    }
  }
  return best;
}
