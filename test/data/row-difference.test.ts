import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rowDifference } from '../../src/data/row-difference.js';
import type { Tensor } from '../../src/providers/tensor.js';

const tensor = (data: readonly number[], dims: readonly number[]): Tensor => ({
  elemType: 'f32',
  dims: [...dims],
  data: Float32Array.from(data),
});
const finite = fc.integer({ min: -1000, max: 1000 });
const any = fc.oneof(finite, fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY));
const rows = (element: fc.Arbitrary<number>) =>
  fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5 })).chain(([samples, width]) =>
    fc.array(fc.array(element, { minLength: width, maxLength: width }), {
      minLength: samples,
      maxLength: samples,
    }),
  );

test('a row of a run equals the same row alone, whatever is in it', () => {
  fc.assert(
    fc.property(rows(any), (all) => {
      const [samples, width] = [all.length, all[0]?.length ?? 0];
      const together = tensor(all.flat(), [samples, width]);
      for (const [row, own] of all.entries())
        expect(rowDifference(together, tensor(own, [1, width]), { row, samples })).toBe(0);
    }),
  );
});

test('a difference is a share of the largest element, and infinite where one of two is not finite', () => {
  fc.assert(
    fc.property(rows(finite), fc.nat(), fc.nat(), any, (all, at, place, other) => {
      const [samples, width] = [all.length, all[0]?.length ?? 0];
      const [row, column] = [at % samples, place % width];
      const own = [...(all[row] ?? [])];
      const before = own[column] ?? 0;
      own[column] = other;
      const share = rowDifference(tensor(all.flat(), [samples, width]), tensor(own, [1, width]), {
        row,
        samples,
      });
      const scale = Math.max(...own.filter(Number.isFinite).map(Math.abs), 0);
      if (Object.is(before, other) || before === other) expect(share).toBe(0);
      else expect(share).toBe(Number.isFinite(other) ? Math.abs(before - other) / scale : Infinity);
    }),
  );
});

test('an output without a row for each sample has none', () => {
  const two = tensor([1, 2], [2, 1]);
  const one = tensor([1], [1, 1]);
  for (const [a, b, samples] of [
    [undefined, one, 2],
    [two, undefined, 2],
    [two, one, 3],
    [two, two, 2],
    [two, tensor([1, 2], [1, 2]), 2],
  ] as const)
    expect(rowDifference(a, b, { row: 0, samples })).toBeUndefined();
});
