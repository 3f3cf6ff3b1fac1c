import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { imagesAsBytes } from '../support/fashion-bytes.js';
import { HEAVY_ONLY, isHeavy } from '../support/heavy.js';
import { judge } from '../support/judge-page.js';
import { bytesOf } from '../support/models.js';
import { modelPath, openWorkbench, type WorkbenchPages } from '../support/workbench-page.js';

// Judges each room while it works, and after a stop.

let workbench: WorkbenchPages;
beforeAll(async () => {
  if (isHeavy) workbench = await openWorkbench();
});
afterAll(() => workbench?.close());

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const main = (page: Page) => page.getByRole('main');

const ROOMS: readonly (readonly [room: string, start: (page: Page) => Promise<unknown>])[] = [
  [
    'swap',
    async (page) => {
      await page.setInputFiles('#files', modelPath('resnet20.onnx'));
      for (const name of ['WebGL', 'WebGPU'])
        await page.getByRole('checkbox', { name, exact: true }).uncheck();
      await page.getByLabel('Timed pairs of runs').fill('10000');
      await button(page, 'Run both').click();
      await page.getByText(/^Median/).waitFor();
    },
  ],
  [
    'repair',
    async (page) => {
      await page.setInputFiles('#repair-files', modelPath('resnet20.onnx'));
      await page.getByRole('radio', { name: /^Ours/ }).check();
      await button(page, 'Repair').click();
      await page.getByText(/: \d+ %/).waitFor();
    },
  ],
  [
    'finetune',
    async (page) => {
      const images = { name: 'train.npz', mimeType: '', buffer: Buffer.from(imagesAsBytes(400)) };
      const buffer = Buffer.from(bytesOf('models/lenet5.onnx'));
      await page.setInputFiles('#finetune-files', [{ name: 'lenet5.onnx', mimeType: '', buffer }, images]);
      await page.getByText(/^train\.npz: images/).waitFor();
      await page.getByRole('checkbox', { name: 'repair the swap first' }).uncheck();
      await page.getByRole('spinbutton', { name: 'Epochs' }).fill('1000');
      await button(page, 'Train both').click();
      await main(page).getByText('Values as a table').click();
    },
  ],
  [
    'compare',
    async (page) => {
      await page.getByRole('spinbutton', { name: 'Epochs' }).fill('500');
      await button(page, 'Watch them learn').click();
      await main(page).getByText('Values as a table').click();
    },
  ],
];

test.for(ROOMS)(
  'the room %s passes while it works, and once it is stopped',
  { timeout: 120_000 },
  async ([room, start], { skip }) => {
    skip(!isHeavy, HEAVY_ONLY);
    const page = await workbench.open(`#${room}`);
    await start(page);
    await judge(page);
    await button(page, 'Stop').click();
    await page.locator('.step:visible', { hasText: /^Stopped/ }).waitFor();
    await judge(page);
    expect(workbench.errors.filter((error) => !/WebGPU|adapter/i.test(error))).toEqual([]);
    await page.close();
  },
);
