import { createHash } from 'node:crypto';
import type { Browser, Page } from 'playwright-core';
import { preview } from 'vite';
import { onTestFinished } from 'vitest';
import { launchBrowser } from './browser.js';
import { type App, BASE } from './bundlers.js';

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** The caller closes it. */
export async function openBrowser(): Promise<Browser> {
  return launchBrowser([]);
}

/** The address at which an app's build is served for the rest of the test, under its base and nowhere else. */
export async function serveBuilt({ root, outDir }: App): Promise<string> {
  const server = await preview({
    root,
    base: BASE,
    configFile: false,
    appType: 'mpa', // else what is not there is answered with the page
    logLevel: 'error',
    build: { outDir },
    preview: { port: 0, host: '127.0.0.1' },
  });
  onTestFinished(() => server.close());
  return server.resolvedUrls?.local[0] ?? '';
}

/** Opens an app's page, and gives what its script leaves in `globalThis.result`. Rejects with what the page fails with. */
export async function resultOf<T>(browser: Browser, url: string): Promise<{ page: Page; result: T }> {
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  const failed = new Promise<never>((_, reject) => {
    page.on('pageerror', reject);
    page.on('console', (message) => {
      if (message.type() === 'error') reject(new Error(message.text()));
    });
  });
  failed.catch(() => {}); // it may be late
  await Promise.race([page.goto(url), failed]);
  await Promise.race([page.waitForFunction(() => 'result' in globalThis), failed]);
  const result = await Promise.race([
    page.evaluate(() => (globalThis as { result?: unknown }).result),
    failed,
  ]);
  return { page, result: result as T };
}

/** The bytes behind an address, as the page gets them. */
export async function fetched(page: Page, url: string): Promise<Uint8Array> {
  const text = await page.evaluate(async (address) => {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  }, url);
  return new Uint8Array(Buffer.from(text, 'hex'));
}
