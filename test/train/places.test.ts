import { describe, expect, test } from 'vitest';
import { arraySamples } from '../../src/data/samples.js';
import { scoreLayout } from '../../src/metrics/score-layout.js';
import type { Session } from '../../src/providers/provider.js';
import type { Tape } from '../../src/train/autodiff/tape.js';
import { evaluateSession } from '../../src/train/evaluate.js';
import { crossEntropy } from '../../src/train/losses.js';
import { targetRows } from '../../src/train/targets.js';
import { runTape } from '../support/tape.js';
import { wave } from '../support/training.js';
import reference from './reference/steps.json' with { type: 'json' };

const [SAMPLES, CLASSES, PLACES] = [2, 3, 4];
const scores = wave(24, 0.9, 3);
const labels = {
  elemType: 'i64' as const,
  dims: [2, 2, 2],
  data: BigInt64Array.from([0n, 2n, 1n, 1n, 2n, 0n, 0n, 1n]),
};

const ignored = { ...labels, data: BigInt64Array.from([0n, 255n, 1n, 1n, 255n, 0n, 255n, 255n]) };

/** Moves the classes of [N, classes, places] to the last axis. */
const classesLast = (values: ArrayLike<number>) =>
  Array.from({ length: values.length }, (_, at) => {
    const [number, place] = [at % CLASSES, Math.floor(at / CLASSES) % PLACES];
    const sample = Math.floor(at / (CLASSES * PLACES));
    return values[(sample * CLASSES + number) * PLACES + place] ?? 0;
  });

const ORDERS = {
  'classes first': { dims: [CLASSES, 2, 2], order: (values: ArrayLike<number>) => Array.from(values) },
  'classes last': { dims: [2, 2, CLASSES], order: classesLast },
};

/** Softmax over the classes of [N, classes, places]. */
function softmax(values: ArrayLike<number>): number[] {
  const sumAt = (sample: number, place: number) =>
    Array.from({ length: CLASSES }, (_, c) =>
      Math.exp(values[(sample * CLASSES + c) * PLACES + place] ?? 0),
    ).reduce((a, b) => a + b, 0);
  return Array.from(values, (value, at) => {
    const sample = Math.floor(at / (CLASSES * PLACES));
    return Math.exp(value) / sumAt(sample, at % PLACES);
  });
}

describe.each(Object.entries(ORDERS))('a class for each place, %s', (_, { dims, order }) => {
  const layout = scoreLayout(dims, { targets: [2, 2] });
  const rowsOf = (given: typeof labels) =>
    targetRows(given, 'cross-entropy', dims, SAMPLES, { layout, ignoreLabel: 255 });
  const oneHotOf = (given: typeof labels) => {
    const oneHot = new Float32Array(SAMPLES * CLASSES * PLACES);
    rowsOf(given).read([0, 1], oneHot);
    return oneHot;
  };
  const oneHot = oneHotOf(labels);
  const withIgnored = oneHotOf(ignored);
  const soft = order(softmax(wave(24, 1.3, 2)));
  const cases = {
    labels: [oneHot, 0],
    'labels, smoothing': [oneHot, 0.1],
    ignored: [withIgnored, 0],
    'ignored, smoothing': [withIgnored, 0.1],
    soft: [soft, 0],
  } as const;

  const atOpsets = Object.entries(cases).flatMap(([name, given]) =>
    [9, 12, 13, 18].map((opset) => [name, opset, given] as const),
  );
  test.each(atOpsets)(
    'loss, gradient and right answers equal PyTorch’s: %s, opset %i',
    async (name, opset, given) => {
      const [targets, smoothing] = given;
      const expected = reference.places[name as keyof typeof cases];
      const whole = { dims: [SAMPLES, ...dims] };
      const inputs = { x: { ...whole, data: order(scores) }, t: { ...whole, data: targets } };
      const write = (tape: Tape) => {
        const { loss, gradients, correct = '' } = crossEntropy(tape, 'x', 't', { smoothing, layout });
        return { loss, gradient: gradients[0]?.[1] ?? '', correct };
      };
      const found = await runTape(inputs, write, opset);
      expect(found.loss[0]).toBeCloseTo(expected.loss, 5);
      expect(found.correct).toEqual([expected.correct]);
      const gradient = order(expected.gradient);
      for (const [at, value] of found.gradient.entries()) expect(value).toBeCloseTo(gradient[at] ?? 0, 6);
    },
  );

  test.each([
    ['labels', labels, [4, 4]],
    ['ignored', ignored, [3, 1]],
  ] as const)('so do loss and share of right answers of an evaluation: %s', async (name, given, counts) => {
    const session = {
      run: async () => ({
        y: { elemType: 'f32', dims: [SAMPLES, ...dims], data: Float32Array.from(order(scores)) },
      }),
    } as unknown as Session;
    const samples = arraySamples({ x: { elemType: 'f32', dims: [2, 1], data: new Float32Array(2) } }, [
      { name: 'x', elemType: 'f32', inner: [1] },
    ]);
    const options = { loss: 'cross-entropy', scores: 'y', outputDims: dims, layout, batch: SAMPLES } as const;
    const rows = rowsOf(given);
    const { loss, accuracy, correct, counted, perSample } = await evaluateSession(
      session,
      samples,
      rows,
      options,
    );
    const expected = reference.places[name];
    expect(loss).toBeCloseTo(expected.loss, 6);
    expect(counted).toEqual(Uint32Array.from(counts));
    expect(accuracy).toBeCloseTo(expected.correct / (counts[0] + counts[1]), 12);
    expect(perSample).toBe(PLACES);
    expect(correct?.reduce((sum, one) => sum + one, 0)).toBe(expected.correct);
  });
});

test('places without a target neither count nor move a weight', async () => {
  const dims = [1, 2, 3];
  const data = [1, 0, 0, 0, 1, 0];
  const found = await runTape({ x: { dims, data: [1, 2, 3, 4, 5, 6] }, t: { dims, data } }, (tape) => {
    const { loss, gradients } = crossEntropy(tape, 'x', 't', { smoothing: 0.1 });
    return { loss, gradient: gradients[0]?.[1] ?? '' };
  });
  expect(found.gradient.filter((_, at) => at % 3 === 2)).toEqual([0, 0]);
  expect(found.gradient.filter((value) => value === 0)).toHaveLength(2);
});

describe('the axis of the classes', () => {
  test('is the second, but for labels that fit only the last', () => {
    expect(scoreLayout([3, 8, 8]).axis).toBe(1);
    expect(scoreLayout([3, 8, 8], { targets: [8, 8] }).axis).toBe(1);
    expect(scoreLayout([8, 8, 3], { targets: [8, 8] })).toMatchObject({ axis: 3, classes: 3, places: 64 });
    expect(scoreLayout([8, 8, 3], { targets: [1, 8, 8] }).axis).toBe(3);
    expect(scoreLayout([8, 8, 8], { targets: [8, 8] }).axis).toBe(1);
    expect(scoreLayout([10], { targets: [] })).toMatchObject({ axis: 1, classes: 10, places: 1 });
    expect(scoreLayout([10, 1, 1])).toMatchObject({ axis: 1, classes: 10, places: 1 });
  });

  test('is that of a final Softmax', () => {
    expect(scoreLayout([4, 8, 3], { axis: 3 }).axis).toBe(3);
    expect(scoreLayout([4, 8, 3], { axis: 1 }).axis).toBe(1);
    expect(() => scoreLayout([4, 8, 3], { axis: 2 })).toThrow(/over axis 2/);
  });
});

test('class numbers outside the classes are named by their sample', () => {
  const bad = { ...labels, data: BigInt64Array.from([0n, 2n, 1n, 1n, 2n, 0n, 3n, 1n]) };
  expect(() => targetRows(bad, 'cross-entropy', [3, 2, 2], 2)).toThrow(
    /label 3 of sample 1 is outside the 3 classes/,
  );
});

test('probabilities that do not add up to 1 are refused, and so is one class number for many places', () => {
  const targets = { elemType: 'f32' as const, dims: [2, 3], data: Float32Array.of(1, 0, 0, 1, 1, 0) };
  expect(() => targetRows(targets, 'cross-entropy', [3], 2)).toThrow(/targets of sample 1 add up to 2/);
  expect(() => targetRows([0, 1], 'cross-entropy', [3, 4, 4], 2)).toThrow(/one class number for each sample/);
});
