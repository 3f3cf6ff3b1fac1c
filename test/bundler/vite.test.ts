import { copyFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Browser } from 'playwright-core';
import { createServer } from 'vite';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { swapFile } from '../../src/node/index.js';
import { openBrowser, resultOf, serveBuilt, sha256 } from '../support/app-page.js';
import { BUILD, makeApp, viteConfig } from '../support/bundlers.js';
import { bytesOf } from '../support/models.js';
import { modelPath } from '../support/workbench-page.js';

const MODELS = ['vgg-leaky.onnx', 'vgg-leaky.onnx.data', 'lenet5.onnx'];

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

test('a page built by Vite gives the outputs of ONNX Runtime on the CPU', async () => {
  const main = `
    import * as ort from 'onnxruntime-web/wasm';
    import vgg, { externalData } from './vgg-leaky.onnx?mish';
    import lenet, { externalData as none } from './lenet5.onnx?mish';
    ort.env.wasm.numThreads = 1;
    const scores = async (url, externalData) => {
      const session = await ort.InferenceSession.create(url, { externalData });
      const images = Float32Array.from({ length: 2 * 784 }, (_, index) => Math.abs(Math.sin(index)));
      const { scores } = await session.run({ images: new ort.Tensor('float32', images, [2, 1, 28, 28]) });
      return [...scores.data];
    };
    globalThis.result = { vgg: await scores(vgg, externalData), lenet: await scores(lenet, none) };
  `;
  const app = await makeApp(main, MODELS);
  await symlink(fileURLToPath(new URL('../../node_modules', import.meta.url)), app.folder.at('node_modules'));
  await BUILD.vite(app);
  const { result } = await resultOf<Record<'vgg' | 'lenet', number[]>>(browser, await serveBuilt(app));

  const onCpu = async (name: string) => {
    const output = join(app.root, `expected-${name}`);
    await swapFile(join(app.root, name), { target: 'wasm', output });
    const session = await InferenceSession.create(output);
    const images = Float32Array.from({ length: 2 * 784 }, (_, index) => Math.abs(Math.sin(index)));
    const { scores } = await session.run({ images: new Tensor('float32', images, [2, 1, 28, 28]) });
    await session.release();
    return Array.from(scores?.data as Float32Array);
  };
  for (const [name, scores] of Object.entries({
    'vgg-leaky.onnx': result.vgg,
    'lenet5.onnx': result.lenet,
  })) {
    const expected = await onCpu(name);
    const largest = Math.max(...expected.map(Math.abs));
    expect(scores).toHaveLength(20);
    scores.forEach((score, index) => {
      expect(Math.abs(score - (expected[index] ?? Number.NaN))).toBeLessThan(1e-5 * largest);
    });
  }
});

test('the development server serves the swapped model and reloads the page when the model changes', async () => {
  const main = `
    import url, { externalData } from './vgg-leaky.onnx?mish';
    const hash = async (address) => {
      const bytes = await (await fetch(address)).arrayBuffer();
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
      return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
    };
    globalThis.result = { model: await hash(url), data: await Promise.all(externalData.map((file) => hash(file.data))) };
  `;
  const app = await makeApp(main, MODELS);
  const swapped = async () => {
    const output = join(app.folder.path, 'expected.onnx');
    await swapFile(join(app.root, 'vgg-leaky.onnx'), { target: 'wasm', undo: false, output, force: true });
    return sha256(bytesOf(output));
  };
  const server = await createServer({
    ...viteConfig(app, []),
    cacheDir: app.folder.at('vite'),
    server: { port: 0, host: '127.0.0.1', hmr: true },
  });
  onTestFinished(() => server.close());
  await server.listen();
  const url = server.resolvedUrls?.local[0] ?? '';
  const { page, result } = await resultOf<{ model: string; data: string[] }>(browser, url);
  expect(result).toEqual({
    model: await swapped(),
    data: [sha256(bytesOf(join(app.root, 'vgg-leaky.onnx.data')))],
  });

  await copyFile(modelPath('mobilenet.onnx'), join(app.root, 'vgg-leaky.onnx'));
  const now = { model: await swapped(), data: [] };
  await page.waitForFunction(
    (expected) => JSON.stringify((globalThis as { result?: unknown }).result) === expected,
    JSON.stringify(now),
  );
});
