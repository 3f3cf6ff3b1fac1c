import { beforeEach } from 'vitest';

export const LINUX_ONLY = 'needs Linux';
export const NO_BACKEND_TESTS = 'Debian’s package libonnx-testdata is not installed';

/**
 * Skips the tests of the `describe` around it, with a reason that the run prints, unless a condition holds. A single test does this with
 * the `skip` of its context; `runIf` and `skipIf` have no reason.
 */
export function needs(condition: boolean, reason: string): void {
  beforeEach(({ skip }) => skip(!condition, reason));
}
