import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { swap } from '../../src/index.js';
import { bytesCandidate, fileCandidate, validateFiles } from '../../src/node/validate-files.js';
import { renderHtml, renderHtmlComparison, renderHtmlExperiment } from '../../src/render/html/render.js';
import type { Report } from '../../src/validate/report-schema.js';
import { launchBrowser } from '../support/browser.js';
import { EXPERIMENT_REPORT } from '../support/experiment-report.js';
import { everyNth } from '../support/heavy.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';
import { hostileReport, richReport } from '../support/reports.js';

const { output } = await swap(bytesOf(REAL_MODELS.classifier), { form: 'exp' });
const real = await validateFiles(
  await fileCandidate(REAL_MODELS.classifier, 'classifier.onnx'),
  await bytesCandidate(await output.bytes(), 'classifier.mish.onnx'),
  {
    shapes: { x: [1, 3, 48, 192] },
    runs: 1,
    latency: { minPairs: 5, minSeconds: 0 },
    thresholds: { minSqnr: 3 },
  },
);
const rich = richReport(real);
const hostile = hostileReport(rich);

/** A report in which every optional part is missing. */
function bare(report: Report): Report {
  const [row] = report.providers;
  if (row === undefined) throw new Error('no provider');
  const nothing = {
    runtime: null,
    parity: null,
    expected: null,
    accuracy: null,
    latency: null,
    reason: null,
  };
  const lost = { maxAbs: null, meanAbs: null, rmse: null, cosine: null, sqnr: null, scale: null };
  return {
    ...report,
    providers: [
      { ...row, ...nothing, kernel: [], drift: [] },
      {
        ...row,
        provider: 'wasm',
        kernel: row.kernel.map((one) => ({ ...one, curve: [], maxAbs: null, problem: 'it does not run' })),
        drift: row.drift.map((one) => ({ ...one, ...lost, problem: 'shapes differ' })),
        parity: { original: [], swapped: row.drift.map((one) => ({ ...one, ...lost, broken: 7 })) },
        latency: row.latency && {
          ...row.latency,
          original: { ...row.latency.original, quantiles: [], p50: 0 },
          ratio: { value: Number.NaN, low: 0, high: Number.POSITIVE_INFINITY },
        },
      },
    ],
    verdicts: [],
  };
}

/** Renders a page when it is first asked for, and once. */
function once(render: () => Promise<string>): () => Promise<string> {
  let html: Promise<string> | undefined;
  return () => (html ??= render());
}
const richPage = once(() => renderHtml(rich));
const experimentPage = once(() => renderHtmlExperiment(EXPERIMENT_REPORT));

/** Returns the visible text of a page. */
const wordsOf = (html: string) =>
  html
    .replace(/<(style|script)>.*?<\/\1>/gs, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');

describe('the page', async () => {
  const html = await richPage();
  const words = wordsOf(html);

  test('is one file that loads nothing else', () => {
    expect(html).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(html).not.toMatch(/<(link|img|iframe|object|embed|base|form)\b/);
    expect(html.match(/<script>/g)).toHaveLength(1);
    expect(html.replaceAll('http://www.w3.org/', '')).not.toMatch(/https?:\/\//);
    expect(html).toMatch(
      /content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-/,
    );
    expect(html.length).toBeLessThan(1_000_000);
  });

  test('shows the models, the data, the host and the results', () => {
    for (const part of [
      ...['classifier.onnx', 'classifier.mish.onnx', 'did not pass', real.host.cpu, 'seeded noise (seed 0)'],
      ...[
        'not available',
        'this browser has no WebGPU adapter',
        'Start Chrome with',
        'the page ran out of memory',
      ],
      ...[
        'SwiftShader',
        'exp form, in memory',
        'swapped diverges at',
        'mish_12',
        '1 ran elsewhere',
        'finding',
      ],
      ...[
        'Mish takes',
        '640 µs per run',
        'lost fusion',
        'top-1',
        'WebGL runs in float32',
        'Chromium 147.0.7727.0',
      ],
    ]) {
      expect(words).toContain(part);
    }
  });

  test('has what failed before anything else, and intervals beside accuracies', () => {
    expect(words).toMatch(
      /1 finding What failed .*failed wasm the page ran out of memory .* Models and data/,
    );
    expect(words).toContain('91.2 % (88.4 to 93.4)');
    expect(words).not.toMatch(/\bpassed\b/);
  });

  test('has a table for every chart', () => {
    const figures = html.match(/<figure.*?<\/figure>/gs) ?? [];
    expect(figures.length).toBeGreaterThan(9);
    for (const figure of figures) expect(figure).toMatch(/<details><summary>Table<\/summary>.*<td/s);
    for (const title of ['Latency', 'Cost of the swap', 'Drift', 'Parity with the CPU', 'Layers: ']) {
      expect(figures.some((figure) => figure.includes(title) && figure.includes('<svg'))).toBe(true);
    }
  });

  test('marks every latency of a software GPU', () => {
    const rows = html.match(/<tr><td><span[^>]*>webgl<\/span>.*?<\/tr>/gs) ?? [];
    const timed = rows.filter((row) => /original<|swapped<|×/.test(row));
    expect(timed.length).toBeGreaterThan(2);
    for (const row of timed) expect(row).toContain('software rendering');
  });

  test('is identical for the same report', async () => expect(await renderHtml(rich)).toBe(html));
});

test('an empty report gives a page', async () => {
  const words = wordsOf(
    await renderHtml({ ...real, providers: [], verdicts: [], layers: [], passed: false }),
  );
  expect(words).toContain('No provider was requested');
  const some = wordsOf(await renderHtml(bare(real)));
  for (const part of ['not comparable', '7 not finite', 'it does not run', 'shapes differ']) {
    expect(some).toContain(part);
  }
  expect(some).not.toContain('undefined');
});

test('a page of thousands of tensors has a few megabytes, and says how many it leaves out', async () => {
  const [row] = rich.layers[0]?.rows ?? [];
  if (row === undefined) throw new Error('no layers');
  const rows = Array.from({ length: 8000 }, (_, index) => ({
    ...row,
    ...{ node: `block_${index}/conv`, sqnr: 30 + Math.sin(index), maxAbs: 1, site: index % 2000 === 7 },
  }));
  const html = await renderHtml({ ...rich, layers: rich.layers.map((one) => ({ ...one, rows })) });
  expect(html.length).toBeLessThan(3_000_000);
  const words = wordsOf(html);
  expect(words).toContain('The first 1,000 of 8,000 rows; the JSON report has all.');
  expect(words).toMatch(/800 of 8,000 are drawn/);
  for (const site of [7, 2007, 4007, 6007]) expect(html).toContain(`aria-label="block_${site}/conv (`);
});

test('a comparison shows differences and warnings', async () => {
  const other = {
    ...rich,
    data: { ...rich.data, sha256: 'e'.repeat(64) },
    host: { ...rich.host, cores: 999 },
  };
  const words = wordsOf(await renderHtmlComparison(real, other));
  expect(words).toContain('The models were fed with different data');
  expect(words).toContain('latencies are not comparable');
  expect(words).toContain('webgl');
});

describe('in a browser', () => {
  let browser: Browser;
  let folder: string;
  beforeAll(async () => {
    browser = await launchBrowser([]);
    folder = await mkdtemp(join(tmpdir(), 'onnx-mish-html-'));
  });
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const pages = {
    report: richPage,
    bare: once(() => renderHtml(bare(real))),
    experiment: experimentPage,
    hostile: once(() => renderHtml(hostile)),
    'hostile comparison': once(() => renderHtmlComparison(hostile, hostileReport(hostile))),
  };
  const cases = Object.keys(pages).flatMap((name) =>
    [true, false].flatMap((javaScriptEnabled) =>
      [360, 1440].map((width) => ({ name: name as keyof typeof pages, javaScriptEnabled, width })),
    ),
  );

  test.each(everyNth(3, cases))(
    '$name runs no foreign script, sends no request and fits $width px (JavaScript: $javaScriptEnabled)',
    async ({ name, javaScriptEnabled, width }) => {
      const path = join(folder, `${name}.html`);
      await writeFile(path, await pages[name]());
      const context = await browser.newContext({ javaScriptEnabled, viewport: { width, height: 800 } });
      try {
        const page = await context.newPage();
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
          height: document.documentElement.scrollHeight,
          charts: [...document.querySelectorAll('.chart svg')].map(
            (svg) => svg.getBoundingClientRect().width,
          ),
        }));
        expect(state).toMatchObject({ hacked: false, scripts: 1, strangers: 0, wide: width });
        expect(state.height).toBeLessThan(40_000);
        for (const chart of state.charts) expect(chart).toBeGreaterThan(250);
        expect(seen).toEqual([]);
      } finally {
        await context.close();
      }
    },
  );

  test('a mark of a chart shows its figures in a tooltip', async () => {
    const page = await browser.newPage();
    await page.setContent(await richPage());
    await page.locator('.chart path[aria-roledescription="point"][aria-label*="median"]').first().hover();
    expect(await page.locator('.tip').innerText()).toMatch(/^cpu, original\nmedian \S+ ms\n/);
    await page.locator('h1').hover();
    expect(await page.locator('.tip').isHidden()).toBe(true);
    await page.close();
  });

  test('the slider and dragging turn all surfaces of an experiment', async () => {
    const page = await browser.newPage();
    await page.setContent(await experimentPage());
    const faces = () =>
      page.evaluate(() =>
        [...document.querySelectorAll('.surface svg')].map((svg) =>
          [...svg.querySelectorAll('polygon')].map((face) => face.getAttribute('points')).join(';'),
        ),
      );
    const changed = async (before: readonly string[]) => {
      await expect.poll(async () => (await faces()).filter((face, at) => face !== before[at]).length).toBe(2);
      return faces();
    };
    const first = await faces();
    expect(first).toHaveLength(2);
    await page.getByRole('slider', { name: 'Turn the surfaces' }).fill('100');
    const second = await changed(first);
    await page.locator('.surface svg').first().scrollIntoViewIfNeeded();
    const { x = 0, y = 0 } = (await page.locator('.surface svg').first().boundingBox()) ?? {};
    await page.mouse.move(x + 150, y + 150);
    await page.mouse.down();
    await page.mouse.move(x + 200, y + 170);
    await page.mouse.up();
    const third = await changed(second);
    await page.mouse.move(x + 100, y + 100);
    expect(await faces()).toEqual(third);
    await page.close();
  });

  test.each([
    ['a report', richPage],
    ['an experiment', experimentPage],
  ])('the text of %s has enough contrast in light and dark', async (_, html) => {
    const page = await browser.newPage();
    await page.setContent(await html());
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const lowest = await page.evaluate(() => {
        const parse = (colour: string) => (colour.match(/[\d.]+/g) ?? []).map(Number);
        const luminance = (colour: string) =>
          parse(colour)
            .slice(0, 3)
            .map((part) => part / 255)
            .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
            .reduce((sum, part, index) => sum + part * ([0.2126, 0.7152, 0.0722][index] ?? 0), 0);
        const behind = (element: Element | null): string => {
          if (element === null) return 'rgb(255, 255, 255)';
          const { backgroundColor } = getComputedStyle(element);
          return /, 0\)$/.test(backgroundColor) ? behind(element.parentElement) : backgroundColor;
        };
        const contrasts = [
          ...document.querySelectorAll('p, h1, h2, h3, td, th, dt, dd, li, .pill, summary, svg text'),
        ]
          .filter((element) => element.getClientRects().length > 0)
          .map((element) => {
            const { color, fill } = getComputedStyle(element);
            const ink = element.namespaceURI?.endsWith('svg') ? fill : color;
            const [one, other] = [luminance(ink), luminance(behind(element))];
            return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
          });
        return Math.min(...contrasts);
      });
      expect(lowest, colorScheme).toBeGreaterThan(4.5);
    }
    await page.close();
  });
});
