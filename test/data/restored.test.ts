import { describe, expect, test } from 'vitest';
import { createRandom, normal } from '../../src/base/random.js';
import { residualsOf, restoresBetter } from '../../src/data/restored.js';

const tensor = (dims: readonly number[], data: readonly number[]) => ({
  ...{ elemType: 'f32', dims },
  data: Float32Array.from(data),
});

describe('the residuals of a model whose output is its input', () => {
  const input = tensor([3, 2], [1, 3, 0, 4, 5, 5]);

  test('are shares of the variance of each sample; a sample that does not vary has none', () => {
    const output = tensor([3, 2], [1, 2, 1, 4, 5, 5]);
    expect(residualsOf(input, [tensor([3], [1, 2, 3]), output])).toEqual([1 / 2, 1 / 8, undefined]);
    // Exact outputs tell nothing, and so do those that are not finite.
    expect(residualsOf(input, [input])).toEqual([undefined, undefined, undefined]);
    expect(residualsOf(input, [tensor([3, 2], [Number.NaN, 3, 0, 4, 5, 5])])[0]).toBeUndefined();
  });

  test('are missing without an output of the same shape', () => {
    expect(residualsOf(input, [tensor([2, 3], [1, 3, 0, 4, 5, 5])])).toEqual([]);
    expect(residualsOf(tensor([3], [1, 2, 3]), [tensor([3], [1, 2, 3])])).toEqual([]);
  });
});

describe('restoring one range better', () => {
  const random = createRandom(4);
  const around = (middle: number, spread: number, count = 64) =>
    Array.from({ length: count }, () => middle * Math.exp(spread * normal(random)));

  test('takes a clear difference over many samples, and a range that is restored at all', () => {
    expect(restoresBetter(around(0.1, 0.2), around(0.2, 0.2))).toBe(true);
    expect(restoresBetter(around(0.2, 0.2), around(0.1, 0.2))).toBe(false);
    expect(restoresBetter(around(0.1, 0.01), around(0.102, 0.01))).toBe(false); // hardly better
    expect(restoresBetter(around(0.1, 3), around(0.11, 3))).toBe(false); // by chance
    expect(restoresBetter(around(0.9, 0.2), around(9, 0.2))).toBe(false); // neither is restored
    expect(restoresBetter(around(0.1, 0.2, 7), around(0.2, 0.2, 7))).toBe(false); // few samples
    const none = Array.from({ length: 64 }, () => undefined);
    expect(restoresBetter(none, around(0.2, 0.2))).toBe(false);
  });

  test('is rare between lists of the same distribution', () => {
    const found = Array.from({ length: 200 }, () => restoresBetter(around(0.1, 0.5), around(0.1, 0.5)));
    expect(found.filter((better) => better).length).toBeLessThanOrEqual(4);
  });
});
