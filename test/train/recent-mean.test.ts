import fc from 'fast-check';
import { expect, test } from 'vitest';
import { recentMean } from '../../src/train/recent-mean.js';

const meanOf = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

test('the mean is that of the last half to three quarters of the values, whatever came before', () => {
  const value = fc.integer({ min: 0, max: 1000 });
  fc.assert(
    fc.property(fc.array(value, { maxLength: 100 }), (values) => {
      const mean = recentMean();
      for (const one of values) mean.add(one);
      const { length } = values;
      const starts = Array.from({ length: length + 1 }, (_, from) => from).filter(
        (from) =>
          length - from >= length / 2 && (length < 2 || length - from <= (3 * length) / 4 || from < 2),
      );
      const found = mean.value();
      expect(starts.some((from) => Math.abs(meanOf(values.slice(from)) - found) < 1e-9)).toBe(true);
    }),
  );
});

test('slow values at the start are forgotten after as many others', () => {
  const mean = recentMean();
  for (let at = 0; at < 30; at++) mean.add(50);
  for (let at = 0; at < 60; at++) mean.add(10);
  expect(mean.value()).toBeLessThan(12);
});
