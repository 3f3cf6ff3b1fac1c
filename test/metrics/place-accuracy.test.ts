import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRandom, normal } from '../../src/base/random.js';
import { accuracy } from '../../src/metrics/accuracy.js';
import { clusteredInterval, sharesOfClusters } from '../../src/metrics/clusters.js';
import { accuracyDifference, labelMeters } from '../../src/metrics/label-meters.js';
import { differenceOfCorrect, meanWithInterval } from '../../src/metrics/paired.js';
import { wilsonInterval } from '../../src/metrics/wilson.js';

const IGNORE = 255;

const generated = fc.record({
  seed: fc.integer(),
  samples: fc.integer({ min: 1, max: 6 }),
  places: fc.array(fc.integer({ min: 2, max: 4 }), { minLength: 1, maxLength: 2 }),
  classes: fc.integer({ min: 2, max: 8 }),
  isLast: fc.boolean(),
  ignored: fc.double({ min: 0, max: 0.6, noNaN: true }),
  areRounded: fc.boolean(),
});

test('places are judged as by their definition, wherever the classes are and however the runs are cut', () => {
  fc.assert(
    fc.property(generated, ({ seed, samples, places, classes, isLast, ignored, areRounded }) => {
      // A number of classes that is also a number of places leaves the axis of the classes open.
      fc.pre(!places.includes(classes));
      const random = createRandom(seed);
      const count = places.reduce((product, size) => product * size, 1);
      const labels = Array.from({ length: samples * count }, () =>
        random() < ignored ? IGNORE : Math.floor(random() * classes),
      );
      labels[0] = 0;
      const draw = () => (areRounded ? Math.round(normal(random)) : normal(random)); // rounded scores have ties
      const scores = labels.map(() => Array.from({ length: classes }, draw));
      const run = (from: number, to: number) => {
        const rows = Array.from({ length: to - from }, (_, row) =>
          scores.slice((from + row) * count, (from + row + 1) * count),
        );
        const data = rows.flatMap((row) =>
          isLast
            ? row.flat()
            : Array.from({ length: classes }, (_, label) => row.map((one) => one[label] ?? 0)).flat(),
        );
        const dims = isLast ? [to - from, ...places, classes] : [to - from, classes, ...places];
        return { y: { elemType: 'f32', dims, data: Float64Array.from(data) } };
      };
      const cut = Math.floor(samples / 2);
      const runs = [run(0, cut), run(cut, samples)].slice(cut === 0 ? 1 : 0);
      const meters = labelMeters(['y'], runs[0] ?? {}, {
        values: labels,
        places: { dims: places, ignore: IGNORE },
      });
      for (const { y } of runs) {
        meters.original.add(y);
        meters.swapped.add({ ...y, data: y.data.map((score) => -score) });
      }

      const counted = labels.flatMap((label, place) => (label === IGNORE ? [] : [{ label, place }]));
      const ranked = (place: number) =>
        [...(scores[place] ?? [])]
          .map((score, label) => ({ score, label }))
          .toSorted((a, b) => b.score - a.score)
          .map(({ label }) => label);
      const right = counted.filter(({ label, place }) => ranked(place)[0] === label);
      const result = meters.original.result();
      expect(result.places).toBe(counted.length);
      expect(result.top1).toBeCloseTo(right.length / counted.length, 12);
      if (classes <= 5) expect([result.top5, result.top5Interval]).toEqual([null, undefined]);
      else
        expect(result.top5).toBeCloseTo(
          counted.filter(({ label, place }) => ranked(place).slice(0, 5).includes(label)).length /
            counted.length,
          12,
        );
      const ious = Array.from({ length: classes }, (_, label) => {
        const truth = new Set(counted.filter((one) => one.label === label).map(({ place }) => place));
        const found = new Set(
          counted.filter(({ place }) => ranked(place)[0] === label).map(({ place }) => place),
        );
        const union = new Set([...truth, ...found]).size;
        return union === 0 ? [] : [...truth].filter((place) => found.has(place)).length / union;
      }).flat();
      expect(result.meanIou).toBeCloseTo(ious.reduce((sum, one) => sum + one, 0) / ious.length, 12);

      const { value } = accuracyDifference(meters);
      expect(value).toBeCloseTo(meters.swapped.result().top1 - result.top1, 12);
    }),
    { seed: 5, numRuns: 300 },
  );
});

test('labels some of which are ignored are counted as labels of the other samples, ties and NaN included', () => {
  const score = fc.oneof(fc.integer({ min: 0, max: 2 }), fc.constant(Number.NaN));
  const row = fc.tuple(fc.array(score, { minLength: 7, maxLength: 7 }), fc.nat(6), fc.boolean());
  const tensor = (rows: readonly (readonly number[])[]) => ({
    ...{ elemType: 'f32', dims: [rows.length, 7], data: Float32Array.from(rows.flat()) },
  });
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 8 }), (rows) => {
      const counted = rows.filter(([, , isIgnored]) => !isIgnored);
      fc.pre(counted.length > 0);
      const y = tensor(rows.map(([scores]) => scores));
      const values = rows.map(([, label, isIgnored]) => (isIgnored ? IGNORE : label));
      const { original } = labelMeters(['y'], { y }, { values, places: { dims: [], ignore: IGNORE } });
      original.add(y);
      const { n, top1, top5 } = original.result();
      const labels = counted.map(([, label]) => label);
      expect({ n, top1, top5 }).toEqual(accuracy([tensor(counted.map(([scores]) => scores))], labels));
    }),
    { seed: 8, numRuns: 200 },
  );
});

test('one score for each place is held against the threshold that the original has', () => {
  const values = [1, 0, IGNORE, 1];
  const places = { dims: [2], ignore: IGNORE };
  const of = (...data: number[]) => ({ elemType: 'f32', dims: [2, 1, 2], data: Float32Array.from(data) });
  const judge = (before: ReturnType<typeof of>, after: ReturnType<typeof of>) => {
    const meters = labelMeters(['y'], { y: before }, { values, places });
    meters.original.add(before);
    meters.swapped.add(after);
    return [meters.threshold(), meters.original.result().top1, meters.swapped.result().top1];
  };
  expect(judge(of(0.9, 0.1, 0.9, 0.2), of(0.6, 0.7, 0, 0.8))).toEqual([0.5, 2 / 3, 2 / 3]);
  expect(judge(of(3, -1, 9, 0.2), of(0.6, 0.7, 0, Number.NaN))).toEqual([0, 1, 1 / 3]);
});

test('labels that fit no output, and labels outside the classes, are refused', () => {
  const y = { elemType: 'f32', dims: [1, 3, 2], data: new Float32Array(6) };
  const meters = (values: number[], dims: number[]) =>
    labelMeters(['y'], { y }, { values, places: { dims, ignore: IGNORE } });
  expect(() => meters([0, 0, 0, 0], [4])).toThrow(
    /labels of shape \[4\] need an output with a score for each class/,
  );
  expect(() => meters([0, 3], [2]).original.add(y)).toThrow(/label 3 of sample 0 is outside the 3 classes/);
  const none = meters([IGNORE, IGNORE], [2]);
  none.original.add(y);
  expect(() => none.original.result()).toThrow(/all labels are 255, which is ignored/);
});

test('with one prediction a sample, the interval is Wilson’s', () => {
  const correct = [1, 0, 1, 1, 0, 1, 1];
  expect(
    clusteredInterval(
      correct,
      correct.map(() => 1),
    ),
  ).toEqual(wilsonInterval(5 / 7, 7));
  expect(clusteredInterval([], [])).toEqual({ low: 0, high: 1 });
  expect(clusteredInterval([4, 4], [4, 4])).toEqual(wilsonInterval(1, 2));
  // Samples of the same share, whether or not that share is a number of the machine.
  const equal = fc.record({
    right: fc.nat(300),
    wrong: fc.nat(300),
    times: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 12 }),
  });
  fc.assert(
    fc.property(equal, ({ right, wrong, times }) => {
      fc.pre(right + wrong > 1);
      const interval = clusteredInterval(
        times.map((many) => right * many),
        times.map((many) => (right + wrong) * many),
      );
      const expected = wilsonInterval(right / (right + wrong), times.length);
      expect(Math.abs(interval.low - expected.low)).toBeLessThan(1e-12);
      expect(Math.abs(interval.high - expected.high)).toBeLessThan(1e-12);
    }),
    { seed: 8, numRuns: 200 },
  );
});

test('the interval of places holds the truth about as often as it says, though the places of a sample are alike', () => {
  const random = createRandom(11);
  let [held, naive] = [0, 0];
  const trials = 600;
  for (let trial = 0; trial < trials; trial++) {
    const counted = Array.from({ length: 60 }, () => 20 + Math.floor(20 * random()));
    // The share of a sample is 0.5 to 0.9, uniformly: 0.7 in the mean.
    const correct = counted.map((count) => {
      const share = 0.5 + 0.4 * random();
      return Array.from({ length: count }, () => random() < share).filter(Boolean).length;
    });
    const holds = ({ low, high }: { low: number; high: number }) => low <= 0.7 && 0.7 <= high;
    if (holds(clusteredInterval(correct, counted))) held++;
    const all = counted.reduce((sum, count) => sum + count, 0);
    if (holds(wilsonInterval(correct.reduce((sum, count) => sum + count, 0) / all, all))) naive++;
    expect(meanWithInterval([...sharesOfClusters(correct, counted)]).value).toBeCloseTo(
      correct.reduce((sum, count) => sum + count, 0) / all,
      12,
    );
  }
  expect(held / trials).toBeGreaterThan(0.92);
  expect(held / trials).toBeLessThan(0.98);
  expect(naive / trials).toBeLessThan(0.75);
});

test('the interval of a difference holds the truth about as often as it says, though samples have different numbers of places', () => {
  const random = createRandom(12);
  const trials = 300;
  let held = 0;
  for (let trial = 0; trial < trials; trial++) {
    const counted = Array.from({ length: 100 }, () => Math.ceil(-15 * Math.log(1 - random())));
    // One model is right at 0.9 of the places, the other at 0.2 to 0.4 of those of a sample: 0.6 less in the mean.
    const right = (share: () => number) =>
      counted.map((count) => {
        const own = share();
        return Array.from({ length: count }, () => random() < own).filter(Boolean).length;
      });
    const [before, after] = [right(() => 0.9), right(() => 0.2 + 0.2 * random())];
    const values = (correct: number[]) => sharesOfClusters(correct, counted);
    const { low, high } = differenceOfCorrect(values(after), values(before));
    if (low <= -0.6 && -0.6 <= high) held++;
  }
  expect(held / trials).toBeGreaterThan(0.92);
  expect(held / trials).toBeLessThan(0.98);
});
