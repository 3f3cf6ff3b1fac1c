import { expect, test } from 'vitest';
import { cosineRate } from '../../src/train/schedule.js';

test('the rate falls along a cosine from the top to nothing', () => {
  expect(cosineRate(0.4, 1, 10)).toBe(0.4);
  expect(cosineRate(0.4, 6, 10)).toBeCloseTo(0.2, 12);
  expect(cosineRate(0.4, 11, 10)).toBeCloseTo(0, 12);
});
