import { expect } from 'vitest';
import { mish } from '../../src/mish/reference.js';
import { fromHalf, toHalf } from '../../src/onnx/scalar.js';

/** Inputs on both sides of every bend: tails, the minimum, zero, where the exp form's bound bites. */
export const POINTS: readonly number[] = [
  -100, -30, -17, -8, -5, -3, -2, -1.1924, -1, -0.5, -0.1, -0.001, 0, 0.001, 0.1, 0.5, 1, 2, 3, 5, 5.6, 8, 11,
  12, 19.5, 20.5, 45, 100,
];

/** Largest error allowed, relative to the larger of 1 and the exact value: a few units in the last place. */
const TOLERANCE = { f16: 4e-3, f32: 3e-6, f64: 1e-14 };
export type CheckedType = keyof typeof TOLERANCE;

/** The value as an element type holds it. */
export function held(value: number, type: CheckedType): number {
  if (type === 'f64') return value;
  return type === 'f32' ? Math.fround(value) : fromHalf(toHalf(value));
}

/** Checks numbers against others, to the rounding of an element type. */
export function expectClose(
  got: readonly number[] | undefined,
  exact: readonly number[],
  type: CheckedType = 'f32',
): void {
  expect(got).toHaveLength(exact.length);
  exact.forEach((want, index) => {
    const value = got?.[index] ?? Number.NaN;
    const error = Math.abs(value - want) / Math.max(1, Math.abs(want));
    // Written so that NaN fails.
    expect(error <= TOLERANCE[type], `element ${index}: ${value} for ${want}`).toBe(true);
  });
}

/** Checks outputs against the float64 Mish of the inputs, as their element type holds these. */
export function expectMish(
  got: readonly number[] | undefined,
  inputs: readonly number[],
  beta = 1,
  type: CheckedType = 'f32',
): void {
  expectClose(
    got,
    inputs.map((x) => mish(held(x, type), beta)),
    type,
  );
}
