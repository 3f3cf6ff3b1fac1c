import { expect, test } from 'vitest';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { accumulating } from '../../src/train/accumulate-gradients.js';
import { graphOptimizer } from '../../src/train/graph-optimizers.js';
import { floats, model, node, value } from '../support/model.js';
import { openTraining, wave } from '../support/training.js';

const RUNS = 4;
const data = wave(2 * RUNS * 3, 0.9);
const targets = wave(2 * RUNS, 1.7);
const bytes = model({
  nodes: [node('Gemm', ['x', 'w', 'b'], ['y'])],
  initializers: [floats('w', [3, 1], [0.5, -0.5, 0.25]), floats('b', [1], [0.1])],
  inputs: [value('x', 1, ['N', 3])],
  outputs: [value('y', 1)],
});
const x = (from: number, count: number) => {
  return { x: { elemType: 'f32', dims: [count, 3], data: data.subarray(3 * from, 3 * (from + count)) } };
};
const sgd = graphOptimizer({ kind: 'sgd', momentum: 0.9 });

/** Takes two steps of four samples, in runs of so many samples. */
async function statesAfter(samples: number, rate: number) {
  const optimizer = accumulating(sgd, RUNS / samples, 1);
  const { stepper, session } = await openTraining(bytes, x(0, samples), nodeProvider('cpu'), {
    ...{ output: 'y', loss: 'mse', optimizer },
  });
  const states: Float32Array[] = [];
  for (let from = 0; from < 2 * RUNS; from += samples) {
    await stepper.step(x(from, samples), targets.subarray(from, from + samples), rate);
    states.push(stepper.state().get('w') ?? new Float32Array(0));
  }
  await session.close();
  return states;
}

test('runs of single samples give the steps of a batch', async () => {
  // The batch's loss is a mean, the runs' gradients are added up.
  const [whole, single] = [await statesAfter(RUNS, 0.1), await statesAfter(1, 0.1 / RUNS)];
  for (const [step, values] of whole.entries()) {
    const other = single[RUNS * (step + 1) - 1] ?? [];
    for (const [at, one] of values.entries()) expect(other[at]).toBeCloseTo(one, 6);
  }
  expect(single[0]).toEqual(Float32Array.of(0.5, -0.5, 0.25));
  expect(single[RUNS]).toEqual(single[RUNS - 1]);
});

test('one run a step is the optimiser itself', () => {
  expect(accumulating(sgd, 1)).toBe(sgd);
});
