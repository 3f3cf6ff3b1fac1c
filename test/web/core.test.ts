import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as core from '../../src/index.js';
import { everyNth } from '../support/heavy.js';
import { bytesOf } from '../support/models.js';
import { builtFiles, openPages, type Pages } from '../support/pages.js';
import { modelPath } from '../support/workbench-page.js';

// Runs the published core in a page and in a worker under a strict policy, and compares it with Node.

const folder = new URL('./pages/', import.meta.url).pathname;
const { exercise } = await import(join(folder, 'core.js'));
const MODELS = everyNth(2, ['lenet5.onnx', 'vgg-leaky.onnx']);
const text = (content: string) => new TextEncoder().encode(content);

const WORK = `import * as core from './dist/index.js';
import { evaluates, exercise } from './core.js';
const model = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
export const work = async (name) => ({ evaluates: evaluates(), results: await exercise(core, await model(name)) });`;
const WORKER = `import { work } from './work.js';
onmessage = ({ data }) => work(data).then(postMessage, (error) => postMessage({ error: String(error) }));`;
// The page's script runs it, because code that the test evaluates is not under the policy.
const PAGE = `import { work } from './work.js';
const inWorker = (name) => new Promise((resolve) => {
  const worker = new Worker('worker.js', { type: 'module' });
  worker.onmessage = ({ data }) => resolve(data);
  worker.postMessage(name);
});
const done = {};
for (const name of ${JSON.stringify(MODELS)}) done[name] = { page: await work(name), worker: await inWorker(name) };
globalThis.done = done;`;

type Done = Record<string, Record<'page' | 'worker', { evaluates: boolean; results: unknown }>>;

let pages: Pages;
beforeAll(async () => {
  pages = await openPages([
    ['index.html', text('<!doctype html><title>core</title><script type="module" src="page.js"></script>')],
    ['page.js', text(PAGE)],
    ['work.js', text(WORK)],
    ['worker.js', text(WORKER)],
    ['core.js', { file: join(folder, 'core.js') }],
    ...MODELS.map((name) => [name, { file: modelPath(name) }] as const),
    ...(await builtFiles()),
  ]);
});
afterAll(() => pages?.close());

describe('the core in a browser', () => {
  test('the outputs are byte-identical to Node for bytes, Blob and stream', async () => {
    const page = await pages.open();
    await page.waitForFunction(() => 'done' in globalThis);
    const done = await page.evaluate(() => (globalThis as unknown as { done: Done }).done);
    for (const name of MODELS) {
      const expected = JSON.parse(JSON.stringify(await exercise(core, bytesOf(modelPath(name)))));
      expect(expected.bytes.inspect.sites.length).toBeGreaterThan(0);
      // The record of a Blob or a stream has no digest, because nothing reads the weights for it.
      const { bytes, blob, stream } = expected;
      expect(bytes.swap.output.bytes).toBe(bytes.swap.output.blob);
      expect(blob.swap.output.bytes).toBe(stream.swap.output.blob);
      expect(bytes.swap.output.plain).toBe(stream.swap.output.plain);
      expect(bytes.swap.output.bytes).not.toBe(blob.swap.output.bytes);
      expect(bytes.undo.bytes).toBe(stream.undo.blob);
      for (const where of ['page', 'worker'] as const) {
        const { evaluates, results } = done[name]?.[where] ?? {};
        expect(evaluates, `${where}: the policy is in force`).toBe(false);
        expect(JSON.parse(JSON.stringify(results)), `${name} in a ${where}`).toEqual(expected);
      }
    }
    // The policy refused only what the test tried on purpose.
    expect(pages.errors.filter((error) => !/unsafe-eval/.test(error))).toEqual([]);
  });
});
