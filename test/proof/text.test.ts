import { describe, expect, test } from 'vitest';
import { swap } from '../../src/mish/swap.js';
import { HEAVY_ONLY, isHeavy } from '../support/heavy.js';
import { bytesOf } from '../support/models.js';
import type { Box } from './pictures.js';
import {
  boxes,
  DETECTOR,
  DIRECTION,
  directions,
  findText,
  fontsMissing,
  matches,
  overlap,
  sameBoxes,
  sameDirections,
  textLines,
  textPictures,
} from './text.js';

const missing = await fontsMissing();
const box = (left: number, top: number, right: number, bottom: number): Box => ({ left, top, right, bottom });

/** A map of 100 by 60 with the probability `p` where `inside` says so. */
const map = (inside: (x: number, y: number) => number) =>
  Float32Array.from({ length: 6000 }, (_, place) => inside(place % 100, Math.floor(place / 100)));
const within = (x: number, y: number, { left, top, right, bottom }: Box) =>
  x >= left && x < right && y >= top && y < bottom;

describe('boxes', () => {
  test('are grown by area over circumference', () => {
    const found = boxes(
      map((x, y) => (within(x, y, box(20, 20, 60, 30)) ? 0.9 : 0)),
      100,
    );
    expect(found).toHaveLength(1); // 40 by 10: 1.5 × 400 / 100 = 6
    expect(found[0]?.score).toBeCloseTo(0.9, 6);
    expect(found[0]).toMatchObject(box(14, 14, 66, 36));
  });

  test('are two where the text is apart, one where it touches at a corner', () => {
    const two = (apart: number) =>
      map((x, y) => (within(x, y, box(10, 10, 20, 20)) || within(x, y, box(20 + apart, 20, 40, 30)) ? 1 : 0));
    expect(boxes(two(0), 100)).toHaveLength(1);
    expect(boxes(two(1), 100)).toHaveLength(2);
  });

  test('are none where the mean is low, the text is small, or nothing is above the threshold', () => {
    const patch = (p: number, high: number) =>
      map((x, y) => (within(x, y, box(20, 20, 60, 20 + high)) ? p : 0));
    expect(boxes(patch(0.61, 10), 100)).toHaveLength(1);
    expect(boxes(patch(0.59, 10), 100)).toHaveLength(0);
    expect(boxes(patch(0.9, 2), 100)).toHaveLength(0);
    expect(boxes(patch(0.59, 10), 100, { score: 0.5 })).toHaveLength(1);
    expect(boxes(patch(0.29, 10), 100, { score: 0 })).toHaveLength(0);
    expect(boxes(patch(Number.NaN, 10), 100, { score: 0 })).toHaveLength(0);
  });

  test('end at the picture’s edge', () => {
    const [found] = boxes(
      map((x, y) => (within(x, y, box(0, 0, 100, 5)) ? 1 : 0)),
      100,
    );
    expect(found).toMatchObject({ left: 0, top: 0, right: 100 });
  });

  test('of tilted text are grown across it, not by its upright box', () => {
    const slope = Math.tan(Math.PI / 12);
    const [found] = boxes(
      map((x, y) => (x >= 15 && x < 85 && Math.abs(y - 30 - slope * (x - 50)) <= 4 ? 1 : 0)),
      100,
    );
    // Some 74 by 8: 5.5 on all sides, where the upright box, 70 by 28, would be grown by 15.
    expect(found?.left).toBeGreaterThan(5);
    expect(found?.left).toBeLessThan(12);
    expect(found?.top).toBeGreaterThan(8 - 3);
    expect(found?.top).toBeLessThan(14);
  });
});

describe('the same boxes', () => {
  const one = box(0, 0, 30, 10);

  test('overlap by intersection over union', () => {
    expect(overlap(one, one)).toBe(1);
    expect(overlap(one, box(15, 0, 45, 10))).toBeCloseTo(1 / 3, 12);
    expect(overlap(one, box(30, 0, 60, 10))).toBe(0);
    expect(overlap(box(1, 1, 1, 1), box(1, 1, 1, 1))).toBe(0);
  });

  test('have one partner each', () => {
    expect(matches([one], [one, one])).toBe(1);
    // The best pair takes precedence: the second of the left goes to the first of the right.
    expect(matches([box(4, 0, 34, 10), one], [one, box(8, 0, 38, 10)])).toBe(2);
  });

  test('are counted from both sides and over all pictures', () => {
    expect(sameBoxes([[one], []], [[one], []])).toBe(1);
    expect(sameBoxes([[]], [[]])).toBe(1);
    expect(sameBoxes([[one]], [[]])).toBe(0);
    expect(sameBoxes([[one, box(50, 50, 60, 60)]], [[one]])).toBeCloseTo(2 / 3, 12);
    expect(sameBoxes([[one], []], [[], [one]])).toBe(0); // not across pictures
    const shifted = [[box(6, 0, 36, 10)]]; // 24 / 36
    expect(sameBoxes([[one]], shifted, 0.6)).toBe(1);
    expect(sameBoxes([[one]], shifted, 0.7)).toBe(0);
    expect(() => sameBoxes([[one]], [])).toThrow('1 pictures against 0');
  });
});

test('the same directions', () => {
  const [up, down] = [
    { turned: false, score: 0.9 },
    { turned: true, score: 0.6 },
  ];
  expect(sameDirections([up, down, up, up], [up, down, down, { turned: false, score: 0.51 }])).toBe(0.75);
});

describe('pictures', () => {
  test('are the same for the same seed, and the original detector finds their text', async ({ skip }) => {
    skip(missing !== undefined, missing);
    const [pictures, again] = [
      await textPictures({ seed: 7, count: 6, size: 320 }),
      await textPictures({ seed: 7, count: 6, size: 320 }),
    ];
    if (!pictures || !again) throw new Error('no pictures');
    expect(Buffer.from(again.data.buffer).equals(Buffer.from(pictures.data.buffer))).toBe(true);
    expect(pictures.dims).toEqual([6, 3, 320, 320]);
    expect(pictures.data.every((value) => Math.abs(value) < 3)).toBe(true);
    const found = await findText(DETECTOR, pictures);
    const lines = pictures.lines.flat().length;
    const hits = found.reduce((sum, list, index) => sum + matches(list, pictures.lines[index] ?? [], 0.4), 0);
    expect(lines).toBeGreaterThan(10);
    expect(hits / lines).toBeGreaterThan(0.8);
    expect(sameBoxes(found, found)).toBe(1);
  });

  test('of lines: the original classifier knows which are upside down', async ({ skip }) => {
    skip(missing !== undefined, missing);
    skip(!isHeavy, HEAVY_ONLY);
    const lines = await textLines({ seed: 7, count: 40 });
    if (!lines) throw new Error('no lines');
    expect(lines.dims).toEqual([40, 3, 48, 192]);
    expect(lines.data.every((value) => value >= -1 && value <= 1)).toBe(true);
    const told = await directions(DIRECTION, lines);
    const right = told.filter(({ turned }, index) => turned === lines.turned[index]).length;
    expect(right).toBeGreaterThan(36);
    const swapped = await (await swap(bytesOf(DIRECTION))).output.bytes();
    expect(sameDirections(told, await directions(swapped, lines))).toBeGreaterThan(0.5);
  });
});
