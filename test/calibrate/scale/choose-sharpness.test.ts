import { expect, test } from 'vitest';
import { leakySharpness } from '../../../src/calibrate/scale/choose-sharpness.js';

const mish = (x: number) => x * Math.tanh(Math.log1p(Math.exp(x)));

/** Signal to noise in dB that the best affine map of mish(βx) leaves of LeakyReLU, for normally distributed x. */
function signalOf(slope: number, beta: number): number {
  let [n, sumA, sumB, aa, bb, ab] = [0, 0, 0, 0, 0, 0];
  for (let x = -6; x <= 6; x += 1 / 64) {
    const weight = Math.exp((-x * x) / 2);
    const [a, b] = [mish(beta * x), x < 0 ? slope * x : x];
    n += weight;
    sumA += weight * a;
    sumB += weight * b;
    aa += weight * a * a;
    bb += weight * b * b;
    ab += weight * a * b;
  }
  const covariance = ab / n - (sumA * sumB) / n ** 2;
  const square = covariance ** 2 / ((aa / n - (sumA / n) ** 2) * (bb / n - (sumB / n) ** 2));
  return -10 * Math.log10(1 - square);
}

/** Sharpness at which three quarters of normally distributed inputs have |βx| < 4. */
const SHARPEST = 4 / 1.1503;

test.each([0, 0.01, 0.03, 0.06, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4])(
  'the sharpness for LeakyReLU of slope %d is within 1 dB of the best',
  (slope) => {
    const tried = Array.from({ length: 60 }, (_, at) => signalOf(slope, (SHARPEST * (at + 1)) / 60));
    const chosen = signalOf(slope, SHARPEST * leakySharpness(slope));
    expect(chosen).toBeGreaterThan(Math.max(...tried) - 1);
  },
);

test('a negative slope gets no sharpness', () => {
  expect([-0.1, Number.NaN].map(leakySharpness)).toEqual([0, 0]);
});
