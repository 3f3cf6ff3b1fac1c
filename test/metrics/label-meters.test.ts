import fc from 'fast-check';
import { expect, test } from 'vitest';
import { accuracyMeter } from '../../src/metrics/accuracy.js';
import { binaryAccuracyMeter } from '../../src/metrics/binary-accuracy.js';
import { checkLabels, labelMeters } from '../../src/metrics/label-meters.js';
import type { Tensor, Tensors } from '../../src/providers/tensor.js';
import { failure } from '../support/graph.js';

const CLASSES = 4;

/** Scores of rows: the given column is the highest. */
const answers = (columns: readonly number[], width: number): Tensor => ({
  elemType: 'f32',
  dims: [columns.length, width],
  data: Float32Array.from({ length: columns.length * width }, (_, at) =>
    at % width === columns[Math.floor(at / width)] ? 1 : 0,
  ),
});

/** Runs of several samples: the labels, and the columns that features and an auxiliary head of two classes have highest. */
const RUNS = fc.array(
  fc.array(fc.tuple(fc.nat(CLASSES - 1), fc.nat(CLASSES + 2), fc.nat(1)), { minLength: 1, maxLength: 4 }),
  { minLength: 1, maxLength: 4 },
);

test('accuracy is that of the output on which the original is right most often, in any order of outputs', () => {
  const names = fc.shuffledSubarray(['features', 'auxiliary', 'scores'], { minLength: 3 });
  fc.assert(
    fc.property(RUNS, names, (runs, outputs) => {
      const labels = runs.flat().map(([label]) => label);
      const tensorsOf = (run: (typeof runs)[number], shift = 0): Tensors => ({
        scores: answers(
          run.map(([label]) => (label + shift) % CLASSES),
          CLASSES,
        ),
        features: answers(
          run.map(([, feature]) => feature),
          CLASSES + 3,
        ),
        auxiliary: answers(
          run.map(([, , column]) => column),
          2,
        ),
      });
      const meters = labelMeters(outputs, tensorsOf(runs[0] ?? []), { values: labels });
      const plain = accuracyMeter('scores', labels);
      for (const run of runs) {
        meters.add(tensorsOf(run), tensorsOf(run, 1));
        plain.add(tensorsOf(run).scores);
      }
      expect(meters.original.result()).toMatchObject({ n: labels.length, top1: 1 });
      const right = ([label, feature, column]: (typeof runs)[number][number]) => [label === feature, label === column]; // biome-ignore format: short
      const isSole = [0, 1].every((at) => runs.flat().some((row) => !right(row)[at]));
      if (!isSole) return;
      expect(meters.output).toBe('scores');
      expect(meters.original.result()).toEqual(plain.result());
      expect(meters.swapped.result().top1).toBe(0);
    }),
    { seed: 3, numRuns: 200 },
  );
});

test('an output with another number of rows than samples, such as a table, is not the one that labels are of', () => {
  const outputs = fc.shuffledSubarray(['table', 'scores'], { minLength: 2 });
  const given = fc.array(fc.constantFrom(0, 1, -100), { minLength: 1, maxLength: 5 });
  const lengths = fc.integer({ min: 1, max: 8 });
  fc.assert(
    fc.property(outputs, given, lengths, fc.constantFrom(1, 2, CLASSES), (names, values, length, width) => {
      const samples = values.length;
      const counted = values.filter((label) => label >= 0).length;
      fc.pre(length !== samples && counted > 0);
      const wrong = values.map((label) => (label === 0 ? 1 : 0));
      const right = Array.from({ length }, (_, row) => Math.max(0, values[row] ?? 0));
      const single = { elemType: 'f32', dims: [samples, 1], data: Float32Array.from(wrong) };
      const tensors = { table: answers(right, 2), scores: width === 1 ? single : answers(wrong, width) };
      const labels = counted < samples ? { values, places: { dims: [], ignore: -100 } } : { values };
      checkLabels(names, tensors, labels, { samples });
      const meters = labelMeters(names, tensors, labels, { samples });
      meters.add(tensors, tensors);
      expect(meters.output).toBe('scores');
      expect(meters.original.result()).toMatchObject({ n: counted, top1: 0 });
    }),
    { seed: 4, numRuns: 200 },
  );
});

test('a label that does not count changes neither the output nor the accuracy of the other labels', () => {
  const names = fc.shuffledSubarray(['features', 'auxiliary', 'scores'], { minLength: 3 });
  fc.assert(
    fc.property(RUNS, names, fc.nat(), (runs, outputs, seed) => {
      const rows = runs.flat();
      const at = seed % (rows.length + 1);
      const tensorsOf = (some: typeof rows): Tensors => ({
        scores: answers(
          some.map(([label]) => label),
          CLASSES,
        ),
        features: answers(
          some.map(([, feature]) => feature),
          CLASSES + 3,
        ),
        auxiliary: answers(
          some.map(([, , column]) => column),
          2,
        ),
      });
      const plain = tensorsOf(rows);
      const without = labelMeters(outputs, plain, { values: rows.map(([label]) => label) });
      without.add(plain, plain);
      const more = rows.toSpliced(at, 0, [-100, 0, 0]);
      const given = tensorsOf(more);
      const values = more.map(([label]) => label);
      const meters = labelMeters(outputs, given, { values, places: { dims: [], ignore: -100 } });
      meters.add(given, given);
      expect(meters.output).toBe(without.output);
      expect(meters.original.result()).toMatchObject(without.original.result());
    }),
    { seed: 5, numRuns: 200 },
  );
});

test('a score for each sample has an output of any rank, also where some labels do not count', () => {
  const samples = fc.array(
    fc.tuple(fc.constantFrom(0, 1, -100), fc.double({ min: -1, max: 2, noNaN: true })),
    {
      minLength: 1,
      maxLength: 8,
    },
  );
  fc.assert(
    fc.property(samples, fc.constantFrom([], [1], [1, 1]), (rows, inner) => {
      const counted = rows.filter(([label]) => label >= 0);
      fc.pre(counted.length > 0);
      const all = { elemType: 'f64', data: Float64Array.from(rows, ([, score]) => score) };
      const tensors = { y: { ...all, dims: [rows.length, ...inner] } };
      const values = rows.map(([label]) => label);
      const meters = labelMeters(['y'], tensors, { values, places: { dims: [], ignore: -100 } });
      meters.add(tensors, tensors);
      const plain = binaryAccuracyMeter(
        'y',
        counted.map(([label]) => label),
        { thresholdOf: () => meters.threshold() ?? Number.NaN },
      );
      const data = Float64Array.from(counted, ([, score]) => score);
      plain.add({ elemType: 'f64', dims: [counted.length], data });
      expect(meters.original.result()).toMatchObject(plain.result());
    }),
    { seed: 6, numRuns: 200 },
  );
});

test('labels of places outside the classes of each output are refused with the label to ignore', async () => {
  const output = (classes: number) => ({
    elemType: 'f32',
    dims: [1, classes, 2, 2],
    data: new Float32Array(4 * classes),
  });
  const tensors = { out: output(3), aux: output(3), coarse: output(2) };
  const places = { dims: [2, 2], ignore: -100 };
  const add = async (values: number[]) => {
    const meters = labelMeters(['coarse', 'out', 'aux'], tensors, { values, places });
    meters.add(tensors, tensors);
    return meters.output;
  };
  expect(await add([0, 1, 2, 2])).toBe('out');
  expect(await failure(add([0, 1, 2, 255]))).toMatchObject({
    code: 'bad-data',
    option: { ignoreLabel: 255 },
  });
});

test('where only some samples were drawn, the error does not say that all labels are ignored', async () => {
  const tensors = { y: answers([0, 1], 3) };
  const result = async (drawn: boolean) => {
    const labels = { values: [-100, -100], places: { dims: [], ignore: -100 } };
    const meters = labelMeters(['y'], tensors, labels, { drawn });
    meters.add(tensors, tensors);
    return meters.original.result();
  };
  expect(await failure(result(false))).toMatchObject({ what: 'all labels are -100, which is ignored' });
  expect(await failure(result(true))).toMatchObject({
    what: 'all labels of the drawn samples are -100, which is ignored',
    fix: expect.stringContaining('more samples'),
  });
});

test('labels outside the classes of all outputs are refused; of the only output, with the sample', async () => {
  const tensors = { a: answers([0], 2), b: answers([1], 3) };
  const add = async (outputs: readonly string[]) =>
    labelMeters(outputs, tensors, { values: [5] }).add(tensors, tensors);
  expect(await failure(add(['a', 'b']))).toMatchObject({
    code: 'bad-data',
    what: expect.stringContaining('outside the classes of each'),
  });
  expect(await failure(add(['b']))).toMatchObject({
    what: 'label 5 of sample 0 is outside the 3 classes (0 to 2)',
  });
});

/** Scores of one run: for each class, one a sample, or for each class at two places. */
const OUTPUTS = [
  { dims: [CLASSES], places: undefined, perSample: 1 },
  { dims: [1], places: undefined, perSample: 1 },
  { dims: [CLASSES, 2], places: { dims: [2], ignore: -1 }, perSample: 2 },
] as const;

test('labels are refused before the work for what they are refused for when all samples are run', () => {
  const labels = fc.array(
    fc.oneof(
      { weight: 9, arbitrary: fc.nat(1) },
      { weight: 1, arbitrary: fc.constantFrom(3, 4, 12, -1, 0.5) },
    ),
    { minLength: 1, maxLength: 10 },
  );
  fc.assert(
    fc.property(fc.constantFrom(...OUTPUTS), labels, ({ dims, places, perSample }, some) => {
      const values = some.flatMap((label) => Array<number>(perSample).fill(label));
      const size = dims.reduce((product: number, dim) => product * dim, 1);
      const scores = (count: number): Tensors => ({
        y: { elemType: 'f32', dims: [count, ...dims], data: new Float32Array(count * size) },
      });
      const thrownBy = (act: () => void) => {
        try {
          act();
          return undefined;
        } catch (error) {
          return String(error);
        }
      };
      const all = scores(some.length);
      const meters = labelMeters(['y'], all, { values, places });
      const early = thrownBy(() => checkLabels(['y'], scores(1), { values, places }));
      expect(early).toBe(thrownBy(() => meters.add(all, all)));
    }),
    { seed: 4, numRuns: 300 },
  );
});
