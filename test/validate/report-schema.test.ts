import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { top1Drop } from '../../src/metrics/accuracy.js';
import { validateFiles } from '../../src/node/validate-files.js';
import committed from '../../src/validate/report.schema.json' with { type: 'json' };
import { parseReport, reportJsonSchema } from '../../src/validate/report-schema.js';
import { checkThresholds, judge, notesOnThresholds, withLimits } from '../../src/validate/thresholds.js';
import { type JsonSchema, undescribedFields } from '../support/json-schema.js';
import { REAL_MODELS } from '../support/models.js';

test('the committed JSON Schema equals the schema in the code', () => {
  expect(committed).toEqual(JSON.parse(JSON.stringify(reportJsonSchema())));
});

test('every field is described', () => {
  expect(undescribedFields(committed as JsonSchema, 'report')).toEqual([]);
});

test('an invalid report is refused with the name of the invalid field', async () => {
  const report = await validateFiles(REAL_MODELS.alexa, REAL_MODELS.alexa, { runs: 1, latency: false });
  expect(parseReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
  // Two sessions are open at once: the threads of the one that waits must not spin.
  expect(report.providers.map(({ runtime }) => runtime?.spinning)).toEqual([false]);
  const wrong = { ...report, host: { ...report.host, cores: 'two' } };
  expect(() => parseReport(wrong, 'r.json')).toThrow(
    expect.objectContaining({
      code: 'bad-data',
      where: 'r.json',
      what: expect.stringContaining('host.cores'),
    }),
  );
  expect(() => parseReport({ ...report, schema: 'onnx-mish/report@3' })).toThrow(/schema/);
});

test('a report of the previous version is read, and its drop of top-1 accuracy converted to points', async () => {
  const report = await validateFiles(REAL_MODELS.alexa, REAL_MODELS.alexa, { runs: 1, latency: false });
  const other = {
    provider: 'cpu',
    threshold: 'minTop1',
    limit: 0.5,
    value: 0.6,
    passed: true,
    binding: true,
  };
  fc.assert(
    fc.property(fc.nat(1000), fc.option(fc.nat(1000)), (limit, value) => {
      const drop = { ...other, threshold: 'maxTop1Drop' };
      const share = { ...drop, limit: limit / 1000, value: value === null ? null : value / 1000 };
      const points = { ...drop, limit: limit / 10, value: value === null ? null : value / 10 };
      const { notes: _, ...old } = { ...report, schema: 'onnx-mish/report@1', verdicts: [other, share] };
      expect(parseReport(old)).toEqual({ ...report, notes: [], verdicts: [other, points] });
    }),
    { numRuns: 50, seed: 14 },
  );
});

test('a report with the earlier name of the kernel’s limit is read with the present one', async () => {
  const report = await validateFiles(REAL_MODELS.alexa, REAL_MODELS.alexa, { runs: 1, latency: false });
  const verdict = { provider: 'cpu', limit: 1, value: 0, passed: true, binding: true };
  const earlier = { ...report, verdicts: [{ ...verdict, threshold: 'maxKernel' }] };
  expect(parseReport(earlier).verdicts).toEqual([
    { ...verdict, threshold: 'maxKernelError', requested: false },
  ]);
});

describe('thresholds', () => {
  const drift = {
    output: 'y',
    n: 10,
    maxAbs: 0.5,
    scale: 10,
    meanAbs: 0.1,
    rmse: 0.2,
    cosine: 0.99,
    sqnr: 20,
    top1: 0.9,
    top5: 1,
    broken: 0,
    brokenInReference: 0,
    isText: false,
    areLabels: false,
    problem: null,
  };
  const row = { drift: [drift], kernel: [], accuracy: null, latency: null, parity: null };

  test.each([
    ['maxAbs', 0.5, true],
    ['maxAbs', 0.4, false],
    ['minCosine', 0.99, true],
    ['minCosine', 0.999, false],
    ['minSqnr', 20, true],
    ['minSqnr', 21, false],
    ['minAgreement', 0.9, true],
    ['minAgreement', 0.95, false],
  ] as const)('%s %s: %s', (name, limit, passed) => {
    expect(judge('cpu', row, { [name]: limit })).toMatchObject([{ threshold: name, limit, passed }]);
  });

  test('fail if the figure could not be measured', () => {
    for (const name of ['minTop1', 'maxTop1Drop', 'maxLatencyRatio', 'maxKernelError'] as const) {
      expect(judge('cpu', row, { [name]: 1 })).toMatchObject([{ value: null, passed: false }]);
    }
    const broken = { ...row, drift: [drift, { ...drift, maxAbs: null }] };
    expect(judge('cpu', broken, { maxAbs: 1 })).toMatchObject([{ value: 0.5, passed: false }]);
  });

  test('the drop of top-1 accuracy is in percentage points, and half a point is half a point', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.nat(), fc.nat(), (n, a, b) => {
        const [before, after] = [a % (n + 1), b % (n + 1)];
        const of = (right: number) => ({ n, top1: right / n, top5: 1 });
        expect(top1Drop(of(before), of(after))).toBe((100 * (before - after)) / n);
      }),
      { numRuns: 200, seed: 14 },
    );
    const accuracy = {
      output: 'y',
      original: { n: 200, top1: 0.9, top5: 1 },
      swapped: { n: 200, top1: 0.895, top5: 1 },
    };
    const [kept, lost] = [0.5, 0.4].flatMap((maxTop1Drop) =>
      judge('cpu', { ...row, accuracy }, { maxTop1Drop }),
    );
    expect(kept).toMatchObject({ value: 0.5, passed: true });
    expect(lost).toMatchObject({ value: 0.5, passed: false });
  });

  test.each([
    [0.005, ['maxTop1Drop is in percentage points: 0.005 is 0.005 points; for the share 0.005, give 0.5']],
    [0.0199, [expect.stringContaining('give 1.99')]],
    [0.02, []],
    [0, []],
    [-1, []],
    [undefined, []],
  ])('a limit of %s points is noted as %j', (maxTop1Drop, notes) => {
    expect(notesOnThresholds({ maxTop1Drop })).toEqual(notes);
  });

  test('the worst output counts, and identical outputs keep any SQNR', () => {
    const two = { ...row, drift: [drift, { ...drift, maxAbs: 2 }] };
    expect(judge('cpu', two, { maxAbs: 1 })).toMatchObject([{ value: 2, passed: false }]);
    const same = { ...row, drift: [{ ...drift, maxAbs: 0, sqnr: null }] };
    expect(judge('cpu', same, { minSqnr: 100 })).toMatchObject([{ passed: true }]);
  });

  test('outputs that are not finite or cannot be compared fail without a threshold', () => {
    const nan = { ...row, drift: [drift, { ...drift, broken: 3 }] };
    const verdict = { threshold: 'maxBroken', limit: 0, passed: false, binding: true, requested: false };
    expect(judge('cpu', nan, {})).toEqual([{ ...verdict, provider: 'cpu', value: 3 }]);
    const shapes = { ...row, drift: [{ ...drift, problem: 'its shape is [1], expected [2]' }] };
    expect(judge('cpu', shapes, {})).toEqual([{ ...verdict, provider: 'cpu', value: null }]);
  });

  test('of a kernel’s error replaces the provider’s', () => {
    const found = judge('cpu', row, { maxKernelError: 1 });
    expect(found.map(({ threshold, requested }) => [threshold, requested])).toEqual([
      ['maxKernelError', true],
    ]);
  });

  test('parity with the CPU is compared with the provider’s tolerance without a threshold', () => {
    const parity = { original: [{ ...drift, maxAbs: 5 }], swapped: [{ ...drift, maxAbs: 0.005 }] };
    expect(judge('webgl', { ...row, parity }, {})).toEqual([
      {
        ...{ provider: 'webgl', threshold: 'maxParity', limit: 1e-3, value: 0.0005 },
        ...{ passed: true, binding: true, requested: false },
      },
      // A wrong original is a finding: what was asked about is the swapped model.
      {
        provider: 'webgl',
        threshold: 'maxOriginalParity',
        limit: 1e-3,
        value: 0.5,
        passed: false,
        binding: false,
        requested: false,
      },
    ]);
    expect(judge('wasm', { ...row, parity }, {})[0]).toMatchObject({ limit: 1e-4, passed: false });
    expect(judge('wasm', { ...row, parity }, { maxParity: 0.01 })[0]).toMatchObject({
      ...{ passed: true, requested: true },
    });
    expect(judge('wasm', { ...row, parity }, {}, 'f16')[0]).toMatchObject({ limit: 0.05, passed: true });
    // Outputs next to 0 are held against what the output can be, which the original shows.
    const small = { original: [{ ...drift, maxAbs: 0 }], swapped: [{ ...drift, maxAbs: 1e-6, scale: 1e-6 }] };
    expect(judge('wasm', { ...row, parity: small }, {})[0]).toMatchObject({ value: 1e-7, passed: true });
    const lost = { original: [drift], swapped: [{ ...drift, maxAbs: null }] };
    expect(judge('wasm', { ...row, parity: lost }, {})[0]).toMatchObject({ value: null, passed: false });
  });

  test('must be finite numbers', () => {
    for (const maxAbs of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => checkThresholds({ maxAbs })).toThrow(expect.objectContaining({ code: 'bad-usage' }));
    }
    checkThresholds({ maxAbs: 0, minSqnr: undefined });
  });

  test('must be in the range of their metric', () => {
    const error = {
      code: 'bad-usage',
      what: 'the threshold minAgreement is 99',
      fix: 'Give a share from 0 to 1',
    };
    expect(() => checkThresholds({ minAgreement: 99 })).toThrow(expect.objectContaining(error));
    for (const wrong of [{ minCosine: 2 }, { maxAbs: -1 }, { maxTop1Drop: 101 }, { maxParity: -1 }])
      expect(() => checkThresholds(wrong), JSON.stringify(wrong)).toThrow('the threshold');
    checkThresholds({ minAgreement: 1, minCosine: -1, minSqnr: -300, maxTop1Drop: -100, maxLatencyRatio: 0 });
  });

  test.each([
    ['max-abs<=0.5', 'maxAbs'],
    ['cosine>=0.5', 'minCosine'],
    ['sqnr>=0.5', 'minSqnr'],
    ['agreement>=0.5', 'minAgreement'],
    ['top1>=0.5', 'minTop1'],
    ['top1-drop<=0.5', 'maxTop1Drop'],
    ['latency-ratio<=0.5', 'maxLatencyRatio'],
    ['kernel-error<=0.5', 'maxKernelError'],
    ['parity<=0.5', 'maxParity'],
  ] as const)('the limit %s is the threshold %s, and the stricter of two remains', (text, name) => {
    expect(withLimits({}, [text])).toEqual({ [name]: 0.5 });
    const [looser, stricter] = name.startsWith('max') ? [0.75, 0.25] : [0.25, 0.75];
    expect(withLimits({ [name]: looser }, [text])).toEqual({ [name]: 0.5 });
    expect(withLimits({ [name]: stricter }, [text])).toEqual({ [name]: stricter });
    const both = [looser, stricter].map((limit) => text.replace('0.5', `${limit}`));
    expect(withLimits({}, both)).toEqual(withLimits({}, both.toReversed()));
    expect(withLimits({}, both)).toEqual({ [name]: stricter });
  });

  test('give no verdict unless requested', () => {
    expect(judge('cpu', row, {})).toEqual([]);
  });
});
