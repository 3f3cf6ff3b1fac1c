import { Matrix } from 'ml-matrix';
import { afterAll, describe, expect, test } from 'vitest';
import { createRandom, normal } from '../../../src/base/random.js';
import {
  openMultiplier,
  type RowMoments,
  rowMomentsMeter,
  type Shift,
} from '../../../src/calibrate/repair/gram-matrix.js';
import { candidates, type Linear, lossOf, varianceOf } from '../../../src/calibrate/repair/least-squares.js';
import { getProvider } from '../../../src/node/provider-by-name.js';

const multiplier = await openMultiplier(getProvider('cpu'));
afterAll(() => multiplier.close());

type Row = readonly number[];

/** Moments by the definition, in float64. */
function momentsOf(rows: readonly Row[]): RowMoments {
  const width = rows[0]?.length ?? 0;
  const sums = new Float64Array(width);
  const products = new Float64Array(width * width);
  for (const row of rows) {
    for (const [i, a] of row.entries()) {
      sums[i] = (sums[i] ?? 0) + a;
      for (const [j, b] of row.entries()) products[i * width + j] = (products[i * width + j] ?? 0) + a * b;
    }
  }
  return { width, n: rows.length, sums, products };
}

const apply = ({ weights, bias }: Linear, x: Row) =>
  Array.from(
    bias,
    (b, output) => b + x.reduce((sum, value, index) => sum + weights.get(output, index) * value, 0),
  );

/** Rows [x, y] with y = W x + b + noise. */
function rowsFor(map: Linear, count: number, noise = 0, seed = 1): number[][] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    const x = Array.from({ length: map.weights.columns }, (_, index) => (index + 1) * normal(random) + index);
    return [...x, ...apply(map, x).map((value) => value + noise * normal(random))];
  });
}

const truth: Linear = {
  weights: new Matrix([
    [1, -2, 0.5],
    [0.25, 3, -1],
  ]),
  bias: Float64Array.of(0.5, -4),
};
const old: Linear = {
  weights: new Matrix([
    [0.8, -2.2, 0.4],
    [0, 2.5, -1.5],
  ]),
  bias: Float64Array.of(0, 0),
};

const find = (found: ReturnType<typeof candidates>, method: string, ridge: number | null = null) => {
  const one = found.find((candidate) => candidate.method === method && candidate.ridge === ridge);
  if (one === undefined) throw new Error(`no ${method}`);
  return one;
};

describe('moments', () => {
  test.each([3, 40])('of %i columns equal those of the rows with the shift subtracted', async (width) => {
    const random = createRandom(3);
    const rows = Array.from({ length: 5000 }, () =>
      Array.from({ length: width }, (_, index) => Math.fround(50 + index + normal(random))),
    );
    const shift: Shift = {};
    const meter = rowMomentsMeter(width, shift, multiplier);
    for (let from = 0; from < rows.length; from += 700) {
      const some = rows.slice(from, from + 700);
      const { buffer, at } = await meter.room(some.length);
      buffer.set(some.flat(), at);
    }
    const { n, sums, products } = await meter.result();
    const { values = new Float64Array(0) } = shift;
    const expected = momentsOf(
      rows.map((row) => row.map((value, index) => Math.fround(value - (values[index] ?? 0)))),
    );
    expect(n).toBe(5000);
    const near = (found: Float64Array, wanted: Float64Array) =>
      Math.max(...found.map((value, index) => Math.abs(value - (wanted[index] ?? 0))));
    expect(near(sums, expected.sums)).toBeLessThan(0.01);
    expect(near(products, expected.products)).toBeLessThan(0.05); // of 5000
  });

  test('give the loss and the variance of the rows', () => {
    const rows = rowsFor(truth, 50, 1);
    const moments = momentsOf(rows);
    const residuals = rows.map((row) => {
      const made = apply(old, row.slice(0, 3));
      return made.reduce((sum, value, output) => sum + (value - (row[3 + output] ?? 0)) ** 2, 0);
    });
    const mean = residuals.reduce((sum, value) => sum + value, 0) / 50;
    expect(lossOf(old, moments)).toBeCloseTo(mean, 8);
    const variance = [3, 4].reduce((sum, column) => {
      const values = rows.map((row) => row[column] ?? 0);
      const middle = values.reduce((a, b) => a + b) / 50;
      return sum + values.reduce((a, b) => a + (b - middle) ** 2, 0) / 50;
    }, 0);
    expect(varianceOf(moments, 3)).toBeCloseTo(variance, 8);
  });
});

describe('candidates', () => {
  test('find the map of the rows by least squares', () => {
    const found = find(candidates(old, momentsOf(rowsFor(truth, 200)), [1e-12]), 'least-squares', 1e-12);
    expect(Matrix.sub(found.weights, truth.weights).norm()).toBeLessThan(1e-9);
    expect(Math.abs((found.bias[0] ?? 0) - 0.5)).toBeLessThan(1e-8);
    expect(Math.abs((found.bias[1] ?? 0) + 4)).toBeLessThan(1e-8);
  });

  test('move towards the old weights with the ridge, by the closed form for a single input', () => {
    const rows = [
      [-1, -4],
      [0, 0],
      [1, 5],
      [4, 9],
    ];
    const one: Linear = { weights: new Matrix([[1]]), bias: Float64Array.of(0) };
    const [meanX, meanY] = [1, 2.5];
    const [variance, cross] = [14 / 4, (rows.reduce((sum, [x = 0, y = 0]) => sum + x * y, 0) - 4 * 2.5) / 4];
    for (const ridge of [1e-6, 0.1, 1, 100]) {
      const found = find(candidates(one, momentsOf(rows), [ridge]), 'least-squares', ridge);
      const expected = 1 + (cross - variance) / (variance * (1 + ridge));
      expect(found.weights.get(0, 0)).toBeCloseTo(expected, 10);
      expect(found.bias[0]).toBeCloseTo(meanY - expected * meanX, 10);
    }
  });

  test('keep the old weights, with a fitted bias, for a huge ridge', () => {
    const rows = rowsFor(truth, 30, 0.3);
    const moments = momentsOf(rows);
    const found = candidates(old, moments, [1e12]);
    const [bias, squares] = [find(found, 'bias'), find(found, 'least-squares', 1e12)];
    expect(Matrix.sub(squares.weights, old.weights).norm()).toBeLessThan(1e-9);
    expect(bias.weights.to2DArray()).toEqual(old.weights.to2DArray());
    for (const output of [0, 1]) {
      const left = rows.map((row) => (row[3 + output] ?? 0) - (apply(old, row.slice(0, 3))[output] ?? 0));
      expect(bias.bias[output]).toBeCloseTo(left.reduce((a, b) => a + b) / 30, 10);
      expect(squares.bias[output]).toBeCloseTo(bias.bias[output] ?? 0, 8);
    }
  });

  test('find a wrong factor and bias of each output exactly', () => {
    const wrong: Linear = {
      weights: new Matrix([
        truth.weights.getRow(0).map((w) => w / 3),
        truth.weights.getRow(1).map((w) => w * -2),
      ]),
      bias: Float64Array.of(9, 9),
    };
    const found = find(candidates(wrong, momentsOf(rowsFor(truth, 40)), []), 'affine');
    expect(Matrix.sub(found.weights, truth.weights).norm()).toBeLessThan(1e-9);
    expect([...found.bias].map((value) => Math.round(value * 1e8) / 1e8)).toEqual([0.5, -4]);
  });

  test('never have a larger loss with more freedom, on the training rows', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const moments = momentsOf(rowsFor(truth, 12, 2, seed));
      const found = candidates(old, moments, [1e-9]);
      const losses = [
        old,
        find(found, 'bias'),
        find(found, 'affine'),
        find(found, 'least-squares', 1e-9),
      ].map((map) => lossOf(map, moments));
      expect(losses).toEqual(losses.toSorted((a, b) => b - a));
    }
  });

  test('are finite for constant inputs, and for fewer rows than inputs', () => {
    const still = Array.from({ length: 5 }, () => [1, 2, 3, 7, 8]);
    const few = rowsFor(truth, 2);
    for (const rows of [still, few]) {
      for (const { weights, bias } of candidates(old, momentsOf(rows), [1e-4, 1])) {
        expect([...weights.to1DArray(), ...bias].every(Number.isFinite)).toBe(true);
      }
    }
    const squares = find(candidates(old, momentsOf(still), [1]), 'least-squares', 1);
    expect(apply(squares, [1, 2, 3]).map((value) => Math.round(value * 1e9) / 1e9)).toEqual([7, 8]);
  });
});
