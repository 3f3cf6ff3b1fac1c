import { expect, test } from 'vitest';
import type { Limit } from '../../../src/calibrate/select/budget.js';
import { refineSharpness } from '../../../src/calibrate/select/refine-sharpness.js';
import { driftMeter } from '../../../src/metrics/drift.js';
import type { Plan } from '../../../src/mish/plan.js';
import type { Spliced } from '../../../src/onnx/splice.js';

const site = (output: string) => ({ scope: 'graph', output });
const plan: Plan = {
  ...{ schema: 'onnx-mish/plan@1', form: 'exp', beta: 1, skipped: [] },
  sites: [site('a'), site('b'), site('c')],
};

/** Refines over made-up models whose agreement follows from the factor and from whether there were gradient steps. */
async function refined(agreement: (factor: number, tuned: boolean) => number, rows: number, limit = 0.98) {
  const tried: string[] = [];
  const budget: Limit[] = [{ measure: 'agreement', limit }];
  const shares = new Map<object, number>();
  const result = await refineSharpness({
    ...{
      plan,
      steps: undefined,
      rows,
      budget,
      held: { feeds: [], runs: 0, indices: [] },
      onProgress: () => {},
    },
    betaOf: ({ output }) => (output === 'a' ? 3 : 1),
    sharpens: ({ output }) => output !== 'c',
    async tryOut({ sites }, steps) {
      const [a = 1, b, c] = sites.map(({ beta }) => beta);
      expect([b, c]).toEqual([a, 1]);
      tried.push(`${a}${steps === 0 ? '' : ' with steps'}`);
      const repaired = {} as Spliced;
      shares.set(repaired, agreement(a, steps !== 0));
      return { repaired, factor: a, tuned: steps !== 0 };
    },
    async compare(candidate) {
      const drift = { ...driftMeter('y').result(), top1: shares.get(candidate) ?? 0, maxAbs: 1, sqnr: 20 };
      return { drift: [drift], accuracy: null, original: null };
    },
  });
  return { ...result, tried };
}

test('the default is kept if the lower end of the interval is within the budget', async () => {
  const { report, tried, notes } = await refined(() => 0.99, 1000);
  expect([tried, report.kept, notes]).toEqual([['1 with steps'], true, []]);
  expect(report.trials).toMatchObject([{ scale: 1, median: 1, tuned: true }]);
  expect(report.verdicts[0]?.low).toBeCloseTo(0.9817, 4);
});

test.each([
  [1.5, ['1 with steps', '2.5', '1.5', '1.5 with steps']],
  [2.5, ['1 with steps', '2.5', '1.5', '2.5 with steps']],
  [4, ['1 with steps', '2.5', '4 with steps']],
])('the smallest factor is found: %d', async (wanted, order) => {
  const { report, tried, attempt } = await refined((factor) => (factor >= wanted ? 0.995 : 0.97), 1000);
  expect([tried, report.kept, attempt.factor]).toEqual([order, true, wanted]);
});

test('a share within the budget is not enough if its interval ends below', async () => {
  const { report, notes } = await refined(() => 0.985, 1000);
  expect([report.kept, report.verdicts[0]?.value]).toEqual([false, 0.985]);
  expect(notes).toEqual([expect.stringContaining('no sharpness up to 4 times')]);
});

test('of too few samples the share decides, with a note', async () => {
  const { report, notes } = await refined(() => 0.985, 100);
  expect(report.kept).toBe(true);
  expect(notes).toEqual([expect.stringContaining('100 samples are too few to show agreement>=0.98')]);
});

test('where gradient steps break the budget, the result without them is taken', async () => {
  const { report, attempt } = await refined((factor, tuned) => (factor >= 2 && !tuned ? 0.999 : 0.9), 1000);
  expect([report.kept, attempt]).toMatchObject([true, { factor: 2.5, tuned: false }]);
});
