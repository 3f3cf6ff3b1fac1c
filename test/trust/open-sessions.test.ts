import { afterAll, describe, expect, test } from 'vitest';
import { openMultiplier } from '../../src/calibrate/repair/gram-matrix.js';
import { sampledFeeds } from '../../src/data/arrays.js';
import { labelledArrays } from '../../src/finetune/labelled-arrays.js';
import { swap } from '../../src/mish/swap.js';
import { calibrate } from '../../src/node/calibrate-files.js';
import { experiment } from '../../src/node/experiment.js';
import { finetune } from '../../src/node/finetune.js';
import { bytesCandidate, validateFiles } from '../../src/node/validate-files.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { CLASSES, classified, FEATURES } from '../support/classified.js';
import { isHeavy } from '../support/heavy.js';
import { floats, model, node, value } from '../support/model.js';
import { watchSessions } from '../support/watch-sessions.js';

// No work leaves a session of ONNX Runtime open: where it ends, is stopped at any of its runs, or fails at a sample.

const SAMPLES = 80;
const HIDDEN = 6;
/** An element of a sample at which ONNX Runtime fails. */
const TOO_LARGE = 1e9;
/** Runs that may follow the one at which work is stopped. */
const MAX_RUNS_AFTER_STOP = 2;

const weights = (count: number) => Array.from({ length: count }, (_, at) => Math.sin(7 * at + 1));

/** Two layers with a Relu between them, behind a table with one row: the number of the row is 0 unless a sample is too large. */
const NET = model({
  nodes: [
    node('ReduceMax', ['x'], ['most'], { keepdims: 0 }),
    node('Mul', ['most', 'small'], ['part']),
    node('Cast', ['part'], ['row'], { to: 7 }),
    node('Gather', ['table', 'row'], ['shift']),
    node('Add', ['x', 'shift'], ['same'], {}, { name: 'sum' }),
    node('Gemm', ['same', 'w1'], ['h'], {}, { name: 'first' }),
    node('Relu', ['h'], ['a'], {}, { name: 'act' }),
    node('Gemm', ['a', 'w2'], ['scores'], {}, { name: 'second' }),
  ],
  initializers: [
    floats('w1', [FEATURES, HIDDEN], weights(FEATURES * HIDDEN)),
    floats('w2', [HIDDEN, CLASSES], weights(HIDDEN * CLASSES)),
    floats('small', [], [2 / TOO_LARGE]),
    floats('table', [1, FEATURES], [0, 0, 0, 0]),
  ],
  inputs: [value('x', 1, ['N', FEATURES])],
  outputs: [value('scores', 1, ['N', CLASSES])],
});

/** Samples, of which one may be too large. */
function samples(large?: number) {
  const { x, labels } = classified(SAMPLES);
  if (large !== undefined) x.data[large * FEATURES] = TOO_LARGE;
  return { x, labels };
}

type Job = (given: { readonly large?: number; readonly signal?: AbortSignal }) => Promise<unknown>;
const SESSION = { threads: 1 };

const JOBS: Readonly<Record<string, Job>> = {
  calibrate: ({ large, signal }) =>
    calibrate(NET, {
      data: (inputs) => sampledFeeds({ x: samples(large).x }, inputs, { dims: { N: 4 } }),
      ...{ steps: 2, signal, session: SESSION },
    }),
  'calibrate with β for a budget': ({ large, signal }) =>
    calibrate(NET, {
      data: (inputs) => sampledFeeds({ x: samples(large).x }, inputs, { dims: { N: 4 } }),
      ...{ beta: 'auto', steps: 2, signal, session: SESSION },
    }),
  async validate({ large, signal }) {
    const { output } = await swap(NET);
    return validateFiles(
      await bytesCandidate(NET, 'original'),
      await bytesCandidate(await output.bytes(), 'swapped'),
      {
        data: (inputs) => sampledFeeds({ x: samples(large).x }, inputs, { dims: { N: 4 } }),
        ...{ perLayer: true, profile: true, latency: { minPairs: 5, minSeconds: 0 } },
        ...{ signal, session: SESSION },
      },
    );
  },
  finetune({ large, signal }) {
    const { x, labels } = samples(large);
    return finetune(NET, {
      data: (inputs) => labelledArrays({ x }, labels, inputs),
      ...{ epochs: 1, batch: 16, signal, session: SESSION },
    });
  },
  experiment({ large, signal }) {
    const { x, labels } = samples(large);
    return experiment(NET, {
      data: (inputs) => labelledArrays({ x }, labels, inputs),
      ...{ activations: ['relu', 'mish'], epochs: 1, seeds: 1, batch: 16, landscape: false },
      ...{ signal, session: SESSION },
    });
  },
};

const watch = watchSessions();
afterAll(() => watch.end());

/** Does a job, stopped at its nth run if that is given. Returns the code of its error, and how many runs it made. */
async function outcomeOf(job: Job, large?: number, stopAt = Number.POSITIVE_INFINITY) {
  const controller = new AbortController();
  const before = watch.runs();
  watch.onRun = (run) => {
    if (run - before >= stopAt) controller.abort();
  };
  const given = { signal: controller.signal, ...(large === undefined ? {} : { large }) };
  const code = await job(given).then(
    () => 'done',
    (error: { code?: string }) => error.code ?? String(error),
  );
  return { code, runs: watch.runs() - before, left: watch.open() };
}

/** Some numbers of 1 to `count`, the last among them; more at whole size. */
const someOf = (count: number): number[] => {
  const most = Math.min(count, isHeavy ? 80 : 5);
  return [...new Set(Array.from({ length: most }, (_, at) => Math.ceil(((at + 1) * count) / most)))];
};

describe.each(Object.entries(JOBS))('%s', (_, job) => {
  test('releases every session at its end, and where it is stopped at any run, which is one of its last', async () => {
    const opened = watch.opened();
    const { code, runs, left } = await outcomeOf(job);
    expect([code, left]).toEqual(['done', 0]);
    expect(watch.opened() - opened).toBeGreaterThan(3);
    const codes = new Set<string>();
    for (const stopAt of someOf(runs)) {
      const stopped = await outcomeOf(job, undefined, stopAt);
      codes.add(stopped.code);
      expect([stopAt, stopped.left]).toEqual([stopAt, 0]);
      expect(stopped.runs - stopAt).toBeLessThanOrEqual(MAX_RUNS_AFTER_STOP);
    }
    expect(codes).toContain('aborted');
  });

  test('releases every session where ONNX Runtime fails at a sample', async () => {
    const codes = new Set<string>();
    for (const large of someOf(SAMPLES)) {
      const failed = await outcomeOf(job, large - 1);
      codes.add(failed.code);
      expect([large, failed.left]).toEqual([large, 0]);
    }
    expect(codes).toContain('run-failed');
  });
});

test('the products of a repair release the sessions that only some layers need', async () => {
  const multiplier = await openMultiplier(nodeProvider('cpu'));
  const square = { rows: 2, columns: 2, data: Float32Array.of(1, 2, 3, 4) };
  await multiplier.gram(square.data, 2);
  await multiplier.product(square, square);
  await multiplier.crossProduct(square, square);
  expect(watch.open()).toBe(3);
  await multiplier.close();
  expect(watch.open()).toBe(0);
});
