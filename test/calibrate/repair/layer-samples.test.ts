import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lazyArray } from '../../../src/base/lazy-array.js';
import { drawSamples, planSamples } from '../../../src/calibrate/repair/layer-samples.js';
import { splitSamples } from '../../../src/calibrate/split-samples.js';
import { affordableWork } from '../../../src/calibrate/work/budget.js';

const feeds = lazyArray(10_000, () => ({
  x: { elemType: 'f32' as const, dims: [1, 2], data: new Float32Array(2) },
}));
const { train, validation } = splitSamples({ source: 'npz', feeds }, { samples: 10_000, batch: 1, seed: 1 });
const SECONDS = 20;
const load = (depth: number, rowsOfSample: number, work = 0) => ({
  ...{ geometry: { groups: 1, depth, outputs: 4 }, rowsOfSample, work },
});

test('a dense layer takes as many samples as its inputs need, a convolution fewer', () => {
  const count = (depth: number, rowsOfSample: number) => {
    const [samples = 0] = planSamples([load(depth, rowsOfSample)], 15_000, SECONDS);
    const some = drawSamples({ train, validation, seed: 3 }, samples, 1);
    return [some.train.runs, some.validation.runs];
  };
  expect(count(100, 1)).toEqual([2000, 334]);
  expect(count(1000, 1)).toEqual([train.runs, validation.runs]);
  expect(count(1000, 100)).toEqual([384, 64]);
  expect(count(10, 1)).toEqual([384, 64]);
});

const loads = fc.array(
  fc
    .tuple(
      fc.integer({ min: 1, max: 2400 }),
      fc.integer({ min: 1, max: 100_000 }),
      fc.double({ min: 0, max: 12, noNaN: true }),
    )
    .map(([depth, rows, digits]) => load(depth, rows, 10 ** digits)),
  { minLength: 1, maxLength: 20 },
);

test('the planned samples keep to the work, and never exceed what a layer wants', () => {
  const most = affordableWork(SECONDS);
  fc.assert(
    fc.property(loads, (layers) => {
      const wanted = planSamples(
        layers.map((layer) => ({ ...layer, work: 0 })),
        ...[15_000, SECONDS],
      );
      const planned = planSamples(layers, 15_000, SECONDS);
      const workOf = (samples: readonly number[]) =>
        layers.reduce((sum, { work }, at) => {
          const count = samples[at] ?? 0;
          return sum + work * (count + Math.max(count / 6, Math.min(8, count / 2)));
        }, 0);
      for (const [at, samples] of planned.entries()) {
        expect(samples).toBeLessThanOrEqual((wanted[at] ?? 0) * (1 + 1e-9));
        expect(samples).toBeGreaterThan(0);
      }
      if (workOf(wanted) <= most) expect(planned).toEqual(wanted);
      // Four samples are the least that any layer gets.
      else
        expect(workOf(planned)).toBeLessThanOrEqual(
          Math.max(most, workOf(layers.map(() => 4))) * 1.001 + most,
        );
    }),
    { seed: 1, numRuns: 200 },
  );
});
