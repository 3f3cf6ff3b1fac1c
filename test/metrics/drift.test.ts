import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { driftMeter, hasNumbers, highest, looksLikeScores } from '../../src/metrics/drift.js';
import { fromHalf, toHalf } from '../../src/onnx/scalar.js';
import type { Tensor } from '../../src/providers/tensor.js';

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
  test('equals hand-calculated values', () => {
    const { maxAbs, meanAbs, rmse, cosine, sqnr, n } = drift(tensor([2, 1], [3, 4]), tensor([2, 1], [3, 2]));
    expect({ maxAbs, meanAbs, n }).toEqual({ maxAbs: 2, meanAbs: 1, n: 2 });
    expect(rmse).toBeCloseTo(Math.SQRT2, 15);
    expect(cosine).toBeCloseTo(17 / (5 * Math.sqrt(13)), 15);
    expect(sqnr).toBeCloseTo(10 * Math.log10(25 / 4), 12);
  });

  test('has mean ≤ rms ≤ max and |cosine| ≤ 1', () => {
    fc.assert(
      fc.property(vectors, ([a, b]) => {
        const { maxAbs, meanAbs, rmse, cosine } = drift(tensor([a.length], a), tensor([b.length], b));
        expect(meanAbs).toBeLessThanOrEqual((rmse ?? 0) * (1 + 1e-12) + 1e-150); // squares underflow
        expect(rmse).toBeLessThanOrEqual((maxAbs ?? 0) * (1 + 1e-12) + 1e-150);
        if (cosine !== null) expect(Math.abs(cosine)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('has |cosine| ≤ 1 where squares underflow', () => {
    // Their squares are subnormal: digits are lost, and without care the quotient is -1.0000000000010003.
    const [x, y] = [0.18569623787279618, -1.1969864198379255e-161];
    const { cosine } = drift(tensor([1], [x]), tensor([1], [y]));
    expect(cosine).toBeCloseTo(-1, 4);
    expect(cosine).toBeGreaterThanOrEqual(-1);
  });

  test('does not depend on how elements are split into runs', () => {
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

  test('is 0 between equal tensors, infinities included', () => {
    const same = tensor([3], [1, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
    expect(drift(same, same)).toMatchObject({ maxAbs: 0, broken: 0, sqnr: null });
    expect(drift(tensor([2], [0, -0]), tensor([2], [-0, 0]))).toMatchObject({ maxAbs: 0, broken: 0 });
  });

  test('has no figures if an element is NaN in either tensor', () => {
    const nothing = { maxAbs: null, meanAbs: null, rmse: null, cosine: null, sqnr: null };
    const [fine, bad] = [tensor([1, 3], [1, 2, 3]), tensor([1, 3], [1, Number.NaN, 3])];
    for (const [a, b, brokenInReference] of [
      [fine, bad, 0],
      [bad, fine, 1],
      [bad, bad, 1],
    ] as const) {
      expect(drift(a, b)).toMatchObject({ ...nothing, broken: 1, brokenInReference, top1: 0 });
    }
    const infinite = tensor([1, 3], [1, Number.POSITIVE_INFINITY, 3]);
    expect(drift(fine, infinite)).toMatchObject({
      ...nothing,
      broken: 1,
      brokenInReference: 0,
      isText: false,
      top1: 0,
    });
    expect(drift(infinite, fine)).toMatchObject({ ...nothing, broken: 1, brokenInReference: 1, top1: 0 });
    expect(drift(infinite, infinite)).toMatchObject({ broken: 0, brokenInReference: 0, isText: false });
  });

  test('counts integers, half floats and big integers as the numbers they are', () => {
    const figures = (elemType: string, data: Tensor['data'], other: Tensor['data']) => {
      const dims = [data.length];
      const { n, maxAbs, meanAbs, scale } = drift({ elemType, dims, data }, { elemType, dims, data: other });
      return [n, maxAbs, meanAbs, scale];
    };
    expect(figures('i8', Int8Array.of(-4, 3), Int8Array.of(-4, 1))).toEqual([2, 2, 1, 4]);
    expect(figures('i64', BigInt64Array.of(-4n, 3n), BigInt64Array.of(-4n, 1n))).toEqual([2, 2, 1, 4]);
    const halves = (...values: number[]) => Uint16Array.from(values, toHalf);
    expect(figures('f16', halves(-4, 3), halves(-4, 1))).toEqual([2, 2, 1, 4]);
  });

  test('has figures of the finite elements before and after one that is infinite in both', () => {
    const values = [1, 2, Number.POSITIVE_INFINITY, 3];
    const { maxAbs, rmse, broken } = drift(
      tensor([4], values),
      tensor(
        [4],
        values.map((x) => x + 1),
      ),
    );
    expect({ maxAbs, rmse, broken }).toEqual({ maxAbs: 1, rmse: Math.sqrt(3 / 4), broken: 0 });
  });

  test('says why tensors cannot be compared', () => {
    expect(drift(tensor([2], [1, 2]), tensor([1, 2], [1, 2])).problem).toMatch(
      /shape is \[1,2\], expected \[2\]/,
    );
    const meter = driftMeter('out');
    meter.add(tensor([1], [1]), undefined);
    expect(meter.result()).toMatchObject({
      maxAbs: null,
      problem: expect.stringContaining('lacks this output'),
    });
    const text = (value: string): Tensor => ({ elemType: 'string', dims: [1], data: [value] });
    expect(drift(text('a'), text('a')).problem).toBeNull();
    expect(drift(text('a'), tensor([1], [1])).problem).toBe('its type is f64, expected string');
    expect(drift(text('a'), text('a'))).toMatchObject({
      n: 1,
      maxAbs: 0,
      cosine: 1,
      sqnr: null,
      top1: 1,
      problem: null,
    });
  });

  test('of texts that differ, has the share of equal ones, over all runs', () => {
    const texts = fc.array(fc.tuple(fc.constantFrom('cat', 'dog', ''), fc.constantFrom('cat', 'dog', '')), {
      minLength: 1,
    });
    fc.assert(
      fc.property(fc.array(texts, { minLength: 1, maxLength: 4 }), (runs) => {
        const meter = driftMeter('label');
        const text = (data: string[]): Tensor => ({ elemType: 'string', dims: [data.length], data });
        for (const run of runs) meter.add(text(run.map(([a]) => a)), text(run.map(([, b]) => b)));
        const result = meter.result();
        const all = runs.flat();
        const equal = all.filter(([a, b]) => a === b).length;
        expect(result).toMatchObject({
          n: all.length,
          top1: equal / all.length,
          broken: 0,
          isText: true,
          problem: null,
        });
        expect(result.maxAbs).toBe(equal === all.length ? 0 : null);
        expect(hasNumbers(result)).toBe(equal === all.length);
      }),
    );
  });

  test('of labels, indices and masks has the share of equal ones beside the figures', () => {
    const arrays = { i64: BigInt64Array, i32: Int32Array, bool: Uint8Array, u32: Uint32Array } as const;
    const pairs = fc.array(fc.tuple(fc.nat(1), fc.nat(1)), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(
        pairs,
        fc.constantFrom('i64', 'i32', 'bool', 'u32'),
        fc.boolean(),
        (rows, elemType, isFlat) => {
          const dims = isFlat ? [rows.length] : [1, rows.length];
          const labels = (values: number[]): Tensor => {
            const data =
              elemType === 'i64' ? BigInt64Array.from(values, BigInt) : arrays[elemType].from(values);
            return { elemType, dims, data };
          };
          const result = drift(labels(rows.map(([a]) => a)), labels(rows.map(([, b]) => b)));
          const equal = rows.filter(([a, b]) => a === b).length;
          expect(result).toMatchObject({ top1: equal / rows.length, areLabels: true, isText: false });
          expect(result.maxAbs).toBe(equal === rows.length ? 0 : 1);
        },
      ),
    );
    for (const elemType of ['u8', 'i8', 'i16', 'u16'])
      expect(
        drift(
          { elemType, dims: [1], data: Uint8Array.of(1) },
          { elemType, dims: [1], data: Uint8Array.of(2) },
        ),
      ).toMatchObject({
        ...{ top1: null, areLabels: false },
      });
  });

  test('counts rows with the same highest classes', () => {
    const a = tensor([2, 6], [9, 8, 7, 6, 5, 0, 0, 1, 2, 3, 4, 5]);
    const b = tensor([2, 6], [8, 9, 7, 6, 5, 0, 0, 1, 2, 3, 4, 5]);
    expect(drift(a, b)).toMatchObject({ top1: 0.5, top5: 1 });
    expect(drift(tensor([1, 5], [1, 2, 3, 4, 5]), tensor([1, 5], [5, 4, 3, 2, 1]))).toMatchObject({
      top1: 0,
      top5: null, // five of five classes always agree
    });
    expect(drift(tensor([6], [1, 2, 3, 4, 5, 6]), tensor([6], [1, 2, 3, 4, 5, 6])).top1).toBeNull();
  });
});

test('class scores are floats of shape [batch, classes]', () => {
  expect(looksLikeScores({ elemType: 'f32', dims: [1, 10] })).toBe(true);
  expect(looksLikeScores({ elemType: 'bf16', dims: [1, 10] })).toBe(true);
  expect(looksLikeScores({ elemType: 'i64', dims: [1, 10] })).toBe(false);
  expect(looksLikeScores({ elemType: 'f32', dims: [1, 1] })).toBe(false);
  expect(looksLikeScores({ elemType: 'f32', dims: [1, 1, 1, 96] })).toBe(false);
  expect(looksLikeScores({ elemType: 'f32', dims: [1, 1000, 1, 1] })).toBe(true);
  expect(looksLikeScores({ elemType: 'f32', dims: [1, 21, 64, 64] })).toBe(false);
});

test('the five highest classes equal those of a stable sort', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 30 }), (scores) => {
      const order = scores.map((_, label) => label);
      const sorted = order.sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
      expect(highest(scores, 0, scores.length)).toEqual(sorted.slice(0, 5));
    }),
  );
  expect(highest([9, 9, 1, 3, 2], 1, 2)).toEqual([1, 0]);
  expect(highest([1, Number.NaN], 0, 2)).toEqual([]);
});

describe('denormals', () => {
  /** Smallest normal number of a type, and its typed array. */
  const types = {
    f16: { least: 2 ** -14, of: (data: readonly number[]) => Uint16Array.from(data, toHalf) },
    f32: { least: 2 ** -126, of: (data: readonly number[]) => Float32Array.from(data) },
    f64: { least: 2 ** -1022, of: (data: readonly number[]) => Float64Array.from(data) },
  };
  const numbers = fc.array(
    fc.record({
      share: fc.double({ min: -4, max: 4, noNaN: true }),
      isLarge: fc.boolean(),
    }),
    { minLength: 7, maxLength: 7 },
  );

  test('a provider that gives 0 for denormals has no drift in any figure', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('f16' as const, 'f32' as const, 'f64' as const),
        numbers,
        (elemType, drawn) => {
          const { least, of } = types[elemType];
          const dims = [1, drawn.length];
          const exact = drawn.map(({ share, isLarge }) => share * (isLarge ? 1 : least / 4));
          const data = of(exact);
          const kept = elemType === 'f16' ? Array.from(data, fromHalf) : Array.from(data);
          const flushed = of(kept.map((value) => (Math.abs(value) < least ? 0 : value)));
          const { maxAbs, rmse, top1, top5, broken } = drift(
            { elemType, dims, data },
            { elemType, dims, data: flushed },
          );
          expect({ maxAbs, rmse, top1, top5, broken }).toEqual({
            maxAbs: 0,
            rmse: 0,
            top1: 1,
            top5: 1,
            broken: 0,
          });
        },
      ),
      { seed: 14, numRuns: 300 },
    );
  });

  test('larger differences count, and integers have no denormals', () => {
    const f32 = (data: number[]): Tensor => ({ elemType: 'f32', dims: [1], data: Float32Array.from(data) });
    expect(drift(f32([2 ** -125]), f32([0])).maxAbs).toBe(2 ** -125);
    const i32 = (data: number[]): Tensor => ({ elemType: 'i32', dims: [1], data: Int32Array.from(data) });
    expect(drift(i32([1]), i32([0])).maxAbs).toBe(1);
  });
});
