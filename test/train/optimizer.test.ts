import { expect, test } from 'vitest';
import { adamStep, zeroMoments } from '../../src/train/optimizer.js';
import { parameterOf } from '../support/parameters.js';

test('a first step of Adam moves each value by rate × scale against its gradient', async () => {
  const parameter = await parameterOf([2, -2, 2, -2]);
  adamStep(parameter, zeroMoments(parameter), Float32Array.of(5, 1e-6, -300, 0), 1, 0.01);
  expect([...parameter.values]).toEqual([1.98, -2.02, 2.02, -2].map(Math.fround));
});

test('Adam ignores the scale of gradients', async () => {
  const [small, large] = [await parameterOf([1, 2, 3]), await parameterOf([1, 2, 3])];
  const moments = [zeroMoments(small), zeroMoments(large)] as const;
  for (let step = 1; step <= 5; step++) {
    const gradient = Float32Array.from([1, 2, 3], (value) => Math.sin(value * step));
    adamStep(small, moments[0], gradient, step, 0.1);
    adamStep(
      large,
      moments[1],
      gradient.map((value) => value * 1024),
      step,
      0.1,
    );
  }
  expect(large.values).toEqual(small.values);
});
