import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRandom, normal } from '../../../src/base/random.js';
import { elementCount } from '../../../src/providers/tensor.js';
import { bySparseRows } from '../../../src/train/autodiff/along-axis.js';
import { runTape, storedElements } from '../../support/tape.js';

const length = fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 600, max: 1500 }));
const matrices = fc.record({
  from: length,
  to: length,
  before: fc.integer({ min: 1, max: 2 }),
  after: fc.integer({ min: 1, max: 3 }),
  most: fc.integer({ min: 1, max: 4 }),
  areOnes: fc.boolean(),
  seed: fc.integer(),
});

test('an axis is multiplied by a matrix, of which a long axis stores only the elements that are not 0', async () => {
  let long = 0;
  await fc.assert(
    fc.asyncProperty(matrices, async ({ from, to, before, after, most, areOnes, seed }) => {
      const random = createRandom(seed);
      const below = (end: number) => Math.floor(random() * end);
      const rows = Array.from({ length: to }, () =>
        Array.from({ length: below(most + 1) }, () => [below(from), areOnes ? 1 : normal(random)] as const),
      );
      // A matrix without elements is no axis of anything.
      rows[0]?.push([0, 1]);
      const dims = [before, from, after];
      const x = Float32Array.from({ length: elementCount(dims) }, () => normal(random));
      let [stored, shape]: [number, readonly number[]] = [0, []];
      const { y } = await runTape({ x: { dims, data: x } }, (tape) => {
        const { name, dims: result } = bySparseRows(tape, 'x', dims, 1, rows);
        [stored, shape] = [storedElements(tape), result];
        return { y: name };
      });
      expect(shape).toEqual([before, to, after]);
      const expected = Array.from({ length: before * to * after }, (_, at) => {
        const [outer, row, inner] = [Math.floor(at / after / to), Math.floor(at / after) % to, at % after];
        return (rows[row] ?? []).reduce(
          (sum, [place, weight]) => sum + weight * (x[(outer * from + place) * after + inner] ?? 0),
          0,
        );
      });
      const off = expected.reduce((worst, value, at) => Math.max(worst, Math.abs(value - (y[at] ?? NaN))), 0);
      expect(off).toBeLessThan(1e-5);
      expect(y).toHaveLength(expected.length);
      if (from < 600 || to < 600) return;
      long++;
      expect(stored).toBeLessThan(20 * to);
    }),
    { numRuns: 24, seed: 3 },
  );
  expect(long).toBeGreaterThan(2);
});
