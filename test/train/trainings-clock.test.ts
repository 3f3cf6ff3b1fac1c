import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makespan, trainingsClock } from '../../src/train/trainings-clock.js';
import { play, type Told } from '../support/play-trainings.js';

const EPOCHS = 10;
const SAMPLES = { train: 720, score: 180, end: 360, point: 180 };
const FEW_SAMPLES = 32;
const seconds = (min: number, max: number) => fc.double({ min, max, noNaN: true });

/** What is off by more than a fifth. Less than an epoch before the end, an epoch's fifth is allowed. */
const wrong = (told: readonly Told[], epoch: number) =>
  told.filter(({ told: left, truth, share }) => {
    const error = Math.abs(left - truth);
    return !(error < 0.2 * Math.max(truth, epoch) && share >= 0 && share <= 1);
  });

const generated = fc.record({
  seed: fc.integer(),
  count: fc.integer({ min: 1, max: 4 }),
  /** Seconds of an epoch’s steps, by kind. */
  kinds: fc.array(seconds(0.2, 20), { minLength: 2, maxLength: 4 }),
  /** A forward pass in thirds of a step. */
  pass: seconds(0.6, 1.5),
  inTurns: fc.boolean(),
  resumed: fc.integer({ min: 0, max: EPOCHS - 1 }),
  points: fc.constantFrom(0, 9, 81),
});

test('after an epoch of each training, the time left is within 20 % at every epoch, where nothing was measured before', () => {
  fc.assert(
    fc.property(generated, ({ seed, count, kinds, pass, inTurns, resumed, points: size }) => {
      // Trainings one after the other say nothing about those of other kinds.
      const each = inTurns ? kinds : kinds.slice(0, 1);
      // The first score of all, which compiles, tells nothing about the points.
      const points = each.length > 1 ? size : 0;
      const trainings = Array.from({ length: inTurns ? 1 : count }, () =>
        each.map((_, kind) => ({ kind: `${kind}`, points })),
      ).flat();
      const timesOf = ({ kind }: { readonly kind: string }) => {
        const steps = kinds[Number(kind)] ?? 1;
        const sample = (pass * steps) / 3 / SAMPLES.train;
        return {
          ...{ open: 0.2 * steps, steps, score: SAMPLES.score * sample },
          ...{ end: SAMPLES.end * sample, point: SAMPLES.point * sample },
        };
      };
      const told = play(
        trainings,
        timesOf,
        (now) => trainingsClock(trainings, { epochs: EPOCHS, samples: SAMPLES, now }),
        { seed, epochs: EPOCHS, workers: 1, inTurns, steps: 22, points, resumed: inTurns ? resumed : 0 },
      );
      expect(told.length).toBeGreaterThan(0);
      expect(wrong(told, Math.max(...each))).toEqual([]);
    }),
    { seed: 17, numRuns: 500 },
  );
});

test('the share never falls, and ends at 1', () => {
  const trainings = [{ kind: 'a' }, { kind: 'b', points: 4 }];
  let time = 0;
  const clock = trainingsClock(trainings, { epochs: 1, samples: SAMPLES, now: () => time });
  const shares = trainings.flatMap((training) => {
    clock.begun(training);
    time += 1000;
    clock.epoch(training, 1, 1);
    const first = clock.share();
    clock.finished(training);
    return [first, clock.share()];
  });
  expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  expect(shares.at(-1)).toBe(1);
});

test('jobs go to the worker that is free first', () => {
  expect(makespan([3, 3, 3], 1)).toBe(9);
  expect(makespan([3, 3, 3], 2)).toBe(6);
  expect(makespan([1, 1, 5, 1], 2)).toBe(6);
  expect([makespan([], 4), makespan([2], 4)]).toEqual([0, 2]);
});

test('a measurement that was disturbed does not multiply the time of all other trainings', () => {
  fc.assert(
    fc.property(seconds(0.001, 0.1), seconds(1, 10), fc.integer({ min: 2, max: 20 }), (short, end, count) => {
      const trainings = Array.from({ length: count }, (_, index) => ({ kind: index === 0 ? 'a' : 'b' }));
      let time = 0;
      const clock = trainingsClock(trainings, { epochs: 1, samples: SAMPLES, now: () => time });
      clock.measured('a', { steps: 1, score: 0, end: short });
      clock.measured('b', { steps: 1, score: 0, end });
      const [first] = trainings;
      if (first === undefined) return;
      clock.begun(first);
      time += 1000;
      clock.epoch(first, 1, 1);
      time += 1000 * end;
      clock.finished(first);
      // Each of the others takes as long as the first.
      expect(clock.secondsLeft()).toBeLessThanOrEqual((count - 1) * (1 + 8 * end) * (1 + 1e-9));
    }),
  );
});

test('where one kind was measured while its code compiled, the time left is within 20 % once three scores were seen', () => {
  fc.assert(
    fc.property(generated, seconds(1, 4), seconds(0, 2), ({ seed, kinds, pass }, slower, open) => {
      const trainings = kinds.map((_, kind) => ({ kind: `${kind}`, points: 81 }));
      const timesOf = ({ kind }: { readonly kind: string }) => {
        const steps = kinds[Number(kind)] ?? 1;
        // An evaluation takes some time whatever the number of its samples is.
        const secondsOf = (samples: number) =>
          (pass * steps * (open * SAMPLES.score + samples)) / 3 / SAMPLES.train;
        return {
          ...{ open: 0, steps, score: secondsOf(SAMPLES.score) },
          ...{ end: secondsOf(SAMPLES.end), point: secondsOf(FEW_SAMPLES) },
        };
      };
      const clockOf = (now: () => number) => {
        const samples = { ...SAMPLES, point: FEW_SAMPLES };
        const clock = trainingsClock(trainings, { epochs: EPOCHS, samples, now });
        const { steps, score, end, point } = timesOf({ kind: '0' });
        const measured = {
          steps: slower * steps,
          score: slower * score,
          end: slower * end,
          point: slower * point,
        };
        clock.measured('0', measured);
        return clock;
      };
      const told = play(trainings, timesOf, clockOf, {
        ...{ seed, epochs: EPOCHS, workers: 1, inTurns: true, steps: 22, points: 81 },
      });
      expect(
        wrong(
          told.filter(({ epoch }) => epoch > 3),
          Math.max(...kinds),
        ),
      ).toEqual([]);
    }),
    { seed: 17, numRuns: 100 },
  );
});

test('epochs from before a checkpoint tell nothing about the time of those to come', () => {
  const training = { kind: 'a' };
  const clock = trainingsClock([training], { epochs: 10, samples: SAMPLES, now: () => 0 });
  clock.measured('a', { steps: 1, score: 0, end: 0 });
  clock.begun(training);
  for (let epoch = 1; epoch <= 5; epoch++) clock.epoch(training, epoch, 10); // the machine was busy then
  expect(clock.secondsLeft()).toBeCloseTo(5);
});
