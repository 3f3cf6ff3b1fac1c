import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import type { Download, Page, Route } from 'playwright-core';
import { preview } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { getProvider } from '../../src/node/provider-by-name.js';
import { swapFile } from '../../src/node/transform-file.js';
import { parseReport } from '../../src/validate/report-schema.js';
import { CLASSES, classified, classifiedArchive, classifier } from '../support/classified.js';
import { cli } from '../support/cli.js';
import { tempFolder } from '../support/folder.js';
import { everyNth, isHeavy } from '../support/heavy.js';
import { judge, judgeVariant } from '../support/judge-page.js';
import { model, node, value } from '../support/model.js';
import { withoutDigest } from '../support/record.js';
import { modelPath, openWorkbench, type WorkbenchPages } from '../support/workbench-page.js';

// Uses the built page in a real browser.

const text = (content: string) => new TextEncoder().encode(content);
const handed = { model: { name: 'handed.onnx', url: 'lenet5.onnx' }, external: [] };

let workbench: WorkbenchPages;
beforeAll(async () => {
  workbench = await openWorkbench({
    'lenet5.onnx': { file: modelPath('lenet5.onnx') },
    'mlp.onnx': { file: modelPath('mlp.onnx') },
    'model.json': text(JSON.stringify(handed)),
  });
});
afterAll(() => workbench?.close());

const swapButton = (page: Page) => page.getByRole('button', { name: /^Swap \d+ sites?$/ });
const runButton = (page: Page) => page.getByRole('button', { name: 'Run both' });
const downloadLink = (page: Page) => page.getByRole('link', { name: /^Download/ });

async function openModel(page: Page, ...names: string[]): Promise<void> {
  await page.setInputFiles('#files', names.map(modelPath));
  await page.getByRole('heading', { level: 1, name: names[0] ?? '' }).waitFor();
}

/** Selects only these providers. */
async function runOn(page: Page, ...providers: string[]): Promise<void> {
  for (const name of ['WASM', 'WebGL', 'WebGPU']) {
    await page.getByRole('checkbox', { name, exact: true }).setChecked(providers.includes(name));
  }
}

/** Returns the accuracy of a net on samples that it may have seen, in Node. */
async function sampled(bytes: Uint8Array, count: number): Promise<number> {
  const { x, labels } = classified(count);
  const session = await getProvider('cpu').open(bytes);
  const { scores } = await session.run({ x: { ...x, elemType: 'f32' } });
  await session.close();
  const values = Array.from(scores?.data as Float32Array);
  const right = Array.from(labels).filter((label, at) => {
    const row = values.slice(at * CLASSES, (at + 1) * CLASSES);
    return row.indexOf(Math.max(...row)) === label;
  });
  return right.length / count;
}

async function bytesOf(download: Download): Promise<Buffer> {
  return buffer(await download.createReadStream());
}

async function downloaded(page: Page, act: () => Promise<unknown>): Promise<Download> {
  const [download] = await Promise.all([page.waitForEvent('download'), act()]);
  return download;
}

test('drop, swap, run and download give the bytes and the report of the command line', async () => {
  const page = await workbench.open(); // a net of few kernels, which WebGL compiles
  await judge(page);
  await page.evaluate(async () => {
    const bytes = await (await fetch('mlp.onnx')).blob();
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], 'mlp.onnx'));
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
  });
  await page.getByRole('heading', { level: 1, name: 'mlp.onnx' }).waitFor();
  await page.getByRole('heading', { name: 'The original runs on' }).waitFor();
  if (!isHeavy) {
    // This browser has no WebGPU: its box is off, and says why.
    const box = page.getByRole('checkbox', { name: 'WebGPU', exact: true });
    expect([await box.isDisabled(), await box.isChecked()]).toEqual([true, false]);
    await page.getByText(/^WebGPU is off: \S/).waitFor();
    expect(await box.getAttribute('aria-describedby')).toBe('lacks-webgpu');
  }
  await judgeVariant(page);

  await swapButton(page).click();
  const swapped = await downloaded(page, () => downloadLink(page).click());
  expect(swapped.suggestedFilename()).toBe('mlp.mish.onnx');
  const folder = await tempFolder();
  const output = `${folder.path}/out.onnx`;
  await swapFile(modelPath('mlp.onnx'), { form: 'exp', output });
  // Except for the digest: a page reads no weights for a swap.
  expect(withoutDigest(await bytesOf(swapped)).equals(withoutDigest(await readFile(output)))).toBe(true);

  await page.getByRole('button', { name: 'Show the inputs of this site' }).click();
  await page.getByText('of them where Mish bends').waitFor();
  const providers = everyNth(2, ['WASM', 'WebGL']);
  await runOn(page, ...providers);
  await page.getByLabel('Timed pairs of runs').fill('12');
  await runButton(page).click();
  const json = page.getByRole('button', { name: 'Report as JSON' });
  await json.waitFor();
  expect(
    await page.getByRole('progressbar').evaluateAll((all) => all.map((one) => Reflect.get(one, 'value'))),
  ).toEqual(providers.map(() => 12));
  const rows = page.getByRole('table', { name: /^Worst output/ }).locator('tbody tr');
  expect(await rows.locator('td:nth-child(2)').allTextContents()).toEqual(
    providers.map(() => 'ran'), // no limits are given
  );
  await judge(page);

  const report = parseReport(
    JSON.parse((await bytesOf(await downloaded(page, () => json.click()))).toString()),
  );
  expect(report.providers.map(({ provider, status }) => [provider, status])).toEqual(
    providers.map((name) => [name.toLowerCase(), 'ran']),
  );
  const html = await downloaded(page, () => page.getByRole('button', { name: 'Report as HTML' }).click());
  expect(html.suggestedFilename()).toBe('mlp.report.html');
  expect((await bytesOf(html)).toString()).toMatch(/^<!doctype html>[\s\S]*<svg/i);
  await page.close();
});

test('labels in an .npz give the accuracy of both models, their difference and a conclusion', async () => {
  const page = await workbench.open();
  await page.setInputFiles('#files', { name: 'net.onnx', mimeType: '', buffer: Buffer.from(classifier()) });
  await page.getByRole('heading', { level: 1, name: 'net.onnx' }).waitFor();
  await page.setInputFiles('#files', {
    ...{ name: 'test.npz', mimeType: '', buffer: Buffer.from(classifiedArchive(200)) },
  });
  await page.getByText('Samples to run it on: test.npz').waitFor();
  await expect.poll(() => page.getByRole('radio', { name: 'y [200]' }).isChecked()).toBe(true);
  const field = page.locator('#run-npz');
  expect(await field.evaluate((input: HTMLInputElement) => input.files?.[0]?.name)).toBe('test.npz');
  await judgeVariant(page);
  await runOn(page, 'WASM');
  await page.getByLabel('Timed pairs of runs').fill('3');
  await runButton(page).click();
  const json = page.getByRole('button', { name: 'Report as JSON' });
  await json.waitFor();
  await judge(page);
  const report = parseReport(
    JSON.parse((await bytesOf(await downloaded(page, () => json.click()))).toString()),
  );
  const labelled = await sampled(classifier(), 200);
  expect(report.data).toMatchObject({ labelled: true, samples: 200 });
  expect(report.providers[0]?.accuracy?.original).toMatchObject({ n: 200, top1: labelled });
  const [row] = await page
    .getByRole('table', { name: /^Top-1/ })
    .locator('tbody tr')
    .allTextContents();
  expect(row).toMatch(/^WASM[\d.]+ % \([\d.]+ to [\d.]+\)[\d.]+ % \(.*points \(.*mid-p.*200$/);
  expect(await page.getByRole('region', { name: 'Original and swapped' }).innerText()).toContain(
    report.conclusion ?? 'a conclusion',
  );
  await page.close();
});

test('sites can be searched, sorted and chosen, and exactly the chosen ones are swapped', async () => {
  const page = await workbench.openIdle();
  await openModel(page, 'resnet20.onnx');
  const names = page.getByRole('table', { name: /^Sites/ }).locator('tbody th');
  expect(await names.count()).toBe(19);
  await page.getByRole('searchbox', { name: 'Search sites' }).fill('body relu');
  const found = await names.allTextContents();
  expect(found).toHaveLength(9);
  await page.getByRole('button', { name: 'Name' }).click();
  await page.getByRole('button', { name: 'Name' }).click();
  expect(await names.allTextContents()).toEqual(found.toReversed());
  await page.getByRole('button', { name: 'None of these' }).click();
  await page.getByRole('searchbox').fill('');
  await page.getByRole('button', { name: 'Swap 10 sites' }).click();
  await page.getByText('10 sites in the form exp').waitFor();
  await page.close();
});

test('a number stays while it is typed, also where the page is drawn anew meanwhile', async () => {
  const page = await workbench.openIdle();
  await openModel(page, 'mlp.onnx');
  const field = page.getByLabel('Timed pairs of runs');
  await field.focus();
  await field.press('ControlOrMeta+A');
  await field.pressSequentially('1');
  const webgl = page.getByRole('checkbox', { name: 'WebGL', exact: true });
  await webgl.dispatchEvent('click'); // leaves the focus where it is
  await expect.poll(() => webgl.isChecked()).toBe(false);
  await field.pressSequentially('2');
  expect(await field.inputValue()).toBe('12');
  await field.blur();
  expect(await field.inputValue()).toBe('12');
  await field.fill('0');
  await field.blur();
  await expect.poll(() => field.inputValue()).toBe('1');
  await page.close();
});

test('stop ends a run at once and keeps the results so far', async () => {
  const page = await workbench.open();
  await openModel(page, 'lenet5.onnx');
  await runOn(page, 'WASM');
  await page.getByLabel('Timed pairs of runs').fill('100000');
  await runButton(page).click();
  await page.getByText(/^Median/).waitFor();
  // A file that is no model leaves the run alone.
  await page.setInputFiles('#files', { name: 'cat.onnx', mimeType: '', buffer: Buffer.from('no model') });
  await page.getByRole('alert').waitFor();
  expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('lenet5.onnx');
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByText('Stopped. The results so far are below.').waitFor({ timeout: 3000 });
  expect(await page.getByText(/^Median/).count()).toBe(1);
  expect(await runButton(page).isEnabled()).toBe(true);
  await page.close();
});

test('stop ends a run that waits for what its models run on, and that question is answered later', async () => {
  const page = await workbench.openIdle();
  let isAnswering = false;
  const held: Route[] = [];
  await page.route('**/ort/*', (route) => (isAnswering ? route.continue() : void held.push(route)));
  await openModel(page, 'mlp.onnx');
  await runButton(page).click();
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByText('Stopped. The results so far are below.').waitFor({ timeout: 3000 });
  await expect.poll(() => held.length).toBeGreaterThan(0);
  isAnswering = true;
  for (const route of held) await route.continue();
  await page.getByRole('heading', { name: 'The original runs on' }).waitFor();
  await page.close();
});

test('the page can be used by keyboard, with a visible focus', async () => {
  const page = await workbench.openIdle();
  const seen: string[] = [];
  /** Presses Tab until an element with this name has the focus. */
  const tabTo = async (name: RegExp) => {
    for (let step = 0; step < 60; step++) {
      await page.keyboard.press('Tab');
      const focused = await page.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        const outlined = [element, element.closest('label')].some(
          (one) => one !== null && getComputedStyle(one).outlineStyle !== 'none',
        );
        return {
          outlined,
          name: `${element.id} ${element.textContent} ${element.getAttribute('aria-label')}`,
        };
      });
      expect(focused.outlined, focused.name).toBe(true);
      seen.push(focused.name);
      if (name.test(focused.name)) return;
    }
    throw new Error(`nothing is called ${name}: ${seen.join('; ')}`);
  };
  page.on('filechooser', () => {}); // from now on no real dialog opens: said just before the key, this came too late under load
  await tabTo(/^files/);
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.keyboard.press('Space')]);
  await chooser.setFiles(modelPath('mlp.onnx'));
  await page.getByRole('heading', { level: 1, name: 'mlp.onnx' }).waitFor();
  await tabTo(/^beta/);
  await page.keyboard.press('ArrowRight');
  await tabTo(/Swap \/2\/Relu/);
  await page.keyboard.press('Space');
  await tabTo(/Swap 1 site/);
  await page.keyboard.press('Enter');
  await downloadLink(page).waitFor();
  await tabTo(/^download/);
  const download = await downloaded(page, () => page.keyboard.press('Enter'));
  expect(download.suggestedFilename()).toBe('mlp.mish.onnx');
  await tabTo(/Run both/);
  await page.keyboard.press('Enter');
  await expect.poll(() => runButton(page).isEnabled()).toBe(false);
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Run both'); // it keeps its place
  await page.close();
});

describe('problems are shown beside their cause', () => {
  test('a file that is not a model', async () => {
    const page = await workbench.openIdle();
    const section = page.getByRole('region', { name: 'Open a model' });
    await page.setInputFiles('#files', { name: 'cat.onnx', mimeType: '', buffer: Buffer.from('no model') });
    const problem = section.getByRole('alert');
    await problem.waitFor();
    expect(await problem.textContent()).toContain('cat.onnx');
    await judge(page);
    await page.setInputFiles('#files', {
      ...{ name: 'test.npz', mimeType: '', buffer: Buffer.from(classifiedArchive(9)) },
    });
    await expect.poll(() => section.getByRole('alert').count()).toBe(0);
    await openModel(page, 'lenet5.onnx'); // the next file works
    expect(await section.getByRole('alert').count()).toBe(0);
    await page.close();
  });

  test('missing weights and an invalid size', async () => {
    const page = await workbench.openIdle();
    await openModel(page, 'vgg-leaky.onnx');
    const run = page.getByRole('region', { name: 'Run side by side' });
    expect(await run.textContent()).toContain('give vgg-leaky.onnx.data as well');
    expect(await runButton(page).isEnabled()).toBe(false);
    await page.setInputFiles('#files', modelPath('vgg-leaky.onnx.data'));
    await expect.poll(() => runButton(page).isEnabled()).toBe(true);
    const size = run.getByLabel('Size of N');
    await size.fill('many');
    expect(await size.getAttribute('aria-invalid')).toBe('true');
    expect(await run.textContent()).toContain('Give a whole number of 1 or more');
    expect(await runButton(page).isEnabled()).toBe(false);
    await judgeVariant(page);
    await page.close();
  });

  test('a form that the model’s opset lacks', async () => {
    const page = await workbench.openIdle();
    await openModel(page, 'lenet5.onnx');
    await page.getByRole('radio', { name: 'native' }).check();
    await swapButton(page).click();
    const problem = page.getByRole('region', { name: 'Swap' }).getByRole('alert');
    await problem.waitFor();
    expect(await problem.textContent()).toMatch(
      /raise it to opset 18 first \(onnx-mish swap --opset 18\)\.$/,
    );
    await page.close();
  });
});

test('the empty page opens a model that it brings along, and a model without sites shows no empty panels', async () => {
  const page = await workbench.openIdle();
  let hold: (route: Route) => void = () => {};
  const held = new Promise<Route>((resolve) => {
    hold = resolve;
  });
  await page.route('**/lenet5*', hold);
  const none = { name: 'cat.onnx', mimeType: '', buffer: Buffer.from('no model') };
  await page.getByRole('button', { name: 'LeNet-5' }).click();
  await page.setInputFiles('#files', none); // what is asked for last counts
  await page.getByRole('alert').waitFor();
  const route = await held;
  await Promise.all([page.waitForResponse('**/lenet5*'), route.continue()]);
  await page.getByRole('button', { name: 'MobileNet' }).click();
  await page.getByRole('heading', { level: 1, name: 'mobilenet.onnx' }).waitFor();
  expect(await swapButton(page).textContent()).toBe('Swap 11 sites');
  const bytes = model({
    nodes: [node('Sigmoid', ['x'], ['y'])],
    inputs: [value('x', 1, [2])],
    outputs: [value('y', 1, [2])],
  });
  await page.setInputFiles('#files', { name: 'none.onnx', mimeType: '', buffer: Buffer.from(bytes) });
  await page.getByRole('heading', { level: 1, name: 'none.onnx' }).waitFor();
  await page.getByText('There is no ReLU or LeakyReLU that could be swapped.').waitFor();
  for (const name of ['Swap', 'Run side by side'])
    expect(await page.getByRole('heading', { name }).count()).toBe(0);
  await judgeVariant(page);
  await page.close();
});

test('the notes of inspect are beside the sites, and those of a swap below it, with the command where the page has no field', async () => {
  const page = await workbench.openIdle();
  await page.setInputFiles('#files', new URL('../mish/int8/i8.onnx', import.meta.url).pathname);
  const sites = page.getByRole('region', { name: 'Sites' });
  await sites.getByText('Note: 3 QuantizeLinear clip negative values').waitFor();
  expect(await sites.innerText()).toContain('Mish can be written there (onnx-mish swap --int8 exact).');
  await openModel(page, 'lenet5.onnx');
  expect(await sites.getByText(/^Note/).count()).toBe(0);
  await swapButton(page).click();
  const swapped = page.getByRole('region', { name: 'Swap', exact: true }).getByRole('listitem');
  await downloadLink(page).waitFor();
  expect(await swapped.allTextContents()).toEqual([
    'Note: webgpu and cuda: seven small kernels cost more than three on a GPU; the softplus form does better.',
  ]);
  await judgeVariant(page);
  await page.close();
});

test('another activation can be written, and what is Mish can become ReLU', async () => {
  const page = await workbench.openIdle();
  await openModel(page, 'lenet5.onnx');
  await page.getByRole('radio', { name: 'HardSwish', exact: true }).check();
  await swapButton(page).click();
  await page.getByText(/^4 sites → HardSwish/).waitFor();
  await judgeVariant(page);
  const swapped = await downloaded(page, () => downloadLink(page).click());
  expect(swapped.suggestedFilename()).toBe('lenet5.hardswish.onnx');
  await page.getByRole('radio', { name: 'ReLU', exact: true }).check();
  await page.getByText('There is nothing that could become ReLU.').waitFor();
  await judgeVariant(page);
  await page.getByRole('radio', { name: 'Mish', exact: true }).check();
  await expect.poll(() => swapButton(page).textContent()).toBe('Swap 4 sites');
  await page.close();
});

test('the graph around a site shows operators, tensors and shapes, by keyboard and as a table', async () => {
  const page = await workbench.openIdle();
  await openModel(page, 'lenet5.onnx');
  await page.getByRole('button', { name: 'Draw the graph around this site' }).click();
  const graph = page.getByRole('region', { name: 'The graph around /1/Relu' });
  const facts = page.getByRole('region', { name: 'The chosen operator' });
  await graph.getByRole('button', { name: /^Relu/, pressed: true }).focus();
  await page.keyboard.press('ArrowUp');
  expect(await graph.getByRole('button', { pressed: true }).textContent()).toMatch(/^Conv/);
  expect(await facts.innerText()).toMatch(/Weights[\s\S]*f32 \[6, 1, 5, 5\][\s\S]*kernel_shape\s+\[5, 5\]/);
  await judge(page);
  await page.getByText('The graph as a table').click();
  const rows = page.getByRole('region', { name: 'Graph around the site' }).locator('tbody tr');
  expect(await rows.count()).toBe(await graph.getByRole('button').count());
  await judgeVariant(page);
  await page.getByRole('button', { name: 'Look at /8/Relu' }).click();
  await page.getByRole('region', { name: 'The graph around /8/Relu' }).waitFor();
  await page.close();
});

test('a model from the command line opens without an action', async () => {
  const page = await workbench.open('#model');
  await page.getByRole('heading', { level: 1, name: 'handed.onnx' }).waitFor();
  await page.close();
});

test('the output of ui --export works in a folder of a plain web server', async () => {
  const folder = await tempFolder();
  const site = `${folder.path}/site`;
  expect(await cli(['ui', '--export', site])).toMatchObject({ code: 0, stderr: '' });
  expect((await cli(['ui', '--export', site])).stderr).toContain('this folder is not empty');
  const server = await preview({
    root: folder.path,
    base: '/some/project/',
    build: { outDir: site },
    preview: { host: '127.0.0.1', port: 0 },
    logLevel: 'silent',
  });
  try {
    const [address] = server.resolvedUrls?.local ?? [];
    const page = await workbench.visit(address ?? '');
    await openModel(page, 'mlp.onnx');
    const providers = isHeavy ? ['WASM', 'WebGL'] : ['WASM'];
    await runOn(page, ...providers);
    await page.getByLabel('Timed pairs of runs').fill('3');
    await runButton(page).click();
    const asHtml = page.getByRole('button', { name: 'Report as HTML' });
    await asHtml.waitFor();
    expect(
      await page
        .getByRole('table', { name: /^Worst output/ })
        .locator('tbody tr')
        .allTextContents(),
    ).toEqual(providers.map((name) => expect.stringMatching(`^${name}(, software rendering)?ran`)));
    const html = await downloaded(page, () => asHtml.click());
    expect((await bytesOf(html)).toString()).toContain('<svg');
    await page.getByRole('link', { name: 'Repair' }).click();
    const samples = { name: 'x.npz', mimeType: '', buffer: Buffer.from(classifiedArchive(60)) };
    const net = { name: 'net.onnx', mimeType: '', buffer: Buffer.from(classifier()) };
    await page.setInputFiles('#repair-files', [net, samples]);
    await expect.poll(() => page.getByRole('button', { name: 'Rank the sites' }).isEnabled()).toBe(true);
    if (isHeavy) {
      await page.getByRole('button', { name: 'Rank the sites' }).click();
      await page.getByRole('region', { name: 'Ranking' }).getByText('act').waitFor();
    }
    await page.goto(address ?? '');
    await page.getByRole('link', { name: 'Is Mish better for my model?' }).click();
    await page.getByRole('heading', { level: 1, name: 'Is Mish better for my model?' }).waitFor();
    await judge(page);
    await page.close();
  } finally {
    await server.close();
  }
});

test('the page logged no errors and no violations of its policy', () => {
  expect(workbench.errors.filter((error) => !/WebGPU|adapter/i.test(error))).toEqual([]);
});
