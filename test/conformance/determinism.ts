import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { findBrowser } from '../../src/providers/browser/find.js';
import { inOneFile } from '../bench/size.js';
import { withoutDigest } from '../support/record.js';
import { type Swapped, sha256 } from './check.js';

const HASHES = fileURLToPath(new URL('hashes.js', import.meta.url));

/** Those that come out with other bytes in a fresh process of Node. */
export function differInProcess(swapped: readonly Swapped[]): Swapped[] {
  const jobs = swapped.map(({ path, form }) => ({ path, form }));
  const { status, stdout, stderr } = spawnSync(process.execPath, [HASHES], {
    input: JSON.stringify(jobs),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  const hashes = JSON.parse(stdout) as string[];
  return swapped.filter((one, at) => one.sha256 !== hashes[at]);
}

/** Those that come out with other bytes in a page, or why there is none. */
export async function differInPage(swapped: readonly Swapped[]): Promise<Swapped[] | string> {
  const code = await inOneFile('swap');
  const found = await findBrowser().catch((error: Error) => error.message);
  if (typeof found === 'string') return found;
  const browser = await chromium.launch({ executablePath: found.path });
  try {
    const page = await browser.newPage();
    const module = `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`;
    await page.addScriptTag({
      type: 'module',
      content: `import { swap } from '${module}'; globalThis.swap = swap;`,
    });
    await page.waitForFunction(() => 'swap' in globalThis, undefined, { timeout: 300_000 });
    const different: Swapped[] = [];
    for (const one of swapped) {
      const model = readFileSync(one.path).toString('base64');
      const written = await page.evaluate(inPage, { model, form: one.form });
      if (sha256(withoutDigest(Buffer.from(written, 'base64'))) !== one.undigested) different.push(one);
    }
    return different;
  } finally {
    await browser.close();
  }
}

/** Runs in the page, where nothing of this file is. */
async function inPage(job: { model: string; form: string }): Promise<string> {
  const { swap } = globalThis as unknown as {
    swap: (model: Blob, options: object) => Promise<{ output: { bytes: () => Promise<Uint8Array> } }>;
  };
  const bytes = Uint8Array.from(atob(job.model), (char) => char.charCodeAt(0));
  const { output } = await swap(new Blob([bytes]), { form: job.form });
  let text = '';
  for (const byte of await output.bytes()) text += String.fromCharCode(byte);
  return btoa(text);
}
