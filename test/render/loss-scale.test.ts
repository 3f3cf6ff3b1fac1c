import { expect, test } from 'vitest';
import { LOSS_COLOURS, lossScale } from '../../src/render/loss-scale.js';

const grid = (...losses: (number | null)[]) => ({ points: 2, losses });

test('several landscapes share their levels, which rise', () => {
  const { levels } = lossScale([grid(0.5, 1, 2, 3), grid(0.1, 8, 20, null)]);
  expect(levels).toHaveLength(LOSS_COLOURS.length - 1);
  expect(levels).toEqual(levels.toSorted((a, b) => a - b));
  expect(levels[0]).toBeGreaterThan(0.1);
  expect(levels.at(-1)).toBeLessThan(20);
});

test('a wide range has a logarithmic scale, a narrow one or one with zeros an even one', () => {
  const steps = (...losses: number[]) => {
    const { levels } = lossScale([grid(...losses)]);
    return { ratio: (levels[1] ?? 0) / (levels[0] ?? 1) - (levels[8] ?? 0) / (levels[7] ?? 1), levels };
  };
  expect(steps(1, 2, 3, 1024).ratio).toBeCloseTo(0, 9);
  for (const losses of [
    [1, 1.5, 2, 3],
    [0, 1, 2, 300],
  ]) {
    const { levels } = steps(...losses);
    expect((levels[1] ?? 0) - (levels[0] ?? 0)).toBeCloseTo((levels[8] ?? 0) - (levels[7] ?? 0), 9);
  }
});

test('places and bands agree, and what is not finite is at the top', () => {
  const scale = lossScale([grid(1, 2, 30, 100)]);
  expect([1, 100, null].map((loss) => scale.place(loss))).toEqual([0, 1, 1]);
  expect([0.5, 1, 100, 1e9, null].map((loss) => scale.band(loss))).toEqual([0, 0, 9, 9, 9]);
  for (let loss = 1; loss < 100; loss += 0.7)
    expect(scale.band(loss)).toBe(Math.min(9, Math.floor(scale.place(loss) * LOSS_COLOURS.length + 1e-9)));
});

test('a single peak does not take all colours', () => {
  const losses = Array.from({ length: 441 }, (_, at) => (at === 7 ? 1e6 : 1 + (at % 9)));
  expect(Math.max(...lossScale([{ points: 21, losses }]).levels)).toBeLessThan(10);
});

test('equal losses and no losses have a scale', () => {
  for (const losses of [
    [2, 2, 2, 2],
    [null, null, null, null],
    [0, 0, 0, 0],
  ]) {
    const scale = lossScale([grid(...losses)]);
    expect(scale.levels.every(Number.isFinite)).toBe(true);
    for (const loss of losses) expect(scale.place(loss)).toBe(loss === null ? 1 : 0);
  }
});
