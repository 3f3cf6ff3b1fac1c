import { spawnSync } from 'node:child_process';
import { mkdir, symlink, utimes } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { expect, test, vi } from 'vitest';
import { temporaryFolder } from '../../src/files/temporary-folder.js';
import {
  folderPrefix,
  removeStaleTemporaries,
  sweepFolders,
  temporaryBeside,
} from '../../src/files/temporary-names.js';
import { tempFolder } from '../support/folder.js';

const DAY = 24 * 60 * 60 * 1000;

/** Number of a process that has ended. */
function deadPid(): number {
  const { pid } = spawnSync(process.execPath, ['--version']);
  return pid;
}

/** Names from another process of this machine, and from another machine. */
const nameOf = (pid: number) => basename(temporaryBeside('out.onnx')).replace(`-${process.pid}-`, `-${pid}-`);
const elsewhere = (name: string) => name.replace(/\.[0-9a-f]{8}-/, '.00000000-');

test('a temporary is a hidden file with a unique name beside its target', () => {
  const path = '/models/net.onnx';
  const [first, second] = [temporaryBeside(path), temporaryBeside(path)];
  expect(dirname(first)).toBe('/models');
  expect(basename(first)).toMatch(
    new RegExp(`^\\.net\\.onnx\\.[0-9a-f]{8}-${process.pid}-[0-9a-f]{12}\\.onnx-mish\\.tmp$`),
  );
  expect(first).not.toBe(second);
});

test('temporaries of ended processes are removed; those of running processes, other machines and other programs stay', async () => {
  const folder = await tempFolder();
  const dead = deadPid();
  const stays = [
    nameOf(process.pid),
    nameOf(process.ppid),
    elsewhere(nameOf(dead)),
    nameOf(dead).replace('.tmp', '.old'), // the backup of a replaced file
    nameOf(dead).replace('onnx-mish', 'other'),
    `${nameOf(dead)}.more`,
    '.out.onnx.tmp',
    'out.onnx',
  ];
  for (const name of [...stays, nameOf(dead), nameOf(dead)]) await folder.write(name, 'x');
  await removeStaleTemporaries(folder.path);
  expect(await folder.list()).toEqual(stays.toSorted());
});

test('temporaries of other machines are removed after a week', async () => {
  const folder = await tempFolder();
  const [young, old] = [elsewhere(nameOf(1)), elsewhere(nameOf(2))];
  for (const [name, days] of [
    [young, 6.9],
    [old, 7.1],
  ] as const) {
    const then = new Date(Date.now() - days * DAY);
    await utimes(await folder.write(name, 'x'), then, then);
  }
  await removeStaleTemporaries(folder.path);
  expect(await folder.list()).toEqual([young]);
});

test('a folder or link with such a name stays, and a missing folder is not a failure', async () => {
  const folder = await tempFolder();
  const dead = deadPid();
  const [asFolder, asLink] = [nameOf(dead), nameOf(dead)];
  await mkdir(folder.at(asFolder));
  await folder.write(`${asFolder}/inside`, 'x');
  await folder.write('target', 'x');
  await symlink('target', folder.at(asLink));
  await removeStaleTemporaries(folder.path);
  expect(await folder.list()).toEqual([`${asFolder}/`, `${asFolder}/inside`, 'target']);
  await removeStaleTemporaries(folder.at('absent'));
});

test('creating a temporary folder removes those of ended processes; others stay', async () => {
  const folder = await tempFolder();
  vi.stubEnv('TMPDIR', folder.path);
  const dead = folderPrefix('browser').replace(`-${process.pid}-`, `-${deadPid()}-`);
  await mkdir(folder.at(`${dead}abcDEF`, 'profile'), { recursive: true });
  await folder.write(`${dead}abcDEF/profile/x`, 'x');
  await mkdir(folder.at('target'));
  await folder.write('target/x', 'x');
  await symlink('target', folder.at(`${dead}aLinkX`));
  const stays = [
    `${folderPrefix('browser')}123456`,
    `${dead.replace(/browser-[0-9a-f]{8}/, 'browser-00000000')}123456`,
    'onnx-mish-browser-123456',
    'onnx-mish-chromium-1.2.3-0',
  ];
  for (const name of stays) await mkdir(folder.at(name));
  const made = await temporaryFolder('browser');
  const there = (await folder.list()).filter((name) => !name.startsWith('target'));
  const own = `${basename(made)}/`;
  expect(there.toSorted()).toEqual([own, `${dead}aLinkX`, ...stays.map((name) => `${name}/`)].toSorted());
  expect(await folder.list()).toContain('target/x');
  await sweepFolders(folder.at('absent'));
  vi.unstubAllEnvs();
});
