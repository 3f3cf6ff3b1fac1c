import type { Int8Report } from '../../mish/results.js';
import type { ModelComparison } from '../select/compare-with-original.js';
import type { RangeRule } from './ranges.js';

/** Ranges that were tried, compared with the quantised original on validation samples. */
export interface TriedRanges {
  readonly rule: RangeRule;
  /** Signal-to-noise ratio of the outputs in dB; null if it is infinite or unknown. */
  readonly sqnr: number | null;
  /** Share of rows with the same top class; null if no output looks like class scores. */
  readonly agreement: number | null;
}

/** Scales made anew around quantised sites. */
export interface Int8Calibration extends Int8Report {
  /** How the ranges of quantised tensors follow from the samples. */
  readonly ranges: RangeRule;
  readonly tried: readonly TriedRanges[];
  /** Number of stored tensors with new numbers, biases among them. */
  readonly tensors: number;
  /** The repaired float version, compared with the float version of the original on test samples. */
  readonly float: ModelComparison;
}
