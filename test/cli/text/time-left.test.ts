import { expect, test } from 'vitest';
import { timeLeftClock } from '../../../src/cli/text/time-left.js';

test('the time left is printed once enough steps have been timed', () => {
  let now = 5000;
  const left = timeLeftClock(() => now);
  expect(left(0)).toBe('');
  now += 500;
  expect(left(0.1)).toBe(''); // too early to say
  now += 1500;
  expect(left(0)).toBe('');
  expect(left(0.25)).toBe(', about 6 s left');
  expect(left(0.01)).toBe(', about 4 min left');
  expect(left(1)).toBe(', about 0 s left');
});
