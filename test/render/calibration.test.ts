import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { clean } from '../../src/cli/text/text.js';
import { seededFeeds } from '../../src/data/dataset.js';
import { type Calibration, calibrate } from '../../src/node/calibrate.js';
import { describeResult, outputRows } from '../../src/render/calibration-figures.js';
import { renderCalibration, renderHtmlCalibration } from '../../src/render/index.js';
import { launchBrowser } from '../support/browser.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';
import { HOSTILE_NAMES } from '../support/reports.js';

const { report: real } = await calibrate(bytesOf(REAL_MODELS.alexa), {
  ...{ data: (inputs) => seededFeeds(inputs, { count: 96 }), samples: 96, steps: 12, beta: 1 },
});
const [layer] = real.layers;
const [site] = real.sites;
const [drift] = real.swapped.drift;
if (layer === undefined || site === undefined || drift === undefined)
  throw new Error('nothing was calibrated');

const kept = { measure: 'agreement', sense: '>=', limit: 0.98, value: 0.5, kept: false } as const;

/** Names as somebody would choose who wants to break a page, and everything missing that can be. */
const hostile: Calibration = {
  ...real,
  ...{ beta: null, original: null, kept: 'swapped', tuning: null },
  sites: HOSTILE_NAMES.map((name, index) => ({
    ...site,
    ...{ label: name, node: name, output: name, kind: index % 2 === 0 ? 'relu' : name },
    ...{ beta: index + 1, bends: index === 1 ? null : 0.5, ...(index === 2 ? { leak: 0.1 } : {}) },
  })),
  layers: HOSTILE_NAMES.map((name, index) => ({
    ...layer,
    ...{ label: name, op: index % 2 === 0 ? 'Conv' : name, output: name },
    ...(index === 0 ? { before: 0, after: 0, method: 'none' as const, ridge: null, tried: [] } : {}),
    ...(index === 1 ? { before: 1e12, after: 1e9 } : {}),
    ...(index === 2 ? { before: Number.NaN, after: Number.NaN } : {}),
  })),
  leftAlone: HOSTILE_NAMES.map((name) => ({ label: name, op: name, why: name })),
  notes: [...HOSTILE_NAMES],
  leaky: { sites: 3, measure: 'sqnr', mish: null, mixture: 12 },
  curved: {
    ...{ share: 0.75, folded: [], weights: 0 },
    kept: HOSTILE_NAMES.map((name) => ({ scope: name, label: name, output: name, beta: 2.5, why: name })),
  },
  int8: {
    ...{ way: 'qlinear', sites: 3, onIntegers: 2, scales: 5, biases: 1, bound: 0.05, tensors: 4 },
    ...{ ranges: 'error', tried: [{ rule: 'error', sqnr: null, agreement: null }], float: real.swapped },
  },
  sharpness: {
    ...{ budget: [kept], kept: false, verdicts: [kept] },
    trials: [{ scale: 4, median: 4, tuned: true, verdicts: [kept] }],
  },
  swapped: {
    accuracy: null,
    drift: HOSTILE_NAMES.map((output, index) => ({
      ...{ ...drift, output },
      ...(index === 1 ? { sqnr: null, maxAbs: null, rmse: null, cosine: null, broken: 3 } : {}),
      ...(index === 2 ? { sqnr: null, maxAbs: null, rmse: null, cosine: null, problem: output } : {}),
    })),
  },
  calibrated: {
    accuracy: null,
    drift: HOSTILE_NAMES.map((output) => ({ ...drift, output, maxAbs: 0, sqnr: null })),
  },
};

/** The text of a page as a reader has it. */
const wordsOf = (html: string) =>
  html
    .replace(/<(style|script)>.*?<\/\1>/gs, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');

describe('the page', async () => {
  const html = await renderHtmlCalibration(real, 'alexa.onnx');

  test('has one chart of the outputs and one of the layers, each with a table', () => {
    const figures = html.match(/<figure.*?<\/figure>/gs) ?? [];
    expect(figures).toHaveLength(2);
    for (const figure of figures) expect(figure).toMatch(/<svg.*<details><summary>Table<\/summary>.*<td/s);
    const words = wordsOf(html);
    for (const part of [
      'alexa.onnx',
      '2 sites → Mish in the softplus form.',
      '72 noise samples to fit weights, 12 to choose between fits, 12 to test the result (seed 0).',
      'the samples are noise',
      '12 samples are too few to choose or test a result',
      '12 gradient steps on all layers',
      'plain swap',
      'least-squares',
      String(layer.parameters),
    ])
      expect(words).toContain(part);
    expect(html.length).toBeLessThan(500_000);
  });

  test('shows each error in a tooltip', () => {
    expect(html).toMatch(/aria-label="[^"]*&#xA;before: [\d.e-]+ %"/);
    expect(html).toMatch(/aria-label="[^"]*&#xA;after: [\d.e-]+ %"/);
  });

  test('is identical for the same calibration', async () => {
    expect(await renderHtmlCalibration(real, 'alexa.onnx')).toBe(html);
  });
});

test('a page shows missing figures, the result that was kept, and the β of each site', async () => {
  const words = wordsOf(await renderHtmlCalibration(hostile, 'm'));
  for (const part of [
    'not repaired',
    'The PLAIN SWAP was written', // with int8, it is that of swap --int8
    'with a separate β for each',
    'NOT kept',
    'mixture, α 0.1',
    '> 1000 %',
    'not changed',
    '3 not finite',
    'not comparable',
    'exact',
  ])
    expect(words).toContain(part);
  for (const part of ['undefined', 'Infinity', 'NaN']) expect(words).not.toContain(part);
  const empty: Calibration = { ...real, sites: [], layers: [], tuning: null, notes: ['nothing to swap'] };
  const nothing = wordsOf(await renderHtmlCalibration(empty, 'm'));
  expect(nothing).toContain('No layer after a site could be fitted again.');
  expect(nothing).toContain('The model was written unchanged');
});

test('a page of hundreds of layers has a few megabytes, and says how many it leaves out', async () => {
  const layers = Array.from({ length: 500 }, (_, index) => ({ ...layer, label: `layer ${index}` }));
  const html = await renderHtmlCalibration({ ...real, layers }, 'm');
  expect(html.length).toBeLessThan(4_000_000);
  expect(wordsOf(html)).toContain('The first 60 of 500.');
});

test('hostile names in a page run no script, send no request and break no layout', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'onnx-mish-html-'));
  const browser = await launchBrowser([]);
  try {
    const path = join(folder, 'hostile.html');
    await writeFile(path, await renderHtmlCalibration(hostile, HOSTILE_NAMES[0] ?? ''));
    for (const width of [360, 1440]) {
      const page = await browser.newPage({ viewport: { width, height: 800 } });
      const seen: string[] = [];
      page.on('dialog', (dialog) => {
        seen.push(`dialog ${dialog.message()}`);
        return dialog.dismiss();
      });
      page.on('console', (message) => seen.push(`console ${message.text()}`));
      page.on('pageerror', (error) => seen.push(`error ${error.message}`));
      page.on('request', (request) => {
        if (request.url() !== pathToFileURL(path).href) seen.push(`request ${request.url()}`);
      });
      await page.goto(pathToFileURL(path).href, { waitUntil: 'load' });
      const state = await page.evaluate(() => ({
        hacked: 'hacked' in window,
        scripts: document.scripts.length,
        strangers: document.querySelectorAll('img, evil, iframe, link, [onerror], [onload]').length,
        wide: document.documentElement.scrollWidth,
      }));
      expect(state).toEqual({ hacked: false, scripts: 1, strangers: 0, wide: width });
      expect(seen).toEqual([]);
      await page.close();
    }
  } finally {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  }
});

describe('in a terminal', () => {
  test('hostile names are escaped and shortened', () => {
    const text = renderCalibration(hostile, { clean });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for them
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    for (const part of ['undefined', 'Infinity', 'NaN']) expect(text).not.toContain(part);
    expect(text).toContain('> 1000 %');
    expect(text).toContain('The PLAIN SWAP was written: on 12 test samples');
    expect(text.length).toBeLessThan(20_000);
  });

  test('the middle of a long list of layers is left out, unless all are wanted', () => {
    const layers = Array.from({ length: 100 }, (_, index) => ({ ...layer, label: `layer${index}.` }));
    const leftAlone = layers.map(({ label, op }) => ({ label, op, why: 'because' }));
    const many = { ...real, layers, leftAlone };
    const hint = '--all lists them';
    const text = renderCalibration(many, { clean, hint });
    expect(text).toContain('… 60 more (--all lists them)');
    expect(text).toContain('and 60 more not repaired (--all lists them)');
    for (const shown of ['layer0.', 'layer19.', 'layer80.', 'layer99.']) expect(text).toContain(`${shown} `);
    const all = renderCalibration(many, { clean, all: true, hint });
    expect(all).toContain('layer50.');
    expect(all).not.toContain('--all lists them');
    expect(renderCalibration(many, { clean })).toMatch(/… 60 more\s/);
  });

  test('a table fits into 100 columns', () => {
    const long = (name: string) => `/model/features/${name.repeat(30)}`;
    const layers = real.layers.map((one, index) => ({ ...one, label: long(`l${index}`) }));
    const text = renderCalibration({ ...real, layers }, { clean });
    const table = text.split('\n').filter((line) => / (Gemm|Conv|MatMul) /.test(line));
    expect(table).toHaveLength(layers.length);
    for (const line of table) expect(line.length).toBeLessThanOrEqual(100);
  });

  test('says what the calibration did', () => {
    const text = renderCalibration(real, { clean });
    expect(text).toContain('2 sites → Mish in the softplus form.');
    expect(text).toContain('note: the samples are noise');
    expect(text).toMatch(/^The (calibrated model|PLAIN SWAP) was written/m);
    expect(
      renderCalibration({ ...real, samples: { ...real.samples, source: 'npz' } }, { clean }),
    ).not.toContain('noise');
    const untouched = {
      ...real,
      layers: real.layers.map((one) => ({ ...one, method: 'none' as const })),
      tuning: null,
    };
    expect(renderCalibration(untouched, { clean })).toContain(
      'The PLAIN SWAP was written: no weight was changed',
    );
  });

  test('says of a swap with chosen β that it is no plain one, and that folded weights are changed', () => {
    for (const [beta, folded] of [
      [1, 0],
      [2.5, 0],
      [2.5, 1],
    ] as const) {
      const kept = { scope: 'graph', label: 'a', output: 'a', beta };
      const chosen = {
        ...real,
        ...{ beta: null, tuning: null },
        curved: { share: 0.75, folded: [kept].slice(0, folded), kept: [], weights: 2 * folded },
        sites: real.sites.map((site) => ({ ...site, beta })),
        layers: real.layers.map((one) => ({ ...one, method: 'none' as const })),
      };
      const name = beta === 1 ? 'plain swap' : 'unrepaired swap';
      expect(outputRows(chosen).map(([, row]) => row)).toContain(name);
      expect(describeResult(chosen)).toContain(
        `The ${name.toUpperCase()} was written: no weight was ${folded > 0 ? 'repaired' : 'changed'}`,
      );
    }
  });
});
