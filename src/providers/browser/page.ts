import { rm } from 'node:fs/promises';
import type { Browser, BrowserServer } from 'playwright-core';
import { aborted, stopIfAborted } from '../../base/abort.js';
import { messageOf, OnnxMishError } from '../../base/error.js';
import { temporaryFolder } from '../../files/temporary-folder.js';
import type { FoundBrowser } from './find.js';
import type { Answer, Call, Request, Value } from './protocol.js';
import { type Content, type PageServer, servePage } from './server.js';

/** A page in a browser of its own, with what is needed to talk to it. */
export interface Page extends Pick<PageServer, 'offer' | 'receive'> {
  /** Name and version of the browser. */
  readonly browser: string;
  /** Whether the page can still be talked to. */
  readonly alive: boolean;
  /**
   * Calls the page. Throws `run-failed` with what the page says went wrong, when it crashes or does not answer in
   * time, and `aborted`; after the last three it is dead.
   */
  call<K extends Call>(method: K, request: Request<K>): Promise<Value<K>>;
  /** Ends the browser and the server, whatever state they are in. */
  close(): Promise<void>;
}

export interface PageOptions {
  readonly browser: FoundBrowser;
  readonly files: ReadonlyMap<string, Content>;
  /** More for the browser's command line. */
  readonly args: readonly string[];
  /** How long one call may take. */
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

/** Starts a browser with a page in it. Throws `provider-unavailable` when it does not start, `aborted`. */
export async function openPage(options: PageOptions): Promise<Page> {
  const { browser: found, files, args, timeoutMs, signal } = options;
  stopIfAborted(signal);
  const { chromium } = await import('playwright-core');
  // The browser's own, since one that is killed does not tidy up.
  const temporary = await temporaryFolder('browser');
  const server = await servePage(files);
  let process: BrowserServer | undefined;
  try {
    // As a server, because that can be killed: a plain close waits for a page that hangs.
    const launching = chromium.launchServer({
      host: '127.0.0.1',
      executablePath: found.path,
      headless: true,
      args: [...ARGS, ...args],
      env: { ...environment(), TMPDIR: temporary },
      timeout: timeoutMs,
      // The command line cleans up on these itself, and says so with its exit code.
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
    });
    process = await orAborted(launching, signal, (late) => late.kill());
    const browser = await chromium.connect(process.wsEndpoint(), { timeout: timeoutMs });
    return await attach({ browser, process, server, temporary }, options);
  } catch (cause) {
    await Promise.allSettled([process?.kill(), server.close()]);
    await remove(temporary);
    if (cause instanceof OnnxMishError) throw cause;
    throw new OnnxMishError('provider-unavailable', `the browser does not start: ${firstLine(cause)}`, {
      where: found.path,
      fix: /Timeout \d+ms exceeded/.test(firstLine(cause))
        ? 'Allow more with --timeout'
        : 'Start it by hand to see why, or name another with --browser',
      cause,
    });
  }
}

/** What is being started, unless somebody wants to stop first: then it is ended once it is there. Throws `aborted`. */
async function orAborted<T>(
  starting: Promise<T>,
  signal: AbortSignal | undefined,
  end: (late: T) => Promise<void>,
): Promise<T> {
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(aborted());
  });
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([starting, stopped]);
  } catch (error) {
    starting.then(end).catch(() => {});
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** What has to be ended. */
interface Running {
  readonly browser: Browser;
  readonly process: BrowserServer;
  readonly server: PageServer;
  /** The browser's temporary folder. */
  readonly temporary: string;
}

function environment(): Record<string, string> {
  const entries = Object.entries(globalThis.process.env);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** Processes of a browser that was killed may still write for a moment. */
function remove(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

async function attach({ browser, process, server, temporary }: Running, options: PageOptions): Promise<Page> {
  const { timeoutMs, signal } = options;
  let alive = true;
  let die: (reason: OnnxMishError) => void = () => {};
  const death = new Promise<never>((_, reject) => {
    die = (reason) => {
      alive = false;
      reject(reason);
    };
  });
  death.catch(() => {}); // it may die while nobody waits
  const failed = (what: string, fix?: string) => new OnnxMishError('run-failed', what, { fix });
  const onAbort = () => die(aborted());
  signal?.addEventListener('abort', onAbort, { once: true });
  browser.on('disconnected', () => die(failed('the browser ended in the middle of it')));

  /** Waits for something of the page, but not beyond its death or the time it has. */
  async function within<T>(what: string, work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const error = failed(
          `the page did not answer within ${timeoutMs / 1000} s (${what})`,
          'Allow more with --timeout',
        );
        die(error);
        reject(error);
      }, timeoutMs);
    });
    work.catch(() => {}); // when death is quicker, it fails with nobody listening
    try {
      return await Promise.race([work, death, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  const close = async () => {
    signal?.removeEventListener('abort', onAbort);
    alive = false;
    await Promise.allSettled([process.kill(), server.close()]);
    await remove(temporary);
  };
  try {
    stopIfAborted(signal);
    const page = await within('opening', browser.newPage());
    page.on('crash', () =>
      die(failed('the page crashed', 'Memory is the usual reason: try a smaller batch or model')),
    );
    await within('loading', page.goto(server.url, { timeout: timeoutMs }));
    return {
      browser: `Chromium ${browser.version()}`,
      get alive() {
        return alive;
      },
      offer: server.offer,
      receive: server.receive,
      async call<K extends Call>(method: K, request: Request<K>): Promise<Value<K>> {
        if (!alive) await death;
        const asked = page.evaluate<Answer<Value<K>>, [string, unknown]>(
          ([name, argument]) => (globalThis as unknown as InPage<Value<K>>).onnxMish(name, argument),
          [method, request],
        );
        const answer = await within(method, asked).catch((cause: unknown) => {
          if (cause instanceof OnnxMishError) throw cause;
          // What goes wrong in the page is an answer; this is the way there.
          const ended = /closed|disconnected/i.test(firstLine(cause));
          const error = failed(
            ended
              ? 'the browser ended in the middle of it'
              : `the page cannot be talked to: ${firstLine(cause)}`,
          );
          die(error);
          throw error;
        });
        if ('error' in answer) throw failed(answer.error, remedyFor(answer.error));
        return answer.value;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The page's side, as `evaluate` sees it. */
interface InPage<T> {
  onnxMish(method: string, request: unknown): Promise<Answer<T>>;
}

function remedyFor(error: string): string | undefined {
  const full = /bad_alloc|out of memory|buffer size limit|allocation fail|could not allocate/i.test(error);
  return full ? 'It does not fit into the memory of a page: try a smaller batch or model' : undefined;
}

function firstLine(cause: unknown): string {
  return messageOf(cause).split('\n')[0]?.slice(0, 300) ?? '';
}
