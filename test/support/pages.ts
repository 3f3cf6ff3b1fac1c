import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { type Content, servePage } from '../../src/providers/browser/server.js';
import { launchBrowser } from './browser.js';

/** What the pages of the library have to do with. */
export const STRICT_POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The files below a folder, by their path from it, as a server offers them. */
export async function filesIn(folder: string, wanted: (path: string) => boolean = () => true) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .map((file): [string, Content] => [relative(folder, file).split(sep).join('/'), { file }])
    .filter(([path]) => wanted(path));
}

/** The built library as it is published, for a page without a bundler: `dist/index.js`, `dist/web/index.js`. */
export async function builtFiles(): Promise<[string, Content][]> {
  const dist = await filesIn(join(root, 'dist'), (path) => path.endsWith('.js'));
  const proto = await filesIn(join(root, 'proto'), (path) => path.endsWith('.js'));
  return [
    ...dist.map(([path, content]): [string, Content] => [`dist/${path}`, content]),
    ...proto.map(([path, content]): [string, Content] => [`proto/${path}`, content]),
  ];
}

export interface Pages {
  /** A page at one of the files; `prepare` has it before it goes there. */
  open(path?: string, prepare?: (page: Page) => void): Promise<Page>;
  /** What the pages have logged as errors, refusals of the policy included. */
  readonly errors: string[];
  close(): Promise<void>;
}

/** Serves files under the strict policy, or another, to a browser of their own. The caller closes it. */
export async function openPages(
  files: Iterable<readonly [string, Content]>,
  policy = STRICT_POLICY,
): Promise<Pages> {
  const server = await servePage(new Map(files), { policy: () => policy });
  const browser = await launchBrowser();
  const errors: string[] = [];
  return {
    errors,
    async open(path = 'index.html', prepare = () => {}) {
      const page = await browser.newPage();
      prepare(page);
      page.on('console', (message) => {
        if (message.type() === 'error') errors.push(message.text());
      });
      page.on('pageerror', ({ message }) => errors.push(message));
      await page.goto(new URL(path, server.url).href);
      return page;
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
