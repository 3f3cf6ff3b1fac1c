import { describe, expect, test } from 'vitest';
import { clean } from '../../src/cli/text.js';
import { figure, percent, plainTable, renderTerminal } from '../../src/report/terminal.js';
import { validateFiles } from '../../src/validate/files.js';
import { REAL_MODELS } from '../support/models.js';

describe('figures', () => {
  test.each([
    [0, '0'],
    [1.23456, '1.23'],
    [0.00012345, '1.2e-4'],
    [123456, '1.2e5'],
    [-12.5, '-12.5'],
    [null, '–'],
  ] as const)('%s is %s', (value, text) => expect(figure(value)).toBe(text));

  test('shares are per cent', () => {
    expect([percent(1), percent(0.98765), percent(null)]).toEqual(['100 %', '98.8 %', '–']);
  });
});

test('a table lines its columns up and has no trailing blanks', () => {
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
    providers: ['cpu', 'webgl'],
    thresholds: { maxAbs: 0, minSqnr: 10, maxLatencyRatio: 0 },
  });

  test('is plain without colour', () => {
    const text = renderTerminal(report, { colour: false, clean });
    expect(text).not.toContain('\u001b');
    expect(text).toMatch(/^cpu {7}drift of \S+ +0 /m);
    expect(text).toMatch(/exact/);
    expect(text).toMatch(/^webgl: not available: /m);
    expect(text).toMatch(/^pass {2}cpu maxAbs: 0 ≤ 0$/m);
    expect(text).toMatch(/^FAIL {2}cpu maxLatencyRatio: /m);
    expect(text).toMatch(/ × \(.* to .*, 5 pairs\)$/m);
    for (const line of text.split('\n')) expect(line).toBe(line.trimEnd());
  });

  test('colours verdicts and nothing else', () => {
    const coloured = renderTerminal(report, { colour: true, clean });
    expect(coloured).toContain('\u001b[31mFAIL\u001b[39m');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
    expect(coloured.replace(/\u001b\[\d+m/g, '')).toBe(renderTerminal(report, { colour: false, clean }));
  });

  test('prints names of a model harmlessly', () => {
    const [row] = report.providers;
    const evil = {
      ...report,
      providers: [{ ...row, drift: [{ ...row?.drift[0], output: '\u001b[2Jgone\n' }] }],
    };
    const text = renderTerminal(evil as typeof report, { colour: false, clean });
    expect(text).toContain('drift of \\u001b[2Jgone\\u000a');
  });
});
