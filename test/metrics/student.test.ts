import { describe, expect, test } from 'vitest';
import { quantileOfT, tailsOfT } from '../../src/metrics/student.js';

describe('Student’s t', () => {
  // Printed tables, for instance NIST/SEMATECH e-Handbook 1.3.6.7.2, with more digits from R's qt.
  test.each([
    [1, 12.706_204_736],
    [2, 4.302_652_73],
    [5, 2.570_581_836],
    [10, 2.228_138_852],
    [30, 2.042_272_456],
    [100, 1.983_971_519],
    [Number.POSITIVE_INFINITY, 1.959_963_985],
  ])('has the 97.5 %% quantile of the tables for %d degrees of freedom', (freedom, quantile) => {
    expect(quantileOfT(0.05, freedom)).toBeCloseTo(quantile, 5);
    expect(tailsOfT(quantile, freedom)).toBeCloseTo(0.05, 7);
  });

  test('is Cauchy’s distribution for one degree of freedom', () => {
    for (const t of [0.1, 1, 3, 40]) {
      expect(tailsOfT(t, 1)).toBeCloseTo(1 - (2 / Math.PI) * Math.atan(t), 12);
      expect(tailsOfT(-t, 1)).toBe(tailsOfT(t, 1));
    }
  });

  test('has the closed form of two degrees of freedom', () => {
    for (const t of [0.1, 1, 3, 40]) expect(tailsOfT(t, 2)).toBeCloseTo(1 - t / Math.sqrt(2 + t * t), 12);
  });
});
