import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { OnnxMishError } from '../../base/error.js';
import { type DataFile, dataFiles, openDataFile } from '../../files/external-data.js';
import {
  type Availability,
  isPath,
  type Provider,
  type RunnableModel,
  type Runtime,
  type Session,
  type SessionOptions,
} from '../provider.js';
import { withDocumentOf } from '../read-model.js';
import type { Tensors } from '../tensor.js';
import { decodeTensors, encodeTensors } from '../transfer.js';
import { MISSING, type MissingFeature, WEB, type WebProvider } from '../web-providers.js';
import { findBrowser } from './find.js';
import { openPage, type Page } from './page.js';
import { checksFor, type PreparedModel, prepareFor } from './prepare.js';
import type { PageFacts } from './protocol.js';
import type { Content } from './server.js';

export interface BrowserSettings {
  /** Path of the browser; default: `findBrowser` searches for a browser. */
  readonly browser?: string | undefined;
  /** Maximum milliseconds for opening or running a model; default 120,000. */
  readonly timeoutMs?: number | undefined;
  /** Number of WebAssembly threads; default: ONNX Runtime's choice. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Page that has loaded ONNX Runtime. */
interface Started {
  readonly page: Page;
  readonly facts: PageFacts;
}

const TIMEOUT_MS = 120_000;

/**
 * Returns a provider of ONNX Runtime Web. Each provider has a separate browser, so that a crash does not affect other
 * providers. The browser starts at the first use of the provider, and ends with `close`.
 */
export function browserProvider(name: WebProvider, settings: BrowserSettings = {}): Provider {
  let starting: Promise<Started> | undefined;
  let version = 'unknown';

  async function start(): Promise<Started> {
    if (starting !== undefined && !(await starting.catch(() => undefined))?.page.alive) await close();
    starting ??= startPage(name, settings);
    const started = await starting;
    version = started.facts.version;
    return started;
  }

  async function close(): Promise<void> {
    const ending = starting;
    starting = undefined;
    await ending?.then(({ page }) => page.close()).catch(() => {});
  }

  return {
    name,
    get version() {
      return version;
    },
    async availability() {
      try {
        const { facts } = await start();
        return facts.missing === undefined ? { available: true } : explain(facts.missing);
      } catch (error) {
        if (!(error instanceof OnnxMishError) || error.code !== 'provider-unavailable') throw error;
        const { what, where, fix = '', option } = error;
        return { available: false, reason: where === undefined ? what : `${what} (${where})`, fix, option };
      }
    },
    ...checksFor(name),
    async open(model, options) {
      const started = await start();
      return withDocumentOf(model, async (document) => {
        const data =
          isPath(model) && WEB[name].takesExternalData
            ? await dataFiles(document, dirname(model), options)
            : [];
        const prepared = await prepareFor(name, document, options?.shapes);
        return openSession(started, { original: model, data, ...prepared }, options);
      });
    },
    close,
  };
}

function explain(missing: MissingFeature): Availability {
  return { available: false, ...MISSING[missing] };
}

/** Arguments that use the GPU, or Chromium's software GPU on a machine without a GPU. */
const HARDWARE = [
  '--enable-gpu',
  '--ignore-gpu-blocklist',
  '--enable-unsafe-swiftshader',
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
];
const SOFTWARE = [
  ...HARDWARE,
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--use-webgpu-adapter=swiftshader',
];

async function startPage(name: WebProvider, settings: BrowserSettings): Promise<Started> {
  const { signal, threads, timeoutMs = TIMEOUT_MS } = settings;
  const browser = await findBrowser(settings.browser);
  const files = await pageFiles();
  const attempt = async (args: readonly string[]): Promise<Started> => {
    const page = await openPage({ browser, files, args, timeoutMs, signal });
    try {
      const facts = await page.call('start', {
        provider: name,
        ...(threads === undefined ? {} : { threads }),
      });
      return { page, facts };
    } catch (error) {
      await page.close();
      throw error;
    }
  };
  const first = await attempt(HARDWARE);
  if (first.facts.missing === undefined) return first;
  await first.page.close();
  return attempt(SOFTWARE);
}

/** Returns the files of the page: its HTML, the harness and ONNX Runtime Web. */
async function pageFiles(): Promise<ReadonlyMap<string, Content>> {
  const require = createRequire(import.meta.url);
  const script = join(dirname(require.resolve('onnx-mish/package.json')), 'dist', 'page', 'harness.js');
  return new Map<string, Content>([
    ['index.html', new TextEncoder().encode(PAGE)],
    ['harness.js', await readFile(script)],
    ...(await runtimeFiles()),
  ]);
}

/** Returns the files of ONNX Runtime Web, by their names. */
export async function runtimeFiles(): Promise<[name: string, content: Content][]> {
  const ort = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'));
  const names = (await readdir(ort)).filter((file) => /^ort[\w.-]*\.(mjs|wasm)$/.test(file));
  return names.map((file) => [file, { file: join(ort, file) }]);
}

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>onnx-mish</title>
<script type="module" src="harness.js"></script>
</html>
`;

/** Model and data files that are sent to a page. */
interface Sent extends PreparedModel {
  readonly original: RunnableModel;
  readonly data: readonly DataFile[];
}

let nextId = 0;
/** Number of each session in its page. */
const ids = new WeakMap<Session, number>();

async function openSession(
  { page, facts }: Started,
  { original, data, model: changed, retargeted, notes, suspicions }: Sent,
  options: SessionOptions = {},
): Promise<Session> {
  const id = nextId++;
  const model = changed ?? original;
  const offered: { withdraw(): void }[] = [];
  const offer = (content: Content) => {
    const one = page.offer(content);
    offered.push(one);
    return one.path;
  };
  const withdraw = () => {
    for (const one of offered.splice(0)) one.withdraw();
  };
  const closing: (() => Promise<void>)[] = [];
  const closeFiles = async () => {
    for (const close of closing.splice(0)) await close();
  };
  /** Paths of the feeds that stay in the page. */
  const kept = new WeakMap<Tensors, string>();
  const keep = (feeds: Tensors): string => {
    const path = kept.get(feeds) ?? offer(encodeTensors(feeds));
    kept.set(feeds, path);
    return path;
  };
  try {
    const external: { path: string; url: string }[] = [];
    for (const file of data) {
      const { handle, size, close } = await openDataFile(file);
      closing.push(close);
      external.push({ path: file.location, url: offer({ handle, size }) });
    }
    const { optimisation = 'all' } = options;
    const opened = await page.call('open', {
      id,
      model: offer(isPath(model) ? { file: model } : model),
      external,
      optimisation,
    });
    withdraw(); // the page has it now
    await closeFiles();
    const session: Session = {
      inputs: opened.inputs,
      outputs: opened.outputs,
      createMs: opened.createMs,
      runtime: runtimeOf(page, facts),
      retargeted,
      notes,
      suspicions,
      placement: opened.placement,
      async run(feeds) {
        const known = kept.get(feeds);
        const sent = known === undefined ? page.offer(encodeTensors(feeds)) : undefined;
        const results = page.receive();
        try {
          await page.call('run', { id, feeds: known ?? sent?.path ?? '', results: results.path });
          return decodeTensors(await results.bytes);
        } finally {
          sent?.withdraw();
          results.withdraw();
        }
      },
      time: (feeds) => page.call('time', { id, feeds: keep(feeds) }),
      pairs(other, feeds, count, firstOfAll) {
        const theirs = ids.get(other);
        if (theirs === undefined)
          throw new OnnxMishError('run-failed', 'the two sessions are on different pages');
        const sent = [keep(feeds[0]), keep(feeds[1])] as const;
        return page.call('pairs', { sessions: [id, theirs], feeds: sent, pairs: count, firstOfAll });
      },
      async close() {
        withdraw();
        if (page.alive) await page.call('close', { id });
      },
    };
    ids.set(session, id);
    return session;
  } catch (error) {
    withdraw();
    await closeFiles();
    throw error;
  }
}

function runtimeOf(page: Page, { version, renderer, software, threads, simd }: PageFacts): Runtime {
  return { name: 'onnxruntime-web', version, browser: page.browser, renderer, software, threads, simd };
}
