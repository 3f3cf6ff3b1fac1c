import type { Random } from '../../base/random.js';
import { elementCount } from '../../providers/tensor.js';
import type { ChannelClass } from './channel-classes.js';

/** Values of each channel of a tensor, drawn over several runs. */
export interface ChannelSamples {
  /** [channels, values], row by row. */
  readonly values: Float32Array;
  /** Number of values of each channel. */
  readonly count: number;
}

/** Maximum number of values of a tensor. */
const MAX_VALUES = 2 ** 17;
const MAX_VALUES_OF_CHANNEL = 768;
const MIN_VALUES_OF_CHANNEL = 32;
/** Number of runs that give all values, if each has as many. */
const RUNS = 48;

/** Returns a meter that draws values of each channel at random places. */
export function channelSampler({ size, isLast }: ChannelClass, random: Random) {
  const most = Math.max(
    MIN_VALUES_OF_CHANNEL,
    Math.min(MAX_VALUES_OF_CHANNEL, Math.floor(MAX_VALUES / size)),
  );
  const values = new Float32Array(size * most);
  let count = 0;
  let fits = true;
  return {
    add(dims: readonly number[], numbers: ArrayLike<number>) {
      const axis = isLast ? dims.length - 1 : 1;
      fits &&= dims.length > 1 && dims[axis] === size;
      if (!fits) return;
      const inner = elementCount(dims.slice(axis + 1));
      const outer = elementCount(dims.slice(0, axis));
      const drawn = Math.min(most - count, Math.ceil(most / RUNS), outer * inner);
      for (let draw = 0; draw < drawn; draw++) {
        const place = Math.floor(random() * outer * inner);
        const at = Math.floor(place / inner) * size * inner + (place % inner);
        for (let channel = 0; channel < size; channel++)
          values[channel * most + count] = numbers[at + channel * inner] ?? 0;
        count++;
      }
    },
    /** Returns the values; undefined if a run had other channels. */
    samples(): ChannelSamples | undefined {
      if (!fits || count === 0) return undefined;
      const packed = new Float32Array(size * count);
      for (let channel = 0; channel < size; channel++)
        packed.set(values.subarray(channel * most, channel * most + count), channel * count);
      return { values: packed, count };
    },
  };
}
