import { link, lstat, mkdir, readdir, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { writeAtomically, writeTogether } from '../../src/files/write-atomically.js';
import { tempFolder } from '../support/folder.js';
import { failure } from '../support/graph.js';

const text = async (bytes: Promise<Uint8Array>) => new TextDecoder().decode(await bytes);
const TAKEN = { code: 'io', what: 'the file exists already' };

test('only the complete file appears', async () => {
  const folder = await tempFolder();
  const path = folder.at('out.onnx');
  await writeAtomically(path, false, async (handle) => {
    await handle.write('half');
    // Until then the bytes are under another name in the same folder, where a rename is atomic.
    expect(await folder.list()).toEqual([expect.stringMatching(/^\.out\.onnx\..+\.tmp$/)]);
    await handle.write(' and half');
  });
  expect(await folder.list()).toEqual(['out.onnx']);
  expect(await text(folder.read('out.onnx'))).toBe('half and half');
  expect((await stat(path)).nlink).toBe(1);
});

test('an existing file stays, and nothing is written', async () => {
  const folder = await tempFolder();
  const path = await folder.write('out.onnx', 'old');
  let called = false;
  const attempt = writeAtomically(path, false, async () => {
    called = true;
  });
  expect(await failure(attempt)).toMatchObject({ ...TAKEN, where: path });
  expect(called).toBe(false);
  expect(await folder.list()).toEqual(['out.onnx']);
  expect(await text(folder.read('out.onnx'))).toBe('old');
});

test('a dangling link counts as an existing file', async () => {
  const folder = await tempFolder();
  await symlink('nowhere', folder.at('out.onnx'));
  expect(await failure(writeAtomically(folder.at('out.onnx'), false, async () => {}))).toMatchObject(TAKEN);
  expect(await folder.list()).toEqual(['out.onnx']);
});

test('with force the old file exists until the new one does', async () => {
  const folder = await tempFolder();
  const path = await folder.write('out.onnx', 'old');
  await writeAtomically(path, true, async (handle) => {
    await handle.write('new');
    expect(await text(folder.read('out.onnx'))).toBe('old');
  });
  expect(await text(folder.read('out.onnx'))).toBe('new');
  expect(await folder.list()).toEqual(['out.onnx']);
});

test('with force, hard links of the old file keep its content', async () => {
  const folder = await tempFolder();
  await folder.write('original', 'old');
  await link(folder.at('original'), folder.at('hard'));
  await writeAtomically(folder.at('hard'), true, async (handle) => void (await handle.write('new')));
  expect(await text(folder.read('hard'))).toBe('new');
  expect(await text(folder.read('original'))).toBe('old');
});

test('with force, a symbolic link stays, and the file that it leads to is replaced', async () => {
  const folder = await tempFolder();
  await mkdir(folder.at('store'));
  await folder.write('store/original', 'old');
  await link(folder.at('store/original'), folder.at('backup'));
  await symlink('store', folder.at('here'));
  await symlink('here/original', folder.at('inner'));
  await symlink(folder.at('inner'), folder.at('soft'));
  const broken = writeAtomically(folder.at('soft'), true, async (handle) => {
    await handle.write('half');
    throw new Error('no more');
  });
  expect(await failure(broken)).toMatchObject({ message: 'no more' });
  expect(await text(folder.read('store/original'))).toBe('old');
  await writeAtomically(folder.at('soft'), true, async (handle) => void (await handle.write('new')));
  expect(await readlink(folder.at('soft'))).toBe(folder.at('inner'));
  expect(await readlink(folder.at('inner'))).toBe('here/original');
  expect((await lstat(folder.at('store/original'))).isFile()).toBe(true);
  expect(await text(folder.read('store/original'))).toBe('new');
  expect(await text(folder.read('backup'))).toBe('old');
  expect(await readdir(folder.at('store'))).toEqual(['original']);
});

test('a link in the place of a file that nobody named is replaced itself', async () => {
  const folder = await tempFolder();
  await folder.write('elsewhere', 'old');
  await symlink('elsewhere', folder.at('weights.data'));
  await writeTogether(true, ({ write }) =>
    write(folder.at('weights.data'), async (handle) => void (await handle.write('new'))),
  );
  expect((await lstat(folder.at('weights.data'))).isFile()).toBe(true);
  expect(await text(folder.read('elsewhere'))).toBe('old');
});

test('with force, a dangling link gets the file that it leads to', async () => {
  const folder = await tempFolder();
  const write = (name: string) =>
    writeAtomically(folder.at(name), true, async (handle) => void (await handle.write('new')));
  await symlink('later', folder.at('soft'));
  await write('soft');
  expect(await readlink(folder.at('soft'))).toBe('later');
  expect(await text(folder.read('later'))).toBe('new');
  await symlink('absent/later', folder.at('nowhere'));
  expect(await failure(write('nowhere'))).toMatchObject({
    what: `the folder '${folder.at('absent')}' does not exist`,
    where: folder.at('absent/later'),
  });
});

test.each([false, true])('a failure half-way leaves nothing (force %s)', async (force) => {
  const folder = await tempFolder();
  const attempt = writeAtomically(folder.at('out.onnx'), force, async (handle) => {
    await handle.write('half');
    throw new Error('no more');
  });
  expect(await failure(attempt)).toMatchObject({ message: 'no more' });
  expect(await folder.list()).toEqual([]);
});

test('a failure half-way leaves the old file with force', async () => {
  const folder = await tempFolder();
  const path = await folder.write('out.onnx', 'old');
  const attempt = writeAtomically(path, true, async () => {
    throw new Error('no more');
  });
  expect(await failure(attempt)).toMatchObject({ message: 'no more' });
  expect(await text(folder.read('out.onnx'))).toBe('old');
  expect(await folder.list()).toEqual(['out.onnx']);
});

test('a file that appears meanwhile stays', async () => {
  const folder = await tempFolder();
  const path = folder.at('out.onnx');
  const attempt = writeAtomically(path, false, async (handle) => {
    await handle.write('ours');
    await writeFile(path, 'theirs');
  });
  expect(await failure(attempt)).toMatchObject({ ...TAKEN, where: path });
  expect(await text(folder.read('out.onnx'))).toBe('theirs');
  expect(await folder.list()).toEqual(['out.onnx']);
});

test('of two writers of one path, one succeeds and the other throws', async () => {
  const folder = await tempFolder();
  const write = (content: string) =>
    writeAtomically(folder.at('out.onnx'), false, async (handle) => void (await handle.write(content)));
  const results = await Promise.allSettled([write('first'), write('second')]);
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  const winner = results[0]?.status === 'fulfilled' ? 'first' : 'second';
  expect(await text(folder.read('out.onnx'))).toBe(winner);
  expect(await folder.list()).toEqual(['out.onnx']);
});

test('an error names the output, not the temporary file', async () => {
  const folder = await tempFolder();
  await folder.write('file', 'x');
  const cases = {
    'absent/out.onnx': `the folder '${folder.at('absent')}' does not exist`,
    'file/out.onnx': 'the path or a part of it is not a folder',
    ['n'.repeat(300)]: 'the name is too long',
  };
  for (const [name, what] of Object.entries(cases)) {
    const path = folder.at(name);
    const error = await failure(writeAtomically(path, false, async () => {}));
    expect(error, name).toMatchObject({ code: 'io', where: path, what });
    expect(error, name).toMatchObject({ fix: expect.not.stringContaining('could not be removed') });
  }
  expect(await folder.list()).toEqual(['file']);
});

test('force replaces files, never folders; a device is written to and stays', async () => {
  const folder = await tempFolder();
  await mkdir(folder.at('folder'));
  await symlink('/dev/null', folder.at('device'));
  await symlink('folder', folder.at('link'));
  const cases = {
    folder: 'this is a folder',
    link: 'this is a folder',
  };
  for (const [name, what] of Object.entries(cases)) {
    const attempt = writeAtomically(folder.at(name), true, async (handle) => void (await handle.write('x')));
    expect(await failure(attempt), name).toMatchObject({ code: 'io', where: folder.at(name), what });
  }
  for (const force of [false, true]) {
    await writeAtomically(folder.at('device'), force, async (handle) => void (await handle.write('x')));
  }
  expect(await readlink(folder.at('device'))).toBe('/dev/null');
  expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true);
  expect(await folder.list()).toEqual(['device', 'folder/', 'link']);
});

test.each(['n', '層'])('a name of %s may be as long as the file system allows', async (character) => {
  const folder = await tempFolder();
  const name = character.repeat(Math.floor(255 / Buffer.byteLength(character)));
  await writeAtomically(folder.at(name), false, async (handle) => void (await handle.write('x')));
  expect(await folder.list()).toEqual([name]);
});
