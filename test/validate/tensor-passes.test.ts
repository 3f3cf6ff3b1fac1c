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
