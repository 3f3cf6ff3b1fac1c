import type { Dataset, Feeds } from '../data/dataset.js';
import type { AccuracyWithIntervals } from '../metrics/accuracy.js';
import type { FoldReport, SkipReport, SwapReport } from '../mish/results.js';
import type { SiteWithCurvedShare } from './activations/curved-share.js';
import type { LeakyReport } from './choose-leaky.js';
import type { Tuned } from './distil.js';
import type { Int8Calibration } from './int8/report.js';
import type { SkippedLayer } from './repair/body-layers.js';
import type { LayerRepair } from './repair/repair-layers.js';
import type { CurvedReport } from './scale/sharpened.js';
import type { ModelComparison } from './select/compare-with-original.js';
import type { SharpnessReport } from './select/search-sharpness.js';

export const CALIBRATION_SCHEMA = 'onnx-mish/calibration@1';

/** Report of a calibration. */
export interface Calibration {
  readonly schema: typeof CALIBRATION_SCHEMA;
  /** The activation that was written. */
  readonly to: SwapReport['to'];
  readonly form: SwapReport['form'];
  /** Sharpness of all sites; null if sites differ. */
  readonly beta: number | null;
  /** Sharpness that follows from the inputs of the sites; null if the options give one, and where `int8` keeps the plain swap. */
  readonly curved: CurvedReport | null;
  readonly sites: readonly SiteWithCurvedShare[];
  readonly skipped: readonly SkipReport[];
  /** Why LeakyReLUs became mixtures; null if they did not, or if the options say so. */
  readonly leaky: LeakyReport | null;
  /** Number of samples in each subset. */
  readonly samples: {
    readonly source: Dataset<Feeds>['source'];
    readonly seed: number;
    /** Training samples: the weights are solved from them. */
    readonly fit: number;
    /** Validation samples: they choose between the methods. */
    readonly held: number;
    /** Test samples: they compare the swapped and the calibrated model with the original. */
    readonly judged: number;
  };
  /** Search for the sharpness; null without a search. */
  readonly sharpness: SharpnessReport | null;
  /** Repaired layers in topological order. */
  readonly layers: readonly LayerRepair[];
  readonly leftAlone: readonly SkippedLayer[];
  /** Number of gradient steps, with the validation loss before and after; null without gradient steps. */
  readonly tuning: Omit<Tuned, 'edits'> | null;
  /** Sites whose sharpness was folded into the weights around them, and sites where folding failed; null unless requested. */
  readonly fold: FoldReport | null;
  /** Scales made anew around quantised sites; absent unless requested. */
  readonly int8?: Int8Calibration | undefined;
  /** Remarks, such as why there were no gradient steps. */
  readonly notes: readonly string[];
  /** Accuracy of the original by the labels; null without labels. */
  readonly original: AccuracyWithIntervals | null;
  readonly swapped: ModelComparison;
  readonly calibrated: ModelComparison;
  /** The model that was written: the swap without repair, if the calibrated model was worse on the test samples. */
  readonly kept: 'calibrated' | 'swapped';
  /** Duration in seconds. */
  readonly seconds: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}
