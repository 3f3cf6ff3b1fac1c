import { expect, test } from 'vitest';
import { accuracy } from '../../src/metrics/accuracy.js';
import type { Tensor } from '../../src/providers/tensor.js';

const scores = (dims: number[], data: number[]): Tensor => ({
  elemType: 'f64',
  dims,
  data: Float64Array.from(data),
});

test('accuracy counts over all runs', () => {
  const outputs = [scores([2, 3], [0, 1, 2, 5, 1, 2]), scores([1, 3], [1, 9, 2])];
  expect(accuracy(outputs, [2, 1, 1])).toEqual({ n: 3, top1: 2 / 3, top5: null });
});

test('top-5 counts the five highest classes', () => {
  const row = scores([1, 7], [7, 6, 5, 4, 3, 2, 1]);
  expect(accuracy([row], [4])).toEqual({ n: 1, top1: 0, top5: 1 });
  expect(accuracy([row], [5])).toEqual({ n: 1, top1: 0, top5: 0 });
});

test('top-5 is null for five classes, of which every label is among the five highest', () => {
  const row = scores([1, 5], [7, 6, 5, 4, 3]);
  for (const label of [0, 4])
    expect(accuracy([row], [label])).toEqual({ n: 1, top1: label === 0 ? 1 : 0, top5: null });
});

test('a row with NaN is wrong for every label', () => {
  const row = scores([1, 6], [Number.NaN, 1, 2, 3, 4, 5]);
  for (const label of [0, 1]) expect(accuracy([row], [label])).toEqual({ n: 1, top1: 0, top5: 0 });
});

test('labels outside the classes, too many and too few are rejected', () => {
  const two = scores([2, 3], [0, 1, 2, 5, 1, 2]);
  for (const label of [3, -1, 0.5]) {
    expect(() => accuracy([two], [0, label])).toThrow(
      /label -?[\d.]+ of sample 1 is outside the 3 classes \(0 to 2\)/,
    );
  }
  expect(() => accuracy([two], [1])).toThrow(/2 rows for 1 label/);
  expect(() => accuracy([two], [1, 2, 0])).toThrow(/2 rows for 3 labels/);
  expect(() => accuracy([], [])).toThrow(expect.objectContaining({ code: 'bad-data' }));
});
