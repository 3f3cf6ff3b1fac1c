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
export {
  CALIBRATION_SCHEMA,
  type CalibrateOptions,
  type Calibration,
  calibrate,
  type Judgement,
} from './calibrate.js';
export type { Histogram } from './histogram.js';
export type { LayerRepair } from './repair.js';
