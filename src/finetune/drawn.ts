import { createRandom, permutation, seedOf } from '../base/random.js';

/** Tells these numbers apart from other uses of a seed. */
const DRAW_SEED = 0xd4a3;

/**
 * Returns the numbers of at most `most` of `count` samples, in order. They are drawn: the first ones may all be of one class, since
 * data are often sorted by class. Another call gives the same numbers.
 */
export function drawn(count: number, most: number): Uint32Array {
  if (count <= most) return Uint32Array.from({ length: count }, (_, at) => at);
  return permutation(count, createRandom(seedOf(DRAW_SEED)))
    .subarray(0, most)
    .toSorted();
}
