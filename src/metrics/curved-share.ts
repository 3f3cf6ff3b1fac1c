// The share of an activation's inputs at which Mish, or another smooth activation, is curved.
import type { Histogram } from './histogram.js';

/**
 * Largest |βx| at which each activation is visibly curved. Beyond it, the activation is nearly 0 or x: it differs from ReLU by at most
 * 27 % of its largest difference, and by at most 0.08 / β.
 */
export const MAX_CURVED_INPUT = { mish: 4, swish: 4, gelu: 2, hardswish: 3 } as const;

/** An activation f with a sharpness β: f(βx) / β comes nearer to ReLU as β grows. */
export type SharpActivation = keyof typeof MAX_CURVED_INPUT;

/** Returns whether an activation has a sharpness. Without a name it is Mish. */
export function hasSharpness(name = 'mish'): name is SharpActivation {
  return Object.hasOwn(MAX_CURVED_INPUT, name);
}
/** Largest sharpness to choose, for an activation whose inputs are nearly all 0. */
export const MAX_CHOSEN_SHARPNESS = 1024;

/** Returns how many of these inputs have |βx| below a limit, such as `MAX_CURVED_INPUT.mish`. */
export function countCurved(values: ArrayLike<number>, beta: number, maxCurved: number): number {
  const limit = maxCurved / beta;
  let count = 0;
  for (let index = 0; index < values.length; index++) if (Math.abs(values[index] as number) < limit) count++;
  return count;
}

/** Returns the share of counted inputs at which Mish is curved, by the middle of their bins. */
export function curvedShareIn({ from, width, counts, below, above }: Histogram, beta: number): number {
  const middles = counts.map((_, bin) => from + width * (bin + 0.5));
  const curved = counts.filter((_, bin) => countCurved([middles[bin] ?? 0], beta, MAX_CURVED_INPUT.mish) > 0);
  const sum = (all: readonly number[]) => all.reduce((total, count) => total + count, 0);
  return sum(curved) / (sum(counts) + below + above);
}

/** Counts an activation's inputs by their size. NaN and infinite inputs count, and are never curved. */
export interface SharpnessMeter {
  add(values: ArrayLike<number>): void;
  /**
   * Returns the largest sharpness, from 1 to `MAX_CHOSEN_SHARPNESS`, at which at least this share of the inputs has
   * |βx| < `maxCurved`; two decimals. Inputs that are exactly 0 do not count: 0 is curved at every sharpness. 1 without others.
   */
  sharpness(share: number, maxCurved: number): number;
}

/** Number of low bits of a float32 that counting ignores; a bin is at most 0.8 % wide. */
const DROPPED_BITS = 16;
const SIGN = 2 ** 31;
const BINS = 2 ** (31 - DROPPED_BITS);

/** Returns a meter that counts by the leading bits of float32, so that one pass is enough. */
export function sharpnessMeter(): SharpnessMeter {
  const bins = new Float64Array(BINS);
  let n = 0;
  let zeros = 0;
  return {
    add(values) {
      const floats = values instanceof Float32Array ? values : Float32Array.from(values);
      const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
      for (let index = 0; index < bits.length; index++) {
        const size = (bits[index] as number) % SIGN;
        if (size === 0) zeros++;
        bins[size >>> DROPPED_BITS] = (bins[size >>> DROPPED_BITS] as number) + 1;
      }
      n += bits.length;
    },
    sharpness(share, maxCurved) {
      let below = -zeros;
      const needed = share * (n - zeros);
      if (!(needed > 0)) return 1;
      for (let bin = 0; bin < BINS; bin++) {
        below += bins[bin] as number;
        if (below < needed) continue;
        const beta = Math.floor((100 * maxCurved) / upperEdge(bin)) / 100;
        return Math.max(1, Math.min(MAX_CHOSEN_SHARPNESS, beta || 1));
      }
      return 1;
    },
  };
}

/** Returns the lower edge of the next bin; NaN for NaN and infinite elements. */
function upperEdge(bin: number): number {
  return new Float32Array(Uint32Array.of((bin + 1) << DROPPED_BITS).buffer)[0] ?? Number.NaN;
}
