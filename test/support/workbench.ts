import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Page } from 'playwright-core';
import { policyOf, workbenchFiles } from '../../src/cli/commands/workbench-files.js';
import { type Content, type PageServer, servePage } from '../../src/providers/browser/server.js';
import type { Workbench } from '../../src/web/workbench/protocol.js';
import { launchBrowser, SOFTWARE_WEBGL } from './browser.js';
import { isHeavy } from './heavy.js';

// The workbench's built worker in a page of its server, without the page's own components.

/** What scripts in the page find there. */
export interface InPage {
  readonly bench: Workbench;
  proxy<T>(callback: T): T;
  file(name: string): Promise<{ name: string; blob: Blob }>;
}

export interface Bench {
  readonly page: Page;
  readonly url: string;
  /** What the page logged as an error, violations of its policy among them. */
  readonly errors: string[];
  close(): Promise<void>;
}

const SCRIPT = `
import { proxy, wrap } from './comlink.mjs';
const file = async (name) => ({ name, blob: await (await fetch(name)).blob() });
const bench = wrap(new Worker('WORKER', { type: 'module' }));
Object.assign(globalThis, { bench, proxy, file });
`;

/** Starts server, browser and worker; `files` are what the page may fetch, by name. The caller closes it. */
export async function openBench(files: Readonly<Record<string, Content>>): Promise<Bench> {
  const built = await workbenchFiles();
  const comlink = join(dirname(createRequire(import.meta.url).resolve('comlink')), '../esm/comlink.mjs');
  const worker = built.map(([name]) => name).find((name) => /^assets\/worker-/.test(name));
  if (worker === undefined) throw new Error('the workbench is not built: npm run bundle');
  const text = (content: string) => new TextEncoder().encode(content);
  const all = new Map<string, Content>([
    ...built,
    ['test.html', text('<!doctype html><title>test</title><script type="module" src="test.js"></script>')],
    ['test.js', text(SCRIPT.replace('WORKER', worker))],
    ['comlink.mjs', { file: comlink }],
    ...Object.entries(files),
  ]);
  const server: PageServer = await servePage(all, { policy: policyOf });
  // With WebGPU, what a model runs on takes a second build of ONNX Runtime.
  const browser = await launchBrowser(isHeavy ? undefined : SOFTWARE_WEBGL);
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(error.message));
  const url = server.url.replace('index.html', 'test.html');
  await page.goto(url);
  await page.waitForFunction('globalThis.bench !== undefined');
  return {
    page,
    url,
    errors,
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
