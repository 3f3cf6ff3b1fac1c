import { MAX_CURVED_INPUT } from '../../metrics/curved-share.js';
import { type Histogram, histogramMeter } from '../../metrics/histogram.js';
import { mish } from '../../mish/reference.js';
import { elementCount, type Tensor, toNumbers } from '../../providers/tensor.js';
import { axisIn, type UnitAxis } from './unit-axis.js';

/** Left end of Mish's dip: the minimum is -0.309 at -1.19; left of -2.5, Mish is above -0.2 and approaches 0. */
export const MIN_DIP_INPUT = -2.5;
/** Share of positive elements below which a unit is rarely positive. */
export const RARELY_POSITIVE_SHARE = 0.01;

/** The units of a tensor, channels or features. */
export interface Units {
  /** Axis of the units, from 0. */
  readonly axis: number;
  readonly count: number;
  /** Number of measured elements of each unit. */
  readonly each: number;
  /** Number of units without a positive element. */
  readonly neverPositive: number;
  /** Number of units with fewer than 1 % positive elements, including units without any. */
  readonly rarelyPositive: number;
}

/** Statistics of an activation's input. Shares are of the finite elements, from 0 to 1. */
export interface InputStatistics {
  /** Number of finite elements. */
  readonly n: number;
  /** Number of NaN elements. NaN and infinite elements count only in `units`, where +Infinity is positive. */
  readonly nan: number;
  readonly infinite: number;
  /** Units of the input; null for a scalar, or if the number of units differs between runs. */
  readonly units: Units | null;
  /** Mean; like the following figures, null if no element is finite. */
  readonly mean: number | null;
  /** Standard deviation of the population. */
  readonly std: number | null;
  readonly min: number | null;
  readonly max: number | null;
  /** Share of elements above 0. */
  readonly positive: number | null;
  /** Share of elements in Mish's dip, -2.5 < x < 0. */
  readonly dip: number | null;
  /** Share of elements with |x| < 4, where Mish is curved. */
  readonly bend: number | null;
  /**
   * Negative mass ratio: Σ |mish(x) − f(x)| over x < 0, divided by Σ |f(x)| over all x, for the activation f. For ReLU,
   * the mass that Mish adds below 0, relative to ReLU's output. Null if f is unknown or always returns 0.
   */
  readonly letThrough: number | null;
  readonly histogram: Histogram | null;
}

/** Meter of an activation's input over several runs. */
export interface ActivationMeter {
  /** Adds a tensor; a missing tensor, or a tensor without numbers, is ignored. */
  add(tensor: Tensor | undefined): void;
  result(): InputStatistics;
}

/** Returns a meter for an activation's input. `slope` is the activation's slope below 0: 0 for ReLU, undefined if unknown. */
export function activationMeter(axis: UnitAxis, slope: number | undefined): ActivationMeter {
  const histogram = histogramMeter();
  const units = unitMeter(axis);
  const total = { n: 0, nan: 0, infinite: 0, positive: 0, dip: 0, bend: 0, negativeMass: 0, mass: 0 };
  const moments = { mean: 0, squares: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };

  return {
    add(tensor) {
      const values = tensor && toNumbers(tensor);
      if (tensor === undefined || values === undefined) return;
      histogram.add(values);
      units.add(values, tensor.dims);
      let [n, sum, nan, infinite, positive, dip, bend, negativeMass, mass] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
      const factor = slope ?? 0;
      for (let index = 0; index < values.length; index++) {
        const x = values[index] ?? 0;
        if (!(Math.abs(x) < Number.POSITIVE_INFINITY)) {
          if (Number.isNaN(x)) nan++;
          else infinite++;
          continue;
        }
        n++;
        sum += x;
        if (x < moments.min) moments.min = x;
        if (x > moments.max) moments.max = x;
        if (x < MAX_CURVED_INPUT.mish && x > -MAX_CURVED_INPUT.mish) bend++;
        if (x > 0) {
          positive++;
          mass += x;
        } else if (x < 0) {
          if (x > MIN_DIP_INPUT) dip++;
          const output = factor * x;
          mass += Math.abs(output);
          negativeMass += Math.abs(mish(x) - output);
        }
      }
      if (n > 0) {
        const mean = sum / n;
        let squares = 0;
        for (let index = 0; index < values.length; index++) {
          const x = values[index] ?? 0;
          if (Math.abs(x) < Number.POSITIVE_INFINITY) squares += (x - mean) ** 2;
        }
        // Merges the moments of two sets (Chan, Golub and LeVeque, 1979).
        const all = total.n + n;
        const apart = mean - moments.mean;
        moments.mean += (apart * n) / all;
        moments.squares += squares + (apart * apart * total.n * n) / all;
      }
      total.n += n;
      total.nan += nan;
      total.infinite += infinite;
      total.positive += positive;
      total.dip += dip;
      total.bend += bend;
      total.negativeMass += negativeMass;
      total.mass += mass;
    },
    result() {
      const { n, nan, infinite, positive, dip, bend, negativeMass, mass } = total;
      const { mean, squares, min, max } = moments;
      const some = (value: number) => (n > 0 && Number.isFinite(value) ? value : null);
      return {
        n,
        nan,
        infinite,
        units: units.result(),
        mean: some(mean),
        std: some(Math.sqrt(squares / n)),
        min: some(min),
        max: some(max),
        positive: some(positive / n),
        dip: some(dip / n),
        bend: some(bend / n),
        letThrough: slope === undefined || mass === 0 ? null : some(negativeMass / mass),
        histogram: histogram.result(),
      };
    },
  };
}

/** Returns a meter that counts each unit's positive elements; its result is null for a scalar, or if the number of units differs between runs. */
export function unitMeter(where: UnitAxis) {
  let axis: number | undefined;
  let positives: Float64Array | undefined;
  let seen = new Float64Array();
  let varied = false;
  let each = 0;
  return {
    add(values: ArrayLike<number>, dims: readonly number[]): void {
      const at = axisIn(where, dims.length);
      const count = at === undefined ? 0 : (dims[at] ?? 0);
      if (at === undefined || values.length === 0) return;
      if (positives === undefined) {
        positives = new Float64Array(count);
        seen = new Float64Array(count);
        axis = at;
      }
      varied ||= at !== axis || count !== positives.length;
      if (varied) return;
      const inner = elementCount(dims.slice(at + 1));
      each += values.length / count;
      for (let start = 0, unit = 0; start < values.length; start += inner) {
        let [above, numbers] = [0, 0];
        for (let index = start; index < start + inner; index++) {
          const x = values[index] ?? 0;
          if (x > 0) above++;
          if (!Number.isNaN(x)) numbers++;
        }
        positives[unit] = (positives[unit] ?? 0) + above;
        seen[unit] = (seen[unit] ?? 0) + numbers;
        unit = unit + 1 === count ? 0 : unit + 1;
      }
    },
    result(): Units | null {
      if (positives === undefined || axis === undefined || varied) return null;
      let [neverPositive, rarelyPositive] = [0, 0];
      for (let unit = 0; unit < positives.length; unit++) {
        const [above, of] = [positives[unit] ?? 0, seen[unit] ?? 0];
        if (of === 0) continue; // all elements are NaN
        if (above === 0) neverPositive++;
        if (above < RARELY_POSITIVE_SHARE * of) rarelyPositive++;
      }
      return { axis, count: positives.length, each, neverPositive, rarelyPositive };
    },
  };
}
