import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRandom, permutation, seedOf } from '../../src/base/random.js';

test('a permutation has each number once', () => {
  fc.assert(
    fc.property(fc.nat(50), fc.nat(), (length, seed) => {
      const order = permutation(length, createRandom(seed));
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length }, (_, at) => at));
      expect(permutation(length, createRandom(seed))).toEqual(order);
    }),
    { seed: 3, numRuns: 50 },
  );
});

test('seeds of near numbers differ', () => {
  const seeds = new Set<number>();
  for (let seed = 0; seed < 20; seed++)
    for (let epoch = 0; epoch < 20; epoch++)
      for (let sample = 0; sample < 50; sample++) seeds.add(seedOf(seed, epoch, sample));
  expect(seeds.size).toBeGreaterThan(19_990); // two of 20,000 numbers below 2^32 are equal by chance in 1 of 20 cases
  expect(seedOf(1, 2)).not.toBe(seedOf(2, 1));
});
