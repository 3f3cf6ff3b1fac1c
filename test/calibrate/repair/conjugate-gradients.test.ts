import fc from 'fast-check';
import { Matrix, solve } from 'ml-matrix';
import { expect, test } from 'vitest';
import { createRandom, normal } from '../../../src/base/random.js';
import { conjugateGradients } from '../../../src/calibrate/repair/conjugate-gradients.js';
import type { FloatMatrix } from '../../../src/calibrate/repair/gram-matrix.js';

/** A problem of a few inputs and outputs: the moments of random rows, some of whose columns are much larger. */
function problemOf(depth: number, columns: number, n: number, ridge: number, seed: number) {
  const random = createRandom(seed);
  const sizes = Array.from({ length: depth }, () => 10 ** (2 * random() - 1));
  const rows = new Matrix(Array.from({ length: n }, () => sizes.map((size) => size * normal(random))));
  const moments = rows.transpose().mmul(rows);
  const target = Float32Array.from({ length: depth * columns }, () => n * normal(random));
  const start = Float64Array.from({ length: depth * columns }, () => normal(random));
  const apply = async ({ data }: FloatMatrix): Promise<FloatMatrix> => {
    const product = moments.mmul(Matrix.from1DArray(depth, columns, data)).to1DArray();
    return { rows: depth, columns, data: Float32Array.from(product) };
  };
  const diagonal = Float64Array.from({ length: depth }, (_, at) => moments.get(at, at) / n);
  const system = Matrix.add(Matrix.div(moments, n), Matrix.eye(depth).mul(ridge));
  const wanted = Matrix.div(Matrix.from1DArray(depth, columns, target), n);
  return { given: { start, columns, apply, n, diagonal, ridge, target }, system, wanted };
}

const PROBLEM = [
  fc.integer({ min: 1, max: 12 }),
  fc.integer({ min: 1, max: 4 }),
  fc.integer({ min: 1, max: 30 }),
] as const;
const RIDGE = fc.constantFrom(0.01, 0.1, 10);

test('enough iterations give the solution of a factorisation, for each column', async () => {
  await fc.assert(
    fc.asyncProperty(...PROBLEM, RIDGE, fc.nat(), async (depth, columns, n, ridge, seed) => {
      const { given, system, wanted } = problemOf(depth, columns, n, ridge, seed);
      const exact = solve(system, wanted).to1DArray();
      const found = await conjugateGradients({ ...given, iterations: 20 * depth });
      const size = Math.max(1, ...exact.map(Math.abs), ...given.start.map(Math.abs));
      expect(Math.max(...exact.map((value, at) => Math.abs(value - (found[at] ?? 0)))) / size).toBeLessThan(
        1e-2,
      );
    }),
    { seed: 2, numRuns: 100 },
  );
});

test('each iteration comes nearer to the solution, by the energy of the difference', async () => {
  await fc.assert(
    fc.asyncProperty(...PROBLEM, RIDGE, fc.nat(), async (depth, columns, n, ridge, seed) => {
      const { given, system, wanted } = problemOf(depth, columns, n, ridge, seed);
      const exact = solve(system, wanted);
      const distance = (values: ArrayLike<number>) => {
        const rest = Matrix.sub(Matrix.from1DArray(depth, columns, Array.from(values)), exact);
        return rest.transpose().mmul(system).mmul(rest).diagonal();
      };
      let before = distance(given.start);
      for (const iterations of [0, 1, 2, 4]) {
        const after = distance(await conjugateGradients({ ...given, iterations }));
        for (const [column, value] of after.entries())
          expect(value).toBeLessThanOrEqual((before[column] ?? 0) * (1 + 1e-3) + 1e-6);
        before = after;
      }
    }),
    { seed: 3, numRuns: 100 },
  );
});

test('without a ridge, an input that is always 0 keeps its start, and the others are solved', async () => {
  await fc.assert(
    fc.asyncProperty(PROBLEM[0], PROBLEM[1], fc.nat(), async (depth, columns, seed) => {
      const { given, system, wanted } = problemOf(depth, columns, 40, 0, seed);
      const exact = solve(system, wanted).to1DArray();
      const dead = seed % (depth + 1);
      const insert = (values: ArrayLike<number>, row: readonly number[]) => {
        const all = Array.from(values);
        all.splice(dead * columns, 0, ...row);
        return all;
      };
      const remove = (values: ArrayLike<number>) => {
        const all = Array.from(values);
        all.splice(dead * columns, columns);
        return all;
      };
      const zeros = Array.from({ length: columns }, () => 0);
      const kept = zeros.map((_, column) => column + 0.5);
      const diagonal = Array.from(given.diagonal);
      diagonal.splice(dead, 0, 0);
      const found = await conjugateGradients({
        ...given,
        start: Float64Array.from(insert(given.start, kept)),
        target: Float32Array.from(insert(given.target, zeros)),
        diagonal: Float64Array.from(diagonal),
        apply: async ({ data }) => {
          const product = await given.apply({ rows: depth, columns, data: Float32Array.from(remove(data)) });
          return { rows: depth + 1, columns, data: Float32Array.from(insert(product.data, zeros)) };
        },
        iterations: 20 * depth,
      });
      expect(Array.from(found.subarray(dead * columns, (dead + 1) * columns))).toEqual(kept);
      const size = Math.max(1, ...exact.map(Math.abs), ...given.start.map(Math.abs));
      const others = remove(found);
      expect(Math.max(...exact.map((value, at) => Math.abs(value - (others[at] ?? 0)))) / size).toBeLessThan(
        1e-2,
      );
    }),
    { seed: 4, numRuns: 50 },
  );
});

test('the time ends them between two products, and so does a signal, however many iterations there are', async () => {
  const { given } = problemOf(200, 3, 400, 1e-6, 1);
  const iterations = 1e6;
  let products = 0;
  const counted = (use: () => void) => ({
    ...given,
    iterations,
    apply: (v: FloatMatrix) => {
      products++;
      use();
      return given.apply(v);
    },
  });
  const kept = await conjugateGradients({ ...counted(() => {}), until: performance.now() });
  expect([products, kept]).toEqual([1, given.start]);
  const stopped = new AbortController();
  const stop = () => products > 4 && stopped.abort();
  const run = conjugateGradients({ ...counted(stop), signal: stopped.signal });
  await expect(run).rejects.toMatchObject({ code: 'aborted' });
  expect(products).toBe(5);
});
