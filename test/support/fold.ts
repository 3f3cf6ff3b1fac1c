import { expect } from 'vitest';
import { undo } from '../../src/mish/history.js';
import type { SwapOptions } from '../../src/mish/swap.js';
import { decode, swapped } from './graph.js';
import { type Feed, f32, OPTIMISERS, type Optimiser, run } from './run.js';

/** Numbers that look random, from -1 to 1, and are the same each time. */
export function noise(count: number, seed = 1): number[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround(state / 2 ** 31 - 1);
  });
}

export const IMAGE = { x: f32(noise(256, 9), [1, 4, 8, 8]) };

/** How much two models differ, relative to the largest output or a size that it could have; 0 if they are the same to the bit. */
export async function difference(
  one: Uint8Array,
  other: Uint8Array,
  feeds: Record<string, Feed>,
  optimiser: Optimiser = 'disabled',
  least = 1e-30,
): Promise<number> {
  const [before, after] = [await run(one, feeds, optimiser), await run(other, feeds, optimiser)];
  expect(Object.keys(after)).toEqual(Object.keys(before));
  let worst = 0;
  for (const [name, wanted] of Object.entries(before)) {
    const got = after[name] ?? [];
    expect(got).toHaveLength(wanted.length);
    const size = Math.max(...wanted.map(Math.abs), least);
    wanted.forEach((want, index) => {
      const error = Math.abs((got[index] ?? Number.NaN) - want) / size;
      worst = error <= worst ? worst : error; // so that NaN stays
    });
  }
  return worst;
}

/** Some units in the last place of a sum of a few hundred float32. */
const ROUNDING = 2e-5;

/** Swaps a model with and without folding, checks that they are the same function, and gives the folded one. */
export async function folded(
  bytes: Uint8Array,
  options: SwapOptions,
  feeds: Record<string, Feed> = IMAGE,
  least?: number,
) {
  const plain = await swapped(bytes, options);
  const result = await swapped(bytes, { ...options, fold: true });
  for (const optimiser of OPTIMISERS) {
    const error = await difference(plain.bytes, result.bytes, feeds, optimiser, least);
    if (Number.isInteger(Math.log2(options.beta ?? 1))) expect(error).toBe(0);
    else expect(error).toBeLessThan(ROUNDING);
  }
  if (result.report.sites.length > 0)
    expect(Buffer.compare(await (await undo(result.bytes)).bytes(), bytes)).toBe(0);
  const fold = result.report.fold ?? { folded: [], kept: [], weights: 0 };
  return { ...result, plain, fold };
}

/** The elements of the float32 initializers of a model. */
export function tensors(bytes: Uint8Array): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const { name, rawData, dataType } of decode(bytes).graph?.initializer ?? []) {
    if (dataType !== 1 || !rawData) continue;
    found.set(name ?? '', [...new Float32Array(Uint8Array.from(rawData).buffer)]);
  }
  return found;
}
