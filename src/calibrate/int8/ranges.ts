import type { Subset } from '../../data/split.js';
import { type Quantization, quantizationFor, type Range, rangeOf } from '../../mish/quantization.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import type { OnProvider } from '../../providers/provider.js';
import { type Tensor, toNumbers } from '../../providers/tensor.js';
import { type MeasureTensorsOptions, measureTensors } from '../activations/measure-tensors.js';

/**
 * How the range of a quantised tensor follows from the numbers on samples: `minmax` holds all of them; `error` has the least mean
 * squared error by rounding and clipping.
 */
export const RANGE_RULES = ['minmax', 'error'] as const;
export type RangeRule = (typeof RANGE_RULES)[number];

/** The numbers of a tensor on samples. */
export interface ValueCounts {
  readonly least: number;
  readonly most: number;
  /** Bins in ascending order, with the mean of their numbers. */
  readonly bins: readonly { readonly mean: number; readonly count: number }[];
}

/** Number of low bits of a float32 that counting ignores: sign, exponent and five bits of the mantissa remain. */
const DROPPED_BITS = 18;

/** Returns a meter that counts the numbers of a tensor by their leading bits. */
export function valueMeter() {
  const counts = new Float64Array(2 ** (32 - DROPPED_BITS));
  const sums = new Float64Array(counts.length);
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  return {
    add(tensor: Tensor | undefined) {
      const values = Float32Array.from((tensor && toNumbers(tensor)) ?? []);
      const bits = new Uint32Array(values.buffer);
      for (let at = 0; at < values.length; at++) {
        const value = values[at] ?? 0;
        if (!Number.isFinite(value)) continue;
        if (value < least) least = value;
        if (value > most) most = value;
        const bin = (bits[at] ?? 0) >>> DROPPED_BITS;
        counts[bin] = (counts[bin] ?? 0) + 1;
        sums[bin] = (sums[bin] ?? 0) + value;
      }
    },
    result(): ValueCounts | undefined {
      if (!(least <= most)) return undefined;
      const bins = [...counts.keys()]
        .filter((bin) => counts[bin] !== 0)
        .map((bin) => ({ mean: (sums[bin] ?? 0) / (counts[bin] ?? 1), count: counts[bin] ?? 0 }))
        .sort((a, b) => a.mean - b.mean);
      return { least, most, bins };
    },
  };
}

/** Counts the numbers of tensors of a model's main graph on samples; without those that cannot be measured. */
export async function countValues(
  names: readonly string[],
  model: EditableModel,
  subset: Pick<Subset, 'feeds' | 'runs'>,
  options: MeasureTensorsOptions & OnProvider,
): Promise<Map<string, ValueCounts>> {
  const inputs = new Set(model.document.graph.inputs.map(({ name }) => name));
  const places = [...new Set(names)].map((input) => ({ input, fed: inputs.has(input), meter: valueMeter }));
  const results = await measureTensors(places, subset, model, options);
  const counts = new Map<string, ValueCounts>();
  for (const [{ input }, result] of results) {
    const found = result.why === undefined ? result.meter.result() : undefined;
    if (found !== undefined) counts.set(input, found);
  }
  return counts;
}

/** Shares of a range that are tried. */
const SHARES = Array.from({ length: 36 }, (_, at) => 1 - at / 50);

/** Returns the squared error of numbers that a quantisation with this range rounds and clips. 0 has no error. */
function errorOf({ bins }: ValueCounts, { least, most }: Range, quantization: Quantization): number {
  const { scale } = quantization;
  const rounding = scale ** 2 / 12;
  let sum = 0;
  for (const { mean, count } of bins) {
    if (mean === 0) continue;
    const clipped = mean < least ? least - mean : mean > most ? mean - most : 0;
    sum += count * (clipped === 0 ? rounding : clipped ** 2);
  }
  return sum;
}

/**
 * Returns the range of a quantised tensor by a rule, with 0 in it. The range of a symmetric quantisation reaches as far below 0 as
 * above it. Undefined if all numbers are 0.
 */
export function rangeBy(
  rule: RangeRule,
  counts: ValueCounts,
  quantization: Quantization,
  isSymmetric = false,
): Range | undefined {
  const whole = { least: Math.min(0, counts.least), most: Math.max(0, counts.most) };
  if (whole.least === whole.most) return undefined;
  const size = Math.max(-whole.least, whole.most);
  const start = isSymmetric ? { least: -size, most: size } : whole;
  if (rule === 'minmax') return start;
  const error = (range: Range) => {
    const found = quantizationFor(range, quantization);
    return found === undefined ? Number.POSITIVE_INFINITY : errorOf(counts, rangeOf(found), found);
  };
  const better = (ranges: readonly Range[]) =>
    ranges.map((range) => ({ range, error: error(range) })).reduce((a, b) => (b.error < a.error ? b : a))
      .range;
  if (isSymmetric)
    return better(SHARES.map((share) => ({ least: share * start.least, most: share * start.most })));
  const above = better(SHARES.map((share) => ({ least: whole.least, most: share * whole.most })));
  return better(SHARES.map((share) => ({ least: share * above.least, most: above.most })));
}
