import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arraySamples } from '../../src/data/samples.js';
import type { Accuracy } from '../../src/metrics/accuracy.js';
import { labelMeters } from '../../src/metrics/label-meters.js';
import { areLabels, exactMatch, f1Meter, type MultiLabelScores } from '../../src/metrics/multi-label.js';
import type { Session } from '../../src/providers/provider.js';
import { evaluateSession } from '../../src/train/evaluate.js';
import { targetRows } from '../../src/train/targets.js';

const generated = fc.integer({ min: 2, max: 5 }).chain((labels) =>
  fc.record({
    rows: fc.array(
      fc.array(fc.record({ label: fc.constantFrom(0, 1), score: fc.constantFrom(-2, -0.5, 0, 0.3, 4) }), {
        minLength: labels,
        maxLength: labels,
      }),
      { minLength: 1, maxLength: 7 },
    ),
    cut: fc.nat(6),
  }),
);
type Rows = readonly (readonly { readonly label: number; readonly score: number }[])[];

/** The measures as they are defined: F1 is the harmonic mean of precision and recall. */
function byDefinition(rows: Rows): MultiLabelScores {
  const right = ({ label, score }: Rows[number][number]) => label === Number(score > 0);
  const f1 = (places: Rows[number]) => {
    const [positive, named] = [
      places.filter(({ label }) => label === 1),
      places.filter(({ score }) => score > 0),
    ];
    if (positive.length + named.length === 0) return null;
    const both = positive.filter(({ score }) => score > 0).length;
    if (both === 0) return 0;
    const [precision, recall] = [both / named.length, both / positive.length];
    return (2 * precision * recall) / (precision + recall);
  };
  const each = (rows[0] ?? []).map((_, at) => f1(rows.flatMap((row) => row[at] ?? [])));
  const known = each.filter((value) => value !== null);
  return {
    exactMatch: rows.filter((row) => row.every(right)).length / rows.length,
    microF1: f1(rows.flat()),
    macroF1: known.length === 0 ? null : known.reduce((sum, one) => sum + one, 0) / known.length,
  };
}

const close = (value: number | null) => (value === null ? null : expect.closeTo(value, 12));

test('several labels of a sample are judged as by their definitions, however the runs are cut', () => {
  fc.assert(
    fc.property(generated, ({ rows, cut }) => {
      const labels = rows[0]?.length ?? 0;
      // A score below 0 makes the threshold 0.
      const scored = [...rows, Array.from({ length: labels }, () => ({ label: 1, score: -1 }))];
      const tensor = (some: Rows) => ({
        ...{ elemType: 'f32', dims: [some.length, labels] },
        data: Float32Array.from(some.flat(), ({ score }) => score),
      });
      const values = scored.flat().map(({ label }) => label);
      const meters = labelMeters(
        ['y'],
        { y: tensor(scored) },
        { values, places: { dims: [labels], ignore: -100 } },
      );
      for (const part of [scored.slice(0, cut), scored.slice(cut)])
        if (part.length > 0) meters.add({ y: tensor(part) }, { y: tensor(part) });
      const result: Accuracy = meters.original.result();
      const { exactMatch: exact, microF1, macroF1 } = byDefinition(scored);
      expect(result.multiLabel).toEqual({
        ...{ exactMatch: close(exact), microF1: close(microF1), macroF1: close(macroF1) },
      });
      expect(result.meanIou).toBeUndefined();
    }),
    { seed: 18, numRuns: 100 },
  );
});

test('a training’s scores have the same measures of several labels', async () => {
  await fc.assert(
    fc.asyncProperty(generated, async ({ rows: some }) => {
      // Targets that are all the same are refused.
      const rows = [...some, (some[0] ?? []).map(({ label, score }) => ({ label: 1 - label, score }))];
      const labels = rows[0]?.length ?? 0;
      const dims = [rows.length, labels];
      const scores = { elemType: 'f32', dims, data: Float32Array.from(rows.flat(), ({ score }) => score) };
      const targets = { elemType: 'f32', dims, data: Float32Array.from(rows.flat(), ({ label }) => label) };
      const session = { run: async () => ({ y: scores }) } as unknown as Session;
      const found = await evaluateSession(
        session,
        arraySamples({ x: scores }, [{ name: 'x', elemType: 'f32', inner: [labels] }]),
        targetRows(targets, 'bce', [labels], rows.length),
        { loss: 'bce', scores: 'y', outputDims: [labels], batch: rows.length },
      );
      const { exactMatch: exact, microF1, macroF1 } = byDefinition(rows);
      expect(found.multiLabel).toEqual({
        ...{ exactMatch: close(exact), microF1: close(microF1), macroF1: close(macroF1) },
      });
    }),
    { seed: 18, numRuns: 50 },
  );
});

test('the measures are those of scikit-learn', () => {
  // f1_score(Y, P, average='micro'), average='macro' and accuracy_score(Y, P) of scikit-learn 1.9.1.
  const target = [1, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0];
  const answer = [1, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0];
  const meter = f1Meter(3);
  target.forEach((label, at) => {
    meter.add(at % 3, label, answer[at] ?? 0);
  });
  expect(meter.value()).toEqual({ microF1: 5 / 7, macroF1: expect.closeTo(2 / 3, 12) });
  const correct = [0, 1, 2, 3, 4].map(
    (row) => [0, 1, 2].filter((at) => target[3 * row + at] === answer[3 * row + at]).length,
  );
  expect(exactMatch(correct, [3, 3, 3, 3, 3])).toBe(0.2);
});

test('a single axis is one of labels, and a picture is not', () => {
  expect([[6], [1, 6], [6, 1], [4, 4], [1, 4, 4], [], [1]].map(areLabels)).toEqual([
    ...[true, true, true, false, false, false, false],
  ]);
});

test('places of a picture with one score each keep the IoU', () => {
  const y = { elemType: 'f32', dims: [1, 1, 2, 2], data: Float32Array.of(2, -1, 1, -3) };
  const meters = labelMeters(['y'], { y }, { values: [1, 0, 0, 0], places: { dims: [2, 2], ignore: -100 } });
  meters.add({ y }, { y });
  expect(meters.original.result()).toMatchObject({ top1: 0.75, meanIou: expect.any(Number) });
  expect(meters.original.result().multiLabel).toBeUndefined();
});
