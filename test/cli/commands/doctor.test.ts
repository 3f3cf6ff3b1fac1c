import fc from 'fast-check';
import { expect, test } from 'vitest';
import { judgeKernel } from '../../../src/cli/commands/doctor.js';
import type { KernelSweep } from '../../../src/validate/report-schema.js';
import { judge } from '../../../src/validate/thresholds.js';

test('a kernel is right for doctor where it is right for validate', () => {
  const figures = fc.record({
    maxScaled: fc.double({ min: 0, max: 1e-3, noNaN: true }),
    broken: fc.constantFrom(0, 0, 1, 2561),
  });
  fc.assert(
    fc.property(figures, fc.double({ min: 1e-7, max: 1e-3, noNaN: true }), (sweep, tolerance) => {
      const kernel = [{ ...sweep, kind: 'mish', elemType: 'f32' } as KernelSweep];
      const row = { drift: [], accuracy: null, latency: null, parity: null, kernel };
      const [verdict] = judge('cpu', row, { maxKernelError: tolerance });
      const { isRight, text } = judgeKernel('exp', sweep, tolerance);
      expect(isRight, text).toBe(verdict?.passed);
      expect(text).toMatch(
        sweep.broken > 0 ? /^the exp form gives NaN or an infinity at [\d,]+ points?$/ : /is at most \d/,
      );
    }),
    { seed: 5, numRuns: 300 },
  );
});
