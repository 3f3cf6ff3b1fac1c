// What happens to a validation in a browser when something dies in the middle of it. ONNX_MISH_ROUNDS says how
// often each accident is tried (1), at moments that nobody chose.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { findBrowser } from '../../src/providers/browser/find.js';
import { MAIN, outcome, start } from '../support/cli.js';
import { tempFolder } from '../support/folder.js';
import { isHeavy } from '../support/heavy.js';
import { REAL_MODELS } from '../support/models.js';
import { LINUX_ONLY, needs } from '../support/needs.js';
import { type Descendant, descendants } from '../support/processes.js';
import { NO_MOUNT } from '../support/small-disk.js';

const ROUNDS = Number(process.env.ONNX_MISH_ROUNDS ?? 1);
const random = createRandom(Date.now());

/** Seconds of timing, so that every moment below is before the first browser's work is done. */
const TIMED_SECONDS = isHeavy ? 2 : 0.8;
/** Milliseconds for an accident, of which each has its share. */
const momentUpTo = (share: number) => setTimeout(share * TIMED_SECONDS * 1000 * random());
const argsFor = (seconds: number) =>
  ['validate', REAL_MODELS.alexa, '--providers', 'wasm,webgl', '--seconds', `${seconds}`, '--runs', '2']; // biome-ignore format: one command

/** Whether this is the superuser of a system that lets it mount things. */
const canMount = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/dev/shm']).status === 0;

let browser = '';
beforeAll(async () => {
  browser = (await findBrowser()).path; // unpacked once, outside of the folders that have to be empty afterwards
});

/** A validation on its way, with a temporary folder of its own. */
async function validation() {
  const temporary = (await tempFolder()).path;
  const child = start(argsFor(TIMED_SECONDS), { env: { TMPDIR: temporary, ONNX_MISH_BROWSER: browser } });
  child.stdin?.end();
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, ended: outcome(child), temporary };
}

/** Milliseconds between two looks at all processes, which take some of them. */
const LOOK_MS = 20;

/** The browser that a validation has started, as soon as it has. */
async function browserOf({ pid }: ChildProcess): Promise<Descendant | undefined> {
  for (let tries = 0; tries < 200; tries++) {
    const found = descendants(pid).find(
      ({ args }) => args.includes('--user-data-dir') && !args.includes('--type='),
    );
    if (found !== undefined) return found;
    await setTimeout(LOOK_MS);
  }
  return undefined;
}

/** Nothing is left of it: no process, no file. Zombies have nobody left to wait for them, and are none of ours. */
async function expectNothingLeft(temporary: string) {
  const left = () => descendants(1).filter(({ args }) => args.includes(temporary));
  for (let tries = 0; left().length > 0 && tries < 50; tries++) await setTimeout(LOOK_MS);
  expect(left()).toEqual([]);
  expect(readdirSync(temporary)).toEqual([]);
}

const rounds = Array.from({ length: ROUNDS }, (_, round) => round);

describe('a validation', () => {
  needs(process.platform === 'linux', LINUX_ONLY);

  test.each(rounds)(
    'whose browser is killed reports that, and goes on with the other providers (%i)',
    async () => {
      const { child, ended, temporary } = await validation();
      const victim = await browserOf(child);
      await momentUpTo(0.75);
      let killed = false;
      try {
        process.kill(victim?.pid ?? 0, 'SIGKILL');
        killed = true;
      } catch {} // it was done already
      const { code, stdout, stderr } = await ended;
      if (killed)
        expect(stdout + stderr).toMatch(/wasm: (failed|not available): the browser (ended|does not start)/);
      expect(stdout).toMatch(/^webgl +ran/m);
      if (killed) expect(code).not.toBe(0);
      await expectNothingLeft(temporary);
    },
  );

  test.each(rounds)('that is interrupted stops at once and leaves nothing behind (%i)', async () => {
    const { child, ended, temporary } = await validation();
    // Before it has a folder for its browser, Node itself may be starting still.
    while (readdirSync(temporary).length === 0 && child.exitCode === null) await setTimeout(2);
    await momentUpTo(1.25);
    const begun = performance.now();
    child.kill('SIGINT');
    const { code, stderr, stdout } = await ended;
    if (stdout !== '') return; // it was quicker
    expect(code).toBe(130);
    expect(stderr).toMatch(/interrupted/);
    expect(performance.now() - begun).toBeLessThan(5000);
    await expectNothingLeft(temporary);
  });

  test.each(rounds)('that is killed outright leaves no process (%i)', async () => {
    const { child, ended } = await validation();
    const victim = await browserOf(child);
    await momentUpTo(0.25);
    child.kill('SIGKILL');
    await ended;
    // The browser ends by itself when its pipe does.
    const alive = () => descendants(1).some(({ pid }) => pid === victim?.pid);
    for (let tries = 0; alive() && tries < 200; tries++) await setTimeout(LOOK_MS);
    expect(alive()).toBe(false);
  });

  describe('in a system that lets it mount', () => {
    needs(canMount, NO_MOUNT);

    test.each(rounds)('does without shared memory (%i)', async () => {
      const temporary = (await tempFolder()).path;
      // A /dev/shm of its own, which is full.
      const full =
        'mount -t tmpfs -o size=4k tmpfs /dev/shm && head -c 4096 /dev/zero > /dev/shm/full && exec "$@"';
      const command = [process.execPath, MAIN, ...argsFor(isHeavy ? 2 : 0)];
      const env = { PATH: process.env.PATH ?? '', TMPDIR: temporary, ONNX_MISH_BROWSER: browser };
      const child = spawn('unshare', ['--mount', 'sh', '-c', full, 'sh', ...command], { env });
      const { code, stdout } = await outcome(child);
      expect(stdout).toMatch(/^wasm +ran/m);
      expect(stdout).toMatch(/^webgl +ran/m);
      expect(code).toBe(0);
      await expectNothingLeft(temporary);
    });
  });
});

describe('a packaged browser', () => {
  needs(process.platform === 'linux' && process.arch === 'x64', LINUX_ONLY);

  test('that unpacks itself does not hold up an interrupt, and leaves nothing', async () => {
    const temporary = (await tempFolder()).path;
    const child = start(['validate', REAL_MODELS.alexa, '--providers', 'wasm'], {
      env: { TMPDIR: temporary, PATH: '' },
    });
    child.stdin?.end();
    onTestFinished(() => void child.kill('SIGKILL'));
    const ended = outcome(child);
    const isUnpacking = () => readdirSync(temporary).some((name) => name.includes('unpack'));
    for (let tries = 0; !isUnpacking() && tries < 1000; tries++) await setTimeout(LOOK_MS);
    expect(isUnpacking()).toBe(true);
    const begun = performance.now();
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(stderr).toMatch(/interrupted/);
    expect(code).toBe(130);
    expect(performance.now() - begun).toBeLessThan(1000);
    await expectNothingLeft(temporary);
  });
});
