import { expect, test } from 'vitest';
import { makespan } from '../../src/experiment/estimate.js';

test('jobs go to the worker that is free first', () => {
  expect(makespan([3, 3, 3], 1)).toBe(9);
  expect(makespan([3, 3, 3], 2)).toBe(6);
  expect(makespan([1, 1, 5, 1], 2)).toBe(6);
  expect([makespan([], 4), makespan([2], 4)]).toEqual([0, 2]);
});
