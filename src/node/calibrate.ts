// Measures how a swap degrades a trained network, and repairs the network.

import type { SiteWithCurvedShare } from '../calibrate/activations/curved-share.js';
import type { ModelComparison } from '../calibrate/select/compare-with-original.js';
import type { Degradation } from '../calibrate/select/degradation.js';
import type { BudgetResult } from '../calibrate/select/swap-within-budget.js';

export type { InputStatistics, Units } from '../calibrate/activations/activation-meter.js';
export {
  ACTIVATIONS_SCHEMA,
  type Activations,
  type ActivationsOptions,
  type SiteActivations,
  type UnmeasuredSite,
} from '../calibrate/activations/activations.js';
export type { SiteWithCurvedShare } from '../calibrate/activations/curved-share.js';
export {
  CALIBRATION_SCHEMA,
  type Calibration,
} from '../calibrate/calibrate.js';
export type { RangeRule } from '../calibrate/int8/ranges.js';
export type { Int8Calibration, TriedRanges } from '../calibrate/int8/report.js';
export type { CalibrateOptions } from '../calibrate/options.js';
export type { Method } from '../calibrate/repair/least-squares.js';
export type { LayerRepair } from '../calibrate/repair/repair-layers.js';
export type { CurvedReport } from '../calibrate/scale/sharpened.js';
export {
  type Limit,
  type LimitVerdict,
  limitText,
  MEASURES,
  type Measure,
  parseBudget,
} from '../calibrate/select/budget.js';
export type { ModelComparison } from '../calibrate/select/compare-with-original.js';
export type { Degradation } from '../calibrate/select/degradation.js';
export { type FoundSet, findLargestSet, type SetSearch } from '../calibrate/select/find-largest-set.js';
export type { RankOptions, RankProgress } from '../calibrate/select/rank.js';
export { parseRanking, RANKING_SCHEMA, type RankedSite, type Ranking } from '../calibrate/select/ranking.js';
export type { SharpnessReport, SharpnessTrial } from '../calibrate/select/search-sharpness.js';
export type { SharpenSwapOptions } from '../calibrate/select/sharpen-swap.js';
export type {
  BudgetResult,
  JudgedSet,
  KeepOptions,
  KeepProgress,
} from '../calibrate/select/swap-within-budget.js';
export type { Drawn } from '../calibrate/select/trial.js';
export type { Histogram } from '../metrics/histogram.js';
export {
  activations,
  calibrate,
  rankSites,
  sharpenSwap,
  swapWithinBudget,
  swapWithinBudget /** @deprecated another name for `swapWithinBudget`. */ as keepWithin,
} from './calibrate-files.js';

/** @deprecated Use `SiteWithCurvedShare`. */
export type BentSite = SiteWithCurvedShare;
/** @deprecated Use `Degradation`. */
export type Harm = Degradation;
/** @deprecated Use `ModelComparison`. */
export type Judgement = ModelComparison;
/** @deprecated Use `BudgetResult`. */
export type Kept = BudgetResult;
