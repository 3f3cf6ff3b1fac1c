import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findLargestSet } from '../../../src/calibrate/select/find-largest-set.js';

const most = (count: number) => 1 + Math.ceil(Math.log2(Math.max(1, count))) + count;
const sum = (degradations: readonly number[]) => degradations.reduce((total, harm) => total + harm, 0);

test('the set is the largest if degradations add up and the order is by degradation', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(100), { maxLength: 40 }), fc.nat(1500), async (degradations, budget) => {
      const order = degradations.toSorted((a, b) => a - b);
      let best = 0;
      while (best < order.length && sum(order.slice(0, best + 1)) <= budget) best++;
      const found = await findLargestSet({
        order,
        evaluate: async (items) => sum(items),
        keeps: (harm) => harm <= budget,
      });
      expect(found.items).toHaveLength(best);
      expect(found.evaluations).toBeLessThanOrEqual(most(order.length));
      expect(found.stopped).toBe(false);
    }),
  );
});

test('the set is measured and within the budget for any degradations and any order', async () => {
  const harmOf = fc.func(fc.nat(10));
  await fc.assert(
    fc.asyncProperty(
      fc.nat(25),
      harmOf,
      fc.option(fc.integer({ min: 1, max: 5 })),
      async (count, harm, patience) => {
        const order = Array.from({ length: count }, (_, index) => index);
        const measured = new Map<string, number>();
        const found = await findLargestSet({
          order,
          evaluate: async (items) => {
            expect(items).toEqual(items.toSorted((a, b) => a - b)); // in the order of the order
            expect(new Set(items).size).toBe(items.length);
            const result = harm(...items);
            expect(measured.has(items.join())).toBe(false); // nothing twice
            measured.set(items.join(), result);
            return result;
          },
          keeps: (result) => result <= 5,
          patience: patience ?? undefined,
        });
        expect(found.evaluations).toBe(measured.size);
        expect(found.evaluations).toBeLessThanOrEqual(most(count));
        expect(found.everything).toBe(measured.get(order.join()));
        if (found.items.length === 0) expect(found.result).toBeUndefined();
        else {
          expect(found.result).toBe(measured.get(found.items.join()));
          expect(found.result).toBeLessThanOrEqual(5);
        }
      },
    ),
  );
});

test('items after a refused item are tried', async () => {
  const degradations = new Map([
    ['a', 1],
    ['b', 9],
    ['c', 1],
    ['d', 1],
  ]);
  const found = await findLargestSet({
    order: [...degradations.keys()],
    evaluate: async (items) => sum(items.map((item) => degradations.get(item) ?? 0)),
    keeps: (harm) => harm <= 3,
  });
  expect(found).toMatchObject({ items: ['a', 'c', 'd'], result: 3, everything: 12 });
});

test('patience ends the search and sets stopped', async () => {
  const search = (patience: number | undefined) =>
    findLargestSet({
      order: [1, 50, 50, 50, 50, 1],
      evaluate: async (items) => sum(items),
      keeps: (harm) => harm <= 10,
      patience,
    });
  expect(await search(2)).toMatchObject({ items: [1], stopped: true });
  expect(await search(undefined)).toMatchObject({ items: [1, 1], stopped: false });
});

test('onEvaluate receives the size of each set before its measurement', async () => {
  const told: number[] = [];
  await findLargestSet({
    order: [1, 2, 3, 4],
    evaluate: async (items) => expect(told.at(-1)).toBe(items.length),
    keeps: () => true,
    onEvaluate: (items) => told.push(items),
  });
  expect(told).toEqual([4]);
});
