import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shardOf } from '../../src/cli/options/shard.js';
import { mergeExperiments } from '../../src/experiment/merge.js';
import type { ExperimentReport, ExperimentRun } from '../../src/experiment/report-schema.js';
import { activationResults, concludeExperiment } from '../../src/experiment/results.js';
import { EXPERIMENT_REPORT } from '../support/experiment-report.js';

const run = (activation: string, seed: number, accuracy: number | null): ExperimentRun => ({
  ...{ activation, seed, epochs: [], units: null, seconds: 1 },
  test: accuracy === null ? null : { loss: 1, accuracy },
  diverged: accuracy === null ? 'the loss of step 3 is NaN' : null,
});

/** Runs of accuracies by activation, one for each seed. */
const runsOf = (table: Readonly<Record<string, readonly (number | null)[]>>) =>
  Object.entries(table).flatMap(([name, values]) => values.map((value, seed) => run(name, seed, value)));

function concluded(
  table: Readonly<Record<string, readonly (number | null)[]>>,
  missing: ExperimentReport['missing'] = [],
) {
  const runs = runsOf(table);
  const settings = { ...EXPERIMENT_REPORT.settings, activations: Object.keys(table) };
  const results = activationResults(runs, settings.activations);
  return {
    results,
    text: concludeExperiment({ runs, settings, missing, data: EXPERIMENT_REPORT.data, shard: null }, results),
  };
}

test('mean, deviation and paired difference are those by hand', () => {
  const { results } = concluded({ relu: [0.8, 0.82, 0.81], mish: [0.83, 0.84, 0.86] });
  const [baseline, { accuracy, difference } = { accuracy: null, difference: null }] = results;
  expect(accuracy?.mean).toBeCloseTo(2.53 / 3, 12);
  expect(accuracy?.deviation).toBeCloseTo(Math.sqrt(7e-4 / 3), 12);
  // The differences are 0.03, 0.02, 0.05; the table of t has 4.302653 for 2 degrees of freedom and 95 %.
  const half = 4.302653 * Math.sqrt(7e-4 / 3 / 3);
  expect(difference?.value).toBeCloseTo(0.1 / 3, 12);
  expect(difference?.low).toBeCloseTo(0.1 / 3 - half, 7);
  expect(difference?.high).toBeCloseTo(0.1 / 3 + half, 7);
  expect(baseline?.difference).toBeNull();
});

test('an interval that contains zero shows no difference, and others say which way', () => {
  const { text } = concluded({
    relu: [0.8, 0.81, 0.82],
    mish: [0.85, 0.862, 0.871],
    swish: [0.7, 0.712, 0.721],
    elu: [0.82, 0.8, 0.83],
  });
  expect(text).toContain('Mish was better than ReLU: +5.10 points of accuracy (95 % interval');
  expect(text).toContain('Swish was worse than ReLU');
  expect(text).toContain('No difference from ReLU was found over 3 seeds: ELU');
  expect(text).not.toMatch(/ELU was (better|worse)/);
});

test('one seed shows nothing, however large its difference', () => {
  const { text, results } = concluded({ relu: [0.2], mish: [0.9] });
  expect(text).toContain('One seed tells nothing of a difference between ReLU and Mish.');
  expect(text).not.toMatch(/better|worse/);
  expect(results[1]?.difference).toMatchObject({ low: null, high: null, seeds: 1 });
});

test('equal differences have no interval, however many the seeds, and no interval leaves −1 and 1', () => {
  const share = fc.integer({ min: 0, max: 10 }).map((tenths) => tenths / 10);
  fc.assert(
    fc.property(fc.array(fc.tuple(share, share), { minLength: 1, maxLength: 4 }), (pairs) => {
      const { results, text } = concluded({ relu: pairs.map(([a]) => a), mish: pairs.map(([, b]) => b) });
      const { value = 0, low = null, high = null } = results[1]?.difference ?? {};
      const areEqual = new Set(pairs.map(([a, b]) => Math.round(10 * (b - a)))).size === 1;
      expect([low === null, high === null]).toEqual([areEqual, areEqual]);
      expect(text.includes('is the same in all of')).toBe(areEqual && pairs.length > 1);
      if (areEqual) expect(text).not.toMatch(/better|worse/);
      expect(low ?? -1).toBeGreaterThanOrEqual(-1);
      expect(high ?? 1).toBeLessThanOrEqual(1);
      expect(low ?? value).toBeLessThanOrEqual(value);
      expect(high ?? value).toBeGreaterThanOrEqual(value);
    }),
    { seed: 12, numRuns: 200 },
  );
});

test('diverged and missing runs are told, and left out of the pairs', () => {
  const { text, results } = concluded({ relu: [0.8, null, 0.82], mish: [0.85, 0.86, null] }, [
    { activation: 'mish', seed: 3 },
  ]);
  expect(results.map(({ runs, diverged }) => [runs, diverged])).toEqual([[2, 1], [2, 1]]); // biome-ignore format: pairs
  expect(results[1]?.difference?.seeds).toBe(1);
  expect(text).toContain('2 runs diverged and are left out of the means.');
  expect(concluded({ relu: [null, null], mish: [null, null] }).text).toMatch(/^Every run diverged/);
  expect(text).toContain('1 of 7 runs is missing.');
});

test('a part without runs says that there are fewer runs than parts, and no other part does', () => {
  const settings = { ...EXPERIMENT_REPORT.settings, activations: ['relu', 'mish'] };
  for (const of of [1, 2, 3, 8]) {
    const keys = Array.from({ length: of }, (_, at) => ({
      activation: at % 2 ? 'mish' : 'relu',
      seed: at >> 1,
    }));
    for (const count of [1, 2, 7, 9]) {
      for (let index = 1; index <= count; index++) {
        const shard = { index, count };
        const own = shardOf(keys, shard);
        const runs = own.map(({ activation, seed }) => run(activation, seed, 0.5));
        const missing = keys.filter((key) => !own.includes(key));
        const facts = { runs, settings, missing, data: EXPERIMENT_REPORT.data, shard };
        const text = concludeExperiment(facts, activationResults(runs, settings.activations));
        const expected = `Part ${index} of ${count} has no run: there are fewer runs (${of}) than parts.`;
        if (runs.length === 0) expect(text).toBe(expected);
        else expect(text).not.toContain('no run');
      }
    }
  }
});

test('a loss without predictions is compared as a loss, where lower is better', () => {
  const losses = (name: string, values: readonly number[]) =>
    values.map((loss, seed) => ({ ...run(name, seed, 0), test: { loss, accuracy: null } }));
  const runs = [...losses('relu', [1, 1.1, 1.2]), ...losses('mish', [0.5, 0.61, 0.7])];
  const { settings, data } = EXPERIMENT_REPORT;
  const text = concludeExperiment(
    { runs, settings, data, missing: [], shard: null },
    activationResults(runs, ['relu', 'mish']),
  );
  expect(text).toMatch(/^Mish was better than ReLU: −0\.49\d* in loss/);
});

const report = (runs: ExperimentRun[], changes: Partial<ExperimentReport> = {}) => ({
  ...EXPERIMENT_REPORT,
  runs,
  ...changes,
});

test('a repeated run counts once if it is equal, and is refused if not', () => {
  const first = { name: 'a.json', report: report([run('relu', 0, 0.8)]) };
  const equal = { name: 'b.json', report: report([{ ...run('relu', 0, 0.8), seconds: 9 }]) };
  expect(mergeExperiments([first, equal, first]).runs).toHaveLength(1);
  const other = { name: 'c.json', report: report([run('relu', 0, 0.81)]) };
  expect(() => mergeExperiments([first, other])).toThrow(/run of relu with seed 0 has another result/);
});

test('reports of different experiments are refused', () => {
  const first = { name: 'a.json', report: report([]) };
  const other = { name: 'b.json', report: report([], { digest: 'cd' }) };
  expect(() => mergeExperiments([first, other])).toThrow(/another experiment than/);
});

test('a merge has the runs of later seeds and names the missing ones', () => {
  const { settings } = EXPERIMENT_REPORT;
  const first = {
    name: 'a.json',
    report: report([run('relu', 0, 0.8)], { settings: { ...settings, seeds: [0] } }),
  };
  const later = {
    name: 'b.json',
    report: report([run('mish', 1, 0.8)], { settings: { ...settings, seeds: [1] } }),
  };
  const merged = mergeExperiments([later, first]);
  expect(merged.settings.seeds).toEqual([0, 1]);
  expect(merged.missing).toEqual([
    { activation: 'mish', seed: 0 },
    { activation: 'relu', seed: 1 },
  ]);
});

test('landscapes of different sizes have a note, and those of one size have none', () => {
  const landscape = { span: 1, points: 3, losses: new Array(9).fill(1), roughness: 0, images: 5 };
  const merged = (change: Partial<typeof landscape>) =>
    mergeExperiments([
      { name: 'a.json', report: report([{ ...run('relu', 0, 0.8), landscape }]) },
      {
        name: 'b.json',
        report: report([{ ...run('mish', 0, 0.8), landscape: { ...landscape, ...change } }]),
      },
    ]).notes.filter((note) => note.includes('landscapes'));
  expect(merged({ roughness: 0.2 })).toEqual([]);
  for (const change of [{ span: 2 }, { points: 5 }]) expect(merged(change)).toHaveLength(1);
});
