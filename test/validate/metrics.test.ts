import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Tensor } from '../../src/providers/tensor.js';
import { accuracy, driftMeter, looksLikeScores } from '../../src/validate/metrics.js';

const tensor = (dims: number[], data: number[]): Tensor => ({
  elemType: 'f64',
  dims,
  data: Float64Array.from(data),
});

function drift(reference: Tensor, got: Tensor) {
  const meter = driftMeter('out');
  meter.add(reference, got);
  return meter.result();
}

const vectors = fc
  .array(
    fc.tuple(
      fc.double({ min: -100, max: 100, noNaN: true }),
      fc.double({ min: -100, max: 100, noNaN: true }),
    ),
    {
      minLength: 1,
      maxLength: 50,
    },
  )
  .map((pairs) => [pairs.map(([a]) => a), pairs.map(([, b]) => b)] as const);

describe('drift', () => {
  test('of known vectors', () => {
    const { maxAbs, meanAbs, rmse, cosine, sqnr, n } = drift(tensor([2, 1], [3, 4]), tensor([2, 1], [3, 2]));
    expect({ maxAbs, meanAbs, n }).toEqual({ maxAbs: 2, meanAbs: 1, n: 2 });
    expect(rmse).toBeCloseTo(Math.SQRT2, 15);
    expect(cosine).toBeCloseTo(17 / (5 * Math.sqrt(13)), 15);
    expect(sqnr).toBeCloseTo(10 * Math.log10(25 / 4), 12);
  });

  test('keeps mean ≤ rms ≤ max, and a cosine within 1', () => {
    fc.assert(
      fc.property(vectors, ([a, b]) => {
        const { maxAbs, meanAbs, rmse, cosine } = drift(tensor([a.length], a), tensor([b.length], b));
        expect(meanAbs).toBeLessThanOrEqual((rmse ?? 0) * (1 + 1e-12) + 1e-150); // squares underflow
        expect(rmse).toBeLessThanOrEqual((maxAbs ?? 0) * (1 + 1e-12));
        if (cosine !== null) expect(Math.abs(cosine)).toBeLessThanOrEqual(1 + 1e-12);
      }),
    );
  });

  test('does not depend on how the elements are spread over runs', () => {
    fc.assert(
      fc.property(vectors, fc.nat(), ([a, b], cut) => {
        const at = cut % a.length;
        const meter = driftMeter('out');
        for (const [from, to] of [
          [0, at],
          [at, a.length],
        ] as const) {
          meter.add(tensor([to - from], a.slice(from, to)), tensor([to - from], b.slice(from, to)));
        }
        expect(meter.result()).toEqual(drift(tensor([a.length], a), tensor([b.length], b)));
      }),
    );
  });

  test('is nothing between equals, NaN and infinities included', () => {
    const same = tensor([3], [1, Number.NaN, Number.POSITIVE_INFINITY]);
    expect(drift(same, same)).toMatchObject({ maxAbs: 0, broken: 0, sqnr: null });
  });

  test('does not let a NaN pass', () => {
    expect(drift(tensor([2], [1, 2]), tensor([2], [1, Number.NaN]))).toMatchObject({
      maxAbs: null,
      broken: 1,
    });
  });

  test('says when there is nothing to compare', () => {
    expect(drift(tensor([2], [1, 2]), tensor([1, 2], [1, 2])).problem).toMatch(
      /shape is \[1,2\] and should be \[2\]/,
    );
    const meter = driftMeter('out');
    meter.add(tensor([1], [1]), undefined);
    expect(meter.result()).toMatchObject({
      maxAbs: null,
      problem: expect.stringContaining('does not give it'),
    });
    const text = (value: string): Tensor => ({ elemType: 'string', dims: [1], data: [value] });
    expect(drift(text('a'), text('a')).problem).toBeNull();
    expect(drift(text('a'), text('b')).problem).toMatch(/strings differ/);
  });

  test('counts agreement of the highest classes', () => {
    const a = tensor([2, 6], [9, 8, 7, 6, 5, 0, 0, 1, 2, 3, 4, 5]);
    const b = tensor([2, 6], [8, 9, 7, 6, 5, 0, 0, 1, 2, 3, 4, 5]);
    expect(drift(a, b)).toMatchObject({ top1: 0.5, top5: 1 });
    expect(drift(tensor([6], [1, 2, 3, 4, 5, 6]), tensor([6], [1, 2, 3, 4, 5, 6])).top1).toBeNull();
  });
});

test('class scores are [batch, classes] of floats', () => {
  expect(looksLikeScores({ elemType: 'f32', dims: [1, 10] })).toBe(true);
  expect(looksLikeScores({ elemType: 'bf16', dims: [1, 10] })).toBe(true);
  expect(looksLikeScores({ elemType: 'i64', dims: [1, 10] })).toBe(false);
  expect(looksLikeScores({ elemType: 'f32', dims: [1, 1] })).toBe(false);
  expect(looksLikeScores({ elemType: 'f32', dims: [1, 1, 1, 96] })).toBe(false);
});

test('labelled accuracy counts over all runs', () => {
  const outputs = [tensor([2, 3], [0, 1, 2, 5, 1, 2]), tensor([1, 3], [1, 9, 2])];
  expect(accuracy(outputs, [2, 1, 1])).toEqual({ n: 3, top1: 2 / 3, top5: 1 });
});
