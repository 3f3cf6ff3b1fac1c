import type { Pairs, Placement, ValueInfo } from '../provider.js';
import type { MissingFeature, WebProvider } from '../web-providers.js';

/** Facts about the page, after it has loaded ONNX Runtime. */
export interface PageFacts {
  readonly version: string;
  /** Name that the GPU reports; null if the provider uses no GPU. */
  readonly renderer: string | null;
  /** Whether software on the CPU emulates the GPU; null if the provider uses no GPU. */
  readonly software: boolean | null;
  /** Number of WebAssembly threads; null if the provider does not use WebAssembly. */
  readonly threads: number | null;
  readonly simd: boolean;
  /** Feature that the browser lacks for the provider; undefined if none. */
  readonly missing?: MissingFeature;
}

/** Request to open a model. The page fetches the model and its external data from URLs. */
export interface OpenRequest {
  readonly id: number;
  readonly model: string;
  readonly external: readonly { readonly path: string; readonly url: string }[];
  readonly optimisation: 'disabled' | 'basic' | 'extended' | 'all';
  /** Optimisers of ONNX Runtime to leave out. */
  readonly unfused?: string | undefined;
}

export interface OpenResult {
  readonly createMs: number;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly placement?: Placement;
}

/** Request to time two sessions in turns; `firstOfAll` is the index of the session that begins. */
export interface PairsRequest {
  readonly sessions: readonly [number, number];
  readonly feeds: readonly [string, string];
  readonly pairs: number;
  readonly firstOfAll: 0 | 1;
}

/** Calls of the page. Calls are JSON; tensors are transferred as bytes at the URLs. */
export interface PageCalls {
  start(request: { provider: WebProvider; threads?: number }): PageFacts;
  open(request: OpenRequest): OpenResult;
  /** Fetches the feeds, runs, and posts the outputs. */
  run(request: { id: number; feeds: string; results: string }): void;
  /** Returns the milliseconds of a run. The feeds stay in the page. */
  time(request: { id: number; feeds: string }): number;
  pairs(request: PairsRequest): Pairs;
  close(request: { id: number }): void;
}

export type Call = keyof PageCalls;
export type CallRequest<K extends Call> = Parameters<PageCalls[K]>[0];
export type CallResult<K extends Call> = ReturnType<PageCalls[K]>;
export type Harness = { readonly [K in Call]: (request: CallRequest<K>) => Promise<CallResult<K>> };

/** Answer of the page; an error is its message, since error objects cannot be transferred. */
export type CallAnswer<T> = { readonly value: T } | { readonly error: string };
