import { describe, expect, test } from 'vitest';
import { clipGradients, graphOptimizer, type OptimizerOptions } from '../../src/train/graph-optimizers.js';
import { runTape } from '../support/tape.js';
import { wave } from '../support/training.js';
import reference from './reference/steps.json' with { type: 'json' };

const COUNT = 5;
const RATE = 0.05;
const MAX_NORM = 0.5;

/** What PyTorch's optimisers were given. */
const OPTIONS: Record<string, OptimizerOptions> = {
  sgd: { kind: 'sgd' },
  'sgd, momentum': { kind: 'sgd', momentum: 0.9, weightDecay: 0.01 },
  'sgd, nesterov': { kind: 'sgd', momentum: 0.9, nesterov: true, weightDecay: 0.01 },
  rmsprop: { kind: 'rmsprop' },
  'rmsprop, momentum': { kind: 'rmsprop', momentum: 0.9, alpha: 0.9, weightDecay: 0.01 },
  adam: { kind: 'adam' },
  'adam, weight decay': { kind: 'adam', betas: [0.8, 0.99], weightDecay: 0.1 },
  adamw: { kind: 'adamw', weightDecay: 0.1 },
};

const tensor = (data: ArrayLike<number>) => ({ dims: [data.length], data });

/** The values after each of as many steps. */
async function valuesOf(options: OptimizerOptions, steps: number, clipped: boolean): Promise<number[][]> {
  const optimizer = graphOptimizer(options);
  let value: ArrayLike<number> = wave(COUNT, 0.7);
  let states: ArrayLike<number>[] = optimizer.states.map(() => new Float32Array(COUNT));
  const found: number[][] = [];
  for (let step = 1; step <= steps; step++) {
    const scalars = optimizer.scalarsAt(step, RATE);
    const inputs = {
      ...{ p: tensor(value), g: tensor(wave(COUNT, 0.3 * step)) },
      ...Object.fromEntries(states.map((data, at) => [`s${at}`, tensor(data)])),
      ...Object.fromEntries(scalars.map((scalar, at) => [`c${at}`, { dims: [], data: [scalar] }])),
    };
    const result: Record<string, number[]> = await runTape(inputs, (tape) => {
      const [g = ''] = clipped ? clipGradients(tape, ['g'], MAX_NORM) : ['g'];
      const names = [optimizer.states.map((_, at) => `s${at}`), scalars.map((_, at) => `c${at}`)] as const;
      const update = optimizer.update(tape, 'p', g, ...names);
      return {
        value: update.value,
        ...Object.fromEntries(update.states.map((name, at) => [`s${at}`, name])),
      };
    });
    value = result.value ?? [];
    states = states.map((_, at) => result[`s${at}`] ?? []);
    found.push(Array.from(value));
  }
  return found;
}

describe('steps equal PyTorch’s', () => {
  test.each(Object.entries(reference.optimizers))('%s', async (name, expected) => {
    const clipped = name.endsWith(', clipped');
    const options = OPTIONS[name.replace(', clipped', '')];
    if (options === undefined) throw new Error(`no options for ${name}`);
    const found = await valuesOf(options, expected.length, clipped);
    for (const [step, values] of expected.entries())
      for (const [at, value] of values.entries())
        expect(found[step]?.[at], `step ${step}`).toBeCloseTo(value, 5);
  });
});

test('RMSProp with a corrected start is Adam without momentum, whose steps equal PyTorch’s', async () => {
  const corrected = await valuesOf({ kind: 'rmsprop', corrected: true, alpha: 0.99 }, 6, false);
  const adam = await valuesOf({ kind: 'adam', betas: [0, 0.99] }, 6, false);
  for (const [step, values] of adam.entries())
    for (const [at, value] of values.entries()) expect(corrected[step]?.[at]).toBeCloseTo(value, 5);
  // The first step is as long as the rate.
  for (const [at, value] of (corrected[0] ?? []).entries())
    expect(Math.abs(value - (wave(COUNT, 0.7)[at] ?? 0))).toBeCloseTo(RATE, 5);
});

test('gradients within the norm stay unchanged', async () => {
  const inputs = { a: tensor([0.3, 0]), b: tensor([0, 0, 0.4]) };
  const result = await runTape(inputs, (tape) => {
    const [a = '', b = ''] = clipGradients(tape, ['a', 'b'], 1);
    return { a, b };
  });
  expect(result).toEqual({ a: [0.3, 0].map(Math.fround), b: [0, 0, 0.4].map(Math.fround) });
});
