// Limits of the measures of trained models, for the measures themselves and for the estimate of their time.

/** Maximum number of test samples on which units are measured. */
export const MAX_UNIT_SAMPLES = 256;

/** Limits of the pairs of runs, and of seconds, for the latency: small models have a narrow interval long before half a second. */
export const LATENCY_LIMITS = { minPairs: 30, maxPairs: 1000, minSeconds: 0.5, maxSeconds: 10 };

/** Number of samples in a run, if the model takes any number. */
export const RUN_SAMPLES = 16;
