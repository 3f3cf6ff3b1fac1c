import fs from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { expect, test } from 'vitest';
import { writeAtomically } from '../../src/files/write-atomically.js';
import { tempFolder } from '../support/folder.js';
import { failure } from '../support/graph.js';

// FAT and some network file systems have no hard links, with which a name is taken in one step elsewhere.
fs.linkSync = () => {
  throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' });
};
syncBuiltinESMExports();

test('without hard links a file is written all the same', async () => {
  const folder = await tempFolder();
  await writeAtomically(folder.at('out'), false, async (handle) => void (await handle.write('x')));
  expect(await folder.list()).toEqual(['out']);
  expect(await folder.read('out')).toEqual(Uint8Array.of(120));
});

test('without hard links a file that appears meanwhile wins as well', async () => {
  const folder = await tempFolder();
  const attempt = writeAtomically(folder.at('out'), false, async (handle) => {
    await handle.write('ours');
    await writeFile(folder.at('theirs'), 'theirs');
    await rename(folder.at('theirs'), folder.at('out'));
  });
  expect(await failure(attempt)).toMatchObject({ code: 'io', what: 'the file exists already' });
  expect(await folder.list()).toEqual(['out']);
  expect(new TextDecoder().decode(await folder.read('out'))).toBe('theirs');
});
