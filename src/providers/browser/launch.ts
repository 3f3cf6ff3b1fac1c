import { type ChildProcess, execFile } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Browser, BrowserContext } from 'playwright-core';
import { aborted } from '../../base/abort.js';
import { temporaryFolder } from '../../files/temporary-folder.js';

/** A browser that runs. */
export interface Launched {
  readonly browser: Browser;
  readonly context: BrowserContext;
  /** Ends its processes, whatever state they are in, and removes what they left. */
  kill(): Promise<void>;
}

export interface LaunchOptions {
  readonly path: string;
  /** More for the browser's command line. */
  readonly args: readonly string[];
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** For every browser: no traffic of its own, and no /dev/shm, which in a container is too small for tensors. */
const ARGS = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-dev-shm-usage',
  '--no-first-run',
];

/** How often, and how long each time, a start that was given up is waited for. */
const MAX_TRIES = 40;
const TRY_MS = 100;

/**
 * Starts a browser that is talked to over a pipe: a port, even one of this machine only, is open to all its users. Throws
 * `aborted`, and what playwright-core does when it does not start.
 */
export async function launch({ path, args, timeoutMs, signal }: LaunchOptions): Promise<Launched> {
  const { chromium } = await import('playwright-core');
  // All that it writes, since one that is killed does not tidy up.
  const folder = await temporaryFolder('browser');
  const profile = join(folder, 'profile');
  const started = watchForProcess((arg) => arg === `--user-data-dir=${profile}`);
  const kill = async () => {
    await end(started.found());
    // Processes of a browser that was killed may still write for a moment.
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  };
  const launching = chromium
    .launchPersistentContext(profile, {
      executablePath: path,
      headless: true,
      args: [...ARGS, ...args],
      env: { ...process.env, TMPDIR: folder },
      artifactsDir: folder,
      timeout: timeoutMs,
      // The command line cleans up on these itself, and says so with its exit code.
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
    })
    .finally(started.stop);
  try {
    const context = await orAborted(launching, signal);
    const browser = context.browser();
    if (browser === null) throw new Error('there is no browser behind the pipe');
    return { browser, context, kill };
  } catch (error) {
    // When it is aborted the process may be yet to come, with files of its own.
    const settled = launching.then(
      () => true,
      () => true,
    );
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      await kill();
      if (await Promise.race([settled, wait(TRY_MS, false)])) break;
    }
    await kill();
    throw error;
  }
}

/**
 * The child process of this one that is started with an argument. A close over the pipe waits for a page that hangs, a kill
 * does not, and playwright-core tells nobody which process it has started.
 */
function watchForProcess(isOurs: (arg: string) => boolean) {
  const children: ChildProcess[] = [];
  const onChild = (message: unknown) => children.push((message as { process: ChildProcess }).process);
  subscribe('child_process', onChild);
  return {
    found: () => children.find(({ spawnargs = [] }) => spawnargs.some(isOurs)),
    stop: () => void unsubscribe('child_process', onChild),
  };
}

/** Kills a process with all those that it started, and waits for its end. */
async function end(child: ChildProcess | undefined): Promise<void> {
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  if (process.platform === 'win32') execFile('taskkill', ['/pid', `${child.pid}`, '/T', '/F'], () => {});
  else {
    try {
      process.kill(-child.pid, 'SIGKILL'); // its group
    } catch {
      child.kill('SIGKILL');
    }
  }
  await ended;
}

/** What is being started, unless somebody wants to stop first. Throws `aborted`. */
async function orAborted<T>(starting: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(aborted());
  });
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([starting, stopped]);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
