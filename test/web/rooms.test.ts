import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { zipSync } from 'fflate';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRandom, normal } from '../../src/base/random.js';
import { policyOf, workbenchFiles } from '../../src/cli/commands/workbench-files.js';
import { parseExperimentReport } from '../../src/experiment/report-schema.js';
import { parseFinetuneReport } from '../../src/finetune/report-schema.js';
import { inspect } from '../../src/mish/inspect.js';
import { type PageServer, servePage } from '../../src/providers/browser/server.js';
import { launchBrowser } from '../support/browser.js';
import { CLASSES, classified, classifiedArchive, classifier, FEATURES } from '../support/classified.js';
import { imagesAsBytes } from '../support/fashion-bytes.js';
import { tempFolder } from '../support/folder.js';
import { everyNth, HEAVY_ONLY, isHeavy } from '../support/heavy.js';
import { judge, judgeVariant } from '../support/judge-page.js';
import { floats, model, node, value } from '../support/model.js';
import { bytesOf as bytesOfFile } from '../support/models.js';
import { npy, raw } from '../support/numpy.js';
import { openWorkbench, type WorkbenchPages } from '../support/workbench-page.js';

// Uses the rooms Fine-tune and Compare of the built page in a real browser.

const file = (name: string, bytes: Uint8Array) => ({ name, mimeType: '', buffer: Buffer.from(bytes) });
const MODEL = file('net.onnx', classifier());
const TRAIN = file('train.npz', classifiedArchive(300));
const TEST = file('test.npz', classifiedArchive(100, 6));

/** A dense net for images of 8 × 8 pixels and two classes. */
function pictureNet(): Uint8Array {
  const random = createRandom(3);
  const some = (count: number) => Array.from({ length: count }, () => 0.1 * normal(random));
  return model({
    nodes: [
      node('Flatten', ['x'], ['flat']),
      node('Gemm', ['flat', 'w1'], ['h']),
      node('Relu', ['h'], ['a']),
      node('Gemm', ['a', 'w2'], ['scores']),
    ],
    initializers: [floats('w1', [192, 6], some(192 * 6)), floats('w2', [6, 2], some(12))],
    inputs: [value('x', 1, ['N', 3, 8, 8])],
    outputs: [value('scores', 1, ['N', 2])],
  });
}

/** Time for the landscapes of four nets while other work has the processor. */
const LANDSCAPES_MS = 300_000;

let workbench: WorkbenchPages;
beforeAll(async () => {
  workbench = await openWorkbench();
});
afterAll(() => workbench?.close());

const status = (page: Page) => page.getByRole('status');
const main = (page: Page) => page.getByRole('main');
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const trainButton = (page: Page) => button(page, 'Train both');

async function give(page: Page, ...files: ReturnType<typeof file>[]): Promise<void> {
  await page.setInputFiles('#finetune-files', files);
}

async function bytesOf(page: Page, act: () => Promise<unknown>): Promise<Buffer> {
  const [download] = await Promise.all([page.waitForEvent('download'), act()]);
  return buffer(await download.createReadStream());
}

describe('Fine-tune', () => {
  test('trains both arms side by side on dropped files, and gives model and reports', async () => {
    const page = await workbench.open('#finetune');
    await judgeVariant(page);
    expect(await trainButton(page).isEnabled()).toBe(false);
    await give(page, MODEL, TRAIN, TEST);
    await page.getByText('train.npz: x [300, 4], y [300]').waitFor();
    expect(await page.getByRole('radio', { name: 'y [300]' }).isChecked()).toBe(true);
    await page.getByRole('spinbutton', { name: 'Epochs' }).fill('3');
    await page.getByLabel('Learning rate').fill('0.02');
    await page.getByLabel('Samples in a step').fill('30');
    await trainButton(page).click();
    await page.getByRole('heading', { name: 'Result' }).waitFor();
    await judge(page);
    const text = await main(page).innerText();
    expect(text).toMatch(
      /(Mish was (better|worse)|No difference between Mish)[^.]*\d+ test samples|100 test samples/,
    );
    expect(text).toContain('each arm was trained once');
    const json = await bytesOf(page, () => button(page, 'Report as JSON').click());
    const report = parseFinetuneReport(JSON.parse(json.toString()));
    expect(report.runs.map(({ arm, epochs }) => [arm, epochs.length])).toEqual([
      ['swapped', 3],
      ['original', 3],
    ]);
    expect(report.data).toMatchObject({ test: 100, testFrom: 'file', classes: CLASSES });
    expect(JSON.parse(json.toString())).toMatchObject({ input: MODEL.name, output: 'net.mish.onnx' });
    expect(report.start.repaired).not.toBeNull();
    expect(text).toContain(report.conclusion);
    const trained = await bytesOf(page, () => page.getByRole('link', { name: /^Download/ }).click());
    expect(await inspect(trained)).toMatchObject({ sites: [], mish: [expect.anything()] });
    const html = await bytesOf(page, () => button(page, 'Report as HTML').click());
    expect(html.toString()).toContain('<svg');
    const earlier = page.getByText('The results below belong to an earlier choice.');
    expect(await earlier.count()).toBe(0);
    await give(page, file('train.npz', classifiedArchive(300, 7)), TEST); // others of the same name
    await earlier.waitFor();
    await page.close();
  });

  test('stops at once, goes on from the last epoch, and comes to what an unstopped training does', async ({
    skip,
  }) => {
    skip(!isHeavy, HEAVY_ONLY);
    const page = await workbench.open('#finetune');
    await give(page, MODEL, TRAIN);
    await page.getByText('train.npz: x [300, 4]').waitFor();
    const train = async () => {
      await page.getByRole('heading', { name: 'Result' }).waitFor();
      const report = JSON.parse(
        (await bytesOf(page, () => button(page, 'Report as JSON').click())).toString(),
      );
      return parseFinetuneReport(report).runs.map(({ epochs, test }) => [
        epochs.map(({ loss }) => loss),
        test,
      ]);
    };
    await page.getByRole('spinbutton', { name: 'Epochs' }).fill('20');
    await page.getByLabel('Samples in a step').fill('8');
    await trainButton(page).click();
    await expect.poll(() => status(page).allTextContents(), { interval: 10, timeout: 30_000 }).toContainEqual(expect.stringMatching(/epoch [2-9]:/)); // biome-ignore format: one condition
    await button(page, 'Stop').click();
    await page.getByText('Stopped after the last whole epoch.').waitFor({ timeout: 3000 });
    await judge(page);
    await page.getByRole('spinbutton', { name: 'Epochs' }).fill('21');
    await page.keyboard.press('Tab');
    await expect.poll(() => button(page, 'Go on').isEnabled()).toBe(false);
    await page.getByRole('spinbutton', { name: 'Epochs' }).fill('20');
    await page.keyboard.press('Tab');
    await button(page, 'Go on').click();
    const resumed = await train();
    await trainButton(page).click();
    await page.getByRole('heading', { name: 'Result' }).waitFor({ state: 'detached' });
    expect(await train()).toEqual(resumed);
    await page.close();
  });

  // The room Repair does this by default.
  test('writes another activation that is chosen in the first room, and names it', async ({ skip }) => {
    skip(!isHeavy, HEAVY_ONLY);
    const page = await workbench.open();
    await page.setInputFiles('#files', MODEL);
    await page.getByRole('radio', { name: 'GELU', exact: true }).check();
    await page.getByRole('link', { name: 'Fine-tune' }).click();
    await give(page, TRAIN, TEST);
    await page.getByText(/^train\.npz: x/).waitFor();
    await page.getByRole('spinbutton', { name: 'Epochs' }).fill('2');
    await page.getByLabel('Samples in a step').fill('30');
    await trainButton(page).click();
    await page.getByRole('heading', { name: 'Result' }).waitFor();
    expect(await page.getByRole('link', { name: /^Download/ }).innerText()).toBe('Download net.gelu.onnx');
    expect(await main(page).innerText()).toContain('GELU, trained');
    const lead = await page.locator('.lead:visible').innerText();
    expect((await main(page).innerText()).replace(lead, '')).not.toContain('Mish');
    await page.close();
  });

  test('tells a doubt about the range of samples while it trains', async ({ skip }) => {
    skip(!isHeavy, HEAVY_ONLY);
    const page = await workbench.open('#finetune');
    await page.setInputFiles('#finetune-files', [
      file('lenet5.onnx', bytesOfFile('models/lenet5.onnx')),
      file('train.npz', imagesAsBytes(400)),
    ]);
    await page.getByText(/^train\.npz: images/).waitFor();
    await trainButton(page).click();
    await button(page, 'Multiply the samples by 1/255').click();
    expect(await page.locator('#finetune-scale').inputValue()).toBe('1/255');
    await page.close();
  });

  const refused = [
    ['an .npz without labels', [MODEL, file('x.npz', zipSync({ 'x.npy': npy('<f4', [4, FEATURES], raw(new Float32Array(16))) }))], /has one array of numbers, and so no labels/], // biome-ignore format: one case
    [
      'a file that is not an .npz',
      [MODEL, file('broken.npz', new Uint8Array(9))],
      /broken\.npz: not an \.npz/,
    ],
    ['a file that is not a model', [file('cat.onnx', new Uint8Array([1, 2, 3]))], /cat\.onnx/],
    [
      'two files of arrays',
      [TRAIN, file('more.npz', classifiedArchive(9))],
      /2 files of arrays came together/,
    ],
  ] as const;
  test.each(everyNth(2, refused))('%s is refused beside its cause', async (_, files, expected) => {
    const page = await workbench.open('#finetune');
    await give(page, ...files);
    const problem = main(page).getByRole('alert');
    await problem.waitFor();
    expect(await problem.textContent()).toMatch(expected);
    expect(await trainButton(page).isEnabled()).toBe(false);
    if (isHeavy) await judge(page);
    await page.close();
  });

  test('labels out of range and samples of a wrong shape name the sample and the shapes', async () => {
    const page = await workbench.open('#finetune');
    const { x } = classified(64);
    const archive = (dims: readonly number[], label: number) =>
      zipSync({
        'x.npy': npy('<f4', dims, raw(x.data)),
        'y.npy': npy(
          '|u1',
          [64],
          Uint8Array.from({ length: 64 }, (_, at) => (at === 5 ? label : at % CLASSES)),
        ),
      });
    for (const [bytes, expected] of everyNth(2, [
      [archive([64, FEATURES], 12), /label 12/],
      [archive([64, 2, 2], 1), /shape \[64,\s?2,\s?2\]/],
    ] as const)) {
      await give(page, MODEL, file('train.npz', bytes));
      await page.getByText(/^train\.npz: x/).waitFor();
      await page.getByLabel('Samples in a step').fill('8');
      await trainButton(page).click();
      const problem = main(page).getByRole('alert');
      await problem.waitFor();
      expect(await problem.textContent()).toMatch(expected);
      expect(await problem.textContent()).not.toContain('--');
      // No curve is on its way.
      await expect.poll(() => page.getByRole('heading', { name: 'Both learn' }).count()).toBe(0);
    }
    await page.close();
  });

  test('folders of images are classes, and images without such folders are refused', async ({ skip }) => {
    skip(!isHeavy, HEAVY_ONLY);
    const folder = await tempFolder();
    for (const [at, [name, background]] of (
      [
        ['cats', 'red'],
        ['dogs', 'lime'],
      ] as const
    ).entries()) {
      await mkdir(`${folder.path}/${name}`);
      for (let image = 0; image < 12; image++) {
        const size = { width: 8 + at, height: 8, channels: 3, background } as const;
        await writeFile(
          `${folder.path}/${name}/${image}.png`,
          await sharp({ create: size }).png().toBuffer(),
        );
      }
    }
    const page = await workbench.open('#finetune');
    await give(page, file('pictures.onnx', pictureNet()));
    await page.setInputFiles('#finetune-folder', `${folder.path}/cats`);
    await page.getByText('12 images').waitFor();
    await trainButton(page).click();
    const problem = main(page).getByRole('alert');
    await problem.waitFor();
    expect(await problem.textContent()).toContain('folders of classes');
    await page.setInputFiles('#finetune-folder', folder.path);
    await page.getByText('24 images').waitFor();
    await page.locator('#epochs').fill('1');
    await page.locator('#batch').fill('4');
    await trainButton(page).click();
    await page.getByRole('heading', { name: 'Result' }).waitFor();
    expect(await main(page).innerText()).toContain('2 classes');
    await page.close();
  });
});

describe('Compare', () => {
  test('a net learns with four activations, stops, goes on, and shows landscapes that turn', async () => {
    const page = await workbench.open('#compare');
    await judge(page);
    await page.getByRole('spinbutton', { name: 'Epochs' }).fill('3');
    await main(page).getByRole('slider', { name: 'Sharpness β' }).press('ArrowRight');
    await button(page, 'Watch them learn').click();
    await expect.poll(() => status(page).allTextContents(), { interval: 10, timeout: 60_000 }).toContainEqual(expect.stringMatching(/epoch 1:/)); // biome-ignore format: one condition
    await button(page, 'Stop').click();
    await page.getByText('Stopped after the last whole epoch.').waitFor({ timeout: 3000 });
    if (!isHeavy) return page.close();
    await judge(page);
    await button(page, 'Go on').press('Enter');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Stop');
    await page
      .getByRole('img', { name: /^Loss landscape of Mish, β = 1\.04/ })
      .waitFor({ timeout: LANDSCAPES_MS });
    await page.getByRole('heading', { name: 'Result' }).waitFor({ timeout: LANDSCAPES_MS });
    expect(await page.getByRole('img', { name: /^Loss landscape/ }).count()).toBe(4);
    await judge(page);
    const polygons = () => page.locator('.surface').first().locator('polygon').first().getAttribute('points');
    const before = await polygons();
    await page.getByLabel('Turn').press('ArrowRight');
    const turned = await polygons();
    expect(turned).not.toBe(before);
    const box = await page.locator('.surface').last().boundingBox();
    await page.mouse.move((box?.x ?? 0) + 40, (box?.y ?? 0) + 40);
    await page.mouse.down();
    await page.mouse.move((box?.x ?? 0) + 90, (box?.y ?? 0) + 60, { steps: 3 });
    await page.mouse.up();
    expect(await polygons()).not.toBe(turned);
    const json = await bytesOf(page, () => button(page, 'Report as JSON').click());
    const report = parseExperimentReport(JSON.parse(json.toString()));
    expect(report.runs.map(({ activation, epochs }) => [activation, epochs.length])).toEqual(
      ['relu', 'leakyrelu', 'swish', 'mish'].map((name) => [name, 3]),
    );
    for (const { epochs } of report.runs)
      expect(epochs.at(-1)?.loss).toBeLessThan(epochs[0]?.loss ?? Number.NEGATIVE_INFINITY);
    expect(report.conclusion).toContain('One seed tells nothing');
    await page.close();
  }, 600_000);
});

test('rooms keep their state while another is shown, and the first room loads none of them', async () => {
  const page = await workbench.open();
  const loaded = () =>
    page.evaluate(
      () => performance.getEntriesByType('resource').filter(({ name }) => /-room-/.test(name)).length,
    );
  expect(await loaded()).toBe(0);
  await page.getByRole('link', { name: 'Fine-tune' }).click();
  await page.getByRole('spinbutton', { name: 'Epochs' }).fill('17');
  await page.getByRole('link', { name: 'Compare' }).click();
  await page.getByRole('heading', { level: 1, name: 'Compare activations' }).waitFor();
  expect(await loaded()).toBe(2);
  await page.goBack();
  expect(await page.getByRole('spinbutton', { name: 'Epochs' }).inputValue()).toBe('17');
  expect(await page.getByRole('main').count()).toBe(1);
  await expect.poll(() => page.title()).toBe('Fine-tune – onnx-mish workbench');
  await page.close();
});

test('a part of the page that did not arrive arrives at a second try', async () => {
  const page = await workbench.open();
  const before = workbench.errors.length;
  const missing = () => page.getByText('could not be loaded.').count();
  const offline = async (act: () => Promise<unknown>) => {
    await page.context().setOffline(true);
    await act();
    await expect.poll(missing).toBe(1);
    await page.context().setOffline(false);
  };
  for (const name of ['Repair', 'Fine-tune', 'Compare']) {
    await offline(() => page.getByRole('link', { name }).click());
    await button(page, 'Try again').click();
    await expect.poll(() => main(page).getByRole('button').count()).toBeGreaterThan(1);
    expect(await missing()).toBe(0);
  }
  await page.getByRole('link', { name: 'Swap and run' }).click();
  await page.setInputFiles('#files', MODEL);
  const draw = button(page, 'Draw the graph around this site');
  await draw.waitFor();
  await offline(() => draw.click());
  await draw.click();
  await page.getByRole('region', { name: /^The graph around [^i]/ }).waitFor();
  await expect.poll(missing).toBe(0);
  expect(workbench.errors.splice(before).filter((error) => !/ERR_INTERNET_DISCONNECTED/.test(error))).toEqual(
    [],
  );
  await page.close();
});

test('it does so where the browser has a copy of the page, as from a web server that lets it', async () => {
  const own = await workbench.open();
  const { origin, pathname } = new URL(own.url());
  await own.close();
  const server = createServer(async ({ url = '' }, response) => {
    const { headers, body } = await fetch(origin + url);
    response.setHeader('Content-Type', headers.get('Content-Type') ?? '');
    response.setHeader('Cache-Control', 'max-age=3600');
    if (body) await pipeline(body, response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const before = workbench.errors.length;
  try {
    const page = await workbench.visit(
      `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    );
    await page.context().setOffline(true);
    await page.getByRole('link', { name: 'Repair' }).click();
    await button(page, 'Try again').waitFor();
    await page.context().setOffline(false);
    await button(page, 'Try again').click();
    await expect.poll(() => main(page).getByRole('button').count()).toBeGreaterThan(1);
    await page.close();
  } finally {
    server.closeAllConnections();
    server.close();
    workbench.errors.splice(before);
  }
});

describe('a browser without WebGPU', () => {
  let server: PageServer;
  let browser: Browser;
  beforeAll(async () => {
    if (!isHeavy) return;
    server = await servePage(new Map(await workbenchFiles()), { policy: policyOf });
    browser = await launchBrowser(['--disable-gpu']);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  test('trains on WASM and says why', async ({ skip }) => {
    skip(!isHeavy, HEAVY_ONLY);
    const page = await browser.newPage();
    await page.goto(`${server.url}#finetune`);
    await give(page, MODEL, TRAIN);
    await page.getByText(/^train\.npz: x/).waitFor();
    await page.getByRole('spinbutton', { name: 'Epochs' }).fill('1');
    await trainButton(page).click();
    await page.getByText(/^Trains on WASM: .*WebGPU/).waitFor();
    await page.getByRole('heading', { name: 'Result' }).waitFor();
    await page.close();
  });
});

test('the pages logged no errors and no violations of their policy', () => {
  expect(workbench.errors.filter((error) => !/WebGPU|adapter/i.test(error))).toEqual([]);
});
