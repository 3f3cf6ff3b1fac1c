import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { policyOf, workbenchFiles } from '../../src/cli/commands/workbench-files.js';
import { type Content, servePage } from '../../src/providers/browser/server.js';
import { launchBrowser, SOFTWARE_WEBGL } from './browser.js';
import { isHeavy } from './heavy.js';

/** All pages share a process, and with it what they have compiled. */
const ONE_PROCESS = '--renderer-process-limit=1';

const models = new URL('../../models/', import.meta.url).pathname;
export const modelPath = (name: string) => join(models, name);

export interface WorkbenchPages {
  /** Opens the workbench as a reader does; `hash` ends its address. */
  open(hash?: string): Promise<Page>;
  /** Opens it for a test without a run: by default ONNX Runtime never arrives, so that the question what runs the model stays open. */
  openIdle(): Promise<Page>;
  /** Opens it where somebody else serves it. */
  visit(address: string): Promise<Page>;
  /** What its pages have logged as errors. */
  readonly errors: string[];
  close(): Promise<void>;
}

/** The built workbench on its server, and a browser; `files` are offered beside it. The caller closes it. */
export async function openWorkbench(files: Readonly<Record<string, Content>> = {}): Promise<WorkbenchPages> {
  const server = await servePage(new Map([...(await workbenchFiles()), ...Object.entries(files)]), {
    policy: policyOf,
  });
  // With WebGPU, each model that is opened loads a second build of ONNX Runtime.
  const browser = await launchBrowser(isHeavy ? undefined : [...SOFTWARE_WEBGL, ONE_PROCESS]);
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const errors: string[] = [];
  async function visit(address: string, isIdle = false): Promise<Page> {
    const page = await context.newPage();
    if (isIdle) await page.route('**/ort/*', () => {});
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    page.on('pageerror', ({ message }) => errors.push(message));
    await page.goto(address);
    await page.getByRole('heading', { level: 1 }).waitFor();
    return page;
  }
  return {
    errors,
    open: (hash = '') => visit(server.url + hash),
    openIdle: () => visit(server.url, !isHeavy),
    visit: (address) => visit(address),
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
