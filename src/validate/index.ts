// Validation: what the swapped model gives, how right it is and how fast.

export { sampledFeeds, testCaseFeeds } from '../data/arrays.js';
export { type Dataset, type Feeds, type LazyFeeds, seededFeeds } from '../data/dataset.js';
export { type ImageOptions, type ImageSource, imageFeeds, type Pixels } from '../data/images.js';
export { parseNpy } from '../data/npy.js';
export type { ShapeOptions } from '../data/shapes.js';
export { type Accuracy, accuracy } from '../metrics/accuracy.js';
export { type Drift, driftMeter, looksLikeScores } from '../metrics/drift.js';
export { bytesCandidate, type FileValidation, fileCandidate, validateFiles } from '../node/validate-files.js';
export { firstParting } from './divergence.js';
export { type Sweep, sweep, sweepPoints } from './kernel-sweep.js';
export { type Latency, type LatencyOptions, measureLatency } from './latency.js';
export { compareLayers, type LayerOptions, type LayerRun } from './layers.js';
export { type ProfileOptions, profileModel, profileModels } from './profile.js';
export { parseReport, REPORT_SCHEMA, type Report, reportJsonSchema, reportSchema } from './report-schema.js';
export type { Thresholds } from './thresholds.js';
export { type Tolerance, toleranceFor } from './tolerance.js';
export { type Candidate, type ValidateOptions, validate } from './validate.js';
