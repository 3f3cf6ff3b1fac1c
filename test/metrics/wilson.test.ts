import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { wilsonInterval } from '../../src/metrics/wilson.js';

/** Counts, and the interval by scipy 1.17.1: binomtest(k, n).proportion_ci(method='wilson'). */
const REFERENCES = [
  [0, 1, 0, 0.7934506856227626],
  [1, 1, 0.20654931437723745, 1],
  [3, 4, 0.30064184258240184, 0.9544127391902995],
  [4, 4, 0.5101091635454027, 1],
  [0, 10, 0, 0.27753279986288926],
  [1, 10, 0.017876213095072896, 0.4041500267952385],
  [5, 10, 0.236593090512564, 0.7634069094874361],
  [456, 500, 0.8839235279346098, 0.933794015525071],
  [9265, 10_000, 0.921219951891654, 0.9314524974981588],
  [10_000, 10_000, 0.9996160016293234, 1],
] as const;

describe('Wilson’s interval', () => {
  test.each(REFERENCES)('of %d in %d equals scipy’s', (right, n, low, high) => {
    const found = wilsonInterval(right / n, n);
    expect(found.low).toBeCloseTo(low, 6);
    expect(found.high).toBeCloseTo(high, 6);
  });

  test('holds the share, lies within 0 and 1, and mirrors with it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (n, part) => {
          const right = Math.round(part * n);
          const { low, high } = wilsonInterval(right / n, n);
          expect(low).toBeGreaterThanOrEqual(0);
          expect(low).toBeLessThanOrEqual(right / n);
          expect(high).toBeGreaterThanOrEqual(right / n);
          expect(high).toBeLessThanOrEqual(1);
          expect(wilsonInterval((n - right) / n, n).low).toBeCloseTo(1 - high, 12);
        },
      ),
      { seed: 18 },
    );
  });

  test('of no samples says nothing', () => expect(wilsonInterval(0, 0)).toEqual({ low: 0, high: 1 }));
});
