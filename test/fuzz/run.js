// npm run fuzz -- --minutes 30 [--cases 50000] [--seed 6] [--workers 2] [--out .fuzz/failures]
// Fuzzes what is in dist/, on threads that this one watches. Each failure is kept as a file that test/fuzz/regressions/ takes.
import { createHash, randomInt } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { build } from 'rolldown';

const BATCH = 1000;
const HANG_MS = 20_000;
const MEMORY_MB = 512;

const root = fileURLToPath(new URL('../../', import.meta.url));
const text = { type: /** @type {const} */ ('string') };
const { values } = parseArgs({
  options: { minutes: text, cases: text, seed: text, workers: text, out: text },
});
const number = (/** @type {string | undefined} */ value, /** @type {number} */ otherwise) => {
  const parsed = Number(value ?? otherwise);
  if (Number.isFinite(parsed) && parsed >= 0) return parsed;
  throw new Error(`'${value}' is no number`);
};
const seed = number(values.seed, randomInt(2 ** 31));
const most = values.cases === undefined ? Number.POSITIVE_INFINITY : number(values.cases, 0);
const minutes = number(values.minutes, values.cases === undefined ? 5 : 24 * 60);
const workers = number(values.workers, Math.max(1, os.availableParallelism()));
const out = resolve(root, values.out ?? '.fuzz/failures');
const batches = Math.min(Math.ceil(most / BATCH), 2 ** 30);

/** Our own sources are taken from dist/, so that what is shipped is what is fuzzed. */
const fromDist = {
  name: 'dist',
  resolveId(/** @type {string} */ id, /** @type {string | undefined} */ importer) {
    if (importer === undefined || !id.startsWith('.')) return null;
    const path = fileURLToPath(new URL(id, pathToFileURL(importer)));
    const [top] = relative(root, path).split(/[\\/]/);
    if (top !== 'src' && top !== 'proto') return null;
    const built = top === 'src' ? join(root, 'dist', relative(join(root, 'src'), path)) : path;
    return { id: pathToFileURL(built).href, external: true };
  },
};
const engine = join(root, '.fuzz', `engine-${process.pid}.mjs`);
await build({
  input: join(root, 'test/fuzz/worker.ts'),
  platform: 'node',
  external: /^[^./]/,
  plugins: [fromDist],
  output: { file: engine, format: 'esm' },
});

const next = new SharedArrayBuffer(4);
const started = performance.now();
const deadline = started + minutes * 60_000;
let cases = 0;
let failures = 0;
/** @type {Record<string, number>} */
const outcomes = {};

/** @param {object} test @param {Uint8Array} bytes */
const fileOf = (test, bytes) =>
  JSON.stringify({ ...test, bytes: Buffer.from(bytes).toString('base64') }, null, 2);

/** @param {string} error @param {any} first @param {any} smallest */
function keep(error, first, smallest) {
  failures++;
  const name = createHash('sha256').update(error.replace(/\d+/g, '')).digest('hex').slice(0, 12);
  mkdirSync(out, { recursive: true });
  const { bytes, ...about } = smallest;
  writeFileSync(join(out, `${name}.json`), fileOf({ error, ...about }, bytes));
  writeFileSync(join(out, `${name}.first.json`), fileOf({ error, ...first }, first.bytes));
  console.log(`FAILED, kept as ${join(out, name)}.json (${bytes.length} bytes):\n${error}\n`);
}

/**
 * A case that did not end is given as much time once more, by itself: a machine that was out of breath is no failure.
 * @param {any} test
 */
function tryAgain(test) {
  const worker = new Worker(engine, { workerData: { again: test, state: new SharedArrayBuffer(16) } });
  return new Promise((resolve) => {
    let error = `Hang: a case went on for more than ${HANG_MS / 1000} s`;
    const timer = setTimeout(() => worker.terminate(), 4 * HANG_MS);
    worker.on('message', (message) => {
      error = message.error;
    });
    worker.on('exit', () => {
      clearTimeout(timer);
      if (error === '') console.log('one case went on for long, and not when it was tried again');
      else keep(error, test, test);
      resolve(undefined);
    });
  });
}

/** One worker; the promise settles when it ends, for whatever reason. */
function work() {
  const state = new SharedArrayBuffer(8 + 2 ** 20);
  const head = new Int32Array(state, 0, 2);
  const current = () => {
    const told = Buffer.from(state.slice(8, 8 + (head[1] ?? 0)));
    const end = told.indexOf(10);
    return {
      ...JSON.parse(told.subarray(0, end).toString() || '{}'),
      bytes: Uint8Array.from(told.subarray(end + 1)),
    };
  };
  return new Promise((resolve) => {
    const order = { root, seed, batch: Math.min(BATCH, most), next, batches, state };
    const resourceLimits = { maxOldGenerationSizeMb: MEMORY_MB };
    const worker = new Worker(engine, { workerData: order, resourceLimits });
    let seen = -1;
    let since = process.cpuUsage();
    let hung = false;
    const watch = setInterval(() => {
      // Time that this process worked, not that of the clock: a machine may have other work.
      const { user, system } = process.cpuUsage(since);
      if (head[0] !== seen) [seen, since] = [head[0] ?? 0, process.cpuUsage()];
      else if (seen > 0 && (user + system) / 1000 > HANG_MS * workers) hung = true;
      if (!hung && performance.now() <= deadline) return;
      clearInterval(watch);
      void worker.terminate();
    }, 500);
    worker.on('message', (message) => {
      if (message.ready) return;
      cases += message.cases;
      for (const [key, count] of Object.entries(message.outcomes))
        outcomes[key] = (outcomes[key] ?? 0) + count;
      if (message.failure) keep(message.failure.error, message.failure.first, message.failure.smallest);
      since = process.cpuUsage();
      const seconds = (performance.now() - started) / 1000;
      if (Math.floor(cases / 100_000) > Math.floor((cases - message.cases) / 100_000)) {
        console.log(
          `${cases} cases in ${seconds.toFixed(0)} s, ${(cases / seconds).toFixed(0)} a second, ${failures} failures`,
        );
      }
    });
    worker.on('error', (error) => keep(String(error.stack ?? error), current(), current()));
    worker.on('exit', async () => {
      clearInterval(watch);
      if (hung) await tryAgain(current());
      resolve(undefined);
    });
  });
}

console.log(`seed ${seed}, ${workers} workers, node ${process.versions.node}`);
await Promise.all(
  Array.from({ length: workers }, async () => {
    // One that hung or ran out of memory is replaced.
    while (performance.now() < deadline && Atomics.load(new Int32Array(next), 0) < batches && failures < 100)
      await work();
  }),
);
const seconds = (performance.now() - started) / 1000;
console.log(
  `${cases} cases in ${seconds.toFixed(1)} s, ${(cases / seconds).toFixed(0)} a second, ${failures} failures, seed ${seed}`,
);
for (const [key, count] of Object.entries(outcomes).sort()) console.log(`  ${key.padEnd(24)} ${count}`);
process.exitCode = failures > 0 ? 1 : 0;
