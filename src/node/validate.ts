// Validation: drift, correctness and speed of a swapped model.

export { sampledFeeds, testCaseFeeds } from '../data/arrays.js';
export { type Dataset, type Feeds, type LazyFeeds, seededFeeds } from '../data/dataset.js';
export { type ImageOptions, type ImageSource, imageFeeds, type Pixels } from '../data/images.js';
export { parseNpy } from '../data/npy.js';
export type { ShapeOptions } from '../data/shapes.js';
export { type Accuracy, accuracy } from '../metrics/accuracy.js';
export { type Drift, driftMeter, looksLikeScores } from '../metrics/drift.js';
export { type Sweep, sweep, sweepPoints } from '../validate/kernel-sweep.js';
export { type Latency, type LatencyOptions, measureLatency } from '../validate/latency.js';
export type { ProfileOptions } from '../validate/profile.js';
export {
  parseReport,
  REPORT_SCHEMA,
  type Report,
  reportJsonSchema,
  reportSchema,
} from '../validate/report-schema.js';
export type { Thresholds } from '../validate/thresholds.js';
export { type Tolerance, toleranceFor } from '../validate/tolerance.js';
export {
  compareLayers,
  firstDivergence,
  firstDivergence /** @deprecated another name for `firstDivergence`. */ as firstParting,
  type LayerOptions,
  type LayerRun,
} from './compare-layers.js';
export { profileModel, profileModels } from './profile-models.js';
export {
  bytesCandidate,
  type Candidate,
  type FileValidation,
  fileCandidate,
  type ValidateOptions,
  validate,
  validateFiles,
} from './validate-files.js';
