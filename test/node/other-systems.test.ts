import fs from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { expect, test } from 'vitest';
import { writeAtomically } from '../../src/files/write-atomically.js';
import { retargetFile, swapFile, undoFile } from '../../src/node/index.js';
import { BIAS_BYTES, externalModel } from '../support/external.js';
import { tempFolder } from '../support/folder.js';
import { failure, reluModel } from '../support/graph.js';

// FAT and some network file systems have no hard links, with which a name is taken in one step elsewhere.
fs.linkSync = () => {
  throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' });
};

// Windows replaces no file that is open.
const { renameSync } = fs;
const OPEN = '/proc/self/fd';
fs.renameSync = (from, to) => {
  const isOpen = (fd: string) =>
    fs.existsSync(`${OPEN}/${fd}`) && fs.readlinkSync(`${OPEN}/${fd}`) === `${to}`;
  if (fs.existsSync(OPEN) && fs.readdirSync(OPEN).some(isOpen))
    throw Object.assign(new Error('EPERM: operation not permitted, rename'), { code: 'EPERM' });
  renameSync(from, to);
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

test.each([
  ['in one file', false],
  ['with external data', true],
])('a model %s that takes the place of its input is closed before', async (_, external) => {
  const folder = await tempFolder();
  const bytes = external ? externalModel('net.bin') : reluModel();
  if (external) await folder.write('net.bin', BIAS_BYTES);
  const path = await folder.write('net.onnx', bytes);
  const inPlace = { output: path, force: true };
  await swapFile(path, inPlace);
  await retargetFile(path, { ...inPlace, form: 'exp' });
  for (let times = 0; times < 2; times++) await undoFile(path, inPlace);
  expect(await folder.read('net.onnx')).toEqual(bytes);
});

test('a file that is open is not replaced, as on Windows', async () => {
  const folder = await tempFolder();
  const path = await folder.write('net.onnx', reluModel());
  const handle = await fs.promises.open(path);
  expect(await failure(swapFile(path, { output: path, force: true }))).toMatchObject({ code: 'io' });
  await handle.close();
  expect(await folder.list()).toEqual(['net.onnx']);
});
