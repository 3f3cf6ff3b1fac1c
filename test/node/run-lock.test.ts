import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { machine, startOf } from '../../src/files/processes.js';
import { claim, refuseBusy } from '../../src/node/run-lock.js';
import { tempFolder } from '../support/folder.js';
import { failure } from '../support/graph.js';

test('a folder is refused while another process of this machine works in it, and not after its end', async () => {
  const folder = await tempFolder();
  const other = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1e6)']);
  await once(other, 'spawn');
  const note = (start: string | undefined) =>
    folder.write('process', `${other.pid} ${start ?? ''} ${machine()}`);
  await note(startOf(other.pid ?? 0));
  expect(await failure(refuseBusy(folder.path))).toMatchObject({
    code: 'io',
    what: `process ${other.pid} works on these runs`,
  });
  await expect(claim(folder.path)).rejects.toMatchObject({ code: 'io' });
  await note(undefined);
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
  `${process.ppid} ${startOf(process.ppid)} 0123abcd`,
  `${process.pid} 1 ${machine()}`,
])('a folder with the note %j is free', async (note) => {
  const folder = await tempFolder();
  await refuseBusy(folder.path);
  await folder.write('process', note);
  await refuseBusy(folder.path);
  await claim(folder.path);
  await refuseBusy(folder.path);
});

test('a killed process counts no longer where another one has got its number, as in a container that starts again', async ({
  skip,
}) => {
  skip(process.platform !== 'linux', 'only Linux tells when a process began');
  const folder = await tempFolder();
  for (const id of [1, process.ppid]) {
    await folder.write('process', `${id} ${Number(startOf(id)) + 1} ${machine()}`);
    await refuseBusy(folder.path);
    await claim(folder.path);
  }
});
