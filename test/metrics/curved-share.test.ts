import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  countCurved,
  hasSharpness,
  MAX_CHOSEN_SHARPNESS,
  MAX_CURVED_INPUT,
  type SharpActivation,
  sharpnessMeter,
} from '../../src/metrics/curved-share.js';
import { REPLACEMENTS } from '../../src/mish/activation-kinds.js';
import { ACTIVATIONS } from '../../src/mish/activations.js';

const inputs = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -50, max: 50 }), {
  minLength: 1,
  maxLength: 60,
});
const shares = fc.double({ min: 0.01, max: 1, noNaN: true });
const limits = fc.constantFrom(...Object.values(MAX_CURVED_INPUT));

test('the sharpness is the largest that keeps the share', () => {
  fc.assert(
    fc.property(inputs, shares, limits, (values, share, limit) => {
      const meter = sharpnessMeter();
      meter.add(Float32Array.from(values));
      const beta = meter.sharpness(share, limit);
      expect(beta).toBeGreaterThanOrEqual(1);
      expect(beta).toBeLessThanOrEqual(MAX_CHOSEN_SHARPNESS);
      const others = values.filter((x) => x !== 0);
      const kept = (at: number) => countCurved(others, at, limit) >= share * others.length;
      if (beta > 1) expect(kept(beta)).toBe(true);
      // A bin is 0.8 % wide, and two decimals remain.
      if (others.length > 0 && beta < MAX_CHOSEN_SHARPNESS) expect(kept(1.01 * beta + 0.02)).toBe(false);
    }),
    { seed: 1, numRuns: 300 },
  );
});

test('pieces give what the whole gives', () => {
  fc.assert(
    fc.property(inputs, inputs, shares, (a, b, share) => {
      const [whole, pieces] = [sharpnessMeter(), sharpnessMeter()];
      whole.add(Float64Array.from([...a, ...b]));
      for (const part of [a, b]) pieces.add(part);
      expect(pieces.sharpness(share, 4)).toBe(whole.sharpness(share, 4));
    }),
    { seed: 1, numRuns: 50 },
  );
});

test('zeros do not count, and inputs that are not finite are never curved', () => {
  const sharpness = (values: readonly number[], share: number) => {
    const meter = sharpnessMeter();
    meter.add(values);
    return meter.sharpness(share, 4);
  };
  expect(sharpness([0, -0, 0, 2, -2], 0.5)).toBeCloseTo(2, 1);
  expect(sharpness([0, 0], 0.9)).toBe(1);
  expect(sharpness([], 0.9)).toBe(1);
  expect(sharpness([NaN, 0.1, Infinity, -Infinity], 0.5)).toBe(1);
  expect(sharpness([NaN, 0.1, 0.1], 0.5)).toBeGreaterThan(30);
  expect(sharpness([1e-30], 0.7)).toBe(MAX_CHOSEN_SHARPNESS);
  expect(countCurved([-4, -3.9, 0, 3.9, 4, Number.NaN], 1, 4)).toBe(3);
  expect(countCurved([-2, 1.9], 2, 4)).toBe(1);
});

test.each(Object.entries(MAX_CURVED_INPUT))(
  'beyond its limit, %s differs from ReLU by at most 0.08 and 27 %% of its most, and by more right before it',
  (name, limit) => {
    const { f } = ACTIVATIONS[name as SharpActivation];
    const difference = (x: number) => Math.abs(f(x, { beta: 1 }) - Math.max(x, 0));
    const places = Array.from({ length: 4001 }, (_, at) => (at - 2000) / 100);
    const most = Math.max(...places.map(difference));
    const beyond = Math.max(...places.filter((x) => Math.abs(x) >= limit).map(difference));
    expect(beyond).toBeLessThan(Math.min(0.08, 0.27 * most));
    expect(difference(-0.9 * limit)).toBeGreaterThan(0.27 * most);
  },
);

test('the activations with a sharpness are those that differ from ReLU near 0 and nowhere else', () => {
  for (const name of REPLACEMENTS) {
    const difference = (x: number) => Math.abs(ACTIVATIONS[name].f(x, { beta: 1 }) - Math.max(x, 0));
    const isSharp = difference(-1) > 0 && [-60, -40, 40, 60].every((x) => difference(x) < 1e-9);
    expect(hasSharpness(name), name).toBe(isSharp);
  }
  expect(hasSharpness()).toBe(true);
  expect(hasSharpness('toString')).toBe(false);
});
