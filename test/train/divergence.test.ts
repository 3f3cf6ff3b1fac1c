import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OnnxMishError } from '../../src/base/error.js';
import { createRandom, normal } from '../../src/base/random.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { diverged, isDivergence, maxLossOf } from '../../src/train/divergence.js';
import { createTrainer } from '../../src/train/index.js';
import { stepTimer } from '../../src/train/step-timer.js';
import { floats, model, node, value } from '../support/model.js';

const provider = nodeProvider('cpu');
const COUNT = 48;
const random = createRandom(5);
const numbers = (count: number) => Float32Array.from({ length: count }, () => normal(random));
const x = { elemType: 'f32' as const, dims: [COUNT, 3], data: numbers(3 * COUNT) };
const classes = Array.from(
  x.data.filter((_, at) => at % 3 === 0),
  (one) => (one > 0 ? 1 : 0),
);
const column = { elemType: 'f32' as const, dims: [COUNT, 1], data: Float32Array.from(classes) };

/** Two layers, whose weights a large rate moves far away. */
const net = (outputs: number) =>
  model({
    nodes: [
      node('Gemm', ['x', 'v', 'c'], ['h']),
      node('Relu', ['h'], ['r']),
      node('Gemm', ['r', 'w', 'b'], ['y']),
    ],
    initializers: [
      floats('v', [3, 8], [...numbers(24)]),
      floats('c', [8], [...numbers(8)]),
      floats('w', [8, outputs], [...numbers(8 * outputs)]),
      floats('b', [outputs], Array(outputs).fill(0)),
    ],
    inputs: [value('x', 1, ['N', 3])],
    outputs: [value('y', 1, ['N', outputs])],
  });

describe('a loss of scores above its bound', () => {
  test.each([
    ['cross-entropy', net(2), classes],
    ['bce', net(1), column],
  ] as const)('is a divergence, and no epoch has one: %s', async (loss, bytes, targets) => {
    const ends = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(0.1, 100, 1000), fc.nat(5), async (rate, seed) => {
        const labelled = { inputs: { x }, targets };
        const trainer = await createTrainer(bytes, {
          ...{ ...labelled, validation: labelled, loss, provider, rate, seed, batch: 8, epochs: 6 },
          ...{ optimizer: { kind: 'sgd', momentum: 0.99 }, schedule: 'constant', keep: 'last' },
        });
        let end = 'finished';
        try {
          for await (const _ of trainer);
        } catch (error) {
          expect(isDivergence(error)).toBe(true);
          expect(error).toMatchObject({ code: 'run-failed', what: expect.stringMatching(/loss|weight/) });
          end = /is \d.*, which means that all probabilities are 0 or 1$/.test((error as OnnxMishError).what)
            ? 'bound'
            : 'not finite';
        }
        for (const epoch of trainer.epochs)
          expect(Math.max(epoch.loss, epoch.validation?.loss ?? 0)).toBeLessThanOrEqual(maxLossOf(loss));
        ends.add(`${rate} ${end}`);
        await trainer.close();
      }),
      { numRuns: 12, seed: 3 },
    );
    expect(ends).toContain('0.1 finished');
    expect([...ends].some((end) => end.endsWith('bound'))).toBe(true);
  });

  test('squared errors are as large as their targets', async () => {
    const far = { ...column, data: column.data.map((one) => 1e6 * one) };
    const trainer = await createTrainer(net(1), {
      ...{ inputs: { x }, targets: far, loss: 'mse', provider, batch: 8, epochs: 1 },
    });
    for await (const { loss } of trainer) expect(loss).toBeGreaterThan(maxLossOf('bce'));
    await trainer.close();
  });
});

describe('the seconds of an epoch', () => {
  /** Takes so many of the steps, and then ends as told. */
  async function* steps(timer: ReturnType<typeof stepTimer>, taken: number, of: number, error?: Error) {
    for (let step = 1; step <= taken; step++) {
      await new Promise((done) => setTimeout(done, 4));
      timer.onStep(step, of);
    }
    if (error !== undefined) throw error;
    yield 1;
  }

  test('follow from the steps on few samples, also where these diverge', async () => {
    for (const taken of [10, 4, 1, 0]) {
      const timer = stepTimer();
      const error = taken === 10 ? undefined : diverged('the loss of a step is NaN');
      const seconds = await timer.epochSeconds(steps(timer, taken, 10, error), 80, 800);
      // A hundred steps of 8 samples, 4 ms each, on a busy machine; without a step, nothing tells the batch.
      if (taken > 0) expect(seconds).toBeGreaterThan(0.3);
      else expect(seconds).toBeGreaterThanOrEqual(0);
      expect(seconds).toBeLessThan(20);
    }
  });

  test('another error is thrown', async () => {
    const timer = stepTimer();
    const error = new OnnxMishError('aborted', 'stop');
    await expect(timer.epochSeconds(steps(timer, 2, 9, error), 18, 90)).rejects.toBe(error);
  });
});
