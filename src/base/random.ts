/** Numbers in [0, 1), the same on every machine for the same seed: 32-bit integer arithmetic only. */
export type Random = () => number;

/** The mulberry32 generator (Tommy Ettinger, public domain; 2^32 period). */
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
 * Roughly normal, mean 0 and standard deviation 1: twelve uniform numbers added up (Irwin-Hall). Unlike
 * logarithms and cosines, sums are the same to the last bit everywhere.
 */
export function normal(random: Random): number {
  let sum = -6;
  for (let count = 0; count < 12; count++) sum += random();
  return sum;
}
