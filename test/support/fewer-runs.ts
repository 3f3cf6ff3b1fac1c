import * as fc from '../../node_modules/fast-check/lib/fast-check.js';

/** fast-check with at most 60 cases a property, for mutation testing, where every mutant runs them. */
const few = <T>(options?: fc.Parameters<T>): fc.Parameters<T> => ({
  ...options,
  numRuns: Math.min(options?.numRuns ?? 60, 60),
});

export default {
  ...fc,
  assert: (<T>(property: fc.IAsyncProperty<T>, options?: fc.Parameters<T>) =>
    fc.assert(property, few(options))) as typeof fc.assert,
};
