import type { Tensors } from './tensor.js';

/** Every execution provider that can be asked for. */
export const PROVIDERS = ['cpu', 'cuda', 'tensorrt', 'webgpu', 'dml', 'coreml', 'wasm', 'webgl'] as const;
export type ProviderName = (typeof PROVIDERS)[number];

/** What a session says of an input or output: dims are numbers, symbols, or '' where nothing is known. */
export interface ValueInfo {
  readonly name: string;
  readonly elemType: string;
  readonly dims: readonly (number | string)[];
}

export interface SessionOptions {
  /** Threads within an operator; ONNX Runtime's own choice unless given. */
  readonly threads?: number | undefined;
  /** Graph optimisation; 'all' unless given. */
  readonly optimisation?: 'disabled' | 'basic' | 'extended' | 'all' | undefined;
  /** Let nodes that the provider cannot run fall back to the CPU; false unless given. */
  readonly allowFallback?: boolean | undefined;
}

/** A model, open on a provider. */
export interface Session {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Milliseconds it took to open. */
  readonly createMs: number;
  /** Runs the model once. Throws `run-failed`. */
  run(feeds: Tensors): Promise<Tensors>;
  /** Runs the model once and drops the results; returns milliseconds, conversions not counted. */
  time(feeds: Tensors): Promise<number>;
  close(): Promise<void>;
}

export type Availability =
  | { readonly available: true }
  | { readonly available: false; readonly reason: string; readonly fix: string };

/** A way to run models. */
export interface Provider {
  readonly name: ProviderName;
  /** Version of the ONNX Runtime behind it. */
  readonly version: string;
  availability(): Promise<Availability>;
  /** Opens a model by its path, where its external data is found beside it, or from its bytes. Throws `run-failed`. */
  open(model: string | Uint8Array, options?: SessionOptions): Promise<Session>;
}
