import { describe, expect, test } from 'vitest';
import { createRandom, normal } from '../../src/base/random.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { Session } from '../../src/providers/provider.js';
import { graphOptimizer } from '../../src/train/graph-optimizers.js';
import { createStepper } from '../../src/train/stepper.js';
import { floats, model, node, value } from '../support/model.js';
import { openTraining } from '../support/training.js';

const random = createRandom(3);
const x = { elemType: 'f32', dims: [32, 3], data: Float32Array.from({ length: 96 }, () => normal(random)) };
const OPTIMUM = [1.5, -0.5, 0.25];
const targets = Float32Array.from({ length: 32 }, (_, row) =>
  OPTIMUM.reduce((sum, weight, at) => sum + weight * (x.data[3 * row + at] ?? 0), 0.75),
);
const bytes = model({
  nodes: [node('Gemm', ['x', 'w', 'b'], ['y'])],
  initializers: [floats('w', [3, 1], [0, 0, 0]), floats('b', [1], [0])],
  inputs: [value('x', 1, ['N', 3])],
  outputs: [value('y', 1)],
});
const optimizer = graphOptimizer({ kind: 'adam' });
const open = () => openTraining(bytes, { x }, nodeProvider('cpu'), { output: 'y', loss: 'mse', optimizer });

describe('a stepper', () => {
  test('finds a known optimum', async () => {
    const { stepper, session } = await open();
    for (let step = 0; step < 400; step++) await stepper.step({ x }, targets, 0.05);
    const { loss, correct } = await stepper.step({ x }, targets, 0);
    expect(loss).toBeLessThan(1e-6);
    expect(correct).toBeUndefined();
    const state = stepper.state();
    for (const [at, weight] of OPTIMUM.entries()) expect(state.get('w')?.[at]).toBeCloseTo(weight, 2);
    expect(state.get('b')?.[0]).toBeCloseTo(0.75, 2);
    await session.close();
  });

  test('goes on from its state to the same result as without a stop', async () => {
    const { stepper, session, step } = await open();
    for (let turn = 0; turn < 5; turn++) await stepper.step({ x }, targets, 0.05);
    const state = stepper.state();
    const resumed = createStepper(session, step, { optimizer, initial: state, stepsBefore: 5 });
    for (let turn = 0; turn < 5; turn++)
      expect(await resumed.step({ x }, targets, 0.05)).toEqual(await stepper.step({ x }, targets, 0.05));
    expect(resumed.state()).toEqual(stepper.state());
    expect(resumed.state()).not.toEqual(state);
    await session.close();
  });

  test('gives the same state where the session cannot write into arrays', async () => {
    const [{ stepper, session, step }, other] = [await open(), await open()];
    const { runInto: _, ...plain }: Session = session;
    const copying = createStepper(plain, step, { optimizer, initial: new Map() });
    for (let turn = 0; turn < 4; turn++) {
      await copying.step({ x }, targets, 0.05);
      await other.stepper.step({ x }, targets, 0.05);
    }
    expect(copying.state()).toEqual(other.stepper.state());
    expect(stepper.state().get('w')).toEqual(new Float32Array(3));
    await Promise.all([session.close(), other.session.close()]);
  });

  test('stops with an error if the loss is NaN or infinite', async () => {
    const { stepper, session } = await open();
    const bad = { x: { ...x, data: x.data.map((one, at) => (at === 7 ? Number.NaN : one)) } };
    await expect(stepper.step(bad, targets, 0.05)).rejects.toMatchObject({ code: 'run-failed' });
    await session.close();
  });

  test('stops when the signal fires', async () => {
    const { session, step } = await open();
    const stopped = { optimizer, initial: new Map(), signal: AbortSignal.abort() };
    await expect(createStepper(session, step, stopped).step({ x }, targets, 0.05)).rejects.toMatchObject({
      code: 'aborted',
    });
    await session.close();
  });
});
