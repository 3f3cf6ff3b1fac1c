import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { accumulating } from '../../src/train/accumulate-gradients.js';
import { graphOptimizer, type OptimizerOptions } from '../../src/train/graph-optimizers.js';
import { createTrainer } from '../../src/train/train-model.js';
import { floats, model, node, value } from '../support/model.js';
import { openTraining, wave } from '../support/training.js';

const provider = nodeProvider('cpu');
const [SAMPLES, PARTS] = [6, 3];
const data = wave(3 * SAMPLES, 0.9);
const targets = wave(2 * SAMPLES, 1.7);
const batch = (from: number, to: number) => ({
  x: { elemType: 'f32', dims: [to - from, 3], data: data.slice(3 * from, 3 * to) },
});
const net = (last = node('Tanh', ['h'], ['y']), samples: number | string = 'N') =>
  model({
    nodes: [node('Gemm', ['x', 'w', 'b'], ['h']), last],
    initializers: [floats('w', [3, 2], [...wave(6, 0.4)]), floats('b', [2], [0.1, -0.1])],
    inputs: [value('x', 1, [samples, 3])],
    outputs: [value('y', 1, [samples, 2])],
  });

const OPTIMIZERS: OptimizerOptions[] = [
  { kind: 'sgd', momentum: 0.9, weightDecay: 0.01 },
  { kind: 'rmsprop' },
  { kind: 'adamw' },
];

describe('gradients of several runs give the steps of one larger batch', () => {
  test.each([
    ...OPTIMIZERS.map((options) => ({ options, kind: options.kind, maxGradientNorm: undefined })),
    // The gradients of the larger batch are longer than this; those of a run differ from it in direction.
    { options: { kind: 'sgd' } as const, kind: 'sgd, clipped', maxGradientNorm: 0.05 },
  ])('$kind', async ({ options, maxGradientNorm }) => {
    const size = SAMPLES / PARTS;
    const plain = graphOptimizer(options);
    const parts = accumulating(plain, PARTS);
    const settings = { output: 'y', loss: 'mse', maxGradientNorm } as const;
    const one = await openTraining(net(), batch(0, SAMPLES), provider, { ...settings, optimizer: plain });
    const several = await openTraining(net(), batch(0, size), provider, { ...settings, optimizer: parts });
    for (let step = 0; step < 4; step++) {
      await one.stepper.step(batch(0, SAMPLES), targets, 0.05);
      for (let from = 0; from < SAMPLES; from += size)
        await several.stepper.step(
          batch(from, from + size),
          targets.slice(2 * from, 2 * (from + size)),
          0.05,
        );
    }
    const [expected, found] = [one.stepper.state(), several.stepper.state()];
    for (const name of ['w', 'b']) {
      expect(found.get(name)).not.toEqual(name === 'w' ? wave(6, 0.4) : Float32Array.of(0.1, -0.1));
      for (const [at, number] of (expected.get(name) ?? []).entries())
        expect(found.get(name)?.[at], name).toBeCloseTo(number, 5);
    }
    await Promise.all([one.session.close(), several.session.close()]);
  });
});

test('labels that do not count weigh nothing, however they are spread over the runs', async () => {
  const settings = { output: 'y', loss: 'cross-entropy', ignores: true } as const;
  const plain = graphOptimizer({ kind: 'sgd' });
  const size = SAMPLES / PARTS;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(0, 1, undefined), { minLength: SAMPLES, maxLength: SAMPLES }),
      async (labels) => {
        const rows = Float32Array.from(labels.flatMap((label) => [label === 0 ? 1 : 0, label === 1 ? 1 : 0]));
        const one = await openTraining(net(), batch(0, SAMPLES), provider, { ...settings, optimizer: plain });
        const several = await openTraining(net(), batch(0, size), provider, {
          ...{ ...settings, optimizer: accumulating(plain, PARTS) },
        });
        for (let step = 0; step < 2; step++) {
          await one.stepper.step(batch(0, SAMPLES), rows, 0.5);
          for (let from = 0; from < SAMPLES; from += size)
            await several.stepper.step(
              batch(from, from + size),
              rows.slice(2 * from, 2 * (from + size)),
              0.5,
            );
        }
        const [expected, found] = [one.stepper.state(), several.stepper.state()];
        for (const name of ['w', 'b'])
          for (const [at, number] of (expected.get(name) ?? []).entries())
            expect(found.get(name)?.[at], name).toBeCloseTo(number, 5);
        await Promise.all([one.session.close(), several.session.close()]);
      },
    ),
    { seed: 3, numRuns: 12 },
  );
});

test('a trainer sums the gradients of a model whose batch is fixed', async () => {
  const fixed = net(node('Softmax', ['h'], ['y'], { axis: 0 }), 2);
  const rows = { elemType: 'f32', dims: [SAMPLES, 2], data: targets };
  const trainer = await createTrainer(fixed, {
    ...{ inputs: batch(0, SAMPLES), targets: rows, loss: 'mse', batch: SAMPLES, epochs: 2, provider },
  });
  for await (const { loss } of trainer) expect(loss).toBeGreaterThan(0);
  expect(trainer.remarks.map(({ text }) => text)).toContain(
    'The model takes only batches of 2; a step averages the gradients of 3 runs',
  );
  await trainer.close();
});
