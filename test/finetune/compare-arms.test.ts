import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scoreOf } from '../../src/finetune/arm.js';
import { type Concluded, compareArms, conclude, differenceText } from '../../src/finetune/compare-arms.js';
import { parseFinetuneReport } from '../../src/finetune/report-schema.js';
import type { Evaluation } from '../../src/train/evaluate.js';
import { FINETUNE_REPORT } from '../support/finetune-report.js';

const results = (correct: number[], losses = correct.map((one) => 1 - one)) => ({ correct, losses });
const many = (count: number, value: number) => new Array<number>(count).fill(value);

const better = {
  seed: 0,
  swapped: results([...many(40, 1), ...many(60, 1)]),
  original: results([...many(40, 0), ...many(60, 1)]),
};
const equal = { ...better, original: better.swapped };
const reversed = { seed: 0, swapped: better.original, original: better.swapped };

describe('the comparison of both arms', () => {
  test('has the paired difference and McNemar’s p of each seed', () => {
    const { measure, runs, overall, verdict } = compareArms([better]);
    expect({ measure, verdict }).toEqual({ measure: 'accuracy', verdict: 'better' });
    expect(runs[0]?.difference).toEqual(overall);
    expect(overall.value).toBe(0.4);
    expect(runs[0]?.mcnemar).toMatchObject({ onlySwapped: 40, onlyOriginal: 0 });
  });

  test('finds no difference between equal results, and the opposite for exchanged arms', () => {
    expect(compareArms([equal]).verdict).toBe('no difference');
    expect(compareArms([reversed]).verdict).toBe('worse');
  });

  test('knows little of few samples, over seeds with equal results, too', () => {
    const few = [0, 1, 2].map((seed) => ({
      ...equal,
      seed,
      swapped: results([1, 0]),
      original: results([1, 0]),
    }));
    const { overall } = compareArms(few);
    expect((overall.high ?? 0) - (overall.low ?? 0)).toBeGreaterThan(1);
    expect(overall.high).toBeLessThan(1);
  });

  test('finds no difference on one sample, whatever the runs gave', () => {
    const few = [0, 1].map((seed) => ({ seed, swapped: results([1]), original: results([seed]) }));
    const { overall, verdict } = compareArms(few);
    expect({ overall, verdict }).toEqual({
      overall: { value: 0.5, low: -1, high: 1 },
      verdict: 'no difference',
    });
  });

  test('is about the loss where there are no predictions, and a lower loss is better', () => {
    const losses = Array.from({ length: 50 }, (_, index) => 1 + (index % 7) / 10);
    const lower = { correct: null, losses: losses.map((loss, index) => loss - 0.5 - (index % 3) / 100) };
    const pair = { seed: 3, swapped: lower, original: { correct: null, losses } };
    const { measure, runs, verdict } = compareArms([pair]);
    expect({ measure, verdict }).toEqual({ measure: 'loss', verdict: 'better' });
    expect(runs[0]?.mcnemar).toBeNull();
    expect(runs[0]?.difference.value).toBeCloseTo(-0.51, 2);
  });

  test('is the same when its report is read again, whatever the number of samples and seeds', () => {
    const value = fc.double({ min: -2, max: 2, noNaN: true });
    const given = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), fc.boolean());
    fc.assert(
      fc.property(given, fc.infiniteStream(value), ([samples, seeds, hasLoss], values) => {
        const next = () => values.next().value as number;
        const arm = () => ({
          losses: Array.from({ length: samples }, next),
          correct: hasLoss ? null : Array.from({ length: samples }, () => Number(next() > 0)),
        });
        const pairs = Array.from({ length: seeds }, (_, seed) => ({ seed, swapped: arm(), original: arm() }));
        const comparison = compareArms(pairs);
        const report = { ...FINETUNE_REPORT, comparison };
        expect(parseFinetuneReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
        expect(differenceText(comparison.measure, comparison.overall)).not.toContain('Infinity');
        if (hasLoss && samples === 1) expect(comparison.verdict).toBe('no difference');
      }),
      { numRuns: 50 },
    );
  });

  test('has no McNemar’s p where samples can be right in part', () => {
    const partly = { ...better, swapped: results([...many(40, 0.75), ...many(60, 0.5)]) };
    const { runs, measure } = compareArms([partly]);
    expect(measure).toBe('accuracy');
    expect(runs[0]?.mcnemar).toBeNull();
    expect(runs[0]?.difference.value).toBeCloseTo(0.4 * 0.75 + 0.6 * (0.5 - 1), 12);
  });

  test('over seeds that disagree finds no difference', () => {
    const seeds = [better, { ...reversed, seed: 1 }, { ...equal, seed: 2 }];
    const { overall, verdict, runs } = compareArms(seeds);
    expect(verdict).toBe('no difference');
    expect(overall.value).toBeCloseTo(0, 12);
    expect(overall.high).toBeGreaterThan(0.4);
    expect(runs.map(({ seed }) => seed)).toEqual([0, 1, 2]);
  });
});

describe('the conclusion', () => {
  const report: Concluded = { ...FINETUNE_REPORT, comparison: compareArms([equal]) };

  test('may be that no difference was found, with the time that the activation costs', () => {
    expect(conclude(report)).toBe(
      'No difference between Mish and the original’s activations was found: 0.00 points of accuracy (95 % interval −2.72 to +2.72), McNemar’s mid-p 1.0, on 100 test samples. A run of Mish takes 3.20 times the time of the original, and 1.21 times in the exp form.',
    );
    const latency = { ratio: 1.21, low: 1.1, high: 1.3, exp: null };
    expect(conclude({ ...report, latency })).toMatch(
      / A run of Mish takes 1\.21 times the time of the original\.$/,
    );
  });

  test('says which activation was better', () => {
    expect(conclude({ ...report, comparison: compareArms([better]) })).toMatch(
      /^Mish was better than the original’s activations, trained as long: \+40\.00 points/,
    );
    expect(conclude({ ...report, comparison: compareArms([reversed]), latency: null })).toMatch(
      /^Mish was worse.* −40\.00 points.*p < 0\.001, on 100 test samples\.$/,
    );
    expect(conclude({ ...report, comparison: compareArms([better, { ...equal, seed: 1 }]) })).toContain(
      'over 2 seeds',
    );
  });

  test('is about the samples with a label that counts', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3), { minLength: 1, maxLength: 20 }), (counts) => {
        fc.pre(counts.some((count) => count > 0));
        const counted = Uint32Array.from(counts);
        const score = scoreOf({
          loss: 1,
          accuracy: 0.5,
          correct: counted,
          counted,
          meanIou: null,
        } as Evaluation);
        const [first] = FINETUNE_REPORT.runs;
        if (first === undefined) throw new Error('no run');
        const text = conclude({ ...FINETUNE_REPORT, runs: [{ ...first, test: score }] });
        expect(text).toMatch(
          new RegExp(` on ${counts.filter((count) => count > 0).length} test samples?\\.`),
        );
      }),
      { seed: 2, numRuns: 50 },
    );
  });

  test('makes no claim about the activation without a control or without a site', () => {
    for (const changed of [{ comparison: null }, { sites: [] }]) {
      const text = conclude({ ...report, ...changed });
      expect(text).toContain('This says nothing about Mish');
      expect(text).not.toMatch(/better|worse|difference/);
    }
  });

  test('gives a difference of losses without points', () => {
    expect(differenceText('loss', { value: -0.01234, low: -0.02, high: 0.001 })).toBe(
      '−0.0123 in loss (95 % interval −0.02 to +0.001)',
    );
  });
});
