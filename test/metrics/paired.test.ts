import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRandom, normal } from '../../src/base/random.js';
import {
  betweenShares,
  differenceOfCorrect,
  differenceOfMeans,
  differenceOfShares,
  differenceOverRuns,
  mcnemar,
  meanWithInterval,
} from '../../src/metrics/paired.js';

/** Returns paired results with the given numbers of samples that only one model classifies correctly. */
function split(onlyFirst: number, onlySecond: number, both = 20): [number[], number[]] {
  const fill = (count: number, value: number) => new Array<number>(count).fill(value);
  return [
    [...fill(onlyFirst, 1), ...fill(onlySecond, 0), ...fill(both, 1)],
    [...fill(onlyFirst, 0), ...fill(onlySecond, 1), ...fill(both, 1)],
  ];
}

describe('McNemar’s test', () => {
  // Exact sums of binomial coefficients in Python's integers; of even splits, the formula of the paper's supplement.
  test.each([
    [12, 5, 0.143463134765625, 0.09625244140625],
    [1, 9, 0.021484375, 0.01171875],
    [1, 1, 1, 0.75],
    [3, 3, 1, 0.84375],
    [0, 7, 0.015625, 0.0078125],
    [150, 201, 0.007524139788171173, 0.006479961289223271],
    [1000, 900, 0.023108845108901068, 0.02179149925371342],
    [0, 0, 1, 1],
  ])('has the exact p for a split of %d and %d', (a, b, exact, midP) => {
    const found = mcnemar(...split(a, b));
    expect(found).toMatchObject({ onlyFirst: a, onlySecond: b });
    expect(found.exact).toBeCloseTo(exact, 9);
    expect(found.midP).toBeCloseTo(midP, 9);
  });

  test('is symmetric, and finite for large splits', () => {
    fc.assert(
      fc.property(fc.nat(40_000), fc.nat(40_000), (a, b) => {
        const [one, other] = [mcnemar(...split(a, b, 1)), mcnemar(...split(b, a, 1))];
        expect([other.exact, other.midP]).toEqual([one.exact, one.midP]);
        expect(one.exact).toBeGreaterThanOrEqual(one.midP);
        expect(one.midP).toBeGreaterThanOrEqual(0);
        expect(one.exact).toBeLessThanOrEqual(1);
      }),
      { seed: 1, numRuns: 30 },
    );
  });
});

describe('paired differences', () => {
  test('of shares have the value of the counts, inside the interval', () => {
    const { value, low, high } = differenceOfShares(...split(30, 10, 160));
    expect(value).toBeCloseTo(0.1, 12);
    // (31 - 11) / 202 ± 1.96 sqrt((42 / 202 - (20 / 202)²) / 202), Bonett and Price (2012)
    expect(low).toBeCloseTo(0.03759, 4);
    expect(high).toBeCloseTo(0.16043, 4);
  });

  test('of equal models have an interval around 0 that narrows with the samples', () => {
    const widths = [20, 200, 2000].map((count) => {
      const { value, low, high } = differenceOfShares(...split(0, 0, count));
      expect(value).toBe(0);
      expect(low).toBeLessThan(0);
      expect(high).toBeCloseTo(-low, 12);
      return high;
    });
    expect(widths[1]).toBeLessThan(widths[0] ?? 0);
    expect(widths[2]).toBeLessThan(widths[1] ?? 0);
  });

  test('of means use Student’s interval', () => {
    const { value, low, high } = differenceOfMeans([3, 5, 10], [1, 2, 3]);
    expect(value).toBe(4);
    // sd of 2, 3, 7 is 2.6458; t with 2 degrees of freedom is 4.3027
    expect(high - value).toBeCloseTo(6.5724, 3);
    expect(value - low).toBeCloseTo(6.5724, 3);
  });

  test('cover the true difference in about 95 of 100 cases', () => {
    const random = createRandom(5);
    let [shares, means] = [0, 0];
    for (let turn = 0; turn < 400; turn++) {
      const pairs = Array.from({ length: 150 }, () => {
        const common = random();
        return [common < 0.7 || random() < 0.4 ? 1 : 0, common < 0.7 || random() < 0.2 ? 1 : 0] as const;
      });
      const share = differenceOfShares(
        pairs.map(([a]) => a),
        pairs.map(([, b]) => b),
      );
      if (share.low <= 0.06 && share.high >= 0.06) shares++;
      const { low, high } = meanWithInterval(Array.from({ length: 4 }, () => 1 + normal(random)));
      if (low <= 1 && high >= 1) means++;
    }
    for (const covered of [shares, means]) {
      expect(covered / 400).toBeGreaterThan(0.92);
      expect(covered / 400).toBeLessThan(0.98);
    }
  });

  test('over runs cover the variation of the samples and of the runs', () => {
    const random = createRandom(8);
    let covered = 0;
    for (let turn = 0; turn < 300; turn++) {
      const shift = Array.from({ length: 3 }, () => 0.5 * normal(random));
      const bySample = Array.from({ length: 40 }, () => 2 * normal(random));
      const runs = shift.map((one) => bySample.map((sample) => 1 + one + sample + 0.3 * normal(random)));
      const { low, high } = differenceOverRuns(runs);
      if (low <= 1 && high >= 1) covered++;
    }
    expect(covered / 300).toBeGreaterThan(0.91);
  });

  test('of a single run equal the difference of means', () => {
    expect(differenceOverRuns([[1, 2, 6]])).toEqual(meanWithInterval([1, 2, 6]));
    expect(
      differenceOverRuns([
        [1, 1],
        [1, 1],
      ]),
    ).toEqual({ value: 1, low: 1, high: 1 });
  });

  test('of one sample say nothing, over any number of runs', () => {
    const values = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(values, (runs) => {
        const { value, low, high } = differenceOverRuns(runs.map((one) => [one]));
        expect(value).toBeCloseTo(runs.reduce((sum, one) => sum + one, 0) / runs.length, 12);
        expect([low, high]).toEqual([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
      }),
      { seed: 21 },
    );
  });

  test('that are equal for all samples have the interval of right and wrong samples, which no number of runs makes a point', () => {
    const equal = fc.tuple(fc.integer({ min: -3, max: 3 }), fc.integer({ min: 2, max: 40 }));
    fc.assert(
      fc.property(equal, fc.integer({ min: 1, max: 4 }), ([thirds, count], runs) => {
        const [first, second] = [Math.max(0, thirds) / 3, Math.max(0, -thirds) / 3].map((share) =>
          new Array<number>(count).fill(share),
        );
        const { value, low, high } = differenceOfCorrect(first ?? [], second ?? []);
        expect(high - low).toBeGreaterThan(1 / count);
        expect(low).toBeLessThanOrEqual(value);
        expect(high).toBeGreaterThanOrEqual(value);
        const differences = Array.from({ length: runs }, () => new Array<number>(count).fill(value));
        const over = betweenShares(differenceOverRuns(differences), count);
        for (const key of ['value', 'low', 'high'] as const)
          expect(over[key]).toBeCloseTo({ value, low, high }[key], 12);
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  test('of shares in part lie between −1 and 1, for one sample too', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(share, share), { minLength: 1, maxLength: 6 }), (pairs) => {
        const { value, low, high } = differenceOfCorrect(
          pairs.map(([first]) => first),
          pairs.map(([, second]) => second),
        );
        expect(low).toBeGreaterThanOrEqual(-1);
        expect(high).toBeLessThanOrEqual(1);
        expect(low).toBeLessThanOrEqual(value);
        expect(high).toBeGreaterThanOrEqual(value);
      }),
      { seed: 6, numRuns: 200 },
    );
  });
});
