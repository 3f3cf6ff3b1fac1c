import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { elementCount } from '../../src/providers/tensor.js';
import { chooseLoss } from '../../src/train/choose-loss.js';
import type { LossName } from '../../src/train/losses.js';
import type { Targets } from '../../src/train/targets.js';
import { createTrainer } from '../../src/train/train-model.js';
import { CLASSES, classified, classifier } from '../support/classified.js';
import { reluModel } from '../support/graph.js';
import { value } from '../support/model.js';

const provider = nodeProvider('cpu');
const [SAMPLES, FLOAT, HALF] = [6, 1, 10];

/** A model whose output has these dimensions for a sample; it states them, or gives them names. */
const modelOf = (dims: readonly number[], { states = true, type = FLOAT } = {}) =>
  reluModel({
    inputs: [value('x', type, ['N', ...dims])],
    outputs: [value('y', type, ['N', ...dims.map((dim, at) => (states ? dim : `d${at}`))])],
  });

async function chosen(bytes: Uint8Array, dims: readonly number[], targets: Targets) {
  const all = [SAMPLES, ...dims];
  const x = { elemType: 'f32', dims: all, data: new Float32Array(elementCount(all)).fill(0.5) };
  return chooseLoss(await modelFromBytes(bytes), { inputs: { x }, targets }, { provider });
}

const f32 = (dims: readonly number[], next: (at: number) => number) => ({
  elemType: 'f32',
  dims: [SAMPLES, ...dims],
  data: Float32Array.from({ length: SAMPLES * elementCount(dims) }, (_, at) => next(at)),
});
const u8 = (dims: readonly number[], next: () => number) => ({
  elemType: 'u8',
  dims: [SAMPLES, ...dims],
  data: Uint8Array.from({ length: SAMPLES * elementCount(dims) }, next),
});

/** Targets of a kind for an output of [classes, ...places], the loss that they ask for, and the fewest classes. */
const KINDS: Readonly<
  Record<
    string,
    readonly [
      loss: LossName,
      fewest: number,
      targets: (classes: number, places: readonly number[], random: () => number) => Targets,
    ]
  >
> = {
  'class numbers': [
    'cross-entropy',
    2,
    (classes, places, random) => {
      const labels = u8(places, () => Math.floor(classes * random()));
      return places.length === 0 ? Array.from(labels.data) : labels;
    },
  ],
  probabilities: [
    'cross-entropy',
    2,
    (classes, places, random) => {
      const size = elementCount(places);
      const sums = new Map<number, number>();
      const shares = f32([classes, ...places], () => 0.01 + random());
      const placeOf = (at: number) => Math.floor(at / (classes * size)) * size + (at % size);
      for (const [at, share] of shares.data.entries())
        sums.set(placeOf(at), (sums.get(placeOf(at)) ?? 0) + share);
      return f32([classes, ...places], (at) => (shares.data[at] ?? 0) / (sums.get(placeOf(at)) ?? 1));
    },
  ],
  'a label for each score': [
    'bce',
    1,
    (classes, places, random) => {
      const labels = u8([classes, ...places], () => Number(random() < 0.6));
      if (classes > 1) labels.data.fill(1, 0, elementCount(labels.dims.slice(1))); // no row of a single 1
      return labels;
    },
  ],
  'a label for each place of a single score': [
    'bce',
    1,
    (_, places, random) => u8(places, () => Number(random() < 0.5)),
  ],
  numbers: ['mse', 1, (classes, places, random) => f32([classes, ...places], () => 9 * random() - 4)],
  'whole numbers as floats': [
    'mse',
    1,
    (classes, places, random) => f32([classes, ...places], (at) => 2 + at + Math.floor(9 * random())),
  ],
  shares: [
    'mse',
    1,
    (classes, places, random) => f32([classes, ...places], () => 0.02 + (0.2 * random()) / classes),
  ],
};

describe.each(Object.entries(KINDS))('for %s', (kind, [loss, fewest, targetsOf]) => {
  test('the loss is theirs, whether the model states the shape of its output or not', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          classes: fc.integer({ min: fewest, max: kind.includes('single') ? 1 : 4 }),
          places: fc.array(fc.integer({ min: 2, max: 3 }), { maxLength: 2 }),
          states: fc.boolean(),
          type: fc.constantFrom(FLOAT, HALF),
          seed: fc.nat(),
        }),
        async ({ classes, places, states, type, seed }) => {
          const dims = [classes, ...places];
          const found = await chosen(
            modelOf(dims, { states, type }),
            dims,
            targetsOf(classes, places, createRandom(seed)),
          );
          expect(found.loss).toBe(loss);
          expect(found.reason?.startsWith(`The loss is ${loss}, since`)).toBe(
            loss === 'cross-entropy' ? undefined : true,
          );
        },
      ),
      { numRuns: 25, seed: 7 },
    );
  });
});

test('targets that fit no loss are left to the check of cross-entropy, which says what is wrong', async () => {
  for (const targets of [[0, 1, 2, 1, 3, 2], u8([5], () => 1), f32([2], () => 0.3), []])
    expect((await chosen(modelOf([1]), [1], targets)).loss).toBe('cross-entropy');
});

test('a trainer without a loss trains as with the one that its targets ask for, and says so', async () => {
  const { x, labels } = classified(48);
  const several = Uint8Array.from({ length: 48 * CLASSES }, (_, at) =>
    Number((labels[Math.floor(at / CLASSES)] ?? 0) <= at % CLASSES),
  );
  const targets = { elemType: 'u8', dims: [48, CLASSES], data: several };
  const trained = async (loss?: LossName) => {
    const trainer = await createTrainer(classifier(), { inputs: { x }, targets, loss, provider, batch: 16 });
    for await (const _ of trainer);
    const weights = [...trainer.weights()];
    await trainer.close();
    return { weights, remarks: trainer.remarks.filter(({ code }) => code === 'loss-chosen') };
  };
  const named = await trained('bce');
  const found = await trained();
  expect(found.weights).toEqual(named.weights);
  expect([named.remarks.length, found.remarks[0]?.text]).toEqual([
    0,
    expect.stringContaining('label of its own'),
  ]);
});
