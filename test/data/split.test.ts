import fc from 'fast-check';
import { expect, test } from 'vitest';
import { datasetOf, joined, splitFeeds } from '../../src/data/split.js';
import type { Tensors } from '../../src/providers/tensor.js';

const feed = (run: number): Tensors => ({
  x: { elemType: 'f32', dims: [2], data: Float32Array.of(run, run) },
});
const feeds = (count: number) => Array.from({ length: count }, (_, run) => feed(run));
const lazy = (count: number) => ({
  length: count,
  async *[Symbol.asyncIterator]() {
    for (let run = 0; run < count; run++) yield feed(run);
  },
});

async function numbers(part: AsyncIterable<Tensors> | readonly Tensors[]): Promise<number[]> {
  const found: number[] = [];
  for await (const { x } of part) found.push(Number(x?.data[0]));
  return found;
}

test('parts are disjoint and complete, and depend only on the seed, for arrays and lazy feeds', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 3, max: 60 }), fc.nat(), async (count, seed) => {
      const shares = [0.75, 0.125, 0.125];
      const parts = splitFeeds(feeds(count), shares, { seed });
      const runs = parts.flatMap(({ indices }) => indices);
      expect(runs.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, run) => run));
      expect(parts.every((part) => part.runs > 0 && part.runs === part.indices.length)).toBe(true);
      const others = splitFeeds(lazy(count), shares, { seed });
      for (const [index, part] of parts.entries()) {
        expect(await numbers(part.feeds)).toEqual([...part.indices]);
        expect(await numbers(others[index]?.feeds ?? [])).toEqual([...part.indices]);
      }
    }),
    { numRuns: 30 },
  );
});

test('another seed gives another split, and a limit uses fewer runs', () => {
  const [one, two] = [1, 2].map((seed) => splitFeeds(feeds(40), [0.5, 0.5], { seed })[0]?.indices);
  expect(one).not.toEqual(two);
  const limited = splitFeeds(feeds(40), [0.5, 0.5], { seed: 1, limit: 10 });
  expect(limited.map(({ runs }) => runs)).toEqual([5, 5]);
});

test('labels stay with their samples, in joined parts too', async () => {
  const labels = Array.from({ length: 40 }, (_, sample) => Math.floor(sample / 2)); // two samples per run
  const dataset = { source: 'npz', feeds: feeds(20), labels } as const;
  const [a, b] = splitFeeds(dataset.feeds, [0.6, 0.4], { seed: 3 });
  if (a === undefined || b === undefined) throw new Error('two parts');
  const both = joined(b, a);
  const made = datasetOf(dataset, both);
  const order = await numbers(made.feeds);
  expect(order).toHaveLength(20);
  expect(made.labels).toEqual(order.flatMap((run) => [run, run]));
});
