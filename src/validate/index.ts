// Validation: what the swapped model gives, how right it is and how fast.

export { type Accuracy, accuracy } from './accuracy.js';
export { type Dataset, type Feeds, type LazyFeeds, type ShapeOptions, seededFeeds } from './feeds.js';
export { bytesCandidate, type FileValidation, fileCandidate, validateFiles } from './files.js';
export { type ImageOptions, type ImageSource, imageFeeds, type Pixels } from './images.js';
export { type Latency, type LatencyOptions, measureLatency } from './latency.js';
export { compareLayers, type LayerOptions, type LayerRun } from './layers.js';
export { type Drift, driftMeter, looksLikeScores } from './metrics.js';
export { parseNpy } from './npy.js';
export { firstParting } from './parting.js';
export { type ProfileOptions, profileModel, profileModels } from './profile.js';
export { parseReport, REPORT_SCHEMA, type Report, reportJsonSchema, reportSchema } from './report.js';
export { sampledFeeds, testCaseFeeds } from './samples.js';
export { type Sweep, sweep, sweepPoints } from './sweep.js';
export type { Thresholds } from './thresholds.js';
export { type Tolerance, toleranceFor } from './tolerance.js';
export { type Candidate, type ValidateOptions, validate } from './validate.js';
