import { renameSync, writeFileSync } from 'node:fs';
import { appendFile, mkdir, open, rename, rm, stat, utimes } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { aborted } from '../../src/base/abort.js';
import { watchFiles, whileUnchanged } from '../../src/files/unchanged.js';
import { openModel, swapFile } from '../../src/node/index.js';
import { BIAS_BYTES, externalModel } from '../support/external.js';
import { type Folder, tempFolder } from '../support/folder.js';
import { failure, reluModel } from '../support/graph.js';

const CHANGED = { code: 'io', what: 'the file was changed by another process while it was being read' };

/** Ways to change a file. */
const CHANGES: Record<string, (folder: Folder) => Promise<unknown>> = {
  'is added to': (folder) => appendFile(folder.at('f'), 'x'),
  'is shortened': (folder) => folder.write('f', 'ol'),
  async 'is overwritten with as many bytes, and its time set back,'(folder) {
    const { atime, mtime } = await stat(folder.at('f'));
    const handle = await open(folder.at('f'), 'r+');
    await handle.write('new');
    await handle.close();
    await utimes(folder.at('f'), atime, mtime);
  },
  async 'is replaced, as editors and trainers do'(folder) {
    await folder.write('g', 'new');
    await rename(folder.at('g'), folder.at('f'));
  },
  'is removed': (folder) => rm(folder.at('f')),
  'is moved': (folder) => rename(folder.at('f'), folder.at('elsewhere')),
};

test.each(Object.entries(CHANGES))('a file that %s is refused', async (_, change) => {
  const folder = await tempFolder();
  const path = await folder.write('f', 'old');
  const check = await watchFiles([path]);
  const file = await openModel(path);
  await check();
  await file.checkUnchanged();
  await change(folder);
  expect(await failure(check())).toMatchObject({ ...CHANGED, where: path });
  expect(await failure(file.checkUnchanged())).toMatchObject({ ...CHANGED, where: path });
  await file.close();
});

test('reading a file is not a change', async () => {
  const folder = await tempFolder();
  const path = await folder.write('f', 'old');
  const check = await watchFiles([path]);
  await folder.read('f');
  await check();
});

test('a missing file must stay missing', async () => {
  const folder = await tempFolder();
  const check = await watchFiles([folder.at('f')]);
  await check();
  await folder.write('f', 'new');
  expect(await failure(check())).toMatchObject({ ...CHANGED, where: folder.at('f') });
});

test('a change is reported as the cause of failed work, unless it was aborted', async () => {
  const folder = await tempFolder();
  const path = await folder.write('f', 'old');
  const work = (error: Error) => async () => {
    await appendFile(path, 'x');
    throw error;
  };
  expect(await failure(whileUnchanged([path], work(new Error('not a model'))))).toMatchObject(CHANGED);
  expect(await failure(whileUnchanged([path], work(aborted())))).toMatchObject({ code: 'aborted' });
  const other = whileUnchanged([path], () => Promise.reject(new Error('not a model')));
  expect(await failure(other)).toMatchObject({ message: 'not a model' });
  expect(await whileUnchanged([path], async () => 7)).toBe(7);
});

test.each(['beside', 'elsewhere'])(
  'a data file that changes while its model is swapped: %s',
  async (where) => {
    const folder = await tempFolder();
    const input = await folder.write('m.onnx', externalModel('m.bin'));
    await folder.write('m.bin', BIAS_BYTES);
    await mkdir(folder.at('out'));
    const output = folder.at(where === 'beside' ? 'm.mish.onnx' : 'out/m.onnx');
    const verify = async () => {
      throw new Error('reached');
    };
    let changed = false;
    const onProgress = () => {
      if (changed) return;
      changed = true;
      // Half of it is of one training run, half of another.
      writeFileSync(folder.at('m.bin'), new Uint8Array(16).fill(1));
    };
    const error = await failure(swapFile(input, { output, onProgress, verify }));
    expect(error).toMatchObject({ ...CHANGED, where: folder.at('m.bin') });
    expect(await folder.list()).toEqual(['m.bin', 'm.onnx', 'out/']);
  },
);

test('a model that is replaced meanwhile gives no output', async () => {
  const folder = await tempFolder();
  const input = await folder.write('m.onnx', reluModel());
  await folder.write('other.onnx', reluModel({ opset: 13 }));
  let moved = false;
  const onProgress = () => {
    if (!moved) renameSync(folder.at('other.onnx'), input);
    moved = true;
  };
  const verify = () => Promise.reject(new Error('reached'));
  expect(await failure(swapFile(input, { onProgress, verify }))).toMatchObject({ ...CHANGED, where: input });
  expect(await folder.list()).toEqual(['m.onnx']);
});
