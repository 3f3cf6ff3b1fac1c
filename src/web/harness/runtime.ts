// ONNX Runtime Web with one of its providers, in a page or in a worker.

import type * as Ort from 'onnxruntime-web';
import type { PageFacts } from '../../providers/browser/protocol.js';
import { CONTAINER, elemTypeOf, ortType } from '../../providers/ort-types.js';
import type { Pairs, Placement, ValueInfo } from '../../providers/provider.js';
import type { Tensor, Tensors, TypedArray } from '../../providers/tensor.js';
import { WEB, type WebProvider } from '../../providers/web-providers.js';
import { factsOf } from './facts.js';
import { readPlacement } from './placement.js';

/** Tensors as ONNX Runtime has them. */
export type OrtFeeds = Readonly<Record<string, Ort.Tensor>>;

/** A session that is open. */
export interface Opened {
  readonly session: Ort.InferenceSession;
  readonly createMs: number;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly placement?: Placement;
}

/** What to open: a model by its address or as bytes, and the files that its tensors are in. */
export interface OpenOptions {
  readonly model: string | Uint8Array;
  readonly external: readonly { readonly path: string; readonly data: string | Uint8Array }[];
  readonly optimisation: 'disabled' | 'basic' | 'extended' | 'all';
}

/** Pairs of runs to time: two sessions in turns, `firstOfAll` saying which begins. */
export interface TimedPairs {
  readonly sessions: readonly [Ort.InferenceSession, Ort.InferenceSession];
  readonly feeds: readonly [OrtFeeds, OrtFeeds];
  readonly pairs: number;
  readonly firstOfAll: 0 | 1;
}

/** ONNX Runtime Web, loaded. What fails is thrown as it comes. */
export interface WebRuntime {
  readonly facts: PageFacts;
  open(options: OpenOptions): Promise<Opened>;
  toFeeds(tensors: Tensors): OrtFeeds;
  run(session: Ort.InferenceSession, feeds: OrtFeeds): Promise<Tensors>;
  /** Milliseconds of one run. */
  time(session: Ort.InferenceSession, feeds: OrtFeeds): Promise<number>;
  pairs(request: TimedPairs): Promise<Pairs>;
}

/** A page's clock ticks in steps of 5 µs at best; what is timed should take a hundred of them. */
const LONG_ENOUGH_MS = 0.5;

const repeatsFor = (ms: number) => Math.max(1, Math.min(100, Math.ceil(LONG_ENOUGH_MS / Math.max(ms, 1e-3))));

/** How long a browser may take to tell that a WebGL context is lost. */
const LOSS_MS = 100;

/** The WebGL context of each provider that computes with one, once a session is open. */
const CONTEXTS: Readonly<Partial<Record<WebProvider, (ort: typeof Ort) => WebGL2RenderingContext>>> = {
  webgl: ({ env }) => env.webgl.context as WebGL2RenderingContext,
};

/** Loads ONNX Runtime's build for a provider from `base`, the address of the folder with its files. */
export async function loadRuntime(
  provider: WebProvider,
  base: string,
  threads?: number | undefined,
): Promise<WebRuntime> {
  listenToLog();
  const ort: typeof Ort = await import(/* @vite-ignore */ new URL(WEB[provider].build, base).href);
  ort.env.wasm.wasmPaths = base;
  if (threads !== undefined) ort.env.wasm.numThreads = threads;
  ort.env.logLevel = 'error';
  const facts = await factsOf(provider, ort);
  let context: WebGL2RenderingContext | undefined;
  /** The outputs that are tensors. */
  const fetches = new WeakMap<Ort.InferenceSession, string[]>();
  /** How many runs make one time, by the pair of sessions: the same for all their times. */
  const known = new WeakMap<Ort.InferenceSession, { other: Ort.InferenceSession; repeats: number }>();

  async function call(session: Ort.InferenceSession, feeds: OrtFeeds) {
    const [outcome] = await Promise.allSettled([
      session.run(feeds, fetches.get(session) ?? session.outputNames),
    ]);
    // A lost context is told a moment after the first call that fails for it.
    if (context !== undefined && outcome.status === 'rejected')
      await new Promise((resolve) => setTimeout(resolve, LOSS_MS));
    // Then what fails first says little, and what does not fail is wrong.
    if (context?.isContextLost()) throw new Error('the WebGL context was lost');
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  }

  async function time(session: Ort.InferenceSession, feeds: OrtFeeds, repeats: number) {
    const start = performance.now();
    for (let run = 0; run < repeats; run++) await call(session, feeds);
    return (performance.now() - start) / repeats;
  }

  return {
    facts,
    async open({ model, external, optimisation }) {
      const options: Ort.InferenceSession.SessionOptions = {
        executionProviders: [provider],
        graphOptimizationLevel: optimisation,
        ...(external.length > 0 ? { externalData: [...external] } : {}),
      };
      const start = performance.now();
      const session = await create(ort, model, options);
      const createMs = performance.now() - start;
      const placement = WEB[provider].logsPlacement ? await findPlacement(ort, model, options) : undefined;
      // ONNX Runtime makes its WebGL context with its first session.
      context ??= CONTEXTS[provider]?.(ort);
      const [inputs, outputs] = [
        valueInfos(session.inputNames, () => session.inputMetadata),
        valueInfos(session.outputNames, () => session.outputMetadata).filter(isTensor),
      ];
      fetches.set(
        session,
        outputs.map((output) => output.name),
      );
      return { session, createMs, inputs, outputs, ...(placement === undefined ? {} : { placement }) };
    },
    toFeeds: (tensors) =>
      Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toOrt(ort, tensor)])),
    async run(session, feeds) {
      const outputs = await call(session, feeds);
      return Object.fromEntries(
        Object.entries(outputs).map(([name, value]) => [name, fromOrt(value as Ort.Tensor)]),
      );
    },
    time: (session, feeds) => time(session, feeds, 1),
    async pairs({ sessions, feeds, pairs, firstOfAll }) {
      const [one, other] = sessions;
      const before = known.get(one);
      const repeats =
        before?.other === other
          ? before.repeats
          : repeatsFor(Math.min(await time(one, feeds[0], 1), await time(other, feeds[1], 1)));
      known.set(one, { other, repeats });
      const times: [number, number][] = [];
      for (let pair = 0; pair < pairs; pair++) {
        const taken: [number, number] = [0, 0];
        const first = (firstOfAll + pair) % 2 === 0 ? 0 : 1;
        for (const side of first === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
          taken[side] = await time(sessions[side], feeds[side], repeats);
        }
        times.push(taken);
      }
      return { times, repeats };
    },
  };
}

/** The overloads take one or the other, not the union. */
function create(
  ort: typeof Ort,
  model: string | Uint8Array,
  options: Ort.InferenceSession.SessionOptions,
): Promise<Ort.InferenceSession> {
  const { InferenceSession } = ort;
  return InferenceSession.create(model as Uint8Array, options); // there is no overload for both
}

/** What ONNX Runtime logs, while somebody wants it. */
let log: string[] | undefined;
let listening = false;

/** ONNX Runtime's module takes hold of the console when it starts, so this has to come before. */
function listenToLog(): void {
  if (listening) return;
  listening = true;
  const original = console.error;
  console.error = (...parts: unknown[]) =>
    log === undefined ? original(...parts) : log.push(parts.join(' '));
}

/**
 * Where WebGPU's nodes run, which only the verbose log says. A session that logs is slow, so this one is made for
 * the log alone.
 */
async function findPlacement(
  ort: typeof Ort,
  model: string | Uint8Array,
  options: Ort.InferenceSession.SessionOptions,
): Promise<Placement | undefined> {
  const lines: string[] = [];
  log = lines;
  try {
    const session = await create(ort, model, { ...options, logSeverityLevel: 0 });
    await session.release();
    return readPlacement(lines);
  } finally {
    log = undefined;
  }
}

function toOrt(ort: typeof Ort, { elemType, dims, data }: Tensor): Ort.Tensor {
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

const isTensor = ({ elemType }: ValueInfo) => elemType !== CONTAINER;

/** WebGL knows its inputs and outputs by name only. */
function valueInfos(
  names: readonly string[],
  metadata: () => readonly Ort.InferenceSession.ValueMetadata[],
): ValueInfo[] {
  try {
    return metadata().map((value) => {
      if (!value.isTensor) return { name: value.name, elemType: CONTAINER, dims: [] };
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
