import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Histogram, histogramMeter } from '../../src/metrics/histogram.js';

function histogramOf(...tensors: ArrayLike<number>[]): Histogram {
  const meter = histogramMeter();
  for (const values of tensors) meter.add(values);
  const result = meter.result();
  if (result === null) throw new Error('there is nothing in it');
  return result;
}

/** Counts bins element by element, as the interface defines them. */
function byHand(values: readonly number[], { from, width, counts }: Histogram) {
  const found = counts.map(() => 0);
  let [below, above] = [0, 0];
  for (const x of values) {
    if (!Number.isFinite(x)) continue;
    const place = x >= 0 ? Math.floor(x / width) : -1 - Math.floor(-x / width);
    const index = place - from / width;
    if (index < 0) below++;
    else if (index >= counts.length) above++;
    else found[index] = (found[index] ?? 0) + 1;
  }
  return { counts: found, below, above };
}

test('each bin counts exactly the elements inside it, for all numbers', () => {
  const float = fc.oneof(
    fc.float({ noNaN: true, noDefaultInfinity: true, min: -50, max: 50 }),
    fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(1e-3) }),
    fc.float(),
  );
  fc.assert(
    fc.property(fc.array(float, { minLength: 1, maxLength: 300 }), (drawn) => {
      const values = drawn.map((x) => (Math.abs(x) < 2 ** -126 ? 0 : x)); // -0 and what is next to it count as 0
      if (!values.some(Number.isFinite)) return;
      const result = histogramOf(Float32Array.from(values));
      expect(result).toMatchObject(byHand(values, result));
      expect(result.counts.length).toBeLessThanOrEqual(64);
      expect(Math.log2(result.width)).toSatisfy(Number.isInteger);
      expect(result.counts[0]).toBeGreaterThan(0);
      expect(result.counts.at(-1)).toBeGreaterThan(0);
    }),
    { numRuns: 300, seed: 7 },
  );
});

test('the result depends on neither the order nor the split of the elements', () => {
  const values = Array.from({ length: 5000 }, (_, index) => 7 * Math.sin(index * index));
  const whole = histogramOf(Float32Array.from(values));
  const reversed = Float32Array.from(values.toReversed());
  expect(histogramOf(reversed.subarray(0, 17), reversed.subarray(17))).toEqual(whole);
});

test('a few outliers are counted outside, and do not widen the bins', () => {
  const values = Float64Array.from({ length: 10_000 }, (_, index) => ((index % 1000) - 500) / 250);
  values.set([1e6, -1e300, 3e5]); // the second is beyond float32
  const { from, width, counts, below, above } = histogramOf(values);
  expect([below, above]).toEqual([1, 2]);
  expect(from).toBe(-2 - width); // -2 itself is in it
  expect(from + counts.length * width).toBe(2);
  expect(width).toBeLessThanOrEqual(0.125);
});

test('few elements give few bins', () => {
  const bins = (n: number) =>
    histogramOf(Float32Array.from({ length: n }, (_, index) => index / n)).counts.length;
  expect([20, 1000, 100_000].map(bins)).toEqual([8, 16, 64]);
});

test('equal elements, only zeros, and no elements', () => {
  expect(histogramOf([3, 3, 3])).toEqual({ from: 3, width: 0.0625, counts: [3], below: 0, above: 0 });
  expect(histogramOf([0, -0, 0])).toEqual({ from: 0, width: 1, counts: [3], below: 0, above: 0 });
  const meter = histogramMeter();
  meter.add([Number.NaN, Number.POSITIVE_INFINITY]);
  expect(meter.result()).toBeNull();
});
