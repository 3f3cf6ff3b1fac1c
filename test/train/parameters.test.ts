import { expect, test } from 'vitest';
import { parameterOf } from '../support/parameters.js';

test('the scale of a parameter is the root mean square of its values', async () => {
  const { values, scale } = await parameterOf([3, -4, 0, 0]);
  expect([...values]).toEqual([3, -4, 0, 0]);
  expect(scale).toBe(2.5);
});

test('the scale of a parameter is no less than the minimum', async () => {
  expect((await parameterOf([0, 0], 0.25)).scale).toBe(0.25);
});
