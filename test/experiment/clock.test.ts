import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { experimentClock } from '../../src/experiment/clock.js';
import type { RunKey } from '../../src/experiment/prepare.js';
import { play, type TrueTimes } from '../support/play-trainings.js';

const EPOCHS = 10;
const NAMES = ['relu', 'leakyrelu', 'swish', 'mish'] as const;
const POINTS = 5;
const seconds = (min: number, max: number) => fc.double({ min, max, noNaN: true });

/** Seconds of each activation, and of a generated experiment on some workers. */
const generated = fc.record({
  seed: fc.integer(),
  seeds: fc.integer({ min: 1, max: 4 }),
  workers: fc.integer({ min: 1, max: 8 }),
  steps: fc.array(seconds(0.5, 50), { minLength: 2, maxLength: 4 }),
  /** In epochs. */
  open: seconds(0, 0.5),
  end: seconds(0, 2),
  landscape: seconds(0, 5),
  /** What the trainings side by side take more than the measurements before. */
  load: seconds(0.9, 1.1),
});

const parts = { train: { count: 720 }, test: { count: 180 } };
const experimentOf = (seeds: readonly number[], points: number) => ({
  ...{ settings: { epochs: EPOCHS }, seeds, curve: { count: 180 }, parts },
  options: { landscape: points === 0 ? (false as const) : { points } },
});

test('from the first epochs of the running runs on, the estimate of the whole time is within 20 % at every epoch', () => {
  fc.assert(
    fc.property(generated, ({ seed, seeds: count, workers, steps, open, end, landscape, load }) => {
      const random = createRandom(seed + 1);
      const near = (value: number) => (value * (0.92 + 0.16 * random())) / load;
      const seeds = Array.from({ length: count }, (_, at) => at);
      const keys: (RunKey & { readonly kind: string })[] = seeds.flatMap((of) =>
        steps.map((_, at) => ({ activation: NAMES[at] ?? 'mish', kind: NAMES[at] ?? '', seed: of })),
      );
      const timesOf = ({ activation }: RunKey): TrueTimes => {
        const epoch = steps[NAMES.indexOf(activation as 'mish')] ?? 1;
        return {
          ...{ open: open * epoch, steps: epoch, score: 0.1 * epoch },
          ...{ end: end * epoch, point: (landscape * epoch) / POINTS ** 2 },
        };
      };
      const told = play(
        keys,
        timesOf,
        (now) => {
          const clock = experimentClock(experimentOf(seeds, POINTS), keys, workers, now);
          for (const key of keys.slice(0, steps.length)) {
            const { steps: all, score, end: last, point } = timesOf(key);
            clock.measured(key.kind, {
              steps: near(all),
              score: near(score),
              end: near(last),
              point: near(point),
            });
          }
          return { ...clock, epoch: (key, epoch, taken) => clock.epoch(key, { epoch, seconds: taken }) };
        },
        {
          ...{ seed, epochs: EPOCHS, workers, inTurns: false, steps: 0 },
          points: (key) => (key.seed === 0 ? POINTS ** 2 : 0),
        },
      );
      expect(told.length).toBeGreaterThan(0);
      const wrong = told.filter(
        ({ at, told: left, truth }) => !(Math.abs(left - truth) < 0.2 * (at + truth)),
      );
      expect(wrong).toEqual([]);
    }),
    { seed: 17, numRuns: 500 },
  );
});

test('an estimate from a measurement alone is as far off as the measurement, and epochs mend it', () => {
  const keys: RunKey[] = [{ activation: 'mish', seed: 0 }];
  let now = 0;
  const clock = experimentClock(experimentOf([0], 0), keys, 1, () => now);
  expect(clock.secondsLeft()).toBeUndefined();
  clock.measured('mish', { steps: 3, score: 0, end: 0, point: 0 });
  expect(clock.secondsLeft()).toBe(30);
  now = 1000;
  clock.epoch({ activation: 'mish', seed: 0 }, { epoch: 1, seconds: 1 });
  expect(clock.secondsLeft()).toBe(9);
  expect(clock.share()).toBeCloseTo(0.1, 10);
});

test('a loss landscape in progress counts as far as it goes', () => {
  const keys: RunKey[] = [{ activation: 'mish', seed: 0 }];
  let now = 0;
  const clock = experimentClock(experimentOf([0], 3), keys, 1, () => now);
  clock.measured('mish', { steps: 0.1, score: 0, end: 1, point: 2 });
  for (let epoch = 1; epoch <= EPOCHS; epoch++) {
    now += 100;
    clock.epoch({ activation: 'mish', seed: 0 }, { epoch, seconds: 0.1 });
  }
  expect(clock.secondsLeft()).toBeCloseTo(1 + 9 * 2, 10);
  for (let done = 1; done <= 9; done++) {
    now += done === 1 ? 4000 : 3000;
    clock.point({ activation: 'mish', seed: 0 }, done);
    expect(clock.secondsLeft()).toBeCloseTo((9 - done) * (done === 1 ? 2 : 3), 10);
  }
});
