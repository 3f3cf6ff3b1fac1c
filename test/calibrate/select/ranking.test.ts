import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OptionHint } from '../../../src/base/option-hint.js';
import type { Degradation } from '../../../src/calibrate/select/degradation.js';
import {
  checkSame,
  parseRanking,
  type Ranking,
  ranked,
  spearman,
} from '../../../src/calibrate/select/ranking.js';

const harm = (sqnr: number | null, more: Partial<Degradation> = {}): Degradation => {
  return { sqnr, maxAbs: 1, cosine: 1, agreement: null, top1Drop: null, broken: 0, problem: null, ...more };
};

const site = (label: string, measured: Degradation | null, estimate: Degradation | null = null) => {
  const place = { scope: 'graph', label, node: label, output: label, kind: 'relu', elemType: 'f32', beta: 1 };
  return { ...place, estimate, measured };
};

const RANKING: Ranking = {
  schema: 'onnx-mish/ranking@1',
  model: { name: 'm.onnx', sha256: ['ab'] },
  form: 'softplus',
  beta: 1,
  measuredIn: 'exp',
  data: { source: 'npz', noise: null, seed: 0, runs: 4, of: 4, samples: 4, labelled: false, sha256: 'cd' },
  estimateSamples: 16,
  sites: [site('a', harm(20))],
  skipped: [],
  spearman: null,
};

test('a ranking is read with an interval of top-1, without one, and not with another value', () => {
  const withInterval = (top1DropInterval: unknown) =>
    parseRanking({ ...RANKING, sites: [site('a', { ...harm(20), top1DropInterval } as Degradation)] });
  expect(withInterval(undefined).sites).toHaveLength(1);
  expect(withInterval([-1, 2]).sites).toHaveLength(1);
  for (const wrong of [null, [1], [1, '2'], 'no'])
    expect(() => withInterval(wrong)).toThrow('not a valid measurement');
});

test('measured sites come first, then estimated ones, then the rest, from the least to the most degrading', () => {
  const order = ranked([
    site('unknown', null),
    site('estimated 5', null, harm(5)),
    site('estimated 50', null, harm(50)),
    site('NaN', harm(99, { broken: 1 })),
    site('10 dB', harm(10), harm(1)),
    site('exact', harm(null, { maxAbs: 0 })),
    site('does not run', harm(99, { problem: 'no' })),
    site('30 dB', harm(30), harm(0)),
  ]);
  expect(order.map(({ label }) => label)).toEqual([
    ...['exact', '30 dB', '10 dB', 'NaN', 'does not run'],
    ...['estimated 50', 'estimated 5', 'unknown'],
  ]);
});

describe('Spearman', () => {
  test('has known values', () => {
    expect(spearman([1, 2, 3], [10, 20, 30])).toBeCloseTo(1, 12);
    expect(spearman([1, 2, 3], [3, 2, 1])).toBeCloseTo(-1, 12);
    // 1 - 6 Σd² / (n (n² - 1)) with d = 0, 1, 1, 0
    expect(spearman([1, 2, 3, 4], [1, 3, 2, 4])).toBeCloseTo(1 - 12 / 60, 12);
    expect(spearman([1, 2, 2, 3], [1, 2, 2, 3])).toBeCloseTo(1, 12);
    const { POSITIVE_INFINITY: top, NEGATIVE_INFINITY: bottom } = Number;
    expect(spearman([top, top, 3, bottom], [9, 9, 4, 1])).toBeCloseTo(1, 12);
  });

  test('is null without enough values', () => {
    expect(spearman([1, 2], [1, 2])).toBeNull();
    expect(spearman([1, 1, 1], [1, 2, 3])).toBeNull();
  });

  test('is symmetric, between -1 and 1, and unchanged by monotone functions', () => {
    const pairs = fc.array(fc.tuple(fc.integer(), fc.integer()), { minLength: 3, maxLength: 20 });
    fc.assert(
      fc.property(pairs, (values) => {
        const [x, y] = [values.map(([a]) => a), values.map(([, b]) => b)];
        const rho = spearman(x, y);
        expect(spearman(y, x)).toEqual(rho);
        if (rho === null) return;
        expect(Math.abs(rho)).toBeLessThanOrEqual(1 + 1e-12);
        expect(
          spearman(
            x.map((value) => 3 * value + 1),
            y,
          ),
        ).toBeCloseTo(rho, 12);
      }),
    );
  });
});

describe('a file of a ranking', () => {
  test('is read as written', () => {
    const again = JSON.parse(JSON.stringify(RANKING));
    expect(parseRanking(again)).toEqual(RANKING);
  });

  const spoilt = (change: object) => ({ ...RANKING, ...change });
  const spoiltSite = (change: object) => spoilt({ sites: [{ ...RANKING.sites[0], ...change }] });
  test.each([
    [undefined, /not a valid onnx-mish\/ranking@1/],
    [null, /is not a valid/],
    [[], /is not a valid/],
    ['text', /is not a valid/],
    [{}, /is not a valid/],
    [spoilt({ schema: 'onnx-mish/ranking@2' }), /is not a valid/],
    [spoilt({ model: { name: 'm', sha256: 'ab' } }), /model/],
    [spoilt({ form: 'constructor' }), /form/],
    [spoilt({ beta: '1' }), /beta/],
    [spoilt({ data: {} }), /data/],
    [spoilt({ sites: {} }), /sites must be a list/],
    [spoilt({ sites: [null] }), /sites\[0\] must be an object/],
    [spoilt({ skipped: null }), /skipped/],
    [spoiltSite({ output: 7 }), /sites\[0\]\.output/],
    [spoiltSite({ beta: null }), /sites\[0\]\.beta/],
    [spoiltSite({ measured: undefined }), /sites\[0\]\.measured/],
    [spoiltSite({ measured: 20 }), /sites\[0\]\.measured/],
    [spoiltSite({ measured: { ...harm(1), sqnr: 'high' } }), /sites\[0\]\.measured/],
    [spoiltSite({ estimate: { ...harm(1), broken: null } }), /sites\[0\]\.estimate/],
  ])('%# is refused', (json, message) => {
    expect(() => parseRanking(json, 'r.json')).toThrow(message);
    expect(() => parseRanking(json, 'r.json')).toThrow(/^r\.json: .*a file with a ranking/);
  });

  test.each<[Partial<Ranking>, RegExp, OptionHint?]>([
    [{ model: { name: 'm.onnx', sha256: ['ef'] } }, /is of another model \('m.onnx'\)/],
    [{ form: 'exp' }, /form softplus, and now form is exp.*go back to form softplus/, { form: 'softplus' }],
    [{ beta: 2 }, /beta 1, and now beta is 2.*go back to beta 1/, { beta: 1 }],
    [{ data: { ...RANKING.data, seed: 3 } }, /seed 0, and now seed is 3.*go back to seed 0/, { seed: 0 }],
    [
      { data: { ...RANKING.data, samples: 9 } },
      /samples 4, and now samples is 9.*go back to samples 4/,
      { samples: 4 },
    ],
    [{ data: { ...RANKING.data, sha256: 'other' } }, /other samples/],
    [{ data: { ...RANKING.data, labelled: true } }, /other samples/],
    [{ measuredIn: 'softplus' }, /another form or with another number/],
  ])('of something else is not gone on with: %#', (change, message, option = {}) => {
    expect(() => checkSame(RANKING, { ...RANKING, ...change })).toThrow(message);
    expect(() => checkSame(RANKING, { ...RANKING, ...change })).toThrow(
      expect.objectContaining({ option: { before: null, ...option } }),
    );
    expect(() => checkSame(RANKING, RANKING)).not.toThrow();
  });
});
