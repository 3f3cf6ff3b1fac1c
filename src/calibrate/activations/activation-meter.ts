import { type Histogram, histogramMeter } from '../../metrics/histogram.js';
import { mish } from '../../mish/reference.js';
import { elementCount, type Tensor, toNumbers } from '../../providers/tensor.js';
import { axisIn, type UnitAxis } from './unit-axis.js';

/** Left of here Mish is on its way back to 0, -0.2 and nearer; in between it dips to -0.309, at -1.19. */
export const DIP = -2.5;
/** Within this distance from 0 Mish bends; outside it is as good as straight. */
export const BEND = 4;
/** Units that are positive in fewer of their elements than this are called rarely positive. */
export const RARELY = 0.01;

/** The units of a tensor, channels or features. */
export interface Units {
  /** The axis that counts them, from 0. */
  readonly axis: number;
  readonly count: number;
  /** How many elements of each were seen: what a share of them is worth. */
  readonly each: number;
  /** Units that were positive nowhere. */
  readonly neverPositive: number;
  /** Units that were positive in less than 1 % of their elements, those never positive among them. */
  readonly rarelyPositive: number;
}

/** What went into an activation. Shares are of the finite elements, from 0 to 1. */
export interface InputStatistics {
  /** Finite elements. */
  readonly n: number;
  /** Elements left out of everything here but `units`, for which +Infinity is positive. */
  readonly nan: number;
  readonly infinite: number;
  /** Null where it is a scalar, or where it had not the same number of units in all runs. */
  readonly units: Units | null;
  /** The rest is null where no element is finite. */
  readonly mean: number | null;
  /** Standard deviation, of the population. */
  readonly std: number | null;
  readonly min: number | null;
  readonly max: number | null;
  /** The share above 0. */
  readonly positive: number | null;
  /** The share in Mish's dip, -2.5 < x < 0. */
  readonly dip: number | null;
  /** The share with |x| < 4, where Mish bends. */
  readonly bend: number | null;
  /**
   * What Mish would let through below 0 that the activation f does not: Σ |mish(x) − f(x)| over x < 0, divided by
   * Σ |f(x)| over all x. For ReLU that is the mass Mish lets through that ReLU stops, in ReLU's own. Null where f is
   * not known, and where it gives nothing but 0.
   */
  readonly letThrough: number | null;
  readonly histogram: Histogram | null;
}

/** Adds up the tensors of one place, run after run. */
export interface ActivationMeter {
  /** Throws nothing: a tensor that is not there, or no numbers, counts as nothing. */
  add(tensor: Tensor | undefined): void;
  result(): InputStatistics;
}

/** A meter for the input of an activation that has this slope below 0: 0 for ReLU, undefined where it is not known. */
export function activationMeter(axis: UnitAxis, slope: number | undefined): ActivationMeter {
  const histogram = histogramMeter();
  const units = unitMeter(axis);
  const total = { n: 0, nan: 0, infinite: 0, positive: 0, dip: 0, bend: 0, through: 0, mass: 0 };
  const moments = { mean: 0, squares: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };

  return {
    add(tensor) {
      const values = tensor && toNumbers(tensor);
      if (tensor === undefined || values === undefined) return;
      histogram.add(values);
      units.add(values, tensor.dims);
      let [n, sum, nan, infinite, positive, dip, bend, through, mass] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
      const alpha = slope ?? 0;
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
        if (x < BEND && x > -BEND) bend++;
        if (x > 0) {
          positive++;
          mass += x;
        } else if (x < 0) {
          if (x > DIP) dip++;
          const given = alpha * x;
          mass += Math.abs(given);
          through += Math.abs(mish(x) - given);
        }
      }
      if (n > 0) {
        const mean = sum / n;
        let squares = 0;
        for (let index = 0; index < values.length; index++) {
          const x = values[index] ?? 0;
          if (Math.abs(x) < Number.POSITIVE_INFINITY) squares += (x - mean) ** 2;
        }
        // Two sets as one (Chan, Golub and LeVeque, 1979).
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
      total.through += through;
      total.mass += mass;
    },
    result() {
      const { n, nan, infinite, positive, dip, bend, through, mass } = total;
      const { mean, squares, min, max } = moments;
      const some = (value: number) => (n > 0 && Number.isFinite(value) ? value : null);
      return {
        ...{ n, nan, infinite, units: units.result() },
        ...{ mean: some(mean), std: some(Math.sqrt(squares / n)), min: some(min), max: some(max) },
        ...{ positive: some(positive / n), dip: some(dip / n), bend: some(bend / n) },
        letThrough: slope === undefined || mass === 0 ? null : some(through / mass),
        histogram: histogram.result(),
      };
    },
  };
}

/** Counts in how many elements each unit is positive. */
function unitMeter(where: UnitAxis) {
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
        if (of === 0) continue; // nothing but NaN says nothing
        if (above === 0) neverPositive++;
        if (above < RARELY * of) rarelyPositive++;
      }
      return { axis, count: positives.length, each, neverPositive, rarelyPositive };
    },
  };
}
