import { expect, test } from 'vitest';
import { leakySharpness } from '../../../src/calibrate/scale/choose-sharpness.js';
import { MAX_CURVED_INPUT, type SharpActivation } from '../../../src/metrics/curved-share.js';
import { ACTIVATIONS } from '../../../src/mish/activations.js';

/** Signal to noise in dB that the best affine map of f(βx) leaves of LeakyReLU, for normally distributed x. */
function signalOf(name: SharpActivation, slope: number, beta: number): number {
  const { f } = ACTIVATIONS[name];
  let [n, sumA, sumB, aa, bb, ab] = [0, 0, 0, 0, 0, 0];
  for (let x = -6; x <= 6; x += 1 / 64) {
    const weight = Math.exp((-x * x) / 2);
    const [a, b] = [f(beta * x, { beta: 1 }), x < 0 ? slope * x : x];
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

/** Size below which three quarters of normally distributed inputs are. */
const QUARTILE = 1.1503;
const SLOPES = [0, 0.01, 0.03, 0.06, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4];
const names = Object.keys(MAX_CURVED_INPUT) as SharpActivation[];

test.each(names.flatMap((name) => SLOPES.map((slope) => [name, slope] as const)))(
  'the sharpness of %s for LeakyReLU of slope %d is within 1 dB of the best',
  (name, slope) => {
    const sharpest = MAX_CURVED_INPUT[name] / QUARTILE;
    const tried = Array.from({ length: 60 }, (_, at) => signalOf(name, slope, (sharpest * (at + 1)) / 60));
    const chosen = signalOf(name, slope, sharpest * leakySharpness(slope, name));
    expect(chosen).toBeGreaterThan(Math.max(...tried) - 1);
  },
);

test('a negative slope gets no sharpness', () => {
  for (const name of names)
    expect([-0.1, Number.NaN].map((slope) => leakySharpness(slope, name))).toEqual([0, 0]);
});
