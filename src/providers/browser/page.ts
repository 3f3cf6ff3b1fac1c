import { aborted, stopIfAborted } from '../../base/abort.js';
import { messageOf, OnnxMishError } from '../../base/error.js';
import type { OptionHint } from '../../base/option-hint.js';
import type { FoundBrowser } from './find.js';
import { type Launched, launch } from './launch.js';
import type { Call, CallAnswer, CallRequest, CallResult } from './protocol.js';
import { type Content, type PageServer, servePage } from './server.js';

/** Page in a separate browser, and the means to call the page. */
export interface Page extends Pick<PageServer, 'offer' | 'receive'> {
  /** Name and version of the browser. */
  readonly browser: string;
  /** Whether the page can still be called. */
  readonly alive: boolean;
  /**
   * Calls the page. Throws `run-failed` with the page's error, or if the page crashes, is closed or does not answer in time, and
   * `aborted`. After a crash, a timeout, an abort or `close` the page cannot be called again.
   */
  call<K extends Call>(method: K, request: CallRequest<K>): Promise<CallResult<K>>;
  /** Ends the browser and the server. */
  close(): Promise<void>;
}

export interface PageOptions {
  readonly browser: FoundBrowser;
  readonly files: ReadonlyMap<string, Content>;
  /** Additional arguments of the browser's command line. */
  readonly args: readonly string[];
  /** Maximum milliseconds of a call. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

const MORE_TIME = { fix: 'Allow more time', option: { timeoutMs: null } } as const;

/** Starts a browser with a page. Throws `provider-unavailable` if the browser does not start, `aborted`. */
export async function openPage(options: PageOptions): Promise<Page> {
  const { browser: found, files, args, timeoutMs, signal } = options;
  stopIfAborted(signal);
  const server = await servePage(files);
  try {
    const launched = await launch({ path: found.path, args, timeoutMs, signal });
    return await attach(launched, server, options);
  } catch (cause) {
    await server.close();
    if (cause instanceof OnnxMishError) throw cause;
    throw new OnnxMishError('provider-unavailable', `the browser does not start: ${firstLine(cause)}`, {
      where: found.path,
      ...(/Timeout \d+ms exceeded/.test(firstLine(cause))
        ? MORE_TIME
        : { fix: 'Start it by hand to see why, or name another', option: { browser: null } }),
      cause,
    });
  }
}

/** Period in which a page answers: until it crashes, times out, is aborted or is closed. */
interface Life {
  readonly alive: boolean;
  /** Never resolves; rejects with the error that ended the period. */
  readonly death: Promise<never>;
  /** Ends the period; only the first reason counts. */
  die(reason: OnnxMishError): void;
  /** Waits for the page's work, until the page crashes or the time limit is over. */
  within<T>(what: string, work: Promise<T>): Promise<T>;
}

function startLife(timeoutMs: number): Life {
  let alive = true;
  let reject: (reason: OnnxMishError) => void = () => {};
  const death = new Promise<never>((_, rejectDeath) => {
    reject = rejectDeath;
  });
  death.catch(() => {}); // the page may crash while no call waits
  const die = (reason: OnnxMishError) => {
    alive = false;
    reject(reason);
  };
  return {
    get alive() {
      return alive;
    },
    death,
    die,
    async within<T>(what: string, work: Promise<T>): Promise<T> {
      const late = `the page did not answer within ${timeoutMs / 1000} s (${what})`;
      const timer = setTimeout(() => die(failed(late, MORE_TIME.fix, MORE_TIME.option)), timeoutMs);
      work.catch(() => {}); // after a crash no call awaits this promise
      try {
        return await Promise.race([work, death]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

const failed = (what: string, fix?: string, option?: OptionHint) =>
  new OnnxMishError('run-failed', what, { fix, option });

async function attach(
  { browser, context, exited, kill }: Launched,
  server: PageServer,
  options: PageOptions,
): Promise<Page> {
  const { timeoutMs, signal } = options;
  const life = startLife(timeoutMs);
  const { within, die } = life;
  const onAbort = () => die(aborted());
  signal?.addEventListener('abort', onAbort, { once: true });
  const onDisconnected = () => die(failed('the browser ended during the run'));
  browser.on('disconnected', onDisconnected);
  exited.then(onDisconnected);

  const close = async () => {
    signal?.removeEventListener('abort', onAbort);
    die(failed('the page is closed'));
    await Promise.allSettled([kill(), server.close()]);
  };
  try {
    stopIfAborted(signal);
    const page = await within('opening', context.newPage());
    page.on('crash', () =>
      die(failed('the page crashed', 'Memory is the usual reason: try a smaller batch or model')),
    );
    await within('loading', page.goto(server.url, { timeout: timeoutMs }));
    return {
      browser: `Chromium ${browser.version()}`,
      get alive() {
        return life.alive;
      },
      offer: server.offer,
      receive: server.receive,
      async call<K extends Call>(method: K, request: CallRequest<K>): Promise<CallResult<K>> {
        if (!life.alive) await life.death;
        const asked = page.evaluate<CallAnswer<CallResult<K>>, [string, unknown]>(
          ([name, argument]) => (globalThis as unknown as InPage<CallResult<K>>).onnxMish(name, argument),
          [method, request],
        );
        const answer = await within(method, asked).catch((cause: unknown) => {
          if (cause instanceof OnnxMishError) throw cause;
          // The page returns its own errors as answers; an error here comes from the connection.
          const ended = /closed|disconnected/i.test(firstLine(cause));
          const error = failed(
            ended ? 'the browser ended during the run' : `the page does not respond: ${firstLine(cause)}`,
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

/** Global object of the page, as code in `evaluate` sees it. */
interface InPage<T> {
  onnxMish(method: string, request: unknown): Promise<CallAnswer<T>>;
}

function remedyFor(error: string): string | undefined {
  const full = /bad_alloc|out of memory|buffer size limit|allocation fail|could not allocate/i.test(error);
  return full ? 'The page lacks memory: try a smaller batch or model' : undefined;
}

function firstLine(cause: unknown): string {
  return messageOf(cause).split('\n')[0]?.slice(0, 300) ?? '';
}
