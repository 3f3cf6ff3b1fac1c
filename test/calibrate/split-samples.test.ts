import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lazyArray } from '../../src/base/lazy-array.js';
import { splitSamples } from '../../src/calibrate/split-samples.js';
import { splitFeeds } from '../../src/data/split.js';

const runsOf = (count: number, batch: number) =>
  lazyArray(count, () => ({
    x: { elemType: 'f32' as const, dims: [batch, 2], data: new Float32Array(2 * batch) },
  }));
const cases = fc.record({
  runs: fc.integer({ min: 3, max: 30_000 }),
  batch: fc.constantFrom(1, 3, 16, 100),
  samples: fc.constantFrom(512, 5000, 20_000),
});

test('the subsets are disjoint and have the samples that they need', () => {
  fc.assert(
    fc.property(cases, ({ runs, batch, samples }) => {
      fc.pre(samples / batch >= 3);
      const subsets = splitSamples(
        { source: 'npz', feeds: runsOf(runs, batch) },
        { samples, batch, seed: 1 },
      );
      const { train, validation, test } = subsets;
      const all = [...train.indices, ...validation.indices, ...test.indices];
      expect(new Set(all).size).toBe(all.length);
      const used = Math.min(runs, Math.floor(samples / batch));
      expect(all.length).toBe(used);
      const count = used * batch;
      expect(train.runs).toBeGreaterThanOrEqual(Math.floor(0.6 * used) - 1);
      if (count > 4000) expect(test.runs * batch).toBeGreaterThanOrEqual(1000);
      if (count > 512) {
        expect(test.runs * batch).toBeLessThanOrEqual(2000 + 2 * batch);
        return;
      }
      // Few samples are split as before.
      const [a, b, c] = splitFeeds(runsOf(runs, batch), [0.75, 0.125, 0.125], { seed: 1, limit: used });
      expect([train, validation, test].map(({ indices }) => indices)).toEqual(
        [a, b, c].map((subset) => subset?.indices),
      );
    }),
    { seed: 1, numRuns: 60 },
  );
});
