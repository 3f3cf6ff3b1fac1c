// Limits of work, so that calibrate ends in minutes. They follow from the sizes of tensors alone, not from a clock, so that the
// same seed gives the same file.

/** Multiplications of a second on two cores of a CPU, about. */
const WORK_PER_SECOND = 1.5e10;

/** Seconds for each part of a calibration at this speed. */
export const PART_SECONDS = {
  /** Measuring what goes into the sites. */
  inputs: 10,
  /** Gathering the rows of all layers. */
  rows: 45,
  /** One pass of a model over the test samples. */
  test: 8,
  /** One gradient step. */
  step: 0.6,
  /** Solving all layers with many inputs. */
  large: 40,
} as const;

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
