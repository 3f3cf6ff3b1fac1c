import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isAlive, machine, startOf } from '../../src/files/processes.js';

test('a process that started later has a later start, and one that has ended has none', async ({ skip }) => {
  skip(process.platform !== 'linux', 'only Linux tells when a process began');
  // Its name has what separates the fields.
  const child = spawn(process.execPath, ['--title=a b) 1 (2', '--eval', 'setInterval(() => {}, 1e6)']);
  await once(child, 'spawn');
  const { pid = 0 } = child;
  expect(startOf(pid)).toMatch(/^\d+$/);
  expect(Number(startOf(pid))).toBeGreaterThan(Number(startOf(process.pid)));
  expect(startOf(pid)).toBe(startOf(pid));
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect([startOf(pid), isAlive(pid)]).toEqual([undefined, false]);
});

test('a number that no process can have is of none', () => {
  for (const id of [Number.NaN, 2 ** 40, 1.5]) expect([isAlive(id), startOf(id)]).toEqual([false, undefined]);
  expect(machine()).toMatch(/^[0-9a-f]{8}$/);
});
