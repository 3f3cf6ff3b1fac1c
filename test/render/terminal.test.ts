import { describe, expect, test } from 'vitest';
import { clean } from '../../src/cli/text/text.js';
import { validateFiles } from '../../src/node/validate-files.js';
import { compareReports } from '../../src/render/compare.js';
import { figure, percent } from '../../src/render/figures.js';
import { plainTable, renderComparison, renderTerminal } from '../../src/render/terminal.js';
import { REAL_MODELS } from '../support/models.js';
import { hostileReport, richReport } from '../support/reports.js';

describe('figures', () => {
  test.each([
    [0, '0'],
    [1.23456, '1.23'],
    [0.00012345, '1.2e-4'],
    [123456, '1.2e5'],
    [-12.5, '−12.5'],
    [null, '–'],
  ] as const)('%s is %s', (value, text) => expect(figure(value)).toBe(text));

  test('percent formats shares', () => {
    expect([percent(1), percent(0.98765), percent(null)]).toEqual(['100 %', '98.8 %', '–']);
  });
});

test('a table aligns its columns and has no trailing spaces', () => {
  const lines = plainTable(
    ['a', 'b', 'c'],
    [
      ['one', 'x', '1'],
      ['two', 'yy', '22'],
    ],
  ).split('\n');
  expect(lines).toEqual(['a    b    c', 'one  x    1', 'two  yy  22']);
});

describe('a report', async () => {
  const report = await validateFiles(REAL_MODELS.alexa, REAL_MODELS.alexa, {
    runs: 1,
    latency: { minPairs: 5, minSeconds: 0 },
    thresholds: { maxAbs: 0, minSqnr: 10, maxLatencyRatio: 0 },
  });

  test('has no control characters without colour', () => {
    const text = renderTerminal(report, { colour: false, clean });
    expect(renderTerminal(report)).toBe(text);
    expect(text).not.toContain('\u001b');
    expect(text).toMatch(/^cpu {7}drift of \S+ +0 /m);
    expect(text).toMatch(/exact/);
    expect(text).toMatch(/^cpu {7}FAIL +exact /m);
    expect(text).toMatch(/^pass {2}cpu maxAbs: 0 ≤ 0$/m);
    expect(text).toMatch(/^FAIL {2}cpu maxLatencyRatio: /m);
    expect(text).toMatch(/ × \(.* to .*, 5 pairs\)$/m);
    for (const line of text.split('\n')) expect(line).toBe(line.trimEnd());
  });

  test('the five tensors that differ most are listed, worst first, and one without a signal before all', () => {
    const rich = richReport(report);
    const [layers] = rich.layers;
    const [row] = layers?.rows ?? [];
    if (layers === undefined || row === undefined) throw new Error('no layers');
    const rows = [30, 50, 10, null, 20, 60, 40].map((sqnr) => ({
      ...row,
      node: `n${sqnr}`,
      sqnr,
      maxAbs: 1,
      problem: null,
    }));
    const text = renderTerminal({ ...rich, layers: [{ ...layers, runs: 2, rows }] });
    const section = text.split('\n\n').find((part) => part.startsWith('layers of ')) ?? '';
    const [line, head, ...listed] = section.split('\n');
    expect(line).toMatch(/: 7 tensors in the first 2 runs$/);
    expect(head).toMatch(/^largest difference at +operator +SQNR dB +cosine +max abs$/);
    expect(listed.map((one) => one.split(' ')[0])).toEqual(['nnull', 'n10', 'n20', 'n30', 'n40']);
  });

  test('colours only verdicts', () => {
    const coloured = renderTerminal(report, { colour: true, clean });
    expect(coloured).toContain('\u001b[31mFAIL\u001b[39m');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
    expect(coloured.replace(/\u001b\[\d+m/g, '')).toBe(renderTerminal(report, { colour: false, clean }));
  });

  test('escapes names from a model', () => {
    const [row] = report.providers;
    const evil = {
      ...report,
      providers: [{ ...row, drift: [{ ...row?.drift[0], output: '\u001b[2Jgone\n' }] }],
    };
    const text = renderTerminal(evil as typeof report, { colour: false, clean });
    expect(text).toContain('drift of \\u001b[2Jgone\\u000a');
  });

  test('escapes every text of a report, and shortens long names', () => {
    const bell = 'x\u0007';
    const poison = (value: unknown): unknown => {
      if (typeof value === 'string') return `${value}${bell}`;
      if (Array.isArray(value)) return value.map(poison);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, poison(item)]));
    };
    // A report from a file may hold any text, but the status is one of three.
    const status = report.providers.map((row) => ({ ...(poison(row) as typeof row), status: row.status }));
    const evil = { ...(poison(report) as typeof report), providers: status };
    expect(renderTerminal(evil, { colour: false, clean })).not.toContain('\u0007');
    const named = { ...report.models.original, name: `${'a'.repeat(9000)}z` };
    const long = { ...report, models: { ...report.models, original: named } };
    const [first = ''] = renderTerminal(long, { colour: false, clean }).split('\n');
    expect(first).toMatch(/^a{29}…a{28}z against /);
  });

  test('says what was not comparable, not measured or over its limit', () => {
    const [row] = report.providers;
    const [drift] = row?.drift ?? [];
    if (row === undefined || drift === undefined) throw new Error('no drift');
    const problem = 'its shape is [1], expected [2]';
    const nothing = { maxAbs: null, meanAbs: null, rmse: null, cosine: null, sqnr: null };
    const kernel = {
      ...{ kind: 'mish' as const, alpha: null, bound: null, maxScaled: null, curve: [] },
      ...{ form: 'native', beta: 4, elemType: 'f32', opset: 18, n: 9, maxAbs: 1, maxAbsAt: 2, maxUlp: 3 },
      ...{ maxUlpAt: 4, broken: 6, atInfinity: null, atMinusInfinity: null, atNaN: null, problem: null },
    };
    const bad = {
      ...row,
      drift: [
        { ...drift, ...nothing, output: 'y', problem },
        { ...drift, ...nothing, output: 'z', broken: 3 },
      ],
      kernel: [kernel, { ...kernel, form: 'exp', maxAbs: null, problem: 'no kernel' }],
    };
    const verdict = { provider: 'cpu', limit: 1, passed: false, binding: true };
    const text = renderTerminal(
      {
        ...report,
        providers: [bad],
        verdicts: [
          { ...verdict, threshold: 'maxAbs', value: null },
          { ...verdict, threshold: 'minSqnr', value: Number.MAX_VALUE, passed: true },
        ],
      },
      { colour: false, clean },
    );
    expect(text).toMatch(/^cpu {2}drift of y: its shape is \[1\], expected \[2\]$/m);
    expect(text).toMatch(/^cpu {7}drift of z +3 not finite/m);
    expect(text).toMatch(/^cpu {7}Mish \(native, β 4\), f32 +1 +2 +3 +4 +6$/m);
    expect(text).toMatch(/^cpu {2}Mish \(exp, β 4\), f32: no kernel$/m);
    expect(text).toMatch(/^FAIL {2}cpu maxAbs: not measured, limit ≤ 1$/m);
    expect(text).toMatch(/^pass {2}cpu minSqnr: exact ≥ 1$/m);
  });

  test('has one line per provider at the top, and remarks on each below', () => {
    const text = renderTerminal(richReport(report), { colour: false, clean });
    const lines = text.split('\n\n')[1]?.split('\n') ?? [];
    expect(lines[0]).toMatch(
      /^provider +verdict +drift dB +parity dB +kernel +p50 ms +swapped +ratio +rendering$/,
    );
    expect(lines[1]).toMatch(/^cpu +FAIL /);
    expect(lines[2]).toMatch(/^webgl +FAIL .* software$/);
    expect(lines[3]).toMatch(/^webgpu +not available /);
    expect(lines[4]).toMatch(/^wasm +failed /);
    expect(lines).toHaveLength(5);
    expect(text).toMatch(/^webgl +swapped, software rendering +\d/m);
    expect(text).toContain('webgl: the swapped diverges from the CPU at mish_12 (Mul): max abs 0.0021');
    expect(text).toContain('webgl: WebGL runs in float32');
    expect(text).toContain('webgpu: fix: Start Chrome with');
    expect(text).toMatch(/^finding {2}webgl maxOriginalParity: 0.7 > 0.001$/m);
  });

  test('has what failed at the top, and intervals beside accuracies', () => {
    const rich = richReport(report);
    const text = renderTerminal(rich, { colour: false, clean });
    const [head = '', table = ''] = text.split('\n\n');
    expect(head.split('\n').slice(2)).toEqual([
      'failed  wasm: the page ran out of memory',
      expect.stringMatching(/^FAIL {2}cpu maxLatencyRatio: /),
      'FAIL  webgl minSqnr: not measured, limit ≥ 20',
    ]);
    expect(table).toMatch(/^provider /);
    expect(text.match(/^FAIL /gm)).toHaveLength(2);
    // Wilson's intervals of 456 and 442 in 500.
    expect(text).toMatch(
      /^cpu +original, \S+ +91\.2 % \(88\.4 to 93\.4\) +99\.0 % \(97\.7 to 99\.6\) +500$/m,
    );
    expect(text).toMatch(/^cpu +swapped, \S+ +88\.4 % \(85\.3 to 90\.9\) /m);
    const [row] = rich.providers;
    const accuracy = row?.accuracy && {
      ...row.accuracy,
      difference: { value: -0.028, low: -0.05, high: -0.006, midP: 0.0123 },
    };
    const paired = { ...rich, providers: [{ ...row, accuracy }] } as typeof rich;
    expect(renderTerminal(paired)).toMatch(
      /^cpu +swapped minus original +−2\.80 points \(−5\.00 to −0\.60\), mid-p 0\.012$/m,
    );
  });

  test('without a limit has no word of passing, however well the kernel does', () => {
    const verdict = { provider: 'cpu', threshold: 'maxKernelError', limit: 1, value: 0, passed: true };
    const verdicts = [{ ...verdict, binding: true, requested: false }];
    const [, table = ''] = renderTerminal({ ...report, verdicts, passed: true }).split('\n\n');
    expect(table).toMatch(/^cpu +ran /m);
    expect(table).not.toMatch(/pass/);
  });

  test('compared with another report, lists warnings and then changes', () => {
    const later = richReport(report);
    const other = {
      ...later,
      host: { ...later.host, cpu: 'Z80' },
      data: { ...later.data, sha256: 'f'.repeat(64), seed: 9 },
    };
    const same = renderComparison(compareReports(report, report), { colour: false, clean });
    expect(same).toMatch(/^report: unchanged: 3 of 3\n\ncpu: unchanged: (\d+) of \1$/);
    const text = renderComparison(compareReports(report, other), { colour: false, clean });
    expect(text).toMatch(/^differs {2}The models were fed with different data \(noise of seed 0, .*seed 9/);
    expect(text).toMatch(
      /^differs {2}The hosts differ \(processor: .* and Z80\): latencies are not comparable$/m,
    );
    expect(text).toMatch(/^status +not requested +ran/m);
  });

  test('escapes a hostile report', () => {
    const text = renderTerminal(hostileReport(richReport(report)), { colour: false, clean });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none may come through
    expect(text.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u202e]/);
    for (const line of text.split('\n')) expect(line.length).toBeLessThan(4000);
  });
});
