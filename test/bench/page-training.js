// `npm run bench:page-training`: a step of the workbench's training beside the engine's in a bare worker, LeNet-5 on WASM, in
// turns; the time left that the rooms Fine-tune and Compare tell after each epoch, beside the time that it took; and the seconds
// from a visitor's click in a new page to the first epoch of learning.
// A number is how many turns (3).
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { createRandom } from '../../dist/base/random.js';
import { policyOf, workbenchFiles } from '../../dist/cli/commands/workbench-files.js';
import { quantile, ratioOfMedians } from '../../dist/metrics/statistics.js';
import { findBrowser } from '../../dist/providers/browser/find.js';
import { runtimeFiles } from '../../dist/providers/browser/provider.js';
import { servePage } from '../../dist/providers/browser/server.js';

const TURNS = Number(process.argv[2] ?? 3);
const EPOCHS = 30;
const BATCH = 32;
const SAMPLES = 720;
const TIMEOUT = 300_000;
/** Most seconds that a visitor should wait for the first epoch. */
const WAIT = 10;
const root = fileURLToPath(new URL('../../', import.meta.url));
const text = (content) => new TextEncoder().encode(content);
const median = (values) => quantile(values, 0.5);

/** A worker with the published engine and ONNX Runtime, and nothing of the page. */
const BARE = `import { createTrainer } from './dist/train/index.js';
import { webProvider } from './dist/web/index.js';
import * as ort from './ort/ort.wasm.min.mjs';
ort.env.wasm.wasmPaths = new URL('./ort/', import.meta.url).href;
const model = new Uint8Array(await (await fetch('lenet5.onnx')).arrayBuffer());
const data = Float32Array.from({ length: ${SAMPLES} * 784 }, (_, at) => Math.abs(Math.sin(12.9898 * (at + 1)) * 43758.5453) % 1);
const trainer = await createTrainer(model, {
  inputs: { images: { elemType: 'f32', dims: [${SAMPLES}, 1, 28, 28], data } },
  targets: Array.from({ length: ${SAMPLES} }, (_, at) => at % 10),
  provider: webProvider(ort, 'wasm'),
  epochs: ${EPOCHS}, batch: ${BATCH}, rate: 3e-4, optimizer: { kind: 'rmsprop' },
});
const seconds = [];
for await (const epoch of trainer) seconds.push(epoch.seconds / epoch.steps);
postMessage(seconds);`;
const START = `globalThis.train = () => new Promise((resolve, reject) => {
  const worker = new Worker('bare.js', { type: 'module' });
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message }) => reject(new Error(message));
});`;

/** The built library, as a server offers it. */
async function builtFiles() {
  const all = [];
  for (const folder of ['dist', 'proto']) {
    const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
    for (const { name, parentPath } of entries.filter(
      (entry) => entry.isFile() && entry.name.endsWith('.js'),
    ))
      all.push([relative(root, join(parentPath, name)), { file: join(parentPath, name) }]);
  }
  return all;
}

/** Returns the seconds of a step, without the first epoch, which compiles. */
const steadyStep = (steps) => median(steps.slice(1));

async function bareStep(browser, server) {
  const page = await browser.newPage();
  await page.goto(server.url);
  await page.waitForFunction('globalThis.train !== undefined');
  // The first training compiles, as in the page; the second finds compiled code in the browser's cache.
  await page.evaluate(() => globalThis.train());
  const steps = await page.evaluate(() => globalThis.train());
  await page.close();
  return steadyStep(steps);
}

/** Notes in the page what the room says after each epoch that all of `count` arms have finished, and when the results are there. */
function watchEstimates(page, count) {
  return page.evaluate((wanted) => {
    const room = document.querySelector('main:not([hidden])');
    const epochs = new Map();
    const told = new Map();
    const read = (epoch) => {
      const text = /about ([\d.]+) (s|min) left/.exec(room.querySelector('.step')?.textContent ?? '');
      if (text !== null)
        told.set(epoch, { at: performance.now(), left: Number(text[1]) * (text[2] === 'min' ? 60 : 1) });
    };
    new MutationObserver(() => {
      const said = room.querySelector('[role=status]').textContent;
      const [, arm, epoch] = /^(\w+).*epoch (\d+):/.exec(said) ?? [];
      if (arm === undefined || epochs.get(arm) === Number(epoch)) return;
      epochs.set(arm, Number(epoch));
      const least = Math.min(...epochs.values());
      // The step is told just after the epoch.
      if (epochs.size >= wanted && !told.has(least)) setTimeout(read, 30, least);
    }).observe(room, { subtree: true, childList: true, characterData: true });
    globalThis.told = told;
    globalThis.end = new Promise((resolve) => {
      const watch = new MutationObserver(() => {
        if (![...room.querySelectorAll('h2')].some(({ textContent }) => textContent === 'Result')) return;
        watch.disconnect();
        resolve(performance.now());
      });
      watch.observe(room, { subtree: true, childList: true });
    });
  }, count);
}

/** Returns the seconds that a room told after each epoch of `count` arms, and those that it took. */
async function estimatesOf(page, count) {
  await watchEstimates(page, count);
  const end = await page.evaluate(() => globalThis.end);
  const told = await page.evaluate(() => [...globalThis.told]);
  return told.map(([epoch, { at, left }]) => [epoch, left, (end - at) / 1000]);
}

async function openRoom(browser, server, room) {
  const page = await browser.newPage();
  page.setDefaultTimeout(TIMEOUT);
  await page.goto(`${server.url}#${room}`);
  await page.locator('main:visible').getByRole('radio', { name: 'WASM', exact: true }).check();
  return page;
}

/** Clicks a button, and returns the seconds until the room tells the first epoch. */
async function clickAndWait(page, name) {
  const start = performance.now();
  await page.getByRole('button', { name }).click();
  await page
    .locator('main:visible')
    .getByText(/epoch 1:/)
    .first()
    .waitFor({ state: 'attached' });
  return (performance.now() - start) / 1000;
}

/** Trains as a user does, and returns the seconds of a step of the original, and the estimate. */
async function finetune(browser, server) {
  const page = await openRoom(browser, server, 'finetune');
  // The first training compiles; the second has the epochs.
  const wait = await clickAndWait(page, /^Try it/);
  await page.getByRole('heading', { name: 'Result' }).waitFor();
  await page.getByRole('spinbutton', { name: 'Epochs' }).fill(String(EPOCHS));
  await page.keyboard.press('Tab');
  await page.getByRole('button', { name: 'Train both' }).click();
  await page.getByRole('heading', { name: 'Result' }).waitFor({ state: 'detached' });
  const estimates = await estimatesOf(page, 2);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Report as JSON' }).click(),
  ]);
  const { runs } = JSON.parse(readFileSync(await download.path(), 'utf8'));
  await page.close();
  const { epochs } = runs.find(({ arm }) => arm === 'original');
  return {
    ...{ wait, estimates },
    step: steadyStep(epochs.map(({ seconds }) => seconds / Math.floor(SAMPLES / BATCH))),
  };
}

async function compare(browser, server) {
  const page = await openRoom(browser, server, 'compare');
  await page.getByRole('spinbutton', { name: 'Epochs' }).fill('12');
  const wait = await clickAndWait(page, 'Watch them learn');
  const estimates = await estimatesOf(page, 4);
  await page.close();
  return { wait, estimates };
}

const bare = await servePage(
  new Map([
    ['index.html', text('<!doctype html><title>bare</title><script type="module" src="start.js"></script>')],
    ['start.js', text(START)],
    ['bare.js', text(BARE)],
    ['lenet5.onnx', { file: join(root, 'models/lenet5.onnx') }],
    ...(await runtimeFiles()).map(([name, content]) => [`ort/${name}`, content]),
    ...(await builtFiles()),
  ]),
  { policy: () => "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'" },
);
const workbench = await servePage(new Map(await workbenchFiles()), { policy: policyOf });
const browser = await chromium.launch({
  executablePath: (await findBrowser()).path,
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
});
const estimateText = (estimates) =>
  estimates
    .map(
      ([epoch, told, took]) =>
        `${epoch}: ${told.toFixed(0)} of ${took.toFixed(1)} s, ${(told / took).toFixed(2)} x`,
    )
    .join('; ');
try {
  const pairs = [];
  for (let turn = 1; turn <= TURNS; turn++) {
    const engine = await bareStep(browser, bare);
    const room = await finetune(browser, workbench);
    pairs.push([room.step, engine]);
    const steps = `${(1000 * room.step).toFixed(2)} ms in the page, ${(1000 * engine).toFixed(2)} ms bare`;
    console.log(
      `Turn ${turn}: a step of ${BATCH} images takes ${steps}: ${(room.step / engine).toFixed(3)} x`,
    );
    console.log(`  time left in Fine-tune after epoch ${estimateText(room.estimates)}`);
    const comparison = await compare(browser, workbench);
    console.log(`  time left in Compare after epoch ${estimateText(comparison.estimates)}`);
    const waits = `${room.wait.toFixed(1)} s in Fine-tune, ${comparison.wait.toFixed(1)} s in Compare`;
    console.log(`  from the click to the first epoch ${waits}, at most ${WAIT} s wanted`);
  }
  const { value, low, high } = ratioOfMedians(pairs, createRandom(1));
  console.log(
    `Page ÷ bare: ${value.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)}), at most 1.15 wanted`,
  );
} finally {
  await browser.close();
  await Promise.all([bare.close(), workbench.close()]);
}
