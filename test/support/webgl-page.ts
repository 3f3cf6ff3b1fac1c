import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { chromium } from 'playwright-core';
import { findBrowser } from '../../src/providers/browser/find.js';

// ONNX Runtime Web's WebGL backend with nothing of ours around it, for tests of what it does by itself.

const dist = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'));

export type WebType = 'float32' | 'float64' | 'int32' | 'int64' | 'uint8' | 'bool';
export interface WebTensor {
  readonly type: WebType;
  readonly dims: readonly number[];
  readonly data: readonly number[];
}

/** What WebGL made of a model: its outputs, or the error and when it came. */
export type WebOutcome =
  | { readonly outputs: Readonly<Record<string, WebTensor>> }
  | { readonly phase: 'create' | 'run'; readonly error: string };

export interface WebglPage {
  run(model: Uint8Array, feeds: Readonly<Record<string, WebTensor>>): Promise<WebOutcome>;
  close(): Promise<void>;
}

/** As much of ONNX Runtime Web as the page uses. */
interface Ort {
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
  const server = createServer(async (request, response) => {
    const name = basename(request.url ?? '');
    response.setHeader('content-type', name === '' ? 'text/html' : 'text/javascript');
    response.end(name === 'ort.webgl.min.mjs' ? await readFile(join(dist, name)) : '<!doctype html>');
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const browser = await chromium.launch({
    executablePath: (await findBrowser()).path,
    args: [
      '--no-sandbox',
      '--use-gl=angle',
      '--use-angle=swiftshader',
      '--enable-unsafe-swiftshader',
      '--disable-dev-shm-usage',
    ],
  });
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const content = "import * as ort from '/ort.webgl.min.mjs'; globalThis.ort = ort;";
  await page.addScriptTag({ type: 'module', content });
  await page.waitForFunction('globalThis.ort !== undefined');

  const inPage = async ([base64, given]: [
    string,
    Readonly<Record<string, WebTensor>>,
  ]): Promise<WebOutcome> => {
    const { ort } = globalThis as unknown as { ort: Ort };
    const arrays = {
      float32: Float32Array,
      float64: Float64Array,
      int32: Int32Array,
      uint8: Uint8Array,
      bool: Uint8Array,
    };
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    let phase: 'create' | 'run' = 'create';
    try {
      const session = await ort.InferenceSession.create(bytes, { executionProviders: ['webgl'] });
      phase = 'run';
      const feeds: Record<string, WebTensor> = {};
      for (const [name, { type, dims, data }] of Object.entries(given)) {
        const array = type === 'int64' ? BigInt64Array.from(data, BigInt) : arrays[type].from(data);
        feeds[name] = new ort.Tensor(type, array, dims);
      }
      const outputs: Record<string, WebTensor> = {};
      for (const [name, { type, dims, data }] of Object.entries(await session.run(feeds)))
        outputs[name] = { type, dims: [...dims], data: Array.from(data, Number) };
      await session.release();
      return { outputs };
    } catch (error) {
      return { phase, error: error instanceof Error ? error.message : String(error) };
    }
  };

  return {
    run: (model, feeds) =>
      page.evaluate<WebOutcome, Parameters<typeof inPage>[0]>(inPage, [
        Buffer.from(model).toString('base64'),
        feeds,
      ]),
    async close() {
      await browser.close();
      server.close();
    },
  };
}
