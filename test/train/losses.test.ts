import { describe, expect, test } from 'vitest';
import type { Tape } from '../../src/train/autodiff/tape.js';
import {
  binaryCrossEntropy,
  crossEntropy,
  type Loss,
  meanSquaredError,
  squaredDifferences,
} from '../../src/train/losses.js';
import { runTape } from '../support/tape.js';
import { wave } from '../support/training.js';
import reference from './reference/steps.json' with { type: 'json' };

const [SAMPLES, CLASSES] = [4, 5];
const dims = [SAMPLES, CLASSES];
const scores = { dims, data: wave(20, 0.9, 3) };
const LABELS = [0, 3, 1, 4];
const oneHot = Array.from({ length: 20 }, (_, at) =>
  LABELS[Math.floor(at / CLASSES)] === at % CLASSES ? 1 : 0,
);
const signs = wave(20, 2.1).map((value) => (value > 0 ? 1 : 0));

/** Softmax of each row. */
function softmax(values: ArrayLike<number>): number[] {
  return Array.from(values, (value, at) => {
    const row = Array.from(values).slice(at - (at % CLASSES), at - (at % CLASSES) + CLASSES);
    return Math.exp(value) / row.reduce((sum, other) => sum + Math.exp(other), 0);
  });
}
const soft = softmax(wave(20, 1.3, 2));

const ignored = oneHot.map((value, at) => (Math.floor(at / CLASSES) === 1 ? 0 : value));

const CASES: Record<keyof typeof reference.losses, [ArrayLike<number>, (tape: Tape) => Loss]> = {
  'cross-entropy': [oneHot, (tape) => crossEntropy(tape, 'x', 't')],
  'cross-entropy, smoothing': [oneHot, (tape) => crossEntropy(tape, 'x', 't', { smoothing: 0.1 })],
  'cross-entropy, soft': [soft, (tape) => crossEntropy(tape, 'x', 't')],
  'cross-entropy, ignored': [ignored, (tape) => crossEntropy(tape, 'x', 't', { ignores: true })],
  'cross-entropy, ignored, smoothing': [
    ignored,
    (tape) => crossEntropy(tape, 'x', 't', { smoothing: 0.1, ignores: true }),
  ],
  mse: [soft, (tape) => meanSquaredError(tape, 'x', 't')],
  bce: [signs, (tape) => binaryCrossEntropy(tape, 'x', 't')],
};

const run = (targets: ArrayLike<number>, write: (tape: Tape) => Loss, x: typeof scores = scores) =>
  runTape({ x, t: { dims, data: targets } }, (tape) => {
    const { loss, gradients, correct } = write(tape);
    const [, gradient = ''] = gradients[0] ?? [];
    return { loss, gradient, correct: correct ?? loss };
  });

describe('losses and their gradients equal PyTorch’s', () => {
  test.each(Object.entries(CASES))('%s', async (name, [targets, write]) => {
    const expected = reference.losses[name as keyof typeof CASES];
    const { loss, gradient } = await run(targets, write);
    expect(loss[0]).toBeCloseTo(expected.loss, 5);
    expect(gradient).toHaveLength(expected.gradient.length);
    for (const [at, value] of expected.gradient.entries()) expect(gradient[at]).toBeCloseTo(value, 6);
  });

  test('scores of any size give finite losses', async () => {
    const huge = { dims, data: scores.data.map((value) => 1e4 * value) };
    for (const [targets, write] of Object.values(CASES)) {
      const { loss, gradient } = await run(targets, write, huge);
      expect([...loss, ...gradient].every(Number.isFinite)).toBe(true);
    }
  });
});

describe('scores of −Infinity', () => {
  const masked = scores.data.map((value, at) => (oneHot[at] === 0 && at % 2 === 0 ? -Infinity : value));
  const x = { dims, data: masked };

  test('have no part where the target is 0', async () => {
    const { loss, gradient } = await run(oneHot, (tape) => crossEntropy(tape, 'x', 't'), x);
    const shares = softmax(masked);
    const expected = LABELS.reduce(
      (sum, label, row) => sum - Math.log(shares[row * CLASSES + label] ?? 0),
      0,
    );
    expect(loss[0]).toBeCloseTo(expected / SAMPLES, 5);
    for (const [at, share] of shares.entries())
      expect(gradient[at]).toBeCloseTo((share - (oneHot[at] ?? 0)) / SAMPLES, 6);
  });

  test('give an infinite loss where the target is above 0', async () => {
    for (const [targets, options] of [[oneHot.map(() => 1 / CLASSES)], [oneHot, { smoothing: 0.1 }]] as const)
      expect((await run(targets, (tape) => crossEntropy(tape, 'x', 't', options), x)).loss[0]).toBe(Infinity);
  });
});

describe('correct predictions are counted', () => {
  const argmax = (row: readonly number[]) => row.indexOf(Math.max(...row));

  test('of classes, where the largest score is the label', async () => {
    const rows = LABELS.map((_, row) => [...scores.data.slice(row * CLASSES, (row + 1) * CLASSES)]);
    const right = rows.filter((row, at) => argmax(row) === LABELS[at]).length;
    const result = await run(oneHot, (tape) => crossEntropy(tape, 'x', 't', { smoothing: 0.1 }));
    expect(result).toMatchObject({ correct: [right] });
  });

  test('of signs, where score and target agree', async () => {
    const right = scores.data.filter((value, at) => value > 0 === (signs[at] ?? 0) > 0.5).length;
    const result = await run(signs, (tape) => binaryCrossEntropy(tape, 'x', 't'));
    expect(result).toMatchObject({ correct: [right] });
  });
});

test('loss terms are factor × mean squared difference, added up', async () => {
  const inputs = {
    a: { dims: [2, 2], data: [1, 2, 3, 4] },
    b: { dims: [3], data: [0, 0, 3] },
    'a/target': { dims: [2, 2], data: [1, 2, 3, 8] },
    'b/target': { dims: [3], data: [0, 3, 0] },
  };
  const terms = [
    { name: 'a', factor: 0.5 },
    { name: 'b', factor: 3 },
  ];
  const result = await runTape(inputs, (tape) => {
    const { loss, gradients } = squaredDifferences(tape, terms, (name) => `${name}/target`);
    return { loss, ...Object.fromEntries(gradients) };
  });
  expect(result).toEqual({ loss: [0.5 * 4 + 3 * 6], a: [0, 0, 0, -1], b: [0, -6, 6] });
});
