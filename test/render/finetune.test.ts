import { describe, expect, test } from 'vitest';
import { clean } from '../../src/cli/text/text.js';
import type { FinetuneReport } from '../../src/finetune/report-schema.js';
import { renderFinetune, renderHtmlFinetune } from '../../src/render/index.js';
import { FINETUNE_REPORT } from '../support/finetune-report.js';
import { HOSTILE_NAMES } from '../support/reports.js';

/** Names as somebody would choose who wants to break a page, and everything missing that can be. */
const hostile: FinetuneReport = {
  ...FINETUNE_REPORT,
  ...{ model: HOSTILE_NAMES[0] ?? '', to: HOSTILE_NAMES[1] ?? '', form: HOSTILE_NAMES[2] ?? '' },
  ...{ comparison: null, latency: null, notes: [...HOSTILE_NAMES], conclusion: HOSTILE_NAMES[0] ?? '' },
  start: { ...FINETUNE_REPORT.start, repaired: null },
  runs: HOSTILE_NAMES.map((weight, index) => ({
    ...{ arm: 'swapped' as const, seed: index, before: null, seconds: 0, moved: [{ weight, change: null }] },
    test: { loss: 1, accuracy: null },
    epochs: [{ epoch: 1, loss: 1, accuracy: null, validation: null, rate: 0, seconds: 0 }],
  })),
  units: HOSTILE_NAMES.map((site) => ({ site, count: 4, before: 1, swapped: 1, original: null })),
};

const wordsOf = (html: string) =>
  html
    .replace(/<(style|script)>.*?<\/\1>/gs, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');

describe('in a terminal', () => {
  const text = renderFinetune(FINETUNE_REPORT);

  test('a report has its settings, scores, curves, units, changes and conclusion', () => {
    for (const part of [
      '2 sites → Mish in the softplus form, β = 1; 1 not swapped.',
      '800 training samples, 100 for validation, 100 for the test (split from the data), 10 classes.',
      '2 epochs of batches of 32, cross-entropy, rmsprop at 0.001 (cosine)',
      'plain swap',
      'repaired swap',
      '88 % → 88 % → 90 %',
      '/relu1',
      'all sites',
      'fc.weight',
      FINETUNE_REPORT.conclusion,
      'note: the last 8 samples',
    ])
      expect(text).toContain(part);
    expect(text).not.toContain('/relu2'); // no unit of it is dead
    expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThan(200);
  });

  test('another activation has its sharpness, if it is another than 1', () => {
    const sites = (...betas: number[]) =>
      renderFinetune({
        ...FINETUNE_REPORT,
        to: 'swish',
        sites: betas.map((beta) => ({ label: '/relu1', kind: 'relu', beta })),
      }).split('\n')[0];
    expect(sites(2, 2)).toBe('2 sites → Swish, β = 2; 1 not swapped.');
    expect(sites(2, 4)).toBe('2 sites → Swish, with a separate β for each; 1 not swapped.');
    expect(sites(1, 1)).toBe('2 sites → Swish; 1 not swapped.');
  });

  test('a long list is cut unless all is wanted', () => {
    const moved = Array.from({ length: 30 }, (_, index) => ({ weight: `layer${index}.weight`, change: 0.1 }));
    const long = { ...FINETUNE_REPORT, runs: FINETUNE_REPORT.runs.map((run) => ({ ...run, moved })) };
    expect(renderFinetune(long, { hint: '--all lists them' })).toContain(
      '… 22 more weights (--all lists them)',
    );
    expect(renderFinetune(long, { all: true })).toContain('layer29.weight');
  });

  test('hostile names are escaped and shortened, and missing figures are dashes', () => {
    const shown = renderFinetune(hostile, { clean });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for them
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    for (const part of ['undefined', 'Infinity', 'NaN']) expect(shown).not.toContain(part);
    expect(shown.length).toBeLessThan(30_000);
  });
});

describe('as a page', () => {
  test('a report has a chart of the loss and one of the accuracy, each with a table', async () => {
    const html = await renderHtmlFinetune(FINETUNE_REPORT);
    const figures = html.match(/<figure.*?<\/figure>/gs) ?? [];
    expect(figures).toHaveLength(2);
    for (const figure of figures) expect(figure).toMatch(/<svg.*<details><summary>Table<\/summary>.*<td/s);
    const words = wordsOf(html);
    for (const part of [
      ...['net.onnx , trained', FINETUNE_REPORT.conclusion, 'Mish, trained', 'original, trained'],
      ...['never positive', 'fc.weight', 'McNemar', 'Note: the last 8 samples'],
    ])
      expect(words).toContain(part);
    expect(html.length).toBeLessThan(500_000);
    expect(await renderHtmlFinetune(FINETUNE_REPORT)).toBe(html);
  });

  test('hostile names add no element and no script', async () => {
    const html = await renderHtmlFinetune(hostile);
    expect(html.match(/<script/g)).toHaveLength(1);
    expect(html).not.toMatch(/<(img|evil|iframe|link)|onerror="|onload="/);
    for (const part of ['undefined', 'Infinity', 'NaN']) expect(wordsOf(html)).not.toContain(part);
  });
});
