/**
 * A generator of numbers in [0, 1). It uses only 32-bit integers, so that a seed gives the same numbers on every
 * machine.
 */
export type Random = () => number;

/** Creates a mulberry32 generator (Tommy Ettinger, public domain; period 2^32). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Returns a roughly normal number with mean 0 and standard deviation 1: the sum of twelve uniform numbers
 * (Irwin-Hall). Unlike logarithms and cosines, the sum is bit-identical on every machine.
 */
export function normal(random: Random): number {
  let sum = -6;
  for (let count = 0; count < 12; count++) sum += random();
  return sum;
}

/** Mixes numbers into a seed (the finaliser of MurmurHash3, by Austin Appleby, public domain). */
export function seedOf(...parts: readonly number[]): number {
  let seed = 0;
  for (const part of parts) {
    seed = Math.imul(seed ^ (part >>> 0), 0x85ebca6b);
    seed = Math.imul(seed ^ (seed >>> 13), 0xc2b2ae35);
    seed = (seed ^ (seed >>> 16)) + 0x9e3779b9;
  }
  return seed >>> 0;
}

/** Returns the numbers below `length` in random order. */
export function permutation(length: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length }, (_, index) => index);
  for (let last = length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const moved = order[last] ?? 0;
    order[last] = order[other] ?? 0;
    order[other] = moved;
  }
  return order;
}
