import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { importIfInstalled } from '../../../src/providers/node/packages.js';
import { tempFolder } from '../../support/folder.js';

/** Imports a package `packet` of a new project with these files. */
async function importFrom(files: Readonly<Record<string, string>>): Promise<object | undefined> {
  const folder = await tempFolder();
  const all = { ...files, 'package.json': '{"type":"module"}', 'load.js': LOAD };
  for (const [name, text] of Object.entries(all)) {
    await mkdir(dirname(folder.at(name)), { recursive: true });
    await writeFile(folder.at(name), text);
  }
  const { load } = await import(/* @vite-ignore */ pathToFileURL(folder.at('load.js')).href);
  return importIfInstalled('packet', load);
}
const LOAD = "export const load = () => import('packet');";

test('a package that is not installed is undefined', async () => {
  expect(await importFrom({})).toBeUndefined();
});

test.each([
  ['a package that a module imports', 'module', "import 'other';"],
  ['a file that a module imports', 'module', "import './other.js';"],
  ['a package that a script requires', 'commonjs', "require('other');"],
  ['a file that a script requires', 'commonjs', "require('./other.js');"],
])('a package that lacks %s is not taken for one that is not installed', async (_, type, code) => {
  const files = {
    'node_modules/packet/package.json': JSON.stringify({ name: 'packet', type, main: 'main.js' }),
    'node_modules/packet/main.js': code,
  };
  await expect(importFrom(files)).rejects.toThrow(/other/);
});
