import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatLimit,
  isValidLimit,
  isWithinLimit,
  LIMITED_METRICS,
  type LimitedMetric,
  parseLimit,
  sqnrForLimit,
} from '../../src/metrics/limits.js';

const NAMES = Object.keys(LIMITED_METRICS) as LimitedMetric[];

/** Valid limits of every metric. */
const limits = fc
  .record({
    measure: fc.constantFrom(...NAMES),
    limit: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.double({ min: 0, max: 1 })),
  })
  .filter(isValidLimit);

describe('a limit', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(limits, (limit) => {
        expect(parseLimit(formatLimit(limit), NAMES)).toEqual({ ...limit, limit: limit.limit + 0 });
        expect(parseLimit(formatLimit(limit).replaceAll('-abs', '_abs'), NAMES).measure).toBe(limit.measure);
      }),
      { numRuns: 300, seed: 15 },
    );
  });

  test('in the wrong direction is refused with advice that is a valid limit', () => {
    fc.assert(
      fc.property(limits, (limit) => {
        const text = formatLimit(limit).replace(/[<>]/, (sign) => (sign === '<' ? '>' : '<'));
        const advice = `Write ${formatLimit(limit)}`;
        expect(() => parseLimit(text, NAMES)).toThrow(
          expect.objectContaining({ code: 'bad-usage', what: expect.stringContaining(text), fix: advice }),
        );
      }),
      { numRuns: 300, seed: 15 },
    );
  });

  test('holds for its value and for all better values', () => {
    fc.assert(
      fc.property(limits, fc.double({ min: 0, max: 1e300, noNaN: true }), (limit, more) => {
        const better = LIMITED_METRICS[limit.measure].direction === '>=' ? more : -more;
        expect(isWithinLimit(limit, limit.limit)).toBe(true);
        expect(isWithinLimit(limit, limit.limit + better)).toBe(true);
        expect(isWithinLimit(limit, limit.limit - better)).toBe(limit.limit - better === limit.limit);
        expect(isWithinLimit(limit, Number.NaN)).toBe(false);
      }),
      { numRuns: 300, seed: 15 },
    );
  });

  test.each(NAMES)('of %s has a valid example, which its error gives', (measure) => {
    const { example, direction, unit } = LIMITED_METRICS[measure];
    expect(isValidLimit({ measure, limit: example })).toBe(true);
    expect(() => parseLimit(`${measure}${direction}much`, NAMES)).toThrow(
      expect.objectContaining({
        what: `the limit '${measure}${direction}much' needs ${unit}`,
        fix: `Write ${formatLimit({ measure, limit: example })}`,
      }),
    );
  });

  test('must be of a metric that the caller limits', () => {
    expect(() => parseLimit('latency-ratio<=2', ['sqnr'])).toThrow(/'latency-ratio' is not a measure/);
    for (const name of ['constructor', '__proto__', ''])
      expect(() => parseLimit(`${name}>=1`, NAMES)).toThrow(/is not a measure/);
  });
});

test('identical outputs have the largest SQNR, and an unknown SQNR stays unknown', () => {
  expect(sqnrForLimit({ sqnr: null, maxAbs: 0 })).toBe(Number.MAX_VALUE);
  expect(sqnrForLimit({ sqnr: null, maxAbs: 1 })).toBeNull();
  expect(sqnrForLimit({ sqnr: null, maxAbs: null })).toBeNull();
  expect(sqnrForLimit({ sqnr: 3, maxAbs: 0 })).toBe(3);
});
