import { buffer } from 'node:stream/consumers';
import { zipSync } from 'fflate';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Calibration } from '../../src/calibrate/calibrate.js';
import { parseRanking } from '../../src/calibrate/select/ranking.js';
import { sampledFeeds } from '../../src/data/arrays.js';
import { inspect } from '../../src/mish/inspect.js';
import { rankSites } from '../../src/node/calibrate-files.js';
import { classified, classifiedArchive, classifier } from '../support/classified.js';
import { imagesAsBytes } from '../support/fashion-bytes.js';
import { HEAVY_ONLY, isHeavy } from '../support/heavy.js';
import { judge, judgeVariant } from '../support/judge-page.js';
import { bytesOf as bytesOfFile } from '../support/models.js';
import { npy, raw } from '../support/numpy.js';
import { modelPath, openWorkbench, type WorkbenchPages } from '../support/workbench-page.js';

// Uses the room Repair of the built page in a real browser.

const SAMPLES = 300;
const file = (name: string, bytes: Uint8Array) => ({ name, mimeType: '', buffer: Buffer.from(bytes) });
const MODEL = file('net.onnx', classifier());
const DATA = file('samples.npz', classifiedArchive(SAMPLES));
const MODEL_OF_IMAGES = file('lenet5.onnx', bytesOfFile('models/lenet5.onnx'));

let workbench: WorkbenchPages;
beforeAll(async () => {
  workbench = await openWorkbench();
});
afterAll(() => workbench?.close());

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const table = (page: Page, label: string) =>
  page.getByRole('region', { name: label, exact: true }).locator('tbody tr');

/** Gives the samples while the model is still being opened. */
async function give(page: Page): Promise<void> {
  await page.setInputFiles('#repair-files', MODEL);
  await page.setInputFiles('#repair-files', DATA);
  await expect.poll(() => page.getByRole('radio', { name: `y [${SAMPLES}]` }).isChecked()).toBe(true);
}

async function bytesOf(page: Page, act: () => Promise<unknown>): Promise<Buffer> {
  const [download] = await Promise.all([page.waitForEvent('download'), act()]);
  return buffer(await download.createReadStream());
}

test('a repair of dropped files gives a model, the tables and the reports of the command line', async () => {
  const page = await workbench.open('#repair');
  await judgeVariant(page);
  expect(await button(page, 'Repair').isEnabled()).toBe(false);
  await give(page);
  expect(
    await page
      .getByRole('main')
      .getByLabel(/^Size of/)
      .count(),
  ).toBe(0);
  await page.getByRole('radio', { name: 'nothing more' }).check();
  await button(page, 'Repair').click();
  await page.getByRole('heading', { name: 'Repaired' }).waitFor();
  await judge(page);
  const json = await bytesOf(page, () => button(page, 'Report as JSON').click());
  const report: Calibration & { input: string; output: string } = JSON.parse(json.toString());
  expect(report).toMatchObject({
    ...{ schema: 'onnx-mish/calibration@1', input: 'net.onnx', output: 'net.mish.onnx' },
    ...{ tuning: null, curved: { share: 0.75 }, samples: { source: 'npz' } },
  });
  const { fit, held, judged } = report.samples;
  expect(fit + held + judged).toBe(16 * Math.floor(SAMPLES / 16)); // runs of 16 samples
  const leftOut = `${SAMPLES % 16} of ${SAMPLES} samples of 'x' are left out: the last run of 16 is not full`;
  expect(report.notes).toContain(leftOut);
  await page.getByText(`Note: ${leftOut}.`).waitFor();
  expect(report.calibrated.difference).toBeDefined();
  const [original, swapped, calibrated] = await table(page, 'Outputs').allTextContents();
  expect([original, swapped, calibrated].map((row) => row?.replace(/^scores/, ''))).toEqual([
    expect.stringMatching(/^original[\d.]+ % \([\d.]+ to [\d.]+\)$/),
    expect.stringMatching(/^unrepaired swap.*[\d.]+ % \([\d.]+ to [\d.]+\)$/),
    expect.stringMatching(/^calibrated.*[\d.]+ % \([\d.]+ to [\d.]+\)$/),
  ]);
  expect(await table(page, 'Layers').allTextContents()).toEqual([expect.stringContaining('second')]);
  expect(await table(page, 'Sites').allTextContents()).toEqual([expect.stringMatching(/reluMish[\d.]+ %$/)]);
  const repaired = await bytesOf(page, () => page.getByRole('link', { name: /^Download/ }).click());
  expect(await inspect(repaired)).toMatchObject({ sites: [], mish: [expect.anything()] });
  const html = await bytesOf(page, () => button(page, 'Report as HTML').click());
  expect(html.toString()).toContain('Calibration of net.onnx');
  await page.close();
});

test('a ranking equals the one in Node, and gives its reports', async () => {
  const page = await workbench.open('#repair');
  await give(page);
  await button(page, 'Rank the sites').click();
  await page
    .getByText(/^Swapped alone on/)
    .first()
    .waitFor();
  await judge(page);
  expect(await table(page, 'Ranking').allTextContents()).toEqual([expect.stringContaining('act')]);
  const json = await bytesOf(page, () => button(page, 'Report as JSON').click());
  const ranking = parseRanking(JSON.parse(json.toString()));
  const { x, labels } = classified(SAMPLES);
  const y = { elemType: 'u8', dims: [SAMPLES], data: labels };
  const expected = await rankSites(classifier(), {
    data: (inputs) => sampledFeeds({ x: { ...x, elemType: 'f32' }, y }, inputs, { labels: 'y' }),
    form: 'exp',
  });
  expect(ranking.data).toEqual(expected.data);
  expect(ranking.sites[0]?.measured?.sqnr).toBeCloseTo(expected.sites[0]?.measured?.sqnr ?? 0, 3);
  expect(ranking.sites[0]?.measured?.top1Drop).toBe(expected.sites[0]?.measured?.top1Drop);
  const html = await bytesOf(page, () => button(page, 'Report as HTML').click());
  expect(html.toString()).toContain('ranked</title>');
  await page.close();
});

test('a repair stops at once, its model stays open, and samples that do not fit are refused beside it', async () => {
  const page = await workbench.open('#repair');
  await page.setInputFiles('#repair-files', modelPath('lenet5.onnx'));
  await page.getByRole('radio', { name: /^Ours/ }).check();
  await button(page, 'Repair').click();
  await page.getByText(/^ ?Solving/).waitFor();
  await button(page, 'Stop').click();
  await page.getByText('Stopped.', { exact: true }).first().waitFor({ timeout: 3000 });
  expect(await button(page, 'Repair').isEnabled()).toBe(true);
  await page.setInputFiles('#repair-files', DATA);
  await page
    .locator('#repair-npz-note')
    .getByText(/^samples/)
    .waitFor();
  await button(page, 'Rank the sites').click();
  const problem = page.getByRole('main').getByRole('alert');
  await problem.waitFor();
  expect(await problem.textContent()).toMatch(/shape \[300,\s?4\]/);
  await judgeVariant(page);
  await page.close();
});

test('samples in another range raise a doubt beside them, and its button mends them', async () => {
  const page = await workbench.open('#repair');
  await page.setInputFiles('#repair-files', [MODEL_OF_IMAGES, file('bytes.npz', imagesAsBytes(64))]);
  await button(page, 'Repair').click(); // as soon as the files are read
  const mend = button(page, 'Multiply the samples by 1/255');
  await mend.waitFor();
  await judgeVariant(page); // while the work goes on
  expect(await page.locator('.doubt:visible').innerText()).toMatch(
    /^The samples reach from 0 to 255, and .* Divide/,
  );
  await button(page, 'Stop').click();
  await page.getByText('Stopped.', { exact: true }).first().waitFor();
  await mend.click();
  expect(await page.locator('#repair-scale').inputValue()).toBe('1/255');
  expect(await mend.count()).toBe(0);
  if (isHeavy) {
    await button(page, 'Repair').click();
    await page.getByText(/^ ?Solving/).waitFor();
    expect(await mend.count()).toBe(0);
  }
  await page.close();
});

test('another activation that is chosen in the first room is the one that a repair writes', async () => {
  const page = await workbench.open();
  await page.setInputFiles('#files', MODEL);
  const choose = async (name: string) => {
    await page.getByRole('radio', { name, exact: true }).check();
    await page.getByRole('link', { name: 'Repair' }).click();
  };
  await choose('ELU');
  await page.getByText('Writes ELU. The ranking swaps one site at a time.').waitFor();
  expect(await page.getByRole('group', { name: 'Sharpness β' }).count()).toBe(0);
  await page.getByRole('link', { name: 'Swap and run' }).click();
  await choose('GELU');
  await page.setInputFiles('#repair-files', DATA);
  await page
    .getByText('Writes GELU. A β from the inputs is folded into weights, and costs no node.')
    .waitFor();
  expect(await page.getByRole('radio', { name: '1 at all sites' }).count()).toBe(1);
  await page.getByRole('radio', { name: 'nothing more' }).check();
  await button(page, 'Repair').click();
  await page.getByRole('heading', { name: 'Repaired' }).waitFor();
  const text = await page.getByRole('main').innerText();
  expect(text).toMatch(/1 site → GELU(, β = [\d.]+|, with a separate β for each channel)?\./);
  expect(text).toContain('|βx| < 2');
  expect(text).toContain('β from the inputs: at least 75 % of them on the bend');
  expect(text).not.toContain('Mish');
  expect(await page.getByRole('link', { name: /^Download/ }).innerText()).toBe('Download net.gelu.onnx');
  await page.getByRole('radio', { name: '1 at all sites' }).check();
  await button(page, 'Repair').click();
  await page.getByText('β from the inputs: at least 75 % of them on the bend').waitFor({ state: 'detached' });
  await page.getByRole('heading', { name: 'Repaired' }).waitFor();
  expect(await page.getByRole('main').innerText()).toContain('1 site → GELU.');
  if (isHeavy) {
    await button(page, 'Rank the sites').click();
    await page.getByText(/^Swapped alone on/).first().waitFor(); // biome-ignore format: one wait
    expect(await page.getByRole('main').innerText()).not.toContain('Mish');
  }
  await judgeVariant(page);
  await page.close();
});

describe('a larger net', () => {
  test('its ranking goes on after Stop, and measures no site twice', async ({ skip }) => {
    skip(!isHeavy, HEAVY_ONLY);
    const page = await workbench.open('#repair');
    const pixels = Float32Array.from({ length: 32 * 28 * 28 }, (_, at) => Math.abs(Math.sin(at * at)));
    const images = zipSync({ 'images.npy': npy('<f4', [32, 1, 28, 28], raw(pixels)) });
    await page.setInputFiles('#repair-files', modelPath('resnet20.onnx'));
    await page.setInputFiles('#repair-files', file('images.npz', images));
    await expect.poll(() => button(page, 'Rank the sites').isEnabled()).toBe(true);
    await button(page, 'Rank the sites').click();
    await page.getByText(/^[2-9] of 19 sites measured$/).waitFor();
    await button(page, 'Stop').click();
    await button(page, 'Go on').click();
    await page
      .getByText(/^Of 19 sites, each swapped alone on 32 samples/)
      .first()
      .waitFor();
    expect(await table(page, 'Ranking').count()).toBe(19);
    await page.close();
  }, 120_000);
});

test('the pages logged no errors and no violations of their policy', () => {
  expect(workbench.errors.filter((error) => !/WebGPU|adapter/i.test(error))).toEqual([]);
});
