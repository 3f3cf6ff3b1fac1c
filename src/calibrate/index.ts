// What a swap does to a trained network, and what can be done about it.

export type { InputStatistics, Units } from './activation-meter.js';
export {
  ACTIVATIONS_SCHEMA,
  type Activations,
  type ActivationsOptions,
  activations,
  type SiteActivations,
  type UnmeasuredSite,
} from './activations.js';
export type { BentSite } from './bends.js';
export { type Limit, type LimitVerdict, limitText, MEASURES, type Measure, parseBudget } from './budget.js';
export {
  CALIBRATION_SCHEMA,
  type CalibrateOptions,
  type Calibration,
  calibrate,
} from './calibrate.js';
export { type FoundSet, findLargestSet, type SetSearch } from './find-largest-set.js';
export type { Histogram } from './histogram.js';
export type { Judgement } from './judge.js';
export { type JudgedSet, type KeepOptions, type KeepProgress, type Kept, keepWithin } from './keep.js';
export { type RankOptions, type RankProgress, rankSites } from './rank.js';
export { parseRanking, RANKING_SCHEMA, type RankedSite, type Ranking } from './ranking.js';
export type { LayerRepair } from './repair.js';
export type { SharpnessReport, SharpnessTrial } from './sharpen.js';
export { type SharpenSwapOptions, sharpenSwap } from './sharpen-swap.js';
export type { Method } from './solve.js';
export type { Drawn, Harm } from './trial.js';
