import { PART_SECONDS, secondsFor } from '../work/budget.js';
import { type LayerLimits, type LayerLoad, planSamples, totalWork, workOf } from './layer-samples.js';

/** Number of training samples of each layer, in their order. */
export interface SamplePlan {
  /** Returns the number for the next layer, as its work begins. */
  next(): number;
}

/** Minimum share of the time after which the speed of the first layers predicts that of the others. */
const MIN_TIMED_SHARE = 0.1;
/** Minimum share of its time that a layer gets where those before took longer than planned. */
const MIN_LATE_SHARE = 0.25;

export interface SamplePlanOptions extends Pick<LayerLimits, 'rows' | 'available'> {
  /** Share of the time for solving layers. */
  readonly share: number;
  /** When all layers have to be solved, as `performance.now()` counts; infinity where no clock may decide. */
  readonly deadline: number;
}

/**
 * Plans samples as `planSamples` does. With a deadline, where the layers so far took so long that all would exceed the time for rows and
 * solutions, or the deadline, the others get fewer samples.
 */
export function samplePlan(
  loads: readonly LayerLoad[],
  { share, deadline, ...limits }: SamplePlanOptions,
): SamplePlan {
  const seconds = share * PART_SECONDS.rows;
  const start = performance.now();
  const left = (deadline - start) / 1000;
  const most =
    left === Number.POSITIVE_INFINITY ? left : Math.min(seconds + share * PART_SECONDS.large, left);
  let samples = planSamples(loads, { ...limits, seconds: Math.min(seconds, most) });
  const first = samples;
  let at = 0;
  let planned = 0;
  return {
    next() {
      const elapsed = (performance.now() - start) / 1000;
      const speed = planned / elapsed;
      const others = loads.slice(at);
      const work = totalWork(others, samples.slice(at));
      if (elapsed > MIN_TIMED_SHARE * most && elapsed + secondsFor(work) / speed > most) {
        const part = totalWork(others, first.slice(at)) / totalWork(loads, first);
        const affordable = Math.max(MIN_LATE_SHARE * part * most, most - elapsed) * speed;
        samples = [...samples.slice(0, at), ...planSamples(others, { ...limits, seconds: affordable })];
      }
      const [load, count = 0] = [loads[at], samples[at]];
      if (load !== undefined) planned += secondsFor(workOf(load, count));
      at++;
      return count;
    },
  };
}
