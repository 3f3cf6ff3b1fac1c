import { describe, expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { measureRun } from '../../src/experiment/estimate.js';
import { mergeExperiments } from '../../src/experiment/merge.js';
import type { ExperimentOptions } from '../../src/experiment/options.js';
import { experimentReport } from '../../src/experiment/report.js';
import { type ExperimentRun, parseExperimentReport } from '../../src/experiment/report-schema.js';
import { runExperiment } from '../../src/experiment/run-experiment.js';
import { keptWarning, trainingFacts } from '../../src/experiment/training-facts.js';
import { labelledArrays } from '../../src/finetune/labelled-arrays.js';
import { mishDerivative } from '../../src/mish/reference.js';
import { swap } from '../../src/mish/swap.js';
import { CLASSES, classified, classifier, FEATURES, UNEVEN_LABELS } from '../support/classified.js';
import { smallExperiment, timeless, trained } from '../support/experiment.js';
import { EXPERIMENT_REPORT } from '../support/experiment-report.js';
import { failure } from '../support/graph.js';
import { value } from '../support/model.js';

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

  test('have the derivative of the Mish that they train, sharp or not', async () => {
    for (const beta of [undefined, 3]) {
      const sharp = await smallExperiment({ beta, epochs: 1, seeds: 1, landscape: { points: 3, images: 8 } });
      const relu = (await trained(sharp, ['relu', 0])).derivative;
      expect(relu?.derivative).toEqual(relu?.x.map((x) => (x > 0 ? 1 : 0)));
      const { x = [], derivative } = (await trained(sharp, ['mish', 0])).derivative ?? {};
      expect(x.length).toBeGreaterThan(4);
      for (const [at, centre] of x.entries())
        expect(derivative?.[at]).toBeCloseTo(mishDerivative((beta ?? 1) * centre), 6);
    }
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

test.each(Object.entries(UNEVEN_LABELS))('labels %s have an estimate of their time', async (_, labelAt) => {
  const { x } = classified(160);
  const labels = Array.from({ length: 160 }, (__, at) => labelAt(at, 160));
  const data: ExperimentOptions['data'] = (inputs) => labelledArrays({ x }, labels, inputs);
  const uneven = await smallExperiment({ data, test: data, batch: 2, epochs: 1 });
  expect((await measureRun(uneven, 'mish')).steps).toBeGreaterThan(0);
});

test('a run that diverges has a reason and no score, and the others go on', async () => {
  const experiment = await smallExperiment({
    ...{ rate: 1000, optimizer: { kind: 'sgd', momentum: 0.99 }, schedule: 'constant', epochs: 20 },
  });
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

test('a label out of range is named with its number in its file, wherever the part has it', async () => {
  const random = createRandom(3);
  for (const where of ['data', 'test'] as const) {
    const wrong = Math.floor(random() * 1200);
    const { x, labels } = classified(1200, 6);
    labels[wrong] = 7;
    const maker = (inputs: Parameters<ExperimentOptions['data']>[0]) => ({
      ...labelledArrays({ x }, labels, inputs),
      name: 'wrong.npz',
    });
    const run = smallExperiment({ [where]: maker }).then((prepared) => trainingFacts(prepared));
    expect(await failure(run)).toMatchObject({
      where: 'wrong.npz',
      what: `label 7 of sample ${wrong} is outside the 3 classes (0 to 2)`,
    });
  }
});

test.each([
  { fixed: 4, batch: undefined, samples: 64 },
  { fixed: 4, batch: 8, samples: 8 },
  { fixed: undefined, batch: undefined, samples: 64 },
])('the report has the samples of a step: %o', async ({ fixed, batch, samples }) => {
  const net = classifier(
    fixed === undefined
      ? {}
      : { inputs: [value('x', 1, [fixed, FEATURES])], outputs: [value('scores', 1, [fixed, CLASSES])] },
  );
  const prepared = await smallExperiment({ batch, epochs: 1 }, net);
  const report = experimentReport(prepared, [], { host, training: await trainingFacts(prepared) });
  expect(report.settings).toMatchObject({ batch: samples, output: 'scores' });
});

test('batch normalisation behind convolutions that are not there is a warning, and the report has none', async () => {
  const { batchNorm, warnings } = await smallExperiment({ batchNorm: true });
  expect([batchNorm, warnings]).toEqual([
    'train',
    [expect.stringContaining('No convolution has weights of its own')],
  ]);
});

test('a glob that matches nothing is told before the training', async () => {
  const told: string[] = [];
  await smallExperiment({ exclude: ['act', 'akt'].slice(1), onDoubt: ({ text }) => told.push(text) });
  expect(told).toEqual(["no activation matches 'akt'"]);
  expect(await failure(smallExperiment({ exclude: ['act'] }))).toMatchObject({
    what: expect.stringContaining('names that were chosen'),
    option: { exclude: null },
  });
});

test('weights that no rule initialises are a warning', () => {
  expect(keptWarning([])).toEqual([]);
  expect(keptWarning(['w'])[0]).toMatch(/^A trained weight starts from the values .*: w\.$/);
  expect(keptWarning(['w', 'v', 'u'])[0]).toMatch(/^3 trained weights start from .*: w and 2 more\.$/);
});
