// `npm run bench:page`: what a page pays. The core's size; a swap of a 100 MB model in the page beside reading its Blob
// once, in turns, and the memory that both take; and how long a reader of the workbench waits for the first results, beside a
// bare page that opens the same model and runs it once. Medians of each run; a number is how many runs (3).
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { createRandom } from '../../dist/base/random.js';
import { handedFiles, policyOf, workbenchFiles } from '../../dist/cli/commands/workbench-files.js';
import { quantile, ratioOfMedians } from '../../dist/metrics/statistics.js';
import { findBrowser } from '../../dist/providers/browser/find.js';
import { runtimeFiles } from '../../dist/providers/browser/provider.js';
import { servePage } from '../../dist/providers/browser/server.js';
import { writeModel } from './big-model.js';
import { BUDGET, bundle, inOneFile } from './size.js';

const RUNS = Number(process.argv[2] ?? 3);
const ROUNDS = 9;
const VISITS = 5;
/** A busy machine takes long, which is no failure. */
const TIMEOUT_MS = 300_000;
const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
const lenet = fileURLToPath(new URL('../../models/lenet5.onnx', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'onnx-mish-bench-'));
const big = join(folder, 'big.onnx');

const count = (number) => number.toLocaleString('en');
const median = (values) => quantile(values, 0.5);
const ms = (values) => {
  const value = median(values);
  return `${value < 100 ? value.toPrecision(3) : count(Math.round(value))} ms`;
};
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const ratio = (pairs) => {
  const { value, low, high } = ratioOfMedians(pairs, createRandom(1));
  return `${value.toPrecision(3)} x (${low.toPrecision(3)} to ${high.toPrecision(3)})`;
};
const page = (script) =>
  new TextEncoder().encode(
    `<!doctype html><title>bench</title><script type="module" src="${script}"></script>`,
  );
const script = (text) => new TextEncoder().encode(text);

/** What is timed: each takes the model as a Blob. */
const SWAPS = script(`import { swap } from './core.js';
const blob = await (await fetch('big.onnx')).blob();
const swapped = async () => (await swap(blob, { form: 'exp' })).output.blob();
globalThis.tasks = {
  read: () => blob.arrayBuffer(),
  swap: swapped,
  both: async () => (await swapped()).arrayBuffer(),
};
globalThis.time = async (name) => {
  const start = performance.now();
  const result = await tasks[name]();
  const ms = performance.now() - start;
  return { ms, bytes: result.byteLength ?? result.size };
};`);
const BARE = script(`import * as ort from './ort/ort.wasm.min.mjs';
ort.env.wasm.wasmPaths = new URL('ort/', location.href).href;
const session = await ort.InferenceSession.create('lenet5.onnx', { executionProviders: ['wasm'] });
await session.run({ images: new ort.Tensor('float32', new Float32Array(784), [1, 1, 28, 28]) });
document.title = 'done';`);

const launch = async () =>
  chromium.launch({
    executablePath: (await findBrowser()).path,
    args: [
      ...['--no-sandbox', '--disable-dev-shm-usage', '--use-gl=angle', '--use-angle=swiftshader'],
      ...['--enable-unsafe-swiftshader', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
    ],
  });

/** The memory of the browser's page processes, where the system tells (Linux): the most since `reset`. */
async function memoryOf(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const renderers = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
  const most = (id) => Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1]) * 1024;
  return {
    reset() {
      for (const id of renderers) writeFileSync(`/proc/${id}/clear_refs`, '5');
      return renderers.map(most);
    },
    grown: (before) => Math.max(...renderers.map((id, index) => most(id) - before[index])),
  };
}

async function measureSwap() {
  const code = await inOneFile('*');
  const server = await servePage(
    new Map([
      ['index.html', page('swaps.js')],
      ['swaps.js', SWAPS],
      ['core.js', script(code)],
      ['big.onnx', { file: big }],
    ]),
    { policy: () => POLICY },
  );
  const browser = await launch();
  try {
    const open = await browser.newPage();
    open.setDefaultTimeout(TIMEOUT_MS);
    await open.goto(server.url);
    await open.waitForFunction(() => 'time' in globalThis);
    const time = (name) => open.evaluate((task) => globalThis.time(task), name);
    const rounds = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const order = round % 2 === 0 ? ['read', 'swap', 'both'] : ['both', 'swap', 'read'];
      const times = {};
      for (const name of order) times[name] = (await time(name)).ms;
      if (round > 0) rounds.push(times); // the first compiles
    }
    const of = (name) => rounds.map((times) => times[name]);
    const beside = (name) => ratio(rounds.map((times) => [times[name], times.read]));
    console.log(`  reading the Blob once           ${ms(of('read'))}`);
    console.log(`  swap, the result a Blob         ${ms(of('swap'))}: ${beside('swap')}`);
    console.log(`  swap, and reading its result    ${ms(of('both'))}: ${beside('both')}`);

    if (process.platform !== 'linux') return console.log('  memory: told on Linux only');
    const collector = await open.context().newCDPSession(open);
    const memory = await memoryOf(browser);
    const peaks = [];
    for (const name of ['swap', 'read', 'both']) {
      const grown = [];
      for (let round = 0; round < 3; round++) {
        await collector.send('HeapProfiler.collectGarbage');
        const before = memory.reset();
        await time(name);
        grown.push(memory.grown(before));
      }
      peaks.push(`${name} ${mebibytes(median(grown))}`);
    }
    await collector.send('HeapProfiler.collectGarbage');
    const { usedSize } = await collector.send('Runtime.getHeapUsage');
    console.log(`  peak memory of the page above what it has: ${peaks.join(', ')}`);
    console.log(`  JavaScript heap afterwards      ${mebibytes(usedSize)}`);
  } finally {
    await browser.close();
    await server.close();
  }
}

async function measureWorkbench() {
  const runtime = (await runtimeFiles()).map(([name, content]) => [`ort/${name}`, content]);
  const workbench = await servePage(new Map([...(await workbenchFiles()), ...(await handedFiles(lenet))]), {
    policy: policyOf,
  });
  const bare = await servePage(
    new Map([
      ['index.html', page('bare.js')],
      ['bare.js', BARE],
      ['lenet5.onnx', { file: lenet }],
      ...runtime,
    ]),
    { policy: () => POLICY },
  );
  const browser = await launch();
  async function visit(url, steps) {
    const open = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    open.setDefaultTimeout(TIMEOUT_MS);
    const start = performance.now();
    await open.goto(url);
    const times = [];
    for (const step of steps) {
      await step(open);
      times.push(performance.now() - start);
    }
    await open.close();
    return times;
  }
  const STEPS = [
    (open) => open.getByRole('button', { name: /^Swap \d/ }).waitFor(),
    async (open) => {
      await open.getByRole('button', { name: /^Swap \d/ }).click();
      await open.getByRole('link', { name: /^Download/ }).waitFor();
    },
    async (open) => {
      await open.getByRole('button', { name: 'Run both' }).click();
      await open
        .getByText(/^Median/)
        .first()
        .waitFor();
    },
  ];
  try {
    const visits = [];
    for (let round = 0; round <= VISITS; round++) {
      const [run] = await visit(bare.url, [(open) => open.waitForFunction(() => document.title === 'done')]);
      const ours = await visit(`${workbench.url}#model`, STEPS);
      if (round > 0) visits.push({ run, ours }); // the first fills the caches
    }
    const bares = visits.map(({ run }) => run);
    console.log(`  a bare page’s first run, wasm   ${ms(bares)}`);
    for (const [index, what] of [
      'the model’s inspection',
      'the swapped model',
      'the first latency',
    ].entries()) {
      const times = visits.map(({ ours }) => ours[index]);
      const pairs = visits.map(({ ours, run }) => [ours[index], run]);
      console.log(`  the workbench: ${what.padEnd(23)}  ${ms(times)}: ${ratio(pairs)}`);
    }
  } finally {
    await browser.close();
    await Promise.all([workbench.close(), bare.close()]);
  }
}

try {
  console.log('Core, bundled, minified and gzipped');
  for (const names of ['inspect', 'swap', '*']) {
    console.log(`  ${names.padEnd(8)} ${count((await bundle(names)).bytes)} B of ${count(BUDGET)}`);
  }
  writeModel(big, 25, 1000);
  for (let run = 1; run <= RUNS; run++) {
    console.log(
      `\nRun ${run}: a model of ${count(statSync(big).size)} B, 25 sites, in a page; medians of ${ROUNDS} rounds`,
    );
    await measureSwap();
    console.log(`lenet5.onnx, from opening the page; medians of ${VISITS} visits`);
    await measureWorkbench();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
