import fc from 'fast-check';
import { Matrix } from 'ml-matrix';
import { afterAll, describe, expect, test } from 'vitest';
import { createRandom, normal } from '../../../src/base/random.js';
import type { OfSubsets, RowMeter } from '../../../src/calibrate/repair/gather-rows.js';
import { openMultiplier, rowMomentsMeter, type Shift } from '../../../src/calibrate/repair/gram-matrix.js';
import type { GroupSolution } from '../../../src/calibrate/repair/layer-solution.js';
import type { Linear } from '../../../src/calibrate/repair/least-squares.js';
import { solveFromMoments } from '../../../src/calibrate/repair/solve-moments.js';
import { solveFromRows } from '../../../src/calibrate/repair/solve-rows.js';
import { storableRows, storedRowsMeter } from '../../../src/calibrate/repair/stored-rows.js';
import { getProvider } from '../../../src/node/provider-by-name.js';

const multiplier = await openMultiplier(getProvider('cpu'));
afterAll(() => multiplier.close());

interface Problem {
  readonly depth: number;
  readonly outputs: number;
  readonly rows: number;
  readonly seed: number;
}

const problems = fc.record({
  depth: fc.integer({ min: 1, max: 24 }),
  outputs: fc.integer({ min: 1, max: 5 }),
  rows: fc.integer({ min: 6, max: 60 }),
  seed: fc.nat(1000),
});

/** Correlated inputs of different scales and means, and outputs that the old map nearly gives. */
function problemOf({ depth, outputs, rows, seed }: Problem) {
  const random = createRandom(seed);
  const old: Linear = {
    weights: Matrix.from1DArray(
      outputs,
      depth,
      Array.from({ length: outputs * depth }, () => normal(random)),
    ),
    bias: Float64Array.from({ length: outputs }, () => normal(random)),
  };
  const made = (count: number) => {
    const data = new Float32Array(count * (depth + outputs));
    for (let row = 0, at = 0; row < count; row++) {
      const common = normal(random);
      const x = Array.from(
        { length: depth },
        (_, index) => (1 + (index % 3)) * (common + normal(random)) + (index % 4),
      );
      const y = Array.from(
        { length: outputs },
        (_, output) =>
          1.1 * x.reduce((sum, value, index) => sum + old.weights.get(output, index) * value, 0) +
          Math.max(0, x[0] ?? 0) +
          0.1 * normal(random),
      );
      for (const value of [...x, ...y]) data[at++] = value;
    }
    return data;
  };
  return { old, width: depth + outputs, train: made(rows), validation: made(20) };
}

async function metered<T extends { sums: Float64Array }>(
  { width, train, validation }: { width: number } & OfSubsets<Float32Array>,
  meter: () => RowMeter<T>,
): Promise<OfSubsets<T>> {
  const one = async (data: Float32Array) => {
    const filled = meter();
    const { buffer, at } = await filled.room(data.length / width);
    buffer.set(data, at);
    return filled.result();
  };
  return { train: await one(train), validation: await one(validation) };
}

async function bothWays(problem: Problem, ridge: number, iterations = 400) {
  const made = problemOf(problem);
  const { old, width } = made;
  const shift: Shift = {};
  const moments = await metered(made, () => rowMomentsMeter(width, shift, multiplier));
  const direct = solveFromMoments(old, moments, shift.values ?? new Float64Array(width), [ridge]);
  const stored = await metered(made, () => storedRowsMeter(width));
  const byRows = await solveFromRows(old, stored, { ridges: [ridge], iterations, multiplier });
  return { direct, byRows };
}

const methods = ({ tried }: GroupSolution) => tried.map(({ map: { method, ridge } }) => ({ method, ridge }));

describe('rows', () => {
  test('give what their moments give, with fewer rows than inputs and with more', async () => {
    await fc.assert(
      fc.asyncProperty(problems, fc.constantFrom(1e-2, 0.1, 1), async (problem, ridge) => {
        const { direct, byRows } = await bothWays(problem, ridge);
        // Conjugate gradients stop at a residual; the weaker the ridge, the farther that can be from the solution.
        const tolerance = 1e-4 + 5e-5 / ridge;
        const near = (a: number, b: number) =>
          expect(Math.abs(a - b)).toBeLessThan(tolerance * (Math.abs(a) + 1e-2 * direct.variance));
        expect(byRows.rows).toBe(direct.rows);
        expect(methods(byRows)).toEqual(methods(direct));
        near(direct.variance, byRows.variance);
        near(direct.before, byRows.before);
        for (const [at, { map, loss }] of direct.tried.entries()) {
          const other = byRows.tried[at];
          near(loss, other?.loss ?? Number.NaN);
          const change = Matrix.sub(map.weights, other?.map.weights ?? map.weights);
          expect(change.norm() / map.weights.norm()).toBeLessThan(2e-3);
          for (const [output, bias] of map.bias.entries())
            expect(other?.map.bias[output]).toBeCloseTo(bias, 1);
        }
      }),
      { numRuns: 25, seed: 5 },
    );
  });

  test('of too few iterations leave a loss between that of the old weights and the solution', async () => {
    const made = problemOf({ depth: 30, outputs: 3, rows: 400, seed: 2 });
    const stored = await metered(made, () => storedRowsMeter(made.width));
    const losses: number[] = [];
    for (const iterations of [1, 2, 4, 100]) {
      const options = { ridges: [1e-4], iterations, multiplier };
      const { tried } = await solveFromRows(made.old, { ...stored, validation: stored.train }, options);
      losses.push(tried[2]?.loss ?? Number.NaN);
      if (iterations === 1) losses.unshift(tried[0]?.loss ?? Number.NaN);
    }
    for (const [at, loss] of losses.entries())
      if (at > 0) expect(loss).toBeLessThan(losses[at - 1] ?? Number.NaN);
  });

  test('choose the ridge with the lowest loss, and solve more than 512 outputs in blocks', async () => {
    const made = problemOf({ depth: 3, outputs: 600, rows: 30, seed: 3 });
    const stored = await metered(made, () => storedRowsMeter(made.width));
    const solve = async (ridges: readonly number[]) =>
      (await solveFromRows(made.old, stored, { ridges, iterations: 300, multiplier })).tried[2];
    const weak = await solve([1e-3]);
    const chosen = await solve([1e-3, 1e6]);
    expect(chosen?.map.ridge).toBe(1e-3);
    expect(chosen?.loss).toBeCloseTo(weak?.loss ?? Number.NaN, 4);
    const shift: Shift = {};
    const moments = await metered(made, () => rowMomentsMeter(made.width, shift, multiplier));
    const direct = solveFromMoments(made.old, moments, shift.values ?? new Float64Array(0), [1e-3]);
    expect(weak?.loss ?? 0).toBeCloseTo(direct.tried[2]?.loss ?? Number.NaN, 2);
  });

  // A layer uses a way that all of its groups have.
  test('without any variance of the inputs leave the weights to the bias, in as many ways as other rows', async () => {
    const made = problemOf({ depth: 4, outputs: 2, rows: 10, seed: 4 });
    const options = { ridges: [10, 1], iterations: 9, multiplier };
    const others = await solveFromRows(
      made.old,
      await metered(made, () => storedRowsMeter(made.width)),
      options,
    );
    for (let at = 0; at < made.train.length; at++) if (at % made.width < 4) made.train[at] = 2;
    const stored = await metered(made, () => storedRowsMeter(made.width));
    const { tried } = await solveFromRows(made.old, stored, options);
    expect(tried.map(({ map }) => map.method)).toEqual(others.tried.map(({ map }) => map.method));
    for (const { loss, map } of tried) {
      expect([loss, ...map.bias].every(Number.isFinite)).toBe(true);
      expect(map.weights).toEqual(made.old.weights);
    }
  });

  test('are as many as memory holds', () => {
    expect(storableRows(500, 40)).toBe(500);
    expect(storableRows(15_000, 5120) * 5120).toBeLessThanOrEqual(2 ** 25);
    expect(storableRows(15_000, 10 ** 9)).toBe(1);
  });
});

test('a multiplier opens one session for each kind of product, and closes all', async () => {
  const provider = getProvider('cpu');
  let open = 0;
  let opened = 0;
  const counting = {
    ...provider,
    async open(...args: Parameters<typeof provider.open>) {
      const session = await provider.open(...args);
      opened++;
      open++;
      const close = async () => {
        open--;
        await session.close();
      };
      return { ...session, close };
    },
  };
  const products = await openMultiplier(counting);
  const identity = { rows: 2, columns: 2, data: Float32Array.of(1, 0, 0, 1) };
  const results = await Promise.all([
    products.product(identity, identity),
    products.product(identity, identity),
    products.crossProduct(identity, identity),
    products.crossProduct(identity, identity),
  ]);
  for (const { data } of results) expect(data).toEqual(identity.data);
  await products.close();
  expect([opened, open]).toEqual([3, 0]);
});
