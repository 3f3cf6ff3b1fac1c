import { expect, test } from 'vitest';
import { splitArrays } from '../../src/finetune/labelled-arrays.js';
import type { Tensor } from '../../src/providers/tensor.js';

const x: Tensor = { elemType: 'f32', dims: [2, 1], data: new Float32Array(2) };
const labels = (dims: number[], ...values: number[]): Tensor => ({
  elemType: 'u8',
  dims,
  data: Uint8Array.from(values),
});
const split = (y: Tensor) => splitArrays({ x, y }, { labels: 'y' }).targets;

test('labels are one class number for each sample, one-hot rows, or a class number for each place', () => {
  expect(split(labels([2], 3, 1))).toEqual(Uint8Array.of(3, 1));
  expect(split(labels([2, 3], 0, 1, 0, 1, 0, 0))).toEqual([1, 0]);
  expect(split(labels([2, 1, 3], 0, 1, 0, 1, 0, 0))).toEqual([1, 0]);
  const maps = [labels([2, 2, 2], 0, 1, 1, 0, 2, 2, 0, 0), labels([2, 2, 2], 0, 1, 0, 0, 0, 0, 0, 1)];
  for (const places of [labels([2, 3], 0, 2, 1, 0, 0, 0), ...maps]) expect(split(places)).toBe(places);
});

test('rows that are neither are refused', () => {
  const scores: Tensor = { elemType: 'f32', dims: [2, 3], data: Float32Array.of(0.2, 0.8, 0, 1, 0, 0) };
  expect(() => split(scores)).toThrow(/the labels 'y' are f32 \[2,3\]/);
});

test('labels that are ignored may be negative', () => {
  const ignored: Tensor = { elemType: 'i32', dims: [2, 1, 2], data: Int32Array.of(-100, 0, 1, 0) };
  expect(split(ignored)).toBe(ignored);
});
