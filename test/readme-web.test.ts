import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser } from './support/browser.js';
import { buildPage, type Consumer, installPackage } from './support/consumer.js';
import { expectScores, greyScores } from './support/grey-scores.js';
import { everyNth } from './support/heavy.js';
import { filesIn, openPages } from './support/pages.js';
import { modelPath } from './support/workbench-page.js';

// The documentation's way from `npm i` to a swapped model on WebGL, as a reader goes it: in a project that has installed the
// package, with Vite, under the strict policy.

const section = await readFile(new URL('../docs/guide/page.md', import.meta.url), 'utf8');
const [, page = ''] = /```html\n([\s\S]*?)```/.exec(section) ?? [];

let consumer: Consumer;
let expected: number[];
beforeAll(async () => {
  consumer = await installPackage();
  await mkdir(consumer.folder.at('public'));
  await copyFile(modelPath('lenet5.onnx'), consumer.folder.at('public', 'model.onnx'));
  expected = await greyScores();
});
afterAll(() => consumer?.remove());

describe('the page of the documentation', () => {
  test('is ten lines', () => {
    const lines = page.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(5);
    expect(lines.length).toBeLessThanOrEqual(10);
    expect(section).toContain('npm i onnx-mish onnxruntime-web');
  });

  // What examples/vite has runs on WASM.
  const pagesOf = [
    ['webgl', page],
    ['wasm', page.replace("'webgl', 'wasm'", "'wasm'")],
  ] as const;
  test.each(everyNth(2, pagesOf))('runs the swapped model on %s, built by Vite', async (provider, html) => {
    await consumer.folder.write('index.html', html);
    const pages = await openPages(await filesIn(await buildPage(consumer)));
    try {
      const asked: string[] = [];
      const opened = await pages.open('index.html', (page) => {
        page.on('request', (request) => asked.push(request.url()));
      });
      await expectScores(opened, expected);
      // ONNX Runtime loads WebAssembly for every provider but WebGL.
      expect(asked.some((url) => url.endsWith('.wasm'))).toBe(provider === 'wasm');
      expect(pages.errors).toEqual([]);
    } finally {
      await pages.close();
    }
  });

  test('runs while Vite serves it for development', async () => {
    await consumer.folder.write('index.html', page);
    const server = await createServer({
      root: consumer.folder.path,
      configFile: false,
      logLevel: 'error',
      server: {
        host: '127.0.0.1',
        port: 0,
        strictPort: false,
        fs: { strict: false } /* the links lead out of it */,
      },
    });
    const browser = await launchBrowser();
    try {
      await server.listen();
      const [address = ''] = server.resolvedUrls?.local ?? [];
      const opened = await browser.newPage();
      await opened.goto(address);
      await expectScores(opened, expected);
    } finally {
      await browser.close();
      await server.close();
    }
  });
});
