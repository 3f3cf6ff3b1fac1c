import { describe, expect, test } from 'vitest';
import { validateFiles } from '../../src/validate/files.js';
import { parseReport, reportJsonSchema } from '../../src/validate/report.js';
import committed from '../../src/validate/report.schema.json' with { type: 'json' };
import { checkThresholds, judge } from '../../src/validate/thresholds.js';
import { REAL_MODELS } from '../support/models.js';

interface Schema {
  description?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
}

test('the committed JSON Schema is the one the code has', () => {
  expect(committed).toEqual(JSON.parse(JSON.stringify(reportJsonSchema())));
});

test('every field is described', () => {
  const undescribed: string[] = [];
  const visit = (schema: Schema, path: string) => {
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      if (field.description === undefined) undescribed.push(`${path}.${name}`);
      visit(field, `${path}.${name}`);
    }
    if (schema.items !== undefined) visit(schema.items, `${path}[]`);
    for (const choice of schema.anyOf ?? []) visit(choice, path);
  };
  visit(committed as Schema, 'report');
  expect(undescribed).toEqual([]);
});

test('what is no report is refused by the name of its field', async () => {
  const report = await validateFiles(REAL_MODELS.alexa, REAL_MODELS.alexa, { runs: 1, latency: false });
  expect(parseReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
  const wrong = { ...report, host: { ...report.host, cores: 'two' } };
  expect(() => parseReport(wrong, 'r.json')).toThrow(
    expect.objectContaining({
      code: 'bad-data',
      where: 'r.json',
      what: expect.stringContaining('host.cores'),
    }),
  );
  expect(() => parseReport({ ...report, schema: 'onnx-mish/report@2' })).toThrow(/schema/);
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

  test('what could not be measured has not been kept', () => {
    for (const name of ['minTop1', 'maxTop1Drop', 'maxLatencyRatio', 'maxKernelError'] as const) {
      expect(judge('cpu', row, { [name]: 1 })).toMatchObject([{ value: null, passed: false }]);
    }
    const broken = { ...row, drift: [drift, { ...drift, maxAbs: null }] };
    expect(judge('cpu', broken, { maxAbs: 1 })).toMatchObject([{ value: 0.5, passed: false }]);
  });

  test('the worst output counts, and identical outputs keep any SQNR', () => {
    const two = { ...row, drift: [drift, { ...drift, maxAbs: 2 }] };
    expect(judge('cpu', two, { maxAbs: 1 })).toMatchObject([{ value: 2, passed: false }]);
    const same = { ...row, drift: [{ ...drift, maxAbs: 0, sqnr: null }] };
    expect(judge('cpu', same, { minSqnr: 100 })).toMatchObject([{ passed: true }]);
  });

  test('outputs that are not finite or cannot be compared fail unasked', () => {
    const nan = { ...row, drift: [drift, { ...drift, broken: 3 }] };
    const verdict = { threshold: 'maxBroken', limit: 0, passed: false, binding: true };
    expect(judge('cpu', nan, {})).toEqual([{ ...verdict, provider: 'cpu', value: 3 }]);
    const shapes = { ...row, drift: [{ ...drift, problem: 'its shape is [1] and should be [2]' }] };
    expect(judge('cpu', shapes, {})).toEqual([{ ...verdict, provider: 'cpu', value: null }]);
  });

  test('parity with the CPU is judged unasked, by what the provider may differ', () => {
    const parity = { original: [{ ...drift, maxAbs: 5 }], swapped: [{ ...drift, maxAbs: 0.005 }] };
    expect(judge('webgl', { ...row, parity }, {})).toEqual([
      { provider: 'webgl', threshold: 'maxParity', limit: 1e-3, value: 0.0005, passed: true, binding: true },
      // A wrong original is a finding: what was asked about is the swapped model.
      {
        provider: 'webgl',
        threshold: 'maxOriginalParity',
        limit: 1e-3,
        value: 0.5,
        passed: false,
        binding: false,
      },
    ]);
    expect(judge('wasm', { ...row, parity }, {})[0]).toMatchObject({ limit: 1e-4, passed: false });
    expect(judge('wasm', { ...row, parity }, { maxParity: 0.01 })[0]).toMatchObject({ passed: true });
    expect(judge('wasm', { ...row, parity }, {}, 'f16')[0]).toMatchObject({ limit: 0.05, passed: true });
    // Outputs next to 0 are held against what the output can be, which the original shows.
    const small = { original: [{ ...drift, maxAbs: 0 }], swapped: [{ ...drift, maxAbs: 1e-6, scale: 1e-6 }] };
    expect(judge('wasm', { ...row, parity: small }, {})[0]).toMatchObject({ value: 1e-7, passed: true });
    const lost = { original: [drift], swapped: [{ ...drift, maxAbs: null }] };
    expect(judge('wasm', { ...row, parity: lost }, {})[0]).toMatchObject({ value: null, passed: false });
  });

  test('have to be numbers', () => {
    for (const maxAbs of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => checkThresholds({ maxAbs })).toThrow(expect.objectContaining({ code: 'bad-usage' }));
    }
    checkThresholds({ maxAbs: 0, minSqnr: undefined });
  });

  test('none asked for, none judged', () => {
    expect(judge('cpu', row, {})).toEqual([]);
  });
});
