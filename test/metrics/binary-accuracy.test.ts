import fc from 'fast-check';
import { expect, test } from 'vitest';
import { binaryAccuracyMeter, isOneScore, oneScoreAmong } from '../../src/metrics/binary-accuracy.js';
import { labelMeters } from '../../src/metrics/label-meters.js';
import type { Tensor } from '../../src/providers/tensor.js';

const column = (data: readonly number[], dims: readonly number[] = [data.length, 1]): Tensor => ({
  elemType: 'f64',
  dims: [...dims],
  data: Float64Array.from(data),
});

const rows = fc.array(
  fc.record({
    score: fc.integer({ min: -400, max: 400 }).map((hundredths) => hundredths / 100),
    label: fc.constantFrom(0, 1),
  }),
  {
    minLength: 1,
    maxLength: 40,
  },
);

test('logits are cut at 0 and probabilities at 0.5, with the same answers', () => {
  fc.assert(
    fc.property(rows, (samples) => {
      fc.pre(samples.some(({ score }) => score < 0 || score > 1));
      const labels = samples.map(({ label }) => label);
      const [logits, probabilities] = [binaryAccuracyMeter('y', labels), binaryAccuracyMeter('y', labels)];
      logits.add(column(samples.map(({ score }) => score)));
      probabilities.add(column(samples.map(({ score }) => 1 / (1 + Math.exp(-score)))));
      expect([logits.threshold(), probabilities.threshold()]).toEqual([0, 0.5]);
      const right = samples.map(({ score, label }) => Number(score > 0 === (label === 1)));
      expect([...logits.correct()]).toEqual(right);
      expect([...probabilities.correct()]).toEqual(right);
      expect(logits.result().top1).toBeCloseTo(right.reduce((sum, one) => sum + one, 0) / right.length, 12);
    }),
    { numRuns: 200, seed: 7 },
  );
});

test('the original decides the threshold of both models, over all runs', () => {
  const labels = [1, 0, 1];
  const meters = labelMeters(['y'], { y: column([0.4]) }, { values: labels });
  for (const [before, after] of [
    [[0.4], [0.4]],
    [
      [-3, 2],
      [0.3, 0.7],
    ],
  ] as const) {
    meters.original.add(column(before));
    meters.swapped.add(column(after));
  }
  expect(meters.threshold()).toBe(0);
  expect([...meters.original.correct()]).toEqual([1, 1, 1]);
  expect([...meters.swapped.correct()]).toEqual([1, 0, 1]);
});

test('NaN is wrong for every label', () => {
  for (const label of [0, 1]) {
    const meter = binaryAccuracyMeter('y', [label]);
    meter.add(column([Number.NaN]));
    expect(meter.result().top1).toBe(0);
  }
});

test('other labels, too many and too few are refused', () => {
  expect(() => binaryAccuracyMeter('y', [0, 2]).add(column([0.1, 0.2]))).toThrow(
    /label 2 of sample 1 is neither 0 nor 1/,
  );
  const short = binaryAccuracyMeter('y', [0]);
  short.add(column([0.1, 0.2]));
  expect(() => short.result()).toThrow(/2 rows for 1 label/);
});

test('class scores come first, and two outputs with one score are neither', () => {
  const [one, two, scores] = [column([0.1, 0.2]), column([1, 2], [2]), column([1, 2, 3, 4], [2, 2])];
  expect([one, two, scores].map(isOneScore)).toEqual([true, true, false]);
  expect(oneScoreAmong(['one', 'scores'], { one, scores })).toBe('one');
  expect(oneScoreAmong(['one', 'two'], { one, two })).toBeUndefined();
  expect(labelMeters(['one', 'scores'], { one, scores }, { values: [0, 1] }).output).toBe('scores');
  expect(() => labelMeters(['one', 'two'], { one, two }, { values: [0, 1] })).toThrow(/there is neither/);
});
