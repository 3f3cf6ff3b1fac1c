import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { launchBrowser } from './browser.js';

// ONNX Runtime Web's backends with nothing of ours around them, for tests of what they do by themselves.

const dist = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'));

export type WebType = 'float32' | 'float64' | 'int32' | 'int64' | 'uint8' | 'bool';
export interface WebTensor {
  readonly type: WebType;
  readonly dims: readonly number[];
  readonly data: readonly number[];
}

/** The backends that a page has. */
export type WebBackend = 'wasm' | 'webgl' | 'webgpu';

/** A model and what it is fed with. */
export interface WebJob {
  readonly model: Uint8Array;
  readonly feeds: Readonly<Record<string, WebTensor>>;
}

/** What a backend made of a model: its outputs, or the error and when it came. */
export type WebOutcome =
  | { readonly outputs: Readonly<Record<string, WebTensor>> }
  | { readonly phase: 'create' | 'run'; readonly error: string };

export interface WebPage {
  /** Runs models one after the other, each in a session of its own. */
  runAll(backend: WebBackend, jobs: readonly WebJob[]): Promise<WebOutcome[]>;
  close(): Promise<void>;
}

export interface WebglPage {
  run(model: Uint8Array, feeds: Readonly<Record<string, WebTensor>>): Promise<WebOutcome>;
  close(): Promise<void>;
}

/** As much of ONNX Runtime Web as the page uses. */
interface Ort {
  env: { wasm: { numThreads: number; wasmPaths: string }; logLevel: string };
  Tensor: new (type: WebType, data: unknown, dims: readonly number[]) => WebTensor;
  InferenceSession: {
    create(
      bytes: Uint8Array,
      options: object,
    ): Promise<{
      run(feeds: Record<string, WebTensor>): Promise<Record<string, WebTensor>>;
      release(): Promise<void>;
    }>;
  };
}

/** Starts a browser with WebGL in software; the caller closes it. */
export async function openWebglPage(): Promise<WebglPage> {
  const page = await openWebPage();
  return {
    async run(model, feeds) {
      const [outcome] = await page.runAll('webgl', [{ model, feeds }]);
      if (outcome === undefined) throw new Error('the page gave no outcome');
      return outcome;
    },
    close: page.close,
  };
}

/** Starts a browser with WASM, WebGL and WebGPU in software, all in one page; the caller closes it. */
export async function openWebPage(): Promise<WebPage> {
  const server = createServer(async (request, response) => {
    const name = basename(request.url ?? '');
    const isRuntime = /^ort[\w.-]*\.(mjs|wasm)$/.test(name);
    const script = name.endsWith('.wasm') ? 'application/wasm' : 'text/javascript';
    response.setHeader('content-type', isRuntime ? script : 'text/html');
    response.end(isRuntime ? await readFile(join(dist, name)) : '<!doctype html>');
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const browser = await launchBrowser();
  const page = await browser.newPage();
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  await page.goto(base);

  const inPage = async ([base, backend, jobs]: [string, WebBackend, TextJob[]]): Promise<WebOutcome[]> => {
    // As text, since Vitest replaces what it sees of `import`; the browser keeps what it has loaded.
    const ort: Ort = await new Function('address', 'return import(address)')(`${base}ort.${backend}.min.mjs`);
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = base;
    ort.env.logLevel = 'fatal';
    const arrays = {
      float32: Float32Array,
      float64: Float64Array,
      int32: Int32Array,
      uint8: Uint8Array,
      bool: Uint8Array,
    };
    const outcomes: WebOutcome[] = [];
    for (const { base64, feeds: given } of jobs) {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      let phase: 'create' | 'run' = 'create';
      try {
        const session = await ort.InferenceSession.create(bytes, {
          executionProviders: [backend],
          logSeverityLevel: 4,
        });
        phase = 'run';
        const feeds: Record<string, WebTensor> = {};
        for (const [name, { type, dims, data }] of Object.entries(given)) {
          const array = type === 'int64' ? BigInt64Array.from(data, BigInt) : arrays[type].from(data);
          feeds[name] = new ort.Tensor(type, array, dims);
        }
        const outputs: Record<string, WebTensor> = {};
        for (const [name, { type, dims, data }] of Object.entries(await session.run(feeds)))
          outputs[name] = { type, dims: [...dims], data: Array.from(data, Number) };
        // With its last session WebGPU forgets the programs that it compiled, which are most of the time: one stays.
        const page = globalThis as { keepsSession?: boolean };
        if (backend === 'webgpu' && page.keepsSession !== true) page.keepsSession = true;
        else await session.release();
        outcomes.push({ outputs });
      } catch (error) {
        outcomes.push({ phase, error: error instanceof Error ? error.message : String(error) });
      }
    }
    return outcomes;
  };

  return {
    runAll(backend, jobs) {
      const text = jobs.map(({ model, feeds }) => ({ base64: Buffer.from(model).toString('base64'), feeds }));
      return page.evaluate<WebOutcome[], Parameters<typeof inPage>[0]>(inPage, [base, backend, text]);
    },
    async close() {
      await browser.close();
      server.close();
    },
  };
}

/** A job as it travels to the page. */
interface TextJob extends Pick<WebJob, 'feeds'> {
  readonly base64: string;
}
