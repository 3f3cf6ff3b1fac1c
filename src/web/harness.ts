// The page that a browser provider loads: ONNX Runtime Web, driven by the process that started the browser.
import type * as Ort from 'onnxruntime-web';
import { messageOf } from '../onnx/error.js';
import type { Harness, PageFacts, WebProvider } from '../providers/browser/protocol.js';
import { elemTypeOf, ortType } from '../providers/ort-types.js';
import type { Tensor, Tensors, TypedArray } from '../providers/tensor.js';
import { decodeTensors, encodeTensors } from '../providers/transfer.js';
import type { Placement, ValueInfo } from '../providers/types.js';
import { readPlacement } from './placement.js';

type Feeds = Record<string, Ort.Tensor>;

let ort: typeof Ort;
let provider: WebProvider;
let context: WebGL2RenderingContext | undefined;
const sessions = new Map<number, Ort.InferenceSession>();
/** Feeds that are run again and again, by their address. */
const kept = new Map<string, Feeds>();

/** How many runs make one time, by the pair of sessions: the same for all their times. */
const known = new Map<string, number>();

/** A page's clock ticks in steps of 5 µs at best; what is timed should take a hundred of them. */
const LONG_ENOUGH_MS = 0.5;

const repeatsFor = (ms: number) => Math.max(1, Math.min(100, Math.ceil(LONG_ENOUGH_MS / Math.max(ms, 1e-3))));

const harness: Harness = {
  async start(request) {
    provider = request.provider;
    listenToLog();
    ort = await import(new URL(`ort.${provider}.min.mjs`, document.baseURI).href);
    ort.env.wasm.wasmPaths = new URL('.', document.baseURI).href;
    if (request.threads !== undefined) ort.env.wasm.numThreads = request.threads;
    ort.env.logLevel = 'error';
    return facts();
  },

  async open({ id, model, external, optimisation }) {
    const externalData = external.map(({ path, url }) => ({ path, data: url }));
    const options: Ort.InferenceSession.SessionOptions = {
      executionProviders: [provider],
      graphOptimizationLevel: optimisation,
      ...(externalData.length > 0 ? { externalData } : {}),
    };
    const start = performance.now();
    const session = await ort.InferenceSession.create(model, options);
    const createMs = performance.now() - start;
    const placement = provider === 'webgpu' ? await findPlacement(model, options) : undefined;
    watchContext();
    sessions.set(id, session);
    const [inputs, outputs] = [
      valueInfos(session.inputNames, () => session.inputMetadata),
      valueInfos(session.outputNames, () => session.outputMetadata),
    ];
    return { createMs, inputs, outputs, ...(placement === undefined ? {} : { placement }) };
  },

  async run({ id, feeds, results }) {
    const outputs = await call(id, kept.get(feeds) ?? (await fetchFeeds(feeds)));
    const tensors = Object.fromEntries(
      Object.entries(outputs).map(([name, value]) => [name, fromOrt(value as Ort.Tensor)]),
    );
    // A Blob, which Chromium sends ten times as fast as the same bytes in an array.
    const body = new Blob([encodeTensors(tensors)]);
    await transfer(results, { method: 'POST', body });
  },

  async time({ id, feeds }) {
    const ready = await keep(feeds);
    const start = performance.now();
    await call(id, ready);
    return performance.now() - start;
  },

  async pairs({ sessions: ids, feeds, pairs, firstOfAll }) {
    const ready = [await keep(feeds[0]), await keep(feeds[1])] as const;
    const time = async (side: 0 | 1, repeats: number) => {
      const start = performance.now();
      for (let run = 0; run < repeats; run++) await call(ids[side], ready[side]);
      return (performance.now() - start) / repeats;
    };
    const key = ids.join();
    const repeats = known.get(key) ?? repeatsFor(Math.min(await time(0, 1), await time(1, 1)));
    known.set(key, repeats);
    const times: [number, number][] = [];
    for (let pair = 0; pair < pairs; pair++) {
      const taken: [number, number] = [0, 0];
      const first = (firstOfAll + pair) % 2 === 0 ? 0 : 1;
      for (const side of first === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
        taken[side] = await time(side, repeats);
      }
      times.push(taken);
    }
    return { times, repeats };
  },

  async close({ id }) {
    const session = sessions.get(id);
    sessions.delete(id);
    await session?.release();
  },
};

/** Each method as the process calls it: what is thrown becomes an answer. */
Object.assign(globalThis, {
  onnxMish: async (method: keyof Harness, request: never) => {
    try {
      return { value: await harness[method](request) };
    } catch (error) {
      return { error: messageOf(error) };
    }
  },
});

/** What ONNX Runtime logs, while somebody wants it. */
let log: string[] | undefined;

/** ONNX Runtime's module takes hold of the console when it starts, so this has to come before. */
function listenToLog(): void {
  const original = console.error;
  console.error = (...parts: unknown[]) =>
    log === undefined ? original(...parts) : log.push(parts.join(' '));
}

/**
 * Where WebGPU's nodes run, which only the verbose log says. A session that logs is slow, so this one is made for
 * the log alone.
 */
async function findPlacement(
  model: string,
  options: Ort.InferenceSession.SessionOptions,
): Promise<Placement | undefined> {
  const lines: string[] = [];
  log = lines;
  try {
    const session = await ort.InferenceSession.create(model, { ...options, logSeverityLevel: 0 });
    await session.release();
    return readPlacement(lines);
  } finally {
    log = undefined;
  }
}

async function call(id: number, feeds: Feeds): Promise<Ort.InferenceSession.ReturnType> {
  const session = sessions.get(id);
  if (session === undefined) throw new Error('the session is closed');
  const [outcome] = await Promise.allSettled([session.run(feeds)]);
  // Then what fails first says little, and what does not fail is wrong.
  if (context?.isContextLost()) throw new Error('the WebGL context was lost');
  if (outcome.status === 'rejected') throw outcome.reason;
  return outcome.value;
}

/** ONNX Runtime makes its WebGL context with its first session. */
function watchContext(): void {
  if (provider === 'webgl') context ??= ort.env.webgl.context as WebGL2RenderingContext;
}

async function keep(url: string): Promise<Feeds> {
  const feeds = kept.get(url) ?? (await fetchFeeds(url));
  kept.set(url, feeds);
  return feeds;
}

async function fetchFeeds(url: string): Promise<Feeds> {
  const response = await transfer(url);
  const tensors: Tensors = decodeTensors(new Uint8Array(await response.arrayBuffer()));
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toOrt(tensor)]));
}

async function transfer(url: string, options?: RequestInit): Promise<Response> {
  const response = await fetch(url, options).catch(() => undefined);
  if (response?.ok) return response;
  throw new Error('the page has lost the process that started it: tensors cannot get through');
}

function toOrt({ elemType, dims, data }: Tensor): Ort.Tensor {
  const type = ortType(elemType);
  if (type === undefined) throw new Error(`onnxruntime-web takes no ${elemType} tensors`);
  return new ort.Tensor(type as 'float32', data as Float32Array, dims);
}

function fromOrt({ type, dims, data }: Ort.Tensor): Tensor {
  const elemType = elemTypeOf(type);
  if (elemType !== 'f16') return { elemType, dims, data: data as TypedArray | string[] };
  const { buffer, byteOffset, length } = data as Uint16Array; // or a Float16Array, where the browser has them
  return { elemType, dims, data: new Uint16Array(buffer, byteOffset, length) };
}

/** WebGL knows its inputs and outputs by name only. */
function valueInfos(
  names: readonly string[],
  metadata: () => readonly Ort.InferenceSession.ValueMetadata[],
): ValueInfo[] {
  try {
    return metadata().map((value) => {
      if (!value.isTensor) return { name: value.name, elemType: 'unknown', dims: [] };
      return {
        name: value.name,
        elemType: elemTypeOf(value.type),
        dims: [...value.shape],
      };
    });
  } catch {
    return names.map((name) => ({ name, elemType: 'unknown', dims: [] }));
  }
}

async function facts(): Promise<PageFacts> {
  const wasm = provider !== 'webgl';
  const gpu = provider === 'webgl' ? webgl() : provider === 'webgpu' ? await webgpu() : {};
  // ONNX Runtime's own choice, which it makes when it starts (wasm-utils of onnxruntime-web).
  const chosen = Math.min(4, Math.ceil((navigator.hardwareConcurrency || 1) / 2));
  return {
    version: ort.env.versions.web ?? ort.env.versions.common,
    renderer: null,
    software: null,
    ...gpu,
    threads: wasm ? (crossOriginIsolated ? ort.env.wasm.numThreads || chosen : 1) : null,
    simd: WebAssembly.validate(SIMD),
  };
}

/** A module of one function, which gives `i8x16.popcnt(i8x16.splat(0))`. */
const SIMD = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10],
  ...[10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
);

type Gpu = Pick<PageFacts, 'renderer' | 'software'> & { missing?: NonNullable<PageFacts['missing']> };

function webgl(): Gpu {
  const gl = document.createElement('canvas').getContext('webgl2');
  if (gl === null) return { renderer: null, software: null, missing: 'webgl2' };
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  const renderer = String(gl.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER));
  const floats = gl.getExtension('EXT_color_buffer_float') !== null;
  gl.getExtension('WEBGL_lose_context')?.loseContext(); // browsers allow a few contexts only
  return { renderer, software: isSoftware(renderer), ...(floats ? {} : { missing: 'float-textures' }) };
}

async function webgpu(): Promise<Gpu> {
  const { gpu } = navigator as Navigator & { readonly gpu?: MinimalGpu };
  if (gpu === undefined) return { renderer: null, software: null, missing: 'webgpu' };
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) return { renderer: null, software: null, missing: 'webgpu-adapter' };
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const renderer = [vendor, architecture, device, description].filter((part) => part !== '').join(' ');
  return { renderer, software: isFallbackAdapter === true || isSoftware(renderer) };
}

/** As much of WebGPU as is asked here; TypeScript's DOM has not all of it. */
interface MinimalGpu {
  requestAdapter(options: { powerPreference: string }): Promise<{
    readonly info: {
      readonly vendor: string;
      readonly architecture: string;
      readonly device: string;
      readonly description: string;
      readonly isFallbackAdapter?: boolean;
    };
  } | null>;
}

const isSoftware = (renderer: string) =>
  /swiftshader|llvmpipe|lavapipe|softpipe|software|basic render|warp/i.test(renderer);
