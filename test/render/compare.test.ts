import { expect, test } from 'vitest';
import { validateFiles } from '../../src/node/validate-files.js';
import { compareReports } from '../../src/render/compare.js';
import { REAL_MODELS } from '../support/models.js';
import { richReport } from '../support/reports.js';

const real = await validateFiles(REAL_MODELS.alexa, REAL_MODELS.alexa, {
  runs: 1,
  latency: { minPairs: 5, minSeconds: 0 },
  thresholds: { maxAbs: 0 },
});
const rich = richReport(real);

test('a report compared with itself has no warnings and no changes', () => {
  const { warnings, general, providers } = compareReports(rich, rich);
  expect(warnings).toEqual([]);
  for (const { same, change } of [...general, ...providers.flatMap(({ changes }) => changes)]) {
    expect([same, change]).toEqual([true, '']);
  }
});

test('a comparison lists changes of latency, accuracy and verdict', () => {
  const later = {
    ...rich,
    passed: true,
    providers: rich.providers.map((row) => ({
      ...row,
      latency: row.latency && {
        ...row.latency,
        swapped: { ...row.latency.swapped, p50: 2 * row.latency.swapped.p50 },
      },
      parity: row.parity && {
        ...row.parity,
        swapped: row.parity.swapped.map((one) => ({ ...one, sqnr: (one.sqnr ?? 0) - 10 })),
      },
    })),
    verdicts: rich.verdicts.map((verdict) => ({ ...verdict, passed: !verdict.passed })),
  };
  const { general, providers } = compareReports(rich, later);
  expect(general[0]).toEqual({
    what: 'report',
    a: 'did not pass',
    b: 'limits kept',
    change: '',
    same: false,
  });
  const webgl = providers.find(({ provider }) => provider === 'webgl')?.changes ?? [];
  const change = (what: RegExp) => webgl.find((one) => what.test(one.what));
  expect(change(/^swapped p50/)).toMatchObject({ change: '× 2', same: false });
  expect(change(/^swapped p50/)?.b).toMatch(/software rendering$/);
  expect(change(/^original p50/)).toMatchObject({ change: '', same: true });
  expect(change(/^swapped against CPU.*SQNR/)).toMatchObject({ a: '71.9', b: '61.9', change: '−10 dB' });
  expect(change(/^verdict maxParity/)).toMatchObject({
    a: 'pass (2.2e-4 ≤ 0.001)',
    b: 'FAIL (2.2e-4 > 0.001)',
  });
});

test('a comparison warns about different data or hosts', () => {
  const other = {
    ...rich,
    host: { ...rich.host, onnxruntime: '9.9.9' },
    data: { ...rich.data, sha256: '0'.repeat(64) },
  };
  const { warnings } = compareReports(rich, other);
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toMatch(/different data \(noise of seed 0, .*: drift and accuracy are not comparable$/);
  expect(warnings[1]).toMatch(
    /^The hosts differ \(ONNX Runtime: \S+ and 9.9.9\): latencies are not comparable$/,
  );
});

test('a comparison warns about other labels of the same inputs', () => {
  const interval = { low: 0, high: 1 };
  const judged = (n: number, top1: number) => {
    const accuracy = { n, top1, top5: 1, top1Interval: interval, top5Interval: interval };
    const both = { output: 'y', threshold: null, original: accuracy, swapped: accuracy };
    return { ...real, providers: real.providers.map((row) => ({ ...row, accuracy: both })) };
  };
  const warned = (a: ReturnType<typeof judged>, b: ReturnType<typeof judged>) =>
    compareReports(a, b).warnings;
  expect(warned(judged(8, 0.5), judged(8, 0.5))).toEqual([]);
  for (const other of [judged(7, 0.5), judged(8, 0.625)])
    expect(warned(judged(8, 0.5), other)).toEqual([expect.stringContaining('the labels, or the rounding')]);
});

test('models with the same name and different bytes differ', () => {
  const { swapped } = rich.models;
  const models = { ...rich.models, swapped: { ...swapped, sha256: 'f'.repeat(64) } };
  const { general } = compareReports(rich, { ...rich, models });
  expect(general.filter(({ same }) => !same)).toMatchObject([
    { what: 'swapped model', change: 'another model' },
  ]);
});

test('the first warning is about different originals', () => {
  const { original } = rich.models;
  const models = { ...rich.models, original: { ...original, sha256: 'f'.repeat(64) } };
  expect(compareReports(rich, { ...rich, models }).warnings[0]).toMatch(
    /^The originals are different models/,
  );
});

test('a provider that is only in one report is compared with its absence', () => {
  const { providers } = compareReports(real, rich);
  expect(providers.map(({ provider }) => provider)).toEqual(['cpu', 'webgl', 'webgpu', 'wasm']);
  expect(providers[1]?.changes[0]).toMatchObject({
    what: 'status',
    a: 'not requested',
    b: 'ran',
    same: false,
  });
});
