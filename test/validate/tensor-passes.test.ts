import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OnnxMishError } from '../../src/base/error.js';
import { inPasses } from '../../src/validate/tensor-passes.js';

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Runs passes over numbers, of which each takes some bytes and some fail; lists the passes and what came out, in order. */
async function passesOver(count: number, limits: { chunk?: number; bytes?: number }, failing: number[] = []) {
  const begun: number[] = [];
  const parts: number[][] = [];
  const out: (number | string)[] = [];
  await inPasses(numbers(count), limits, {
    before: (done) => void begun.push(done),
    run: async (part) => {
      if (part.some((one) => failing.includes(one))) throw new OnnxMishError('run-failed', 'it fails');
      parts.push([...part]);
      out.push(...part);
      return 10 * part.length;
    },
    failed: (item, why) => void out.push(`${item}: ${why}`),
  });
  return { begun, parts, out };
}

describe('passes over tensors', () => {
  test('begin with four, and grow fourfold up to the limits', async () => {
    const { begun, parts } = await passesOver(100, { chunk: 30 });
    expect(parts.map(({ length }) => length)).toEqual([4, 16, 30, 30, 20]);
    expect(begun).toEqual([0, 4, 20, 50, 80]);
    expect((await passesOver(20, { bytes: 60 })).parts.map(({ length }) => length)).toEqual([4, 6, 6, 4]);
    expect((await passesOver(3, { bytes: 1 })).parts.map(({ length }) => length)).toEqual([3]);
  });

  test('of known sizes are as few as the limits allow, and about even', async () => {
    const partsOf = async (sizes: number[], limits: { chunk?: number; bytes?: number }) => {
      const parts: number[] = [];
      const begun: number[] = [];
      await inPasses(sizes, limits, {
        bytesOf: (size) => size,
        before: (done) => void begun.push(done),
        run: async (part) => {
          expect(part.length === 1 || part.reduce((a, b) => a + b) <= (limits.bytes ?? 2 ** 28)).toBe(true);
          parts.push(part.length);
          return 0;
        },
        failed: () => {},
      });
      expect(begun).toEqual(parts.map((_, index) => parts.slice(0, index).reduce((a, b) => a + b, 0)));
      return parts;
    };
    expect(await partsOf(Array(100).fill(1), {})).toEqual([100]);
    expect(await partsOf(Array(100).fill(1), { bytes: 90 })).toEqual([50, 50]);
    expect(await partsOf(Array(100).fill(1), { chunk: 40 })).toEqual([40, 40, 20]);
    expect(await partsOf([500, 1, 1, 500], { bytes: 100 })).toEqual([1, 2, 1]);
    expect(await partsOf([], {})).toEqual([]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(50), { maxLength: 60 }),
        fc.integer({ min: 1, max: 200 }),
        async (sizes, bytes) => {
          const parts = await partsOf(sizes, { bytes });
          expect(parts.reduce((a, b) => a + b, 0)).toBe(sizes.length);
        },
      ),
      { seed: 19, numRuns: 100 },
    );
  });

  test('are halved until what fails is alone, and keep the order', async () => {
    const { out } = await passesOver(20, {}, [2, 11, 12]);
    expect(out).toEqual(numbers(20).map((one) => ([2, 11, 12].includes(one) ? `${one}: it fails` : one)));
  });

  test('end with another error', async () => {
    const pass = {
      before: () => {},
      run: async () => {
        throw new OnnxMishError('aborted', 'stopped');
      },
      failed: () => {},
    };
    await expect(inPasses([1], {}, pass)).rejects.toMatchObject({ code: 'aborted' });
  });
});
