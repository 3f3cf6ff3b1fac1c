import { type ChildProcess, execFile } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Browser, BrowserContext } from 'playwright-core';
import { aborted } from '../../base/abort.js';
import { temporaryFolder } from '../../files/temporary-folder.js';
import { importPeer } from '../node/packages.js';

/** Running browser. */
export interface Launched {
  readonly browser: Browser;
  readonly context: BrowserContext;
  /** Resolves after the end of the browser's process, which playwright-core may miss. */
  readonly exited: Promise<void>;
  /** Kills the browser's processes and removes their files. */
  kill(): Promise<void>;
}

export interface LaunchOptions {
  readonly path: string;
  /** Additional arguments of the browser's command line. */
  readonly args: readonly string[];
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Arguments for every browser: no background traffic, and no /dev/shm, which is too small for tensors in containers. */
const ARGS = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-dev-shm-usage',
  '--no-first-run',
];

/** Maximum number of attempts to kill a cancelled start, and the milliseconds between them. */
const MAX_TRIES = 40;
const TRY_MS = 100;
/** Milliseconds after a browser's end in which its last output is read. */
const LAST_OUTPUT_MS = 500;

/**
 * Starts a browser that is controlled over a pipe: a local port would be open to all users of the machine. Throws
 * `aborted`, playwright-core's error if the browser does not start, and an error with "Timeout" in its text after the limit.
 */
export async function launch({ path, args, timeoutMs, signal }: LaunchOptions): Promise<Launched> {
  const { chromium } = await importPeer('playwright-core', () => import('playwright-core'));
  // The folder of all the browser's files, since a killed browser does not delete them.
  const folder = await temporaryFolder('browser');
  const profile = join(folder, 'profile');
  const started = watchForProcess((arg) => arg === `--user-data-dir=${profile}`);
  const kill = async () => {
    await end(started.found());
    // Processes of a killed browser may still write for a moment.
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  };
  const launching = chromium
    .launchPersistentContext(profile, {
      executablePath: path,
      headless: true,
      args: [...ARGS, ...args],
      env: { ...process.env, TMPDIR: folder },
      artifactsDir: folder,
      timeout: 0, // the limit is below, since a timer of playwright-core would hold the command after the browser's end
      // The command line handles these signals: it cleans up and sets the exit code.
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
    })
    .finally(started.stop);
  const ended = started.exited.then((): never => {
    throw new Error('its process ended');
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Timeout ${timeoutMs}ms exceeded`)), timeoutMs);
  });
  try {
    const context = await orAborted(Promise.race([launching, ended, late]), signal);
    const browser = context.browser();
    if (browser === null) throw new Error('the pipe has no browser');
    return { browser, context, exited: started.exited, kill };
  } catch (error) {
    // After an abort the process may still be starting and writing files.
    const settled = Promise.race([launching, started.exited]).then(
      () => true,
      () => true,
    );
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      await kill();
      if (await Promise.race([settled, wait(TRY_MS, false)])) break;
    }
    await kill();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Watches for a child process by its arguments, because playwright-core does not expose the browser's process. Killing
 * the process does not wait for a hanging page; closing over the pipe would wait.
 */
function watchForProcess(isOurs: (arg: string) => boolean) {
  const children: ChildProcess[] = [];
  const isBrowser = ({ spawnargs = [] }: ChildProcess) => spawnargs.some(isOurs);
  let onExit = () => {};
  const exited = new Promise<void>((resolve) => {
    onExit = resolve;
  });
  const onChild = (message: unknown) => {
    const { process: child } = message as { process: ChildProcess };
    children.push(child);
    child.once('exit', async () => {
      if (!isBrowser(child)) return;
      // Without references: a browser that was closed must not delay the end of the command.
      await wait(LAST_OUTPUT_MS, undefined, { ref: false });
      closePipes(child);
      await wait(LAST_OUTPUT_MS, undefined, { ref: false }); // playwright-core explains the end, if it notices it
      onExit();
    });
  };
  subscribe('child_process', onChild);
  return {
    found: () => children.find(isBrowser),
    exited,
    stop: () => void unsubscribe('child_process', onChild),
  };
}

/**
 * Closes the pipes of a process that has ended. Processes that it had just started may hold them open, and playwright-core would
 * wait for an answer for ever.
 */
function closePipes({ stdio }: ChildProcess): void {
  for (const stream of stdio) stream?.destroy();
}

/** Kills a process and its child processes, and waits for its end. */
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

/** Waits for a start or an abort, whichever comes first. Throws `aborted`. */
export async function orAborted<T>(starting: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
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
