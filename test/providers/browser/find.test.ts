import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { findBrowser } from '../../../src/providers/browser/find.js';
import { tempFolder } from '../../support/folder.js';

const VARIABLES = ['ONNX_MISH_BROWSER', 'CHROME_PATH', 'CHROME_BIN'];

afterEach(() => {
  vi.unstubAllEnvs();
});

async function program(name: string) {
  const folder = await tempFolder();
  const path = await folder.write(name, '#!/bin/sh\n');
  await chmod(path, 0o755);
  return { path, folder: folder.path };
}

describe('the browser', () => {
  test('that is named comes first, then the environment, then the PATH', async () => {
    for (const name of VARIABLES) vi.stubEnv(name, '');
    const [named, variable, installed] = [await program('a'), await program('b'), await program('chromium')];
    vi.stubEnv('PATH', installed.folder);
    expect(await findBrowser()).toEqual({ path: installed.path, source: 'installed' });
    vi.stubEnv('CHROME_PATH', variable.path);
    expect(await findBrowser()).toEqual({ path: variable.path, source: '$CHROME_PATH' });
    expect(await findBrowser(named.path)).toEqual({ path: named.path, source: 'named' });
  });

  test.each(['/no/such/browser', '/tmp', import.meta.filename])('named %s is an error', async (path) => {
    await expect(findBrowser(path)).rejects.toThrow(
      expect.objectContaining({
        code: 'bad-usage',
        where: path,
        fix: 'Correct the path',
        option: { browser: null },
      }),
    );
    vi.stubEnv('ONNX_MISH_BROWSER', path);
    await expect(findBrowser()).rejects.toThrow(/ONNX_MISH_BROWSER/);
  });

  test('of the package serves where there is no other, and is unpacked once', async () => {
    for (const name of VARIABLES) vi.stubEnv(name, '');
    vi.stubEnv('PATH', '');
    const folder = await tempFolder();
    vi.stubEnv('TMPDIR', folder.path);
    // Several at once, as test files are, and one that begins while the first unpacks.
    const later = async () => {
      while (!(await folder.list()).some((name) => name.includes('chromium'))) await setTimeout(1);
      expect(tmpdir()).toBe(folder.path);
      return findBrowser();
    };
    const found = await Promise.all([findBrowser(), findBrowser(), later()]);
    expect(new Set(found.map(({ path }) => path)).size).toBe(1);
    expect(found[0]?.source).toBe('@sparticuz/chromium');
    expect(found[0]?.path.startsWith(folder.path)).toBe(true);
    const names = (await folder.list()).filter((name) => !name.slice(0, -1).includes('/'));
    expect(names).toEqual([expect.stringMatching(/^onnx-mish-chromium-[\d.]+-\d+\/$/)]);
    expect(process.env.TMPDIR).toBe(folder.path);
  });
});
