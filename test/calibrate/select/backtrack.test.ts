import fc from 'fast-check';
import { expect, test } from 'vitest';
import { takeBack } from '../../../src/calibrate/select/backtrack.js';

const sum = (harms: readonly number[]) => harms.reduce((total, harm) => total + harm, 0);
const byHarm = async (harms: readonly number[]) => harms.toSorted((a, b) => a - b);

test('harm that adds up: the most harmful go, and no more than have to', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(100), { maxLength: 30 }), fc.nat(1000), async (harms, budget) => {
      let asked = 0;
      const holds = async (set: readonly number[]) => {
        asked++;
        return sum(set) <= budget;
      };
      const left = await takeBack(harms, holds, byHarm);
      expect(asked).toBeLessThanOrEqual(2 * harms.length);
      const order = await byHarm(harms);
      let most = 0;
      while (most < order.length && sum(order.slice(0, most + 1)) <= budget) most++;
      expect(await byHarm(left)).toEqual(order.slice(0, most));
    }),
  );
});

test('a set that holds stays as it is, and nothing is put in order', async () => {
  const items = [3, 1, 2];
  const fail = () => Promise.reject(new Error('it was not needed'));
  expect(await takeBack(items, async () => true, fail)).toBe(items);
});

test('one that is far back in the order may hold alone', async () => {
  const holds = async (set: readonly number[]) => set.join() === '3';
  expect(await takeBack([1, 2, 3], holds, byHarm)).toEqual([3]);
  expect(await takeBack([1, 2], holds, byHarm)).toEqual([]);
  expect(await takeBack([1], holds, byHarm)).toEqual([]);
  expect(await takeBack([], holds, byHarm)).toEqual([]);
});
