import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LabelledData } from '../../src/finetune/options.js';
import { type LabelledPart, splitData } from '../../src/finetune/split-data.js';

/** Data whose only input is the number of the sample, and whose targets are three times that number. */
function numbered(count: number): LabelledData {
  return {
    source: 'npz',
    samples: {
      count,
      inputs: { x: { elemType: 'f32', dims: [1] } },
      read(indices, batch) {
        const into = batch.x?.data;
        if (into instanceof Float32Array) into.set(Float32Array.from(indices));
      },
    },
    targets: {
      elemType: 'i32',
      dims: [count, 1],
      data: Int32Array.from({ length: count }, (_, at) => 3 * at),
    },
  };
}

function numbersOf({ inputs, count, targets }: LabelledPart): number[] {
  const x = { elemType: 'f32', dims: [count, 1], data: new Float32Array(count) };
  inputs.read(
    Uint32Array.from({ length: count }, (_, at) => at),
    { x },
  );
  const numbers = [...x.data];
  if (!('elemType' in targets)) throw new Error('the targets were a tensor');
  expect([...targets.data].map(Number)).toEqual(numbers.map((number) => 3 * number));
  return numbers;
}

test('the parts are disjoint, have all samples with their targets, and depend on the seed only', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 3, max: 300 }),
      fc.double({ min: 0, max: 0.89, noNaN: true }),
      fc.nat(9),
      (count, validation, seed) => {
        const data = numbered(count);
        const forTest = Math.max(1, Math.floor(count / 10));
        const forValidation = validation === 0 ? 0 : Math.max(1, Math.floor(validation * count));
        if (forTest + forValidation >= count) {
          expect(() => splitData(data, undefined, { validation, seed })).toThrow(/too few to train/);
          return;
        }
        const parts = splitData(data, undefined, { validation, seed });
        const all = [parts.train, parts.validation, parts.test].flatMap((part) =>
          part ? numbersOf(part) : [],
        );
        expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, at) => at));
        expect(parts.test.count).toBe(forTest);
        expect(parts.validation?.count ?? 0).toBe(forValidation);
        const again = splitData(data, undefined, { validation, seed });
        expect(numbersOf(again.train)).toEqual(numbersOf(parts.train));
      },
    ),
    {
      seed: 4,
      numRuns: 60,
      examples: [
        [3, 2 / 3, 0],
        [4, 0.75, 1],
      ],
    },
  );
});

test('different seeds give different parts', () => {
  const [one, other] = [1, 2].map((seed) =>
    numbersOf(splitData(numbered(100), undefined, { validation: 0.2, seed }).test),
  );
  expect(one).not.toEqual(other);
});

test('data for the test is taken whole, and nothing else is held back for it', () => {
  const parts = splitData(numbered(50), numbered(7), { validation: 0.2, seed: 0 });
  expect([parts.train.count, parts.validation?.count, parts.test.count, parts.testFrom]).toEqual([
    40,
    10,
    7,
    'file',
  ]);
  expect(numbersOf(parts.test)).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test('another number of targets than of samples is refused, in the data and in those for the test', () => {
  const short = { ...numbered(12), targets: [0, 1, 2], name: 'few.npz' };
  for (const [data, forTest] of [
    [short, undefined],
    [numbered(12), short],
  ] as const)
    expect(() => splitData(data, forTest, { validation: 0.2, seed: 0 })).toThrow(
      expect.objectContaining({
        ...{ code: 'bad-data', what: 'there are 3 targets for 12 samples', where: 'few.npz' },
        fix: 'Give a target for each sample',
      }),
    );
});
