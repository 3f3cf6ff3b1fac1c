import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Feeds, firstFeeds } from '../../src/data/dataset.js';
import { splitRuns } from '../../src/data/split-runs.js';
import type { Tensors } from '../../src/providers/tensor.js';

/** Runs whose elements count up, so that their order shows. */
function runsOf(count: number, batch: number, inner: number): Tensors[] {
  return Array.from({ length: count }, (_, run) => {
    const data = Float32Array.from({ length: batch * inner }, (_, at) => run * batch * inner + at);
    return { x: { elemType: 'f32', dims: [batch, inner], data } };
  });
}

function lazy(runs: readonly Tensors[]): Feeds {
  return {
    length: runs.length,
    async *[Symbol.asyncIterator]() {
      yield* runs;
    },
  };
}

test('parts of runs have all samples in their order, in arrays and in lazy feeds', async () => {
  const sizes = fc.record({
    count: fc.integer({ min: 1, max: 5 }),
    parts: fc.integer({ min: 1, max: 4 }),
    each: fc.integer({ min: 1, max: 3 }),
    inner: fc.integer({ min: 1, max: 4 }),
    isLazy: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(sizes, async ({ count, parts, each, inner, isLazy }) => {
      const runs = runsOf(count, parts * each, inner);
      const split = splitRuns(isLazy ? lazy(runs) : runs, parts);
      expect(split.length).toBe(count * parts);
      const found = await firstFeeds(split, count * parts);
      expect(found).toHaveLength(count * parts);
      for (const run of found) expect(run.x?.dims).toEqual([each, inner]);
      const numbers = found.flatMap((run) => Array.from(run.x?.data ?? [], Number));
      expect(numbers).toEqual(Array.from({ length: count * parts * each * inner }, (_, at) => at));
    }),
    { seed: 1, numRuns: 50 },
  );
});
