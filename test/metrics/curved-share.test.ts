import fc from 'fast-check';
import { expect, test } from 'vitest';
import { countCurved, MAX_CHOSEN_SHARPNESS, sharpnessMeter } from '../../src/metrics/curved-share.js';

const inputs = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -50, max: 50 }), {
  minLength: 1,
  maxLength: 60,
});
const shares = fc.double({ min: 0.01, max: 1, noNaN: true });

test('the sharpness is the largest that keeps the share', () => {
  fc.assert(
    fc.property(inputs, shares, (values, share) => {
      const meter = sharpnessMeter();
      meter.add(Float32Array.from(values));
      const beta = meter.sharpness(share);
      expect(beta).toBeGreaterThanOrEqual(1);
      expect(beta).toBeLessThanOrEqual(MAX_CHOSEN_SHARPNESS);
      const others = values.filter((x) => x !== 0);
      const kept = (at: number) => countCurved(others, at) >= share * others.length;
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
      expect(pieces.sharpness(share)).toBe(whole.sharpness(share));
    }),
    { seed: 1, numRuns: 50 },
  );
});

test('zeros do not count, and inputs that are not finite are never curved', () => {
  const sharpness = (values: readonly number[], share: number) => {
    const meter = sharpnessMeter();
    meter.add(values);
    return meter.sharpness(share);
  };
  expect(sharpness([0, -0, 0, 2, -2], 0.5)).toBeCloseTo(2, 1);
  expect(sharpness([0, 0], 0.9)).toBe(1);
  expect(sharpness([], 0.9)).toBe(1);
  expect(sharpness([NaN, 0.1, Infinity, -Infinity], 0.5)).toBe(1);
  expect(sharpness([NaN, 0.1, 0.1], 0.5)).toBeGreaterThan(30);
  expect(sharpness([1e-30], 0.7)).toBe(MAX_CHOSEN_SHARPNESS);
  expect(countCurved([-4, -3.9, 0, 3.9, 4, Number.NaN], 1)).toBe(3);
  expect(countCurved([-2, 1.9], 2)).toBe(1);
});
