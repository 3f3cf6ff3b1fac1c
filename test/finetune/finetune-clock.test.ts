import fc from 'fast-check';
import { expect, test } from 'vitest';
import { finetuneClock, timeControl } from '../../src/finetune/finetune-clock.js';
import { labelledArrays } from '../../src/finetune/labelled-arrays.js';
import { splitData } from '../../src/finetune/split-data.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { classified, classifier, UNEVEN_LABELS } from '../support/classified.js';
import { play, type TrueTimes } from '../support/play-trainings.js';

const EPOCHS = 10;
const STEPS = 8;
const COUNTS = { train: { count: 720 }, validation: { count: 80 }, test: { count: 100 } };
const ARMS = ['swapped', 'original'] as const;
const seconds = (min: number, max: number) => fc.double({ min, max, noNaN: true });

const generated = fc.record({
  seed: fc.integer(),
  seeds: fc.integer({ min: 1, max: 2 }),
  /** Seconds of an epoch of each arm, which differ as the gradients of activations do. */
  steps: fc.tuple(seconds(5, 50), seconds(0.4, 2.5)).map(([steps, ratio]) => [steps, steps * ratio] as const),
  pass: seconds(0.6, 1.5),
  timedForms: fc.integer({ min: 1, max: 2 }),
  inTurns: fc.boolean(),
});

/** Plays trainings, and returns what their clock told after each epoch. */
function played({ seed, seeds: many, steps, pass, timedForms, inTurns }: Generated) {
  const count = inTurns ? 1 : many;
  const seeds = Array.from({ length: count }, (_, at) => at);
  const runs = seeds.flatMap((of) => ARMS.map((arm) => ({ arm, kind: arm, seed: of })));
  const timesOf = ({ arm }: { readonly arm: (typeof ARMS)[number] }): TrueTimes => {
    const epoch = steps[ARMS.indexOf(arm)] ?? 1;
    const sample = (pass * epoch) / 3 / COUNTS.train.count;
    return {
      ...{ open: 0.1 * epoch, steps: epoch, score: COUNTS.validation.count * sample },
      ...{ end: COUNTS.test.count * sample, point: 0 },
    };
  };
  let left: number | undefined;
  let estimates = 0;
  const options = {
    epochs: EPOCHS,
    onProgress: (_: string, __: number, secondsLeft: number | undefined) => {
      left = secondsLeft;
    },
    onEstimate: () => {
      estimates++;
    },
  };
  // What is opened again compiles again: as long as a step takes.
  const judged = (0.1 + 1 / STEPS) * (steps[0] + steps[1]) + (pass * steps[0] * 300) / 3 / COUNTS.train.count;
  const latency = Math.min(10, Math.max(0.5, (pass * steps[0] * 960) / 3 / COUNTS.train.count));
  const told = play(
    runs,
    timesOf,
    (now) => {
      const clock = finetuneClock({ parts: COUNTS, options, seeds, arms: ARMS, timedForms }, [], now);
      if (!inTurns) clock.measured('original', steps[1] * 1.05);
      const { step, epoch } = clock;
      return {
        ...{ ...clock, point: () => {}, share: () => 0, secondsLeft: () => left },
        step,
        epoch: (run, number, taken) => epoch(run, { epoch: number, seconds: taken }),
      };
    },
    {
      ...{ seed, epochs: EPOCHS, workers: 1, inTurns, steps: STEPS, points: 0 },
      after: judged + timedForms * latency,
    },
  );
  return { told, estimates };
}

type Generated = typeof generated extends fc.Arbitrary<infer T> ? T : never;

test('after an epoch of each training in progress, the time left is within 20 % at every epoch, judging included', () => {
  fc.assert(
    fc.property(generated, (given) => {
      const { told, estimates } = played(given);
      expect(estimates).toBe(1);
      // The time told is that of the last step, before the epoch’s score.
      const wrong = told.filter(
        ({ told: left, truth }) =>
          !(Math.abs(left - truth) < 0.2 * Math.max(truth, Math.max(...given.steps))),
      );
      expect(wrong).toEqual([]);
    }),
    { seed: 17, numRuns: 250 },
  );
});

test.each([1, 2, 3, 40])('a training of %i steps has an estimate that is a time, or none', (of) => {
  const estimates: number[] = [];
  const left: (number | undefined)[] = [];
  const options = {
    epochs: 1,
    onEstimate: (one: number) => estimates.push(one),
    onProgress: (_: string, __: number, one: number | undefined) => left.push(one),
  };
  let time = 0;
  const clock = finetuneClock(
    { parts: COUNTS, options, seeds: [0], arms: ARMS, timedForms: 1 },
    ...([[], () => time] as const),
  );
  for (const arm of ARMS) {
    const run = { arm, seed: 0 };
    clock.begun(run);
    for (let step = 1; step <= of; step++) {
      time += 500;
      clock.step(run, step, of);
    }
    clock.epoch(run, { epoch: 1, seconds: of / 2 });
    clock.finished(run);
  }
  expect(left[0]).toBeUndefined();
  expect(estimates.every((one) => one > 0.5)).toBe(true);
  if (of > 1) expect(estimates).toHaveLength(1);
});

/** Returns what the control's steps took by the clock, for 100 samples in batches of 4. */
async function timedControl(epochs: number, labelAt: (at: number, count: number) => number) {
  const { x } = classified(100);
  const labels = Array.from({ length: 100 }, (_, at) => labelAt(at, 100));
  const model = await modelFromBytes(classifier());
  const data = labelledArrays({ x }, labels, [{ name: 'x', elemType: 'f32', dims: ['N', 4] }]);
  const told: [string, number][] = [];
  await timeControl(
    model,
    splitData(data, undefined, { validation: 0.1, seed: 0 }),
    {
      ...{ data: () => data, epochs, warmUp: 0.5, batch: 4, patience: 1, onEstimate: () => {} },
      provider: nodeProvider('cpu'),
      session: { threads: 1 },
    },
    { measured: (arm, seconds) => told.push([arm, seconds]) },
  );
  return told;
}

test.each(Object.entries(UNEVEN_LABELS))(
  'labels %s: the steps of the control are timed',
  async (_, labelAt) => {
    expect(await timedControl(4, labelAt)).toEqual([
      ['original', expect.toSatisfy((seconds) => seconds > 0)],
    ]);
  },
);

test('a short training is not timed before', async () => {
  expect(await timedControl(3, (at) => at % 3)).toEqual([]);
});
