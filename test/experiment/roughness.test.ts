import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRandom, normal } from '../../src/base/random.js';
import { roughnessOf } from '../../src/experiment/roughness.js';

const POINTS = 21;

/** A function on a grid from -1 to 1. */
const surface = (f: (a: number, b: number) => number, points = POINTS) =>
  Array.from({ length: points ** 2 }, (_, at) => {
    const place = (index: number) => (2 * index) / (points - 1) - 1;
    return f(place(at % points), place(Math.floor(at / points)));
  });
const rough = (f: (a: number, b: number) => number, points = POINTS) =>
  roughnessOf(surface(f, points), points) ?? Number.NaN;

const bowl = (a: number, b: number) => 0.2 + 2 * a * a + 0.5 * b * b + 0.3 * a * b;
const ripple = (height: number) => (a: number, b: number) =>
  bowl(a, b) + height * (1 + Math.sin(17 * a) * Math.sin(17 * b));

describe('what is smooth', () => {
  test('a convex surface has roughness 0', () => {
    const number = fc.double({ min: -3, max: 3, noNaN: true });
    const positive = fc.double({ min: 0.01, max: 5, noNaN: true });
    fc.assert(
      fc.property(positive, positive, number, number, positive, (p, q, a0, b0, power) => {
        const f = (a: number, b: number) => p * Math.abs(a - a0) ** (1 + power) + q * Math.exp(b - b0);
        expect(rough(f)).toBeLessThan(1e-9);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  test('so have a valley with flat shoulders, a slope and a plane', () => {
    expect(rough((a, b) => Math.tanh(3 * (a * a + b * b)))).toBeLessThan(1e-9);
    expect(rough((a, b) => 1 / (1 + Math.exp(-9 * (a + b))))).toBeLessThan(1e-9);
    expect(rough(() => 2.3)).toBe(0);
  });

  test('rounding does not make a plane rough', () => {
    const random = createRandom(3);
    expect(rough(() => 2.3 + 1e-9 * random())).toBe(0);
  });
});

describe('what is rough', () => {
  test('roughness rises with the height of ripples', () => {
    const values = [0, 0.02, 0.05, 0.1, 0.3, 1, 10].map((height) => rough(ripple(height)));
    expect(values[0]).toBeLessThan(1e-9);
    for (const [at, value] of values.slice(1).entries()) expect(value).toBeGreaterThan(values[at] ?? 1);
    expect(values.at(-1)).toBeGreaterThan(0.7);
  });

  test('noise is rougher than ripples, which are rougher than two valleys', () => {
    const random = createRandom(5);
    const noise = rough(() => Math.exp(normal(random)));
    const valleys = rough((a, b) => 0.05 + (a * a - 0.4) ** 2 + b * b);
    expect(noise).toBeGreaterThan(0.8);
    expect(rough(ripple(0.3))).toBeLessThan(noise);
    expect(valleys).toBeLessThan(rough(ripple(0.3)));
    expect(valleys).toBeGreaterThan(0.1);
  });

  test('the value is the one that is calculated by hand', () => {
    // The binary logarithms of these losses: rows 1 4 2, 3 3 3 and 0 5 0 vary by 5, 0 and 10; a single valley needs 1, 0 and 0
    // of it. Columns 1 3 0, 4 3 5 and 2 3 0 vary by 5, 3 and 4; a single valley needs 1, 3 and 2.
    const losses = [1, 4, 2, 3, 3, 3, 0, 5, 0].map((power) => 2 ** power);
    const rows = [1 - 1 / 5, 0, 1];
    const columns = [1 - 1 / 5, 0, 1 - 2 / 4];
    const sum = [...rows, ...columns].reduce((total, share) => total + share, 0);
    expect(roughnessOf(losses, 3)).toBeCloseTo(sum / 6, 12);
  });
});

test('scale and direction do not change it; a finer grid hardly does', () => {
  const value = rough(ripple(0.2));
  expect(rough((a, b) => 7 * ripple(0.2)(a, b))).toBeCloseTo(value, 9);
  expect(rough((a, b) => ripple(0.2)(b, -a))).toBeCloseTo(value, 9);
  expect(Math.abs(rough(ripple(0.2), 61) - value)).toBeLessThan(0.03);
});

test('high walls do not hide the ridges at the bottom', () => {
  const walled = (height: number) =>
    rough((a, b) => ripple(0.2)(a, b) * (Math.abs(a) > 0.85 || Math.abs(b) > 0.85 ? height : 1));
  expect(walled(1e4)).toBeGreaterThan(walled(1) / 20);
});

test('points without a loss are left out', () => {
  const losses = surface(ripple(0.2)).map((loss, at) => (at % POINTS === 0 ? null : loss));
  expect(roughnessOf(losses, POINTS)).toBeGreaterThan(0.1);
  const holes = surface(bowl).map((loss, at) => (at % 7 === 0 ? null : loss));
  expect(roughnessOf(holes, POINTS)).toBeLessThan(1e-9);
  expect(roughnessOf(Array(9).fill(null), 3)).toBeNull();
});
