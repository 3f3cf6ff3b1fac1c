import * as fc from '../../node_modules/fast-check/lib/fast-check.js';

const MOST = 15;

/** fast-check with few cases a property, since they run for every mutant. */
export default {
  ...fc,
  assert: (property, options) =>
    fc.assert(property, { ...options, numRuns: Math.min(options?.numRuns ?? MOST, MOST) }),
};
