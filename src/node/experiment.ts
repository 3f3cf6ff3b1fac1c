// Trains an architecture anew with each activation, and compares them.

export {
  type LandscapeOptions,
  type LandscapeSource,
  type LandscapeWeight,
  lossLandscape,
  trainedWeights,
} from '../experiment/landscape.js';
export { mergeExperiments, type NamedReport } from '../experiment/merge.js';
export type { ExperimentOptions, LandscapeSettings } from '../experiment/options.js';
export {
  type Derivative,
  EXPERIMENT_SCHEMA,
  type ExperimentReport,
  type ExperimentResult,
  type ExperimentRun,
  experimentJsonSchema,
  type Landscape,
  parseExperimentReport,
} from '../experiment/report-schema.js';
export type { ExperimentEvent } from '../experiment/run-experiment.js';
export { type ExperimentHooks, experiment } from './experiment-run.js';
