import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backtrack } from '../../../src/calibrate/select/backtrack.js';

const sum = (degradations: readonly number[]) => degradations.reduce((total, harm) => total + harm, 0);
const byHarm = async (degradations: readonly number[]) => degradations.toSorted((a, b) => a - b);

test('the fewest, most degrading items are removed if degradations add up', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(100), { maxLength: 30 }), fc.nat(1000), async (degradations, budget) => {
      let asked = 0;
      const holds = async (set: readonly number[]) => {
        asked++;
        return sum(set) <= budget;
      };
      const left = await backtrack(degradations, holds, byHarm);
      expect(asked).toBeLessThanOrEqual(2 * degradations.length);
      const order = await byHarm(degradations);
      let most = 0;
      while (most < order.length && sum(order.slice(0, most + 1)) <= budget) most++;
      expect(await byHarm(left)).toEqual(order.slice(0, most));
    }),
  );
});

test('a set that holds is returned unchanged, without sorting', async () => {
  const items = [3, 1, 2];
  const fail = () => Promise.reject(new Error('it was not needed'));
  expect(await backtrack(items, async () => true, fail)).toBe(items);
});

test('an item late in the order is tried alone', async () => {
  const holds = async (set: readonly number[]) => set.join() === '3';
  expect(await backtrack([1, 2, 3], holds, byHarm)).toEqual([3]);
  expect(await backtrack([1, 2], holds, byHarm)).toEqual([]);
  expect(await backtrack([1], holds, byHarm)).toEqual([]);
  expect(await backtrack([], holds, byHarm)).toEqual([]);
});
