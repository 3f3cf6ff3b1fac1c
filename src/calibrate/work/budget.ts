// Limits of work, so that calibrate ends in three minutes. They follow from the sizes of tensors, so that the same seed and number of
// steps give the same file. Without a number of steps, the time of a run counts as well.

/** Approximate number of multiplications that two cores of a CPU do in a second. */
const WORK_PER_SECOND = 1.5e10;

/** Seconds for each part of a calibration. A calibration at β = 1 has at most one of each, four tests, and a minute of gradient steps. */
export const PART_SECONDS = {
  /** Measuring what goes into the sites. */
  inputs: 10,
  /** Gathering the rows of all layers. */
  rows: 35,
  /** One pass of a model over the test samples. */
  test: 8,
  /** One gradient step. */
  step: 0.6,
  /** The loss of the gradient steps on the validation samples, which is computed a dozen times. */
  loss: 1.5,
  /** Solving all layers with many inputs. */
  large: 30,
} as const;

/** Seconds of a calibration where a clock may decide; layers that are late have more (see `repairLayers`). */
const MAX_SECONDS = 180;
/** Factor of that time for the search of a sharpness. */
const SEARCH_FACTOR = 3;
/** Seconds kept for comparing the models in the end. */
const END_SECONDS = 25;

/** Returns when repairs that begin now have to end, as `performance.now()` counts; infinity where no clock may decide. */
export function repairDeadline(
  options: Parameters<typeof mayTime>[0] & { readonly beta?: number | 'auto' | undefined },
): number {
  if (!mayTime(options)) return Number.POSITIVE_INFINITY;
  const seconds = (options.beta === 'auto' ? SEARCH_FACTOR : 1) * MAX_SECONDS;
  return performance.now() + 1000 * (seconds - END_SECONDS);
}

/** Returns whether a clock may decide about samples: a given number of steps promises the same file on a busy machine. */
export function mayTime(options: {
  readonly steps?: number | undefined;
  readonly maxSteps?: number | undefined;
}): boolean {
  return options.steps === undefined && options.maxSteps === undefined;
}

/** Returns the number of samples that a part has time for, given the work of each sample. */
export function affordableSamples(seconds: number, work: number): number {
  return Math.max(1, Math.floor((seconds * WORK_PER_SECOND) / Math.max(1, work)));
}

/** Returns the seconds that work takes. */
export function secondsFor(work: number): number {
  return work / WORK_PER_SECOND;
}

/** Returns the work that a number of seconds has time for. */
export function affordableWork(seconds: number): number {
  return seconds * WORK_PER_SECOND;
}
