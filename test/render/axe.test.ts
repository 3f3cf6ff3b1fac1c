// Every HTML report against WCAG 2.2 AA and axe's best practices, in light and dark, and within the width of a phone.
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseBudget } from '../../src/calibrate/select/budget.js';
import { seededFeeds } from '../../src/data/dataset.js';
import { swap } from '../../src/index.js';
import { calibrate } from '../../src/node/calibrate.js';
import { activations, rankSites, swapWithinBudget } from '../../src/node/calibrate-files.js';
import { bytesCandidate, validateFiles } from '../../src/node/validate-files.js';
import {
  renderHtml,
  renderHtmlActivations,
  renderHtmlBudget,
  renderHtmlCalibration,
  renderHtmlComparison,
  renderHtmlExperiment,
  renderHtmlFinetune,
  renderHtmlRanking,
} from '../../src/render/html/render.js';
import { launchBrowser } from '../support/browser.js';
import { EXPERIMENT_REPORT } from '../support/experiment-report.js';
import { FINETUNE_REPORT } from '../support/finetune-report.js';
import { isHeavy } from '../support/heavy.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';
import { normals, rankedModel, samplesOf } from '../support/ranked.js';
import { richReport } from '../support/reports.js';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const ALL = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** All that a colour scheme changes. */
const CONTRAST = ['color-contrast'];
const alexa = bytesOf(REAL_MODELS.alexa);
const data = () => samplesOf(normals(60));

async function budgetReport() {
  const { plan, sites, left, ...keep } = await swapWithinBudget(rankedModel, {
    ...{ budget: parseBudget(['max-abs<=0.001']), data },
  });
  const { report } = await swap(rankedModel, { plan });
  expect(sites).toHaveLength(2);
  return { ...report, skipped: left, keep };
}

const real = await validateFiles(
  await bytesCandidate(alexa, 'alexa.onnx'),
  await bytesCandidate(await (await swap(alexa, { form: 'exp' })).output.bytes(), 'alexa.mish.onnx'),
  { runs: 1, latency: { minPairs: 5, minSeconds: 0 } },
);

const onOne = await renderHtml(real);

const PAGES = {
  validate: () => renderHtml(richReport(real)),
  'validate on one provider': () => onOne,
  compare: () => renderHtmlComparison(real, richReport(real)),
  calibrate: async () => {
    const options = {
      data: (inputs: Parameters<typeof seededFeeds>[0]) => seededFeeds(inputs, { count: 32 }),
    };
    const { report } = await calibrate(alexa, { ...options, samples: 32, steps: 1 });
    return renderHtmlCalibration(report, 'alexa.onnx');
  },
  finetune: () => renderHtmlFinetune(FINETUNE_REPORT),
  experiment: () => renderHtmlExperiment(EXPERIMENT_REPORT),
  rank: async () => renderHtmlRanking(await rankSites(rankedModel, { data })),
  'swap --keep': async () => renderHtmlBudget(await budgetReport(), 'm.onnx'),
  inspect: async () => renderHtmlActivations(await activations(rankedModel, { data }), 'm.onnx'),
};

const DARK = ['validate', 'experiment'];

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser([]);
});
afterAll(() => browser?.close());

test.each(Object.entries(PAGES))(
  'the report of %s has landmarks, headings in order and enough contrast',
  async (name, make) => {
    const page = await browser.newPage({ viewport: { width: 1320, height: 900 } });
    const html = await make();
    await page.setContent(html);
    await page.evaluate(await readFile(AXE, 'utf8'));
    await page.evaluate(() => {
      for (const details of document.querySelectorAll('details')) details.open = true;
    });
    // A caption is the first or the last of its figure.
    expect(html).not.toMatch(/<figure[^>]*>(?!<figcaption)/);
    await page.emulateMedia({ media: 'print' });
    const cut = await page.evaluate(() =>
      [...document.querySelectorAll('.scroll')].filter(
        (box) => getComputedStyle(box).overflowY !== 'visible',
      ),
    );
    expect(cut).toEqual([]);
    await page.emulateMedia({ media: 'screen' });
    // The dark colours are the same on every page: by default two pages stand for all.
    const schemes = ['light', ...(isHeavy || DARK.includes(name) ? ['dark' as const] : [])] as const;
    for (const colorScheme of schemes) {
      await page.emulateMedia({ colorScheme });
      const found = await page.evaluate(
        async (tags) => {
          const { axe } = globalThis as unknown as { axe: typeof import('axe-core') };
          const { violations } = await axe.run({ runOnly: tags, resultTypes: ['violations'] });
          return violations.map(
            ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' ')}`,
          );
        },
        colorScheme === 'light' ? ALL : CONTRAST,
      );
      expect(found, colorScheme).toEqual([]);
    }
    const folder = process.env.REPORTS;
    if (folder !== undefined) {
      await writeFile(`${folder}/${name}.html`, html);
      await page.emulateMedia({ colorScheme: 'light' });
      await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
    }
    await page.setViewportSize({ width: 375, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(375);
    await page.close();
  },
);

test('a chart that is alone in its row uses the width of the page, and is drawn for a phone as well', async () => {
  const page = await browser.newPage({ viewport: { width: 1320, height: 900 } });
  await page.setContent(onOne);
  const widths = () =>
    page.evaluate(() =>
      [...document.querySelectorAll('.chart')]
        .filter((chart) => chart.querySelector('.wide-chart') !== null)
        .map((chart) => {
          const shown = [...chart.querySelectorAll('svg')].filter((svg) => svg.getClientRects().length > 0);
          return shown.map((svg) => svg.getBoundingClientRect().width / chart.getBoundingClientRect().width);
        }),
    );
  const wide = await widths();
  expect(wide.length).toBeGreaterThan(0);
  for (const one of wide) expect(one).toEqual([expect.closeTo(1, 2)]);
  await page.setViewportSize({ width: 375, height: 800 });
  for (const one of await widths()) expect(one).toEqual([expect.closeTo(1, 2)]);
  await page.close();
});
