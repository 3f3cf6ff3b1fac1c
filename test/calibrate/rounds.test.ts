import { expect, test, vi } from 'vitest';
import { inRounds } from '../../src/calibrate/rounds.js';

const ROUND_STEPS = 200;

/** A loss x² above a floor; a step moves x by the rate towards 0. `steps` has the rate of each step. */
function slope(start: number, floor: number, hold = 0) {
  let [initial, x] = [start, start];
  const rates: number[] = [];
  const options = {
    validationLoss: async () => floor + Math.max(x, hold) ** 2,
    restart() {
      x = initial;
    },
    begin([values]: readonly Float32Array[]) {
      initial = values?.[0] ?? Number.NaN;
    },
    values: () => [Float32Array.of(x)],
    async step(rate: number) {
      rates.push(rate);
      x -= 0.1 * rate * x;
      return floor + x ** 2;
    },
  };
  return { options, rates };
}

test('a number of steps is taken as it is', async () => {
  const { options, rates } = slope(1, 0);
  const { steps, before, after } = await inRounds(30, options);
  expect([steps, rates.length, before]).toEqual([30, 30, 1]);
  expect(after).toBeLessThan(1);
});

test('rounds go on while they help, from where the last one ended, and the loss is that of all', async () => {
  const { options, rates } = slope(1, 0);
  const { steps, before, after, values } = await inRounds(undefined, options);
  expect([steps, rates.length, before]).toEqual([8 * ROUND_STEPS, 8 * ROUND_STEPS, 1]);
  expect(after).toBeCloseTo((values?.[0]?.[0] ?? 0) ** 2, 5);
  const single = await inRounds(ROUND_STEPS, slope(1, 0).options);
  expect(after).toBeLessThan(single.after ** 7);
});

test('with a limit, the number of steps and their work end the rounds, and no clock', async () => {
  const stepsWith = async (maxSteps: number, stepMs: number) => {
    const { options, rates } = slope(1, 0);
    const stop = () => Promise.reject(new Error('no time is measured'));
    const { steps } = await inRounds(undefined, { ...options, stepMs: stop, limit: { maxSteps, stepMs } });
    expect(rates).toHaveLength(steps);
    return steps;
  };
  expect(await stepsWith(300, 1)).toBe(300);
  expect(await stepsWith(205, 1)).toBe(200);
  expect(await stepsWith(5000, 1)).toBe(8 * ROUND_STEPS);
  expect(await stepsWith(5000, 200)).toBe(300);
  expect(await stepsWith(5000, 6000)).toBe(0);
});

test('rounds end when one gains less than 2 %', async () => {
  const { options } = slope(1, 3);
  const { steps } = await inRounds(undefined, options);
  expect(steps).toBeGreaterThanOrEqual(2 * ROUND_STEPS);
  expect(steps).toBeLessThan(8 * ROUND_STEPS);
});

test('while no round gains anything, the rate is lowered', async () => {
  const { options, rates } = slope(1, 0, 1);
  const { steps, values, before, after } = await inRounds(undefined, options);
  expect([steps, values, after]).toEqual([3 * ROUND_STEPS, undefined, before]);
  const tops = [0, 1, 2].map((round) =>
    Math.max(...rates.slice(round * ROUND_STEPS, (round + 1) * ROUND_STEPS)),
  );
  expect(tops[1]).toBeCloseTo((tops[0] ?? 0) / 4, 8);
  expect(tops[2]).toBeCloseTo((tops[0] ?? 0) / 16, 8);
});

test('a round ends early where steps get slower than the one that was timed', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const { options, rates } = slope(1, 0);
    const slower = async (rate: number) => {
      vi.advanceTimersByTime(rates.length < 10 ? 100 : 6000);
      return options.step(rate);
    };
    const { steps, before, after } = await inRounds(undefined, {
      ...options,
      step: slower,
      stepMs: async () => 100,
    });
    expect(steps).toBe(rates.length);
    // Ten fast steps, and slow ones until a minute is over.
    expect(steps).toBe(20);
    expect(after).toBeLessThan(before);
  } finally {
    vi.useRealTimers();
  }
});

test('rounds end at a deadline that is nearer than their own limit', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    for (const [seconds, most] of [
      [20, 20],
      [1, 0],
      [-5, 0],
    ] as const) {
      const { options } = slope(1, 0);
      const step = (rate: number) => {
        vi.advanceTimersByTime(1000);
        return options.step(rate);
      };
      const deadline = performance.now() + 1000 * seconds;
      const { steps } = await inRounds(undefined, { ...options, step, stepMs: async () => 100, deadline });
      expect(steps).toBeLessThanOrEqual(most + 1);
      if (most > 0) expect(steps).toBeGreaterThan(12);
      else expect(steps).toBe(0);
    }
  } finally {
    vi.useRealTimers();
  }
});

test('slow validations are fewer, and leave time for steps', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    for (const [ms, most] of [
      [4000, 5],
      [30_000, 0],
    ] as const) {
      const { options, rates } = slope(1, 0);
      let validations = 0;
      const validationLoss = () => {
        validations++;
        vi.advanceTimersByTime(ms);
        return options.validationLoss();
      };
      const step = (rate: number) => {
        vi.advanceTimersByTime(100);
        return options.step(rate);
      };
      const start = performance.now();
      const { steps } = await inRounds(undefined, {
        ...options,
        validationLoss,
        step,
        stepMs: async () => 100,
      });
      expect(steps).toBe(rates.length);
      if (most > 0) expect(steps).toBeGreaterThan(100);
      else expect(steps).toBe(0);
      // The loss at the start of all rounds and of the round come on top.
      expect(validations).toBeLessThanOrEqual(most + 2);
      expect(performance.now() - start).toBeLessThan(75_000);
    }
  } finally {
    vi.useRealTimers();
  }
});
