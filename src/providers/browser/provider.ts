import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { dataFiles, refuseExternal, withDataFiles } from '../../files/external-data.js';
import { withDataInside } from '../data-inside.js';
import { PAGE_PEERS, requirePeers, resolvePeer } from '../node/packages.js';
import { type Availability, isPath, type Provider } from '../provider.js';
import { withDocumentOf } from '../read-model.js';
import { unavailable } from '../unavailable.js';
import { MISSING, type MissingFeature, WEB, type WebProvider, webFacts } from '../web-providers.js';
import { findBrowser } from './find.js';
import { openPage } from './page.js';
import { checksFor, prepareFor } from './prepare.js';
import type { Content } from './server.js';
import { openSession, type Started } from './session.js';

export interface BrowserSettings {
  /** Path of the browser; default: `findBrowser` searches for a browser. */
  readonly browser?: string | undefined;
  /** Maximum milliseconds for opening or running a model; default 120,000. */
  readonly timeoutMs?: number | undefined;
  /** Number of WebAssembly threads; default: ONNX Runtime's choice. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
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
        return unavailable(error);
      }
    },
    ...checksFor(name),
    async open(model, options) {
      const started = await start();
      return withDocumentOf(model, async (document) => {
        if (!isPath(model))
          refuseExternal(document, 'Move the data into the model with `inlineExternalData`');
        const data =
          isPath(model) && WEB[name].takesExternalData
            ? await dataFiles(document, dirname(model), options)
            : [];
        const whole = await withDataFiles(
          isPath(model) ? model : '',
          document,
          (openData) => withDataInside(document, name, openData),
          options,
        );
        const prepared = await prepareFor(name, whole, options?.shapes);
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
  requirePeers(...PAGE_PEERS);
  const browser = await findBrowser(settings.browser, signal);
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
  const { missing, software } = first.facts;
  const { softwareArgs = [] } = webFacts(name);
  const isSlow = software === true && softwareArgs.length > 0;
  if (missing === undefined && !isSlow) return first;
  await first.page.close();
  // The arguments name the software GPU: where Mesa's drivers are installed, Chromium does not always find it for WebGPU.
  return attempt([...SOFTWARE, ...softwareArgs]);
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

/** Returns the files of ONNX Runtime Web, by their names. Throws `missing-package` if it is not installed. */
export async function runtimeFiles(): Promise<[name: string, content: Content][]> {
  const ort = dirname(resolvePeer('onnxruntime-web', 'onnxruntime-web/wasm'));
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
