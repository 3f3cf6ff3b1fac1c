import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sampledFeeds } from '../../src/data/arrays.js';
import { limitSamples } from '../../src/data/limit-samples.js';
import type { Tensors } from '../../src/providers/tensor.js';

/** Runs of `batch` samples, whose numbers count up, with their labels and expected outputs. */
function numbered(runs: number, batch: number) {
  const feeds = Array.from({ length: runs }, (_, run) => ({
    x: {
      ...{ elemType: 'f32', dims: [batch, 1] },
      data: Float32Array.from({ length: batch }, (_, at) => run * batch + at),
    },
  }));
  const labels = Array.from({ length: runs * batch }, (_, index) => index);
  return { source: 'npz', feeds, labels, expected: feeds } as const;
}

test('a limit takes whole runs, spread evenly, with their labels and expected outputs', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 99 }),
      (runs, batch, samples) => {
        const limited = limitSamples(numbered(runs, batch), samples);
        const taken = [...(limited.feeds as ReturnType<typeof numbered>['feeds'])];
        const values = taken.flatMap(({ x }) => [...x.data]);
        expect(values.length).toBe(Math.max(batch, Math.min(runs, Math.floor(samples / batch)) * batch));
        expect(limited.labels).toEqual(values);
        expect(limited.expected).toEqual(taken);
        expect(limited.samples ?? runs * batch).toBe(values.length);
        const gaps = taken.slice(1).map(({ x }, index) => (x.data[0] ?? 0) - (taken[index]?.x.data[0] ?? 0));
        if (gaps.length > 0) expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThanOrEqual(batch);
      },
    ),
    { seed: 18 },
  );
});

test('an input that all samples share does not count them', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 30 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 99 }),
      (runs, batch, rows, samples) => {
        const count = runs * batch;
        const numbers = Array.from({ length: count }, (_, at) => at);
        const arrays = {
          state: { elemType: 'f32', dims: [rows, 1], data: new Float32Array(rows) },
          x: { elemType: 'f32', dims: [count, 1], data: Float32Array.from(numbers) },
          y: { elemType: 'i32', dims: [count], data: Int32Array.from(numbers) },
        };
        const inputs = [
          { name: 'state', elemType: 'f32', dims: [rows, 1] },
          { name: 'x', elemType: 'f32', dims: [batch, 1] },
        ];
        const limited = limitSamples(sampledFeeds(arrays, inputs, { labels: 'y' }), samples);
        const taken = [...(limited.feeds as readonly Tensors[])].flatMap(({ x }) =>
          Array.from((x?.data ?? []) as Float32Array),
        );
        expect(taken.length).toBe(Math.max(batch, Math.min(runs, Math.floor(samples / batch)) * batch));
        expect(limited.labels).toEqual(taken);
        expect(limited.samples).toBe(taken.length);
      },
    ),
    { seed: 19 },
  );
});

test('a limit takes a few of very many runs', () => {
  const count = 300_000;
  const numbers = Float32Array.from({ length: count }, (_, at) => at);
  const x = { elemType: 'f32', dims: [count, 1], data: numbers };
  const dataset = sampledFeeds({ x }, [{ name: 'x', elemType: 'f32', dims: [1, 1] }], {});
  for (const { samples, ...given } of [dataset, { ...dataset, samples: undefined }]) {
    const limited = limitSamples(samples === undefined ? given : { ...given, samples }, 3);
    const taken = (limited.feeds as readonly Tensors[]).map((feed) => feed.x?.data[0]);
    expect(taken).toEqual([0, count / 3, (2 * count) / 3]);
    expect(limited.samples).toBe(3);
  }
});
