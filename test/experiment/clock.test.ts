import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { experimentClock } from '../../src/experiment/clock.js';
import type { RunKey } from '../../src/experiment/prepare.js';

const EPOCHS = 10;

/** Seconds of an activation, and of a generated experiment on some workers. */
const generated = fc.record({
  seed: fc.integer(),
  seeds: fc.integer({ min: 1, max: 4 }),
  workers: fc.integer({ min: 1, max: 8 }),
  steps: fc.array(fc.double({ min: 0.5, max: 50, noNaN: true }), { minLength: 2, maxLength: 4 }),
  landscape: fc.double({ min: 0, max: 100, noNaN: true }),
});

interface Generated {
  readonly seed: number;
  readonly seeds: number;
  readonly workers: number;
  readonly steps: readonly number[];
  readonly landscape: number;
}

const NAMES = ['relu', 'leakyrelu', 'swish', 'mish'] as const;

/**
 * Plays an experiment whose times are known: each epoch takes its activation's time, give or take 5 %, and the measurement
 * before is off by at most 10 %. Returns the estimate when every running worker has finished an epoch, and the truth.
 */
function played({ seed, seeds: count, workers, steps, landscape }: Generated) {
  const random = createRandom(seed);
  const near = (share: number) => 1 + share * (2 * random() - 1);
  const seeds = Array.from({ length: count }, (_, at) => at);
  const keys: RunKey[] = seeds.flatMap((of) =>
    steps.map((_, at) => ({ activation: NAMES[at] ?? 'mish', seed: of })),
  );
  const secondsOf = ({ activation }: RunKey) => steps[NAMES.indexOf(activation as 'mish')] ?? 1;
  const clock = experimentClock({ settings: { epochs: EPOCHS } as never, seeds }, keys, workers);
  for (const [at, seconds] of steps.entries())
    clock.measured(NAMES[at] ?? '', {
      ...{ steps: seconds * near(0.1), score: 0.1 * seconds, end: 0.2 * seconds },
      landscape: landscape * near(0.1),
    });

  // The next free worker takes the next run.
  const free = new Array<number>(workers).fill(0);
  const epochs: { at: number; key: RunKey; epoch: number; seconds: number; first: boolean }[] = [];
  for (const [index, key] of keys.entries()) {
    const worker = free.indexOf(Math.min(...free));
    let now = free[worker] ?? 0;
    for (let epoch = 1; epoch <= EPOCHS; epoch++) {
      const seconds = secondsOf(key) * near(0.05);
      now += seconds + 0.1 * secondsOf(key);
      epochs.push({ at: now, key, epoch, seconds, first: epoch === 1 && index < workers });
    }
    free[worker] = now + 0.2 * secondsOf(key) + (key.seed === 0 ? landscape : 0);
  }
  const time = Math.max(...epochs.filter(({ first }) => first).map(({ at }) => at));
  const finished = keys.filter((key) =>
    epochs.some((one) => one.key === key && one.epoch === EPOCHS && one.at <= time),
  );
  for (const { at, key, epoch, seconds } of epochs.toSorted((a, b) => a.at - b.at))
    if (at <= time) clock.epoch(key, { epoch, seconds });
  for (const key of finished) clock.finished(key);
  return { estimate: time + (clock.secondsLeft() ?? Number.NaN), truth: Math.max(...free) };
}

test('after an epoch of each running run, the estimate of the whole time is within 20 %', () => {
  fc.assert(
    fc.property(generated, (experiment) => {
      const { estimate, truth } = played(experiment);
      expect(Math.abs(estimate / truth - 1)).toBeLessThan(0.2);
    }),
    { seed: 17, numRuns: 500 },
  );
});

test('an estimate from a measurement alone is as far off as the measurement, and epochs mend it', () => {
  const keys: RunKey[] = [{ activation: 'mish', seed: 0 }];
  const clock = experimentClock({ settings: { epochs: EPOCHS } as never, seeds: [0] }, keys, 1);
  expect(clock.secondsLeft()).toBeUndefined();
  clock.measured('mish', { steps: 3, score: 0, end: 0, landscape: 0 });
  expect(clock.secondsLeft()).toBe(30);
  clock.epoch({ activation: 'mish', seed: 0 }, { epoch: 1, seconds: 1 });
  expect(clock.secondsLeft()).toBe(9);
  expect(clock.share()).toBe(0.1);
});
