import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { median, quantile, ratioOfMedians } from '../../src/metrics/statistics.js';
import type { Session } from '../../src/providers/provider.js';
import { measureLatency } from '../../src/validate/latency.js';

const NOWHERE = {
  name: 'none',
  version: '0',
  browser: null,
  renderer: null,
  software: null,
  threads: null,
  simd: null,
};

/** A session that takes the time it is told, on a clock that only it moves. */
function fakes(originalMs: (run: number) => number, swappedMs: (run: number) => number) {
  let clock = 0;
  const calls: string[] = [];
  const session = (name: string, ms: (run: number) => number): Session => {
    let run = 0;
    return {
      inputs: [],
      outputs: [],
      createMs: 5,
      runtime: NOWHERE,
      run: async () => ({}),
      time: async () => {
        calls.push(name);
        const time = ms(run++);
        clock += time;
        return time;
      },
      close: async () => {},
    };
  };
  return { original: session('o', originalMs), swapped: session('s', swappedMs), now: () => clock, calls };
}

describe('latency', () => {
  test('alternates the two and which goes first, after a warm-up that does not count', async () => {
    const { original, swapped, now, calls } = fakes(
      (run) => (run < 2 ? 100 : 1),
      (run) => (run < 2 ? 200 : 2),
    );
    const result = await measureLatency(original, swapped, [{}, {}], {
      minPairs: 4,
      minSeconds: 0,
      warmup: 2,
      now,
    });
    expect(calls.join('')).toBe('ososossoosso');
    expect(result).toMatchObject({
      n: 4,
      original: { createMs: 5, firstMs: 100, p50: 1, p90: 1, p99: 1, mean: 1 },
      swapped: { firstMs: 200, p50: 2 },
      ratio: { value: 2, low: 2, high: 2 },
    });
  });

  test('lasts any minimum time that is given, unless a maximum is given', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 300 }), fc.option(fc.constant(40)), async (least, most) => {
        const { original, swapped, now } = fakes(
          () => 400,
          () => 600,
        );
        const { n } = await measureLatency(original, swapped, [{}, {}], {
          ...{ minSeconds: least, maxSeconds: most ?? undefined, minPairs: 5, now },
        });
        expect(n).toBe(Math.max(5, Math.min(least, most ?? least))); // a pair takes a second
      }),
      { seed: 1, numRuns: 30 },
    );
  });

  test('lasts the minimum time, and ends early only when a run is very slow', async () => {
    const fast = fakes(
      () => 5,
      () => 5,
    );
    const { n } = await measureLatency(fast.original, fast.swapped, [{}, {}], {
      minSeconds: 2,
      now: fast.now,
    });
    expect(n).toBe(200);
    const slow = fakes(
      () => 10_000,
      () => 20_000,
    );
    const ended = await measureLatency(slow.original, slow.swapped, [{}, {}], {
      maxSeconds: 60,
      now: slow.now,
    });
    expect(ended.n).toBe(5);
  });

  test('stops at the maximum number of pairs, unless the minimum is larger', async () => {
    for (const [minPairs, n] of [
      [30, 100],
      [200, 200],
    ] as const) {
      const { original, swapped, now } = fakes(
        () => 0.01,
        () => 0.01,
      );
      const options = { minPairs, maxPairs: 100, now };
      expect((await measureLatency(original, swapped, [{}, {}], options)).n).toBe(n);
    }
  });

  test('stops at an abort', async () => {
    const { original, swapped, now } = fakes(
      () => 1,
      () => 1,
    );
    const signal = AbortSignal.abort();
    await expect(measureLatency(original, swapped, [{}, {}], { signal, now })).rejects.toThrow(
      expect.objectContaining({ name: 'OnnxMishError', code: 'aborted' }),
    );
  });

  test('reports earlier first runs unchanged', async () => {
    const { original, swapped, now } = fakes(
      () => 1,
      () => 1,
    );
    const options = { first: [70, 80], minPairs: 5, minSeconds: 0, now } as const;
    expect(await measureLatency(original, swapped, [{}, {}], options)).toMatchObject({
      original: { firstMs: 70 },
      swapped: { firstMs: 80 },
    });
  });
});

const milliseconds = fc.double({ min: 1, max: 9, noNaN: true });

describe('statistics', () => {
  test('quantiles interpolate as NumPy’s default does', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(quantile([1, 2, 3, 4, 5], 0.9)).toBeCloseTo(4.6, 12);
    expect(quantile([7], 0.99)).toBe(7);
    expect(quantile([], 0.5)).toBeNaN();
  });

  test('the ratio is that of the medians, and a resample of one pair is that pair', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(milliseconds, milliseconds), { minLength: 1 }), fc.nat(), (pairs, at) => {
        const only = (at % pairs.length) / pairs.length + 1e-9;
        const { value, low, high } = ratioOfMedians(pairs, () => only, 3);
        const median = (side: 0 | 1) =>
          quantile(
            pairs.map((pair) => pair[side]),
            0.5,
          );
        expect(value).toBeCloseTo(median(0) / median(1), 12);
        const [top, bottom] = pairs[Math.floor(only * pairs.length)] ?? [];
        expect([low, high]).toEqual([Number(top) / Number(bottom), Number(top) / Number(bottom)]);
      }),
    );
  });

  test('the interval equals NumPy’s, by resampling and sorting', () => {
    // 40 pairs from formulas; bounds from 200,000 resamples with numpy.median, seed 1.
    const pairs = Array.from({ length: 40 }, (_, i): [number, number] => [
      3 + Math.sin(i * 1.7) + 0.02 * i,
      2 + Math.cos(i * 2.3),
    ]);
    const { value, low, high } = ratioOfMedians(pairs, createRandom(1), 20_000);
    expect(value).toBeCloseTo(1.7202529387380783, 10);
    expect(Math.abs(low - 1.3086)).toBeLessThan(0.03);
    expect(Math.abs(high - 2.2591)).toBeLessThan(0.03);
  });

  test('the interval holds the ratio and narrows with more samples', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const random = createRandom(seed);
        const pairs = (n: number) =>
          Array.from({ length: n }, (): [number, number] => [3 + random(), 1 + 0.1 * random()]);
        const [few, many] = [
          ratioOfMedians(pairs(20), random, 300),
          ratioOfMedians(pairs(2000), random, 300),
        ];
        for (const { low, value, high } of [few, many]) {
          expect(low).toBeLessThanOrEqual(value);
          expect(high).toBeGreaterThanOrEqual(value);
        }
        expect(many.high - many.low).toBeLessThan(few.high - few.low);
      }),
      { numRuns: 5, seed: 3 },
    );
  });
});
