// What a swap does to a trained network, and what can be done about it.

export type { Histogram } from '../metrics/histogram.js';
export type { InputStatistics, Units } from './activations/activation-meter.js';
export {
  ACTIVATIONS_SCHEMA,
  type Activations,
  type ActivationsOptions,
  activations,
  type SiteActivations,
  type UnmeasuredSite,
} from './activations/activations.js';
export type { BentSite } from './activations/curved-share.js';
export {
  CALIBRATION_SCHEMA,
  type CalibrateOptions,
  type Calibration,
  calibrate,
} from './calibrate.js';
export type { Judgement } from './compare-with-original.js';
export type { Method } from './repair/least-squares.js';
export type { LayerRepair } from './repair/repair-layers.js';
export {
  type Limit,
  type LimitVerdict,
  limitText,
  MEASURES,
  type Measure,
  parseBudget,
} from './select/budget.js';
export { type FoundSet, findLargestSet, type SetSearch } from './select/find-largest-set.js';
export {
  type JudgedSet,
  type KeepOptions,
  type KeepProgress,
  type Kept,
  keepWithin,
} from './select/keep-within-budget.js';
export { type RankOptions, type RankProgress, rankSites } from './select/rank.js';
export { parseRanking, RANKING_SCHEMA, type RankedSite, type Ranking } from './select/ranking.js';
export type { SharpnessReport, SharpnessTrial } from './select/search-sharpness.js';
export { type SharpenSwapOptions, sharpenSwap } from './select/sharpen-swap.js';
export type { Drawn, Harm } from './select/trial.js';
