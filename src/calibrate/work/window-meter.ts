import { ownProperty } from '../../base/own.js';
import { cutTensor, type HeightWidth } from '../../data/windows.js';
import { type Tensor, type Tensors, toNumbers } from '../../providers/tensor.js';

/** Compares a model's outputs for windows with those for the parts of twice the side around them. */
export interface WindowMeter {
  /** Adds a run. Returns false if an output has no two axes that grow with the image. */
  add(large: Tensors, small: Tensors): boolean;
  /** Returns the smallest ratio of the outputs, variance to mean squared difference, in dB; undefined if an output is constant. */
  sqnr(): number | undefined;
}

interface Sums {
  n: number;
  sum: number;
  squares: number;
  differences: number;
}

/** Share of a window that counts: its middle half. */
const MIDDLE_FROM = 0.25;
const MIDDLE_SHARE = 0.5;

/** Returns a meter for windows, each in the middle of a part of twice its side. */
export function windowMeter(): WindowMeter {
  const sums = new Map<string, Sums>();

  function add(large: Tensors, small: Tensors): boolean {
    for (const [name, inner] of Object.entries(small)) {
      const outer = ownProperty(large, name);
      const middle = outer && middles(outer, inner);
      if (middle === undefined) return false;
      const [wanted, got] = middle.map((tensor) => toNumbers(tensor) ?? []) as [
        ArrayLike<number>,
        ArrayLike<number>,
      ];
      const total = sums.get(name) ?? { n: 0, sum: 0, squares: 0, differences: 0 };
      for (let at = 0; at < wanted.length; at++) {
        const value = wanted[at] as number;
        total.n++;
        total.sum += value;
        total.squares += value ** 2;
        total.differences += (value - (got[at] as number)) ** 2;
      }
      sums.set(name, total);
    }
    return true;
  }

  function sqnr(): number | undefined {
    const ratios = [...sums.values()].map(({ n, sum, squares, differences }) => {
      const variance = squares - sum ** 2 / n;
      return variance > 0 ? 10 * Math.log10(variance / differences) : Number.NaN;
    });
    const least = Math.min(...ratios);
    return ratios.length === 0 || Number.isNaN(least) ? undefined : least;
  }

  return { add, sqnr };
}

/** Returns the same place of two outputs: the middle of the smaller, and what lies there in the larger. */
function middles(large: Tensor, small: Tensor): readonly [Tensor, Tensor] | undefined {
  const grows = small.dims.flatMap((dim, axis) => (dim === large.dims[axis] ? [] : [axis]));
  const [high, wide, ...others] = grows;
  if (high === undefined || wide === undefined || others.length > 0) return undefined;
  if (large.dims.length !== small.dims.length) return undefined;
  const sizes = (of: Tensor): HeightWidth => [of.dims[high] ?? 0, of.dims[wide] ?? 0];
  const [outer, inner] = [sizes(large), sizes(small)];
  const both = (of: (axis: 0 | 1) => number): HeightWidth => [of(0), of(1)];
  // The window lies in the middle of the part: half of the difference in size is before it.
  const before = both((axis) => (outer[axis] - inner[axis]) / 2);
  if (!before.every((offset) => Number.isInteger(offset) && offset > 0)) return undefined;
  const from = both((axis) => Math.floor(MIDDLE_FROM * inner[axis]));
  const size = both((axis) => Math.max(1, Math.floor(MIDDLE_SHARE * inner[axis])));
  const shifted = both((axis) => before[axis] + from[axis]);
  return [cutTensor(large, [high, wide], shifted, size), cutTensor(small, [high, wide], from, size)];
}
