import { readdirSync, readlinkSync } from 'node:fs';
import { appendFile, mkdir, readdir, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { openModel } from '../../src/node/index.js';
import { tempFolder } from '../support/folder.js';
import { failure } from '../support/graph.js';

// Sizes around MAX_BYTES_IN_MEMORY.
const SIZES = { small: 100_000, large: 9_000_000 };

function bytesOf(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) bytes[index] = (index * 7 + (index >> 8)) & 255;
  return bytes;
}

/** Returns what this process has open, on Linux. */
const openFiles = () =>
  readdirSync('/proc/self/fd').flatMap((handle) => {
    try {
      return readlinkSync(`/proc/self/fd/${handle}`);
    } catch {
      return []; // closed meanwhile
    }
  });

test.each(Object.entries(SIZES))('a %s file is read correctly at every offset', async (_, size) => {
  const folder = await tempFolder();
  const bytes = bytesOf(size);
  const file = await openModel(await folder.write('model.onnx', bytes));
  try {
    expect(file).toMatchObject({ size, path: folder.at('model.onnx'), name: folder.at('model.onnx') });
    for (const [offset, length] of [
      [0, 10],
      [size - 10, 10],
      [1234, 70_000],
      [size, 0],
    ] as const) {
      const read = Buffer.from(await file.read(offset, length));
      expect(read.equals(bytes.subarray(offset, offset + length))).toBe(true);
    }
    await file.checkUnchanged();
  } finally {
    await file.close();
  }
});

test('a large file is not kept in memory, and an early end is an error with the offset', async () => {
  const folder = await tempFolder();
  const path = await folder.write('model.onnx', bytesOf(SIZES.large));
  const file = await openModel(path);
  try {
    expect(file.bytes).toBeUndefined();
    await truncate(path, 8_500_000);
    expect(await failure(file.read(8_499_990, 100))).toMatchObject({
      code: 'io',
      where: path,
      what: 'the file ends too early, at byte 8500000',
    });
    expect(await failure(file.checkUnchanged())).toMatchObject({ code: 'io' });
  } finally {
    await file.close();
  }
});

test('a write to an open file is noticed', async () => {
  const folder = await tempFolder();
  const path = await folder.write('model.onnx', bytesOf(SIZES.small));
  for (const change of [
    () => appendFile(path, 'x'),
    () => utimes(path, new Date(0), new Date(1_000_000_000_000)), // as a write of the same size does
  ]) {
    const file = await openModel(path);
    try {
      await file.checkUnchanged();
      await change();
      expect(await failure(file.checkUnchanged())).toMatchObject({
        code: 'io',
        where: path,
        what: 'the file was changed by another process while it was being read',
      });
    } finally {
      await file.close();
    }
  }
});

test('an open file can be read after its removal', async () => {
  const folder = await tempFolder();
  const bytes = bytesOf(SIZES.large);
  const path = await folder.write('model.onnx', bytes);
  const file = await openModel(path);
  try {
    await rm(path);
    expect(await file.read(8_999_998, 2)).toEqual(bytes.subarray(-2));
  } finally {
    await file.close();
  }
});

test('a file that cannot be opened is an error with its path', async () => {
  const folder = await tempFolder();
  await folder.write('file', 'x');
  await symlink('loop', folder.at('loop'));
  const cases = {
    'absent.onnx': 'the file does not exist',
    'file/model.onnx': 'the path or a part of it is not a folder',
    '.': 'this is a folder',
    loop: 'the links in this path lead in a circle',
    ['n'.repeat(300)]: 'the name is too long',
  };
  for (const [name, what] of Object.entries(cases)) {
    const path = `${folder.path}/${name}`;
    expect(await failure(openModel(path)), name).toMatchObject({ code: 'io', where: path, what });
  }
});

test('devices and pipes are rejected as model files', async () => {
  expect(await failure(openModel('/dev/null'))).toMatchObject({
    code: 'io',
    where: '/dev/null',
    what: 'this is not a regular file',
  });
});

test('a link to a model is followed', async () => {
  const folder = await tempFolder();
  await mkdir(folder.at('store'));
  await folder.write('store/blob', bytesOf(100));
  await symlink('store/blob', folder.at('model.onnx'));
  const file = await openModel(folder.at('model.onnx'));
  expect(file.size).toBe(100);
  await file.close();
});

test('handles are closed when opening fails half-way', async () => {
  const folder = await tempFolder();
  await failure(openModel(folder.path));
  if (process.platform === 'linux') expect(openFiles()).not.toContain(folder.path);
});

test('a name that is not UTF-8 is told from one that does not exist', async () => {
  const folder = await tempFolder();
  const name = Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.from([0x61, 0xff, 0x2e])]);
  await writeFile(name, 'model');
  const [listed = ''] = await readdir(folder.path);
  await expect(openModel(folder.at(listed))).rejects.toMatchObject({
    what: 'the file does not exist, or its name is not valid UTF-8',
    fix: 'Rename the file',
  });
  await expect(openModel(folder.at('other'))).rejects.toMatchObject({ what: 'the file does not exist' });
});
