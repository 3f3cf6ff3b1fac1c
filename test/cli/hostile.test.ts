import { describe, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.js';
import { cli } from '../support/cli.js';
import { tempFolder } from '../support/folder.js';
import { isHeavy } from '../support/heavy.js';
import { model, node, value } from '../support/model.js';

/** Stands for bytes that are no UTF-8, in a name of the same length. */
const PLACEHOLDER = 'not valid UTF-8';

const NAMES = {
  'a script': '</script><script>alert(1)</script>',
  'an attribute': '"><img src=x onerror=alert(1)>',
  'a very long one': 'n'.repeat(10_000),
  'no UTF-8': PLACEHOLDER,
} as const;

/** For each name two activations whose nodes, and the tensor between them, have it. */
function named(names: readonly string[]): Uint8Array {
  const last = names.length - 1;
  const bytes = model({
    nodes: names.flatMap((name, index) => [
      node('Relu', [index === 0 ? 'x' : `t${index}`], [`${name} t`], {}, { name }),
      node('Relu', [`${name} t`], [index === last ? 'y' : `t${index + 1}`], {}, { name: `${name} 2` }),
    ]),
    inputs: [value('x', 1, [4])],
    outputs: [value('y', 1, [4])],
  });
  const text = new TextEncoder().encode(PLACEHOLDER);
  const at = (from: number) =>
    bytes.findIndex((_, i) => i >= from && text.every((byte, j) => bytes[i + j] === byte));
  for (let found = at(0); found >= 0; found = at(found + 1))
    bytes.set([0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0], found);
  return bytes;
}

describe('names with scripts or attributes, very long names and names that are not valid UTF-8', () => {
  test('are text in every view, and the browser runs none of them', async () => {
    const folder = await tempFolder();
    await folder.write('m.onnx', named(Object.values(NAMES)));
    const views = ['--report', 'out.html', '--junit', 'out.xml'];
    const args = [
      'validate',
      'm.onnx',
      '--providers',
      isHeavy ? 'cpu,wasm,webgl' : 'cpu,webgl',
      '--runs',
      '1',
      '--seconds',
      '0.01',
    ];
    const result = await cli([...args, '--per-layer', '--profile', ...views], { cwd: folder.path });
    expect(result.code).toBe(0);
    expect(result.stderr).toMatch(/^((comparing|measuring) .*…\n)*$/); // progress, where the machine is slow
    expect(result.stdout).toMatch(/^webgl +ran/m);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(result.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    const html = new TextDecoder('utf-8', { fatal: true }).decode(await folder.read('out.html'));
    expect(html).not.toContain('<img src=x');
    expect(html).not.toContain('<script>alert');

    const browser = await launchBrowser([]);
    try {
      const page = await browser.newPage();
      const seen: string[] = [];
      page.on('dialog', (dialog) => {
        seen.push(`dialog ${dialog.message()}`);
        void dialog.dismiss();
      });
      page.on('request', (request) => request.url().startsWith('file:') || seen.push(request.url()));
      page.on('console', (message) => message.type() === 'error' && seen.push(message.text()));
      page.on('pageerror', (error) => seen.push(String(error)));
      await page.goto(`file://${folder.at('out.html')}`);
      for (const summary of await page.locator('summary').all()) await summary.click();
      expect(seen).toEqual([]);
      expect(await page.locator('img').count()).toBe(0);
      const text = await page.locator('body').innerText();
      for (const name of Object.values(NAMES)) {
        if (name !== PLACEHOLDER && name.length < 100) expect(text).toContain(name.slice(0, 20));
      }
    } finally {
      await browser.close();
    }
  });
});
