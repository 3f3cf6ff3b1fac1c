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
const LIMITS = { rows: 15_000, available: 100_000, seconds: SECONDS };
const load = (depth: number, rowsOfSample: number, work = 0) => ({
  ...{ geometry: { groups: 1, depth, outputs: 4 }, rowsOfSample, work },
});

test('a dense layer gets as many samples as its inputs need, a convolution fewer', () => {
  const count = (depth: number, rowsOfSample: number) => {
    const [samples = 0] = planSamples([load(depth, rowsOfSample)], LIMITS);
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

const most = affordableWork(SECONDS);
const workOf = (layers: readonly { readonly work: number }[], samples: readonly number[]) =>
  layers.reduce((sum, { work }, at) => {
    const count = samples[at] ?? 0;
    return sum + work * (count + Math.max(count / 6, Math.min(8, count / 2)));
  }, 0);
const free = (layers: readonly ReturnType<typeof load>[]) => layers.map((layer) => ({ ...layer, work: 0 }));

test('the planned samples keep to the work, and never exceed what a layer wants or what there is', () => {
  fc.assert(
    fc.property(loads, fc.integer({ min: 1, max: 20_000 }), (layers, available) => {
      const wanted = planSamples(free(layers), { ...LIMITS, available });
      const planned = planSamples(layers, { ...LIMITS, available });
      for (const [at, samples] of planned.entries()) {
        expect(samples).toBeLessThanOrEqual(Math.min(available, wanted[at] ?? 0) * (1 + 1e-9));
        expect(samples).toBeGreaterThanOrEqual(Math.min(available, 4) * (1 - 1e-9));
      }
      const least = layers.map(() => Math.min(available, 4));
      if (workOf(layers, wanted) <= most) expect(planned).toEqual(wanted);
      else expect(workOf(layers, planned)).toBeLessThanOrEqual(Math.max(most, workOf(layers, least)) * 1.001);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test('no plan of the same work has a smaller sum of wanted ÷ n', () => {
  fc.assert(
    fc.property(
      loads,
      fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { maxLength: 20 }),
      (layers, moves) => {
        const wanted = planSamples(free(layers), LIMITS);
        const planned = planSamples(layers, LIMITS);
        const error = (samples: readonly number[]) =>
          samples.reduce((sum, count, at) => sum + (wanted[at] ?? 0) / count, 0);
        const other = planned.map((count, at) =>
          Math.max(4, Math.min(wanted[at] ?? 0, count * 2 ** (moves[at] ?? 0))),
        );
        // Validation samples make the work of few samples larger than in proportion.
        const spent = layers.reduce((sum, { work }, at) => sum + work * (planned[at] ?? 0), 0);
        const used = layers.reduce((sum, { work }, at) => sum + work * (other[at] ?? 0), 0);
        if (used <= spent) expect(error(other)).toBeGreaterThanOrEqual(error(planned) * (1 - 1e-6));
      },
    ),
    { seed: 2, numRuns: 300 },
  );
});

test('a dense layer takes nothing from the others for samples that there are not', () => {
  const [convolution, dense] = [load(576, 64, 8e7), load(2048, 1, 8e7)];
  const one = planSamples([convolution, dense], { ...LIMITS, available: 640 });
  expect(one).toEqual([384, 640]);
});
