import { describe, expect, test } from 'vitest';
import { measureRun } from '../../src/experiment/estimate.js';
import { mergeExperiments } from '../../src/experiment/merge.js';
import { experimentReport } from '../../src/experiment/report.js';
import { type ExperimentRun, parseExperimentReport } from '../../src/experiment/report-schema.js';
import { runExperiment } from '../../src/experiment/run-experiment.js';
import { trainingFacts } from '../../src/experiment/training-facts.js';
import { swap } from '../../src/mish/swap.js';
import { classifier } from '../support/classified.js';
import { smallExperiment, timeless, trained } from '../support/experiment.js';
import { EXPERIMENT_REPORT } from '../support/experiment-report.js';

const host = { ...EXPERIMENT_REPORT.hosts[0], onnxruntime: undefined } as never;

describe('the runs of an experiment', async () => {
  const experiment = await smallExperiment();
  const runs: ExperimentRun[] = [];
  const order: string[] = [];
  for await (const event of runExperiment(experiment)) {
    order.push(`${event.kind} ${event.key.activation} ${event.key.seed}`);
    if (event.kind === 'run') runs.push(event.run);
  }
  const training = await trainingFacts(experiment);
  const report = experimentReport(experiment, runs, { host, training });

  test('come seed by seed, an event for each epoch and each run', () => {
    const keys = ['relu 0', 'mish 0', 'relu 1', 'mish 1'];
    expect(order).toEqual(keys.flatMap((key) => [...[1, 2, 3].map(() => `epoch ${key}`), `run ${key}`]));
  });

  test('learn, and differ between activations and seeds', () => {
    for (const { epochs, test: score, diverged } of runs) {
      expect(diverged).toBeNull();
      expect(epochs.at(-1)?.loss).toBeLessThan(epochs[0]?.loss ?? 0);
      expect(score?.accuracy).toBeGreaterThan(0.4);
      // All 100 test samples are on the curve.
      expect(epochs.at(-1)?.test?.loss).toBeCloseTo(score?.loss ?? 0, 10);
    }
    expect(new Set(runs.map(({ test: score }) => score?.loss)).size).toBe(4);
  });

  test('are the same again with the same seed', async () => {
    expect(timeless(await trained(await smallExperiment(), ['mish', 1]))).toEqual(timeless(runs[3]));
  });

  test.each(['sigmoid', 'tanh', 'hard'] as const)(
    'are the same for a network whose activation was Mish in the %s form',
    async (form) => {
      const net = await (await swap(classifier(), { form })).output.bytes();
      const other = await smallExperiment({}, net);
      expect(other.activations).toEqual(experiment.activations);
      for (const [at, activation] of (['relu', 'mish'] as const).entries())
        expect((await trained(other, [activation, 0])).test).toEqual(runs[at]?.test);
    },
  );

  test('are the same if they take turns', async () => {
    const others: ExperimentRun[] = [];
    const turns: string[] = [];
    for await (const event of runExperiment(experiment, { turns: 'epoch' })) {
      if (event.kind === 'run') others.push(event.run);
      else turns.push(event.key.activation);
    }
    expect(turns.slice(0, 4)).toEqual(['relu', 'mish', 'relu', 'mish']);
    expect(timeless(others)).toEqual(timeless(runs));
  });

  test('are the same after a stop at any epoch', async () => {
    const saved: Uint8Array[] = [];
    const save = async (checkpoint: Uint8Array) => void saved.push(checkpoint.slice());
    await trained(experiment, ['mish', 0], { save });
    expect(saved).toHaveLength(3);
    for (const resume of saved)
      expect(timeless(await trained(experiment, ['mish', 0], { resume }))).toEqual(timeless(runs[1]));
    const other = trained(experiment, ['mish', 1], { resume: saved[0] });
    await expect(other).rejects.toMatchObject({ code: 'bad-usage' });
  });

  test('give a report that its schema accepts', () => {
    expect(parseExperimentReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
    expect(report).toMatchObject({ sites: ['act'], kept: [], missing: [], baseline: 'relu' });
    expect(report.initial).toMatchObject({ weights: 4, kept: [] });
    expect(report.results.map(({ activation, runs: count }) => [activation, count])).toEqual([
      ['relu', 2],
      ['mish', 2],
    ]);
  });

  test('can be done in parts, whose reports merge to the same report in any order', () => {
    const part = (which: readonly number[]) =>
      experimentReport(
        experiment,
        which.flatMap((at) => runs[at] ?? []),
        { host, training },
      );
    const parts = [[0, 3], [1], [2, 1]].map((which, at) => ({ name: `${at}.json`, report: part(which) }));
    for (const order of [parts, parts.toReversed(), [...parts.slice(1), ...parts.slice(0, 1)]])
      expect(timeless(mergeExperiments(order))).toEqual(timeless(report));
    expect(mergeExperiments(parts.slice(0, 2)).missing).toEqual([{ activation: 'relu', seed: 1 }]);
  });

  test('have an estimate of their time', async () => {
    const times = Object.values(await measureRun(experiment, 'mish'));
    for (const seconds of times) expect(seconds).toBeLessThan(5);
    expect(times.map((seconds) => seconds > 0)).toEqual([true, true, true, false]); // no landscape
  });
});

test('a run that diverges has a reason and no score, and the others go on', async () => {
  const experiment = await smallExperiment({ rate: 1e30, optimizer: { kind: 'sgd' }, schedule: 'constant' });
  const run = await trained(experiment, ['relu', 0]);
  expect(run).toMatchObject({ test: null, units: null, diverged: expect.stringMatching(/loss|weight/) });
  const { steps } = await measureRun(experiment, 'relu');
  expect(steps).toBeGreaterThan(0);
});

test('an abort ends a run', async () => {
  const controller = new AbortController();
  const experiment = await smallExperiment({ signal: controller.signal });
  const save = async () => controller.abort();
  await expect(trained(experiment, ['relu', 0], { save })).rejects.toMatchObject({ code: 'aborted' });
});
