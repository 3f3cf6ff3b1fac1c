import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import chromium from '@sparticuz/chromium';
import { chromium as playwright } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { Activations } from '../../src/calibrate/activations/activations.js';
import { clean } from '../../src/cli/text/text.js';
import { seededFeeds } from '../../src/data/dataset.js';
import { activations } from '../../src/node/calibrate-files.js';
import { renderActivations, renderHtmlActivations } from '../../src/render/index.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';
import { HOSTILE_NAMES } from '../support/reports.js';

const real = await activations(bytesOf(REAL_MODELS.classifier), {
  data: (inputs) => seededFeeds(inputs, { count: 2, shapes: { x: [1, 3, 48, 192] } }),
});
const [first] = real.sites;
if (first === undefined) throw new Error('no site');

/** Names as somebody would choose who wants to break a page, and everything missing that can be. */
const none = { mean: null, std: null, min: null, max: null, positive: null, dip: null, bend: null };
const hostile: Activations = {
  ...real,
  data: { ...real.data, shapes: Object.fromEntries(HOSTILE_NAMES.map((name) => [name, [1, 2]])) },
  sites: HOSTILE_NAMES.map((name, index) => ({
    ...first,
    ...{ label: name, node: name, output: name, input: name, kind: index % 2 === 0 ? 'relu' : name },
    ...(index === 1
      ? { ...none, n: 0, nan: 3, infinite: 1, units: null, letThrough: null, histogram: null }
      : {}),
    ...(index === 2 ? { histogram: { from: 3, width: 0.0625, counts: [3], below: 5, above: 0 } } : {}),
  })),
  unmeasured: HOSTILE_NAMES.map((name) => ({
    ...{ scope: name, label: name, node: name, output: name, kind: 'relu', elemType: 'f32', why: name },
  })),
};

/** The text of a page as a reader has it. */
const wordsOf = (html: string) =>
  html
    .replace(/<(style|script)>.*?<\/\1>/gs, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');

describe('the page', async () => {
  const html = await renderHtmlActivations(real, 'classifier.onnx');

  test('has a chart and a table for every site', () => {
    const figures = html.match(/<figure.*?<\/figure>/gs) ?? [];
    expect(figures).toHaveLength(15);
    for (const figure of figures) expect(figure).toMatch(/<svg.*<details><summary>Table<\/summary>.*<td/s);
    for (const words of [
      'classifier.onnx',
      'seeded noise, seed 0',
      '8 channels',
      'in the dip',
      'x : 1 × 3 × 48 × 192',
    ]) {
      expect(wordsOf(html)).toContain(words);
    }
    expect(html.length).toBeLessThan(1_000_000);
  });

  test('colours exactly the bins in the dip', () => {
    const [figure = ''] = html.match(/<figure.*?<\/figure>/s) ?? [];
    const edges = [...figure.matchAll(/aria-label="(\S+) to (\S+?)&#xA;[^"]*"[^>]*fill="var\(--c1\)"/g)];
    expect(edges.length).toBeGreaterThan(1);
    for (const [, from, to] of edges) {
      const [low, high] = [from, to].map((edge) => Number(edge?.replace('−', '-')));
      expect(high).toBeLessThanOrEqual(0);
      expect(high).toBeGreaterThan(-2.5);
      expect(low).toBeLessThan(0);
    }
  });

  test('is identical for the same statistics', async () => {
    expect(await renderHtmlActivations(real, 'classifier.onnx')).toBe(html);
  });
});

test('a page shows missing figures, and how many inputs lie outside the charts', async () => {
  const words = wordsOf(await renderHtmlActivations(hostile, 'm'));
  for (const part of [
    '3 NaN and 1 infinite elements were left out',
    'Nothing to draw',
    'lie outside',
    'Not measured',
  ])
    expect(words).toContain(part);
  for (const part of ['undefined', 'Infinity', 'NaN %']) expect(words).not.toContain(part);
  const empty = wordsOf(await renderHtmlActivations({ ...real, sites: [], unmeasured: [] }, 'm'));
  expect(empty).toContain('There is no site to measure');
});

test('a page of hundreds of sites has a few megabytes, and says how many it leaves out', async () => {
  const sites = Array.from({ length: 500 }, (_, index) => ({ ...first, label: `site ${index}` }));
  const html = await renderHtmlActivations({ ...real, sites }, 'm');
  expect(html.length).toBeLessThan(4_000_000);
  expect(wordsOf(html)).toContain('The first 60 of 500 sites are drawn.');
});

test('hostile names in a page run no script, send no request and break no layout', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'onnx-mish-html-'));
  const browser = await playwright.launch({
    executablePath: await chromium.executablePath(),
    args: ['--no-sandbox'],
    headless: true,
  });
  try {
    const path = join(folder, 'hostile.html');
    await writeFile(path, await renderHtmlActivations(hostile, HOSTILE_NAMES[0] ?? ''));
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
    const text = renderActivations(hostile, { clean, most: 5, hint: '--all lists them' });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for them
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    expect(text).toContain('and 5 more (--all lists them)');
    expect(text).toContain('and 5 more not measured (--all lists them)');
    expect(text).toContain('3 NaN and 1 infinite elements were left out');
    expect(text.length).toBeLessThan(8000);
  });

  test('warns about dead units and about noise', () => {
    const text = renderActivations(real, { clean });
    expect(text).toContain('the inputs are noise');
    expect(text).toMatch(/^\d+ units at \d+ sites never above 0 \(seen in as few as 2 elements each\)$/m);
  });
});
