import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { truncate, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { isStream, readAll, readText } from '../../src/files/read-stream.js';
import { tempFolder } from '../support/folder.js';
import { failure } from '../support/graph.js';
import { LINUX_ONLY } from '../support/needs.js';

test('text that is too long for a string is rejected by its size, before it is read', async () => {
  const folder = await tempFolder();
  const path = await folder.write('large.json', '');
  await truncate(path, 2 ** 30);
  expect(await failure(readText(path))).toMatchObject({
    code: 'io',
    where: path,
    what: expect.stringMatching(/^the file has 1,073,741,824 bytes or more, and the limit is [\d,]+$/),
  });
});

test('a device is read, and a folder is refused', async ({ skip }) => {
  skip(process.platform !== 'linux', LINUX_ONLY);
  expect(await readText('/dev/null')).toBe('');
  expect(await failure(readAll('/dev/zero', { maxBytes: 1e6 }))).toMatchObject({
    code: 'io',
    where: '/dev/zero',
  });
  expect(await failure(readText('/'))).toMatchObject({ code: 'io', what: 'this is a folder' });
  expect(await failure(readText('/absent'))).toMatchObject({ code: 'io', what: 'the file does not exist' });
  const streams = ['/dev/null', '/dev/stdin', '/dev/fd/0', '/proc/self/fd/3', '/tmp', '/absent'].map(
    isStream,
  );
  expect(await Promise.all(streams)).toEqual([true, true, true, true, false, false]);
});

test('reading waits for a pipe, reads it to its end, and can be aborted', async ({ skip }) => {
  skip(process.platform === 'win32', 'Windows has no named pipes of this kind');
  const folder = await tempFolder();
  const pipe = folder.at('pipe');
  spawnSync('mkfifo', [pipe]);
  expect(await isStream(pipe)).toBe(true);
  const reading = readText(pipe);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const text = 'ä\n'.repeat(100_000);
  await writeFile(folder.at('text'), text);
  const writer = spawn('sh', ['-c', 'cat text > pipe'], { cwd: folder.path });
  expect(await reading).toBe(text);
  await once(writer, 'close');
  const controller = new AbortController();
  const waiting = readText(pipe, controller.signal);
  setTimeout(() => controller.abort(), 20);
  expect(await failure(waiting)).toMatchObject({ code: 'aborted' });
});

test('text is UTF-8, or UTF-16 by its mark, as PowerShell writes the output of a command', async () => {
  const folder = await tempFolder();
  for (const text of ['{"a": 1}\n', '', 'ü ∞ 😀', '\u4e2d\ufffe', '"\\ud800"']) {
    const little = Buffer.from(`\ufeff${text}`, 'utf16le');
    const big = Buffer.from(little).swap16();
    for (const bytes of [Buffer.from(text), Buffer.from(`\ufeff${text}`), little, big])
      expect(await readText(await folder.write('text', bytes))).toBe(text);
  }
});
