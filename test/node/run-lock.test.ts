import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { claim, refuseBusy } from '../../src/node/run-lock.js';
import { tempFolder } from '../support/folder.js';
import { failure } from '../support/graph.js';

test('a folder is refused while another process of this machine works in it, and not after its end', async () => {
  const folder = await tempFolder();
  const other = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1e6)']);
  await once(other, 'spawn');
  await folder.write('process', `${other.pid} ${hostname()}`);
  expect(await failure(refuseBusy(folder.path))).toMatchObject({
    code: 'io',
    what: `process ${other.pid} works on these runs`,
  });
  await expect(claim(folder.path)).rejects.toMatchObject({ code: 'io' });
  other.kill('SIGKILL');
  await once(other, 'exit');
  await refuseBusy(folder.path);
});

test.each([
  'text of something else',
  '',
  `9999999999 ${hostname()}`,
  '99999999999999999999 host',
  `${process.ppid} another machine`,
])('a folder with the note %j is free', async (note) => {
  const folder = await tempFolder();
  await refuseBusy(folder.path);
  await folder.write('process', note);
  await refuseBusy(folder.path);
  await claim(folder.path);
  await refuseBusy(folder.path);
});
