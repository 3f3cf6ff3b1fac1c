import { expect, test } from 'vitest';
import { checkStepMemory } from '../../src/calibrate/step-memory.js';

test('a step of less than 1.5 GiB is made, a larger one is refused with its size', () => {
  expect(() => checkStepMemory(2 ** 27)).not.toThrow();
  expect(() => checkStepMemory(2 ** 28)).toThrow('a step needs about 3.0 GiB of memory');
});
