import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lazyArray } from '../../src/base/lazy-array.js';

test('a lazy array behaves like an array', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), (values) => {
      const lazy = lazyArray(values.length, (index) => values[index]);
      expect(Array.isArray(lazy)).toBe(true);
      expect(lazy).toEqual(values);
      expect([...lazy]).toEqual(values);
      expect(lazy.map((value) => (value ?? 0) * 2)).toEqual(values.map((value) => value * 2));
      expect(lazy.filter((value) => (value ?? 0) > 0)).toEqual(values.filter((value) => value > 0));
      expect([...lazy.entries()]).toEqual([...values.entries()]);
      expect(lazy.slice(1, 3)).toEqual(values.slice(1, 3));
      expect([lazy.at(-1), lazy[values.length], lazy.length]).toEqual([
        values.at(-1),
        undefined,
        values.length,
      ]);
    }),
    { numRuns: 100, seed: 1 },
  );
});

test('a lazy array takes no memory for its length and computes only accessed elements', () => {
  let made = 0;
  const lazy = lazyArray(2 ** 32 - 1, (index) => [index, ++made]);
  expect(lazy[4e9]).toEqual([4e9, 1]);
});
