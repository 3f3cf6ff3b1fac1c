import type { Pairs, Placement, ValueInfo } from '../provider.js';
import type { MissingFeature, WebProvider } from '../web-providers.js';

/** What the page says of itself once ONNX Runtime is loaded. */
export interface PageFacts {
  readonly version: string;
  /** Null where the provider uses no GPU. */
  readonly renderer: string | null;
  readonly software: boolean | null;
  readonly threads: number | null;
  readonly simd: boolean;
  /** What is missing for the provider, in a few words; undefined where nothing is. */
  readonly missing?: MissingFeature;
}

export interface OpenRequest {
  readonly id: number;
  readonly model: string;
  readonly external: readonly { readonly path: string; readonly url: string }[];
  readonly optimisation: 'disabled' | 'basic' | 'extended' | 'all';
}

export interface Opened {
  readonly createMs: number;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly placement?: Placement;
}

/** Pairs of runs to time: two sessions in turns, `firstOfAll` saying which begins. */
export interface PairsRequest {
  readonly sessions: readonly [number, number];
  readonly feeds: readonly [string, string];
  readonly pairs: number;
  readonly firstOfAll: 0 | 1;
}

/** What the page can do. Tensors travel by the URLs, as bytes; only this small talk is JSON. */
export interface Calls {
  start(request: { provider: WebProvider; threads?: number }): PageFacts;
  open(request: OpenRequest): Opened;
  /** Fetches the feeds, runs, and posts the outputs. */
  run(request: { id: number; feeds: string; results: string }): void;
  /** Milliseconds of one run. The feeds stay in the page. */
  time(request: { id: number; feeds: string }): number;
  pairs(request: PairsRequest): Pairs;
  close(request: { id: number }): void;
}

export type Call = keyof Calls;
export type Request<K extends Call> = Parameters<Calls[K]>[0];
export type Value<K extends Call> = ReturnType<Calls[K]>;
export type Harness = { readonly [K in Call]: (request: Request<K>) => Promise<Value<K>> };

/** An answer of the page; what fails comes as its message, since errors do not travel. */
export type Answer<T> = { readonly value: T } | { readonly error: string };
