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
export type { Histogram } from './histogram.js';
