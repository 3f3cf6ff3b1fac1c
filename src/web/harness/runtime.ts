// Runs ONNX Runtime Web with one provider, in a page or in a worker.

import type * as Ort from 'onnxruntime-web';
import type { PageFacts } from '../../providers/browser/protocol.js';
import { DISABLED_OPTIMISERS } from '../../providers/fusions.js';
import { CONTAINER_TYPE, elemTypeOf, ortType } from '../../providers/ort-types.js';
import type { Pairs, Placement, ValueInfo } from '../../providers/provider.js';
import type { Tensor, Tensors, TypedArray } from '../../providers/tensor.js';
import { WEB, type WebProvider } from '../../providers/web-providers.js';
import { createInTurn } from './create-in-turn.js';
import { factsOf } from './facts.js';
import { readPlacement } from './placement.js';

/** Input tensors in ONNX Runtime's type, by input name. */
export type OrtFeeds = Readonly<Record<string, Ort.Tensor>>;

/** An open session, and the time it took to create it. */
export interface OpenSession {
  readonly session: Ort.InferenceSession;
  readonly createMs: number;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly placement?: Placement;
}

/** A model as a URL or as bytes, and its external data files. */
export interface OpenOptions {
  readonly model: string | Uint8Array;
  readonly external: readonly { readonly path: string; readonly data: string | Uint8Array }[];
  readonly optimisation: 'disabled' | 'basic' | 'extended' | 'all';
  /** Optimisers to leave out. */
  readonly unfused?: string | undefined;
}

/** Pairs of runs to time: two sessions in turns; `firstOfAll` is the session that begins. */
export interface TimedPairs {
  readonly sessions: readonly [Ort.InferenceSession, Ort.InferenceSession];
  readonly feeds: readonly [OrtFeeds, OrtFeeds];
  readonly pairs: number;
  readonly firstOfAll: 0 | 1;
}

/** A loaded ONNX Runtime Web; its errors are thrown unchanged. */
export interface WebRuntime {
  readonly facts: PageFacts;
  open(options: OpenOptions): Promise<OpenSession>;
  toFeeds(tensors: Tensors): OrtFeeds;
  run(session: Ort.InferenceSession, feeds: OrtFeeds): Promise<Tensors>;
  /** Returns the milliseconds of one run. */
  time(session: Ort.InferenceSession, feeds: OrtFeeds): Promise<number>;
  pairs(request: TimedPairs): Promise<Pairs>;
}

/**
 * Minimum milliseconds of one measurement. A page's clock has steps of 5 µs at best, and a measurement should span a
 * hundred.
 */
const MIN_MEASURED_MS = 0.5;

const repeatsFor = (ms: number) =>
  Math.max(1, Math.min(100, Math.ceil(MIN_MEASURED_MS / Math.max(ms, 1e-3))));

/** Milliseconds that a browser may take to report a lost WebGL context. */
const CONTEXT_LOSS_MS = 100;

/** Returns the WebGL context of a provider that computes with one, once a session is open. */
const CONTEXTS: Readonly<Partial<Record<WebProvider, (ort: typeof Ort) => WebGL2RenderingContext>>> = {
  webgl: ({ env }) => env.webgl.context as WebGL2RenderingContext,
};

/** Loads ONNX Runtime's build for a provider; `base` is the URL of the folder with its files. */
export async function loadRuntime(
  provider: WebProvider,
  base: string,
  threads?: number | undefined,
): Promise<WebRuntime> {
  listenToLog();
  const ort: typeof Ort = await import(/* @vite-ignore */ new URL(WEB[provider].build, base).href);
  ort.env.wasm.wasmPaths = base;
  if (threads !== undefined) ort.env.wasm.numThreads = Math.min(threads, navigator.hardwareConcurrency);
  ort.env.logLevel = 'error';
  return createRuntime(ort, provider, WEB[provider].logsPlacement);
}

/** Wraps a loaded ONNX Runtime Web. `findsPlacement` is for `loadRuntime`, which collects the log: the log says where nodes run. */
export async function createRuntime(
  ort: typeof Ort,
  provider: WebProvider,
  findsPlacement: boolean,
): Promise<WebRuntime> {
  const facts = await factsOf(provider, ort);
  let context: WebGL2RenderingContext | undefined;
  /** Names of the outputs that are tensors, by session. */
  const fetches = new WeakMap<Ort.InferenceSession, string[]>();
  /** Number of runs in one measurement, by pair of sessions; all measurements of a pair use the same number. */
  const repeatsOfPair = new WeakMap<Ort.InferenceSession, { other: Ort.InferenceSession; repeats: number }>();

  async function call(session: Ort.InferenceSession, feeds: OrtFeeds) {
    const [outcome] = await Promise.allSettled([
      session.run(feeds, fetches.get(session) ?? session.outputNames),
    ]);
    // The browser reports a lost context a moment after the first call that fails.
    if (context !== undefined && outcome.status === 'rejected')
      await new Promise((resolve) => setTimeout(resolve, CONTEXT_LOSS_MS));
    // With a lost context the first error is misleading, and outputs without an error are wrong.
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
    async open({ model, external, optimisation, unfused }) {
      const options: Ort.InferenceSession.SessionOptions = {
        executionProviders: [provider],
        graphOptimizationLevel: optimisation,
        logSeverityLevel: 3, // without the warnings, such as those about unused initializers
        ...(external.length > 0 ? { externalData: [...external] } : {}),
        ...(unfused === undefined ? {} : { extra: { [DISABLED_OPTIMISERS]: unfused } }),
      };
      const start = performance.now();
      const session = await createInTurn(ort, model, options);
      const createMs = performance.now() - start;
      const placement = findsPlacement ? await findPlacement(ort, model, options) : undefined;
      // ONNX Runtime creates its WebGL context with the first session.
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
    toFeeds: (tensors) => toOrtFeeds(ort, tensors),
    async run(session, feeds) {
      const outputs = await call(session, feeds);
      return toTensors(outputs);
    },
    time: (session, feeds) => time(session, feeds, 1),
    async pairs({ sessions, feeds, pairs, firstOfAll }) {
      const [one, other] = sessions;
      const before = repeatsOfPair.get(one);
      const repeats =
        before?.other === other
          ? before.repeats
          : repeatsFor(Math.min(await time(one, feeds[0], 1), await time(other, feeds[1], 1)));
      repeatsOfPair.set(one, { other, repeats });
      const times = await inTurns(pairs, firstOfAll, (side) => time(sessions[side], feeds[side], repeats));
      return { times, repeats };
    },
  };
}

/** Measures two sides in pairs; the side that begins changes with each pair. */
async function inTurns(
  pairs: number,
  firstOfAll: 0 | 1,
  measure: (side: 0 | 1) => Promise<number>,
): Promise<[number, number][]> {
  const times: [number, number][] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const taken: [number, number] = [0, 0];
    const first = (firstOfAll + pair) % 2 === 0 ? 0 : 1;
    for (const side of first === 0 ? ([0, 1] as const) : ([1, 0] as const)) taken[side] = await measure(side);
    times.push(taken);
  }
  return times;
}

/** Returns the feeds in ONNX Runtime's type. */
function toOrtFeeds(ort: typeof Ort, tensors: Tensors): OrtFeeds {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toOrt(ort, tensor)]));
}

/** Lines of ONNX Runtime's log; undefined while nothing collects them. */
let log: string[] | undefined;
let listening = false;

/** Collects what ONNX Runtime logs. Has to run before ONNX Runtime loads, which keeps a reference to the console. */
function listenToLog(): void {
  if (listening) return;
  listening = true;
  const original = console.error;
  console.error = (...parts: unknown[]) =>
    log === undefined ? original(...parts) : log.push(parts.join(' '));
}

/**
 * Returns where WebGPU's nodes run, which only the verbose log says. A session that logs is slow, so this function
 * creates one only for its log.
 */
async function findPlacement(
  ort: typeof Ort,
  model: string | Uint8Array,
  options: Ort.InferenceSession.SessionOptions,
): Promise<Placement | undefined> {
  const lines: string[] = [];
  log = lines;
  try {
    const session = await createInTurn(ort, model, { ...options, logSeverityLevel: 0 });
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
  const { buffer, byteOffset, length } = data as Uint16Array; // a Float16Array in browsers that have it
  return { elemType, dims, data: new Uint16Array(buffer, byteOffset, length) };
}

function toTensors(outputs: Ort.InferenceSession.OnnxValueMapType): Tensors {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, value]) => [name, fromOrt(value as Ort.Tensor)]),
  );
}

const isTensor = ({ elemType }: ValueInfo) => elemType !== CONTAINER_TYPE;

/** Returns names, types and shapes of inputs or outputs; only names on WebGL, which has no metadata. */
function valueInfos(
  names: readonly string[],
  metadata: () => readonly Ort.InferenceSession.ValueMetadata[],
): ValueInfo[] {
  try {
    return metadata().map((value) => {
      if (!value.isTensor) return { name: value.name, elemType: CONTAINER_TYPE, dims: [] };
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
