import type { OptionHint } from '../base/option-hint.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { Spliced } from '../onnx/spliced.js';
import type { Tensors } from './tensor.js';
import { WEB_PROVIDERS } from './web-providers.js';

/** Names of all execution providers. */
export const PROVIDERS = [
  'cpu',
  ...WEB_PROVIDERS,
  'cuda',
  'tensorrt',
  'dml',
  'coreml',
  'webgpu-native',
] as const;
export type ProviderName = (typeof PROVIDERS)[number];

/** Description of an input or output; a dimension is a number, a symbol, or '' if unknown. */
export interface ValueInfo {
  readonly name: string;
  readonly elemType: string;
  readonly dims: readonly (number | string)[];
}

export interface SessionOptions {
  /** Number of threads within an operator, at most one for each core; default: ONNX Runtime's choice. */
  readonly threads?: number | undefined;
  /** Whether idle threads spin while they wait for work, on onnxruntime-node; default: ONNX Runtime's choice, which is true. */
  readonly spinning?: boolean | undefined;
  /** Whether onnxruntime-node keeps memory for the next run; default true. */
  readonly arena?: boolean | undefined;
  /** Whether onnxruntime-node takes one block of memory for the later runs, and keeps that of the first run; default true. */
  readonly memoryPattern?: boolean | undefined;
  /** Whether most runs are `runInto`: on CPUs onnxruntime-node then copies no results of a model that is given as bytes; default false. */
  readonly forRunInto?: boolean | undefined;
  /** Level of graph optimisation; default 'all'. */
  readonly optimisation?: 'disabled' | 'basic' | 'extended' | 'all' | undefined;
  /** Whether nodes without a kernel on the provider may run on the CPU; default false. */
  readonly allowFallback?: boolean | undefined;
  /** Number of the device, for providers with several devices. */
  readonly deviceId?: number | undefined;
  /** Shapes of the inputs and outputs, for WebGL, which needs every dimension before a model is opened. */
  readonly shapes?: Shapes | undefined;
  /** Whether ONNX Runtime times every kernel, for `Session.profile`. */
  readonly profile?: boolean | undefined;
  /** Whether external data may lie outside the model's folder. */
  readonly allowOutsideData?: boolean | undefined;
}

/** Dimensions of inputs and outputs by name. */
export interface Shapes {
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly outputs: Readonly<Record<string, readonly number[]>>;
}

/** Software and hardware that a session ran on. */
export interface Runtime {
  /** onnxruntime-node or onnxruntime-web. */
  readonly name: string;
  readonly version: string;
  /** Name and version of the browser; null outside one. */
  readonly browser: string | null;
  /** Name that the GPU reports; null without a GPU. */
  readonly renderer: string | null;
  /** Whether software on the CPU emulates the GPU. */
  readonly software: boolean | null;
  /** Maximum number of threads; null if ONNX Runtime chose. */
  readonly threads: number | null;
  /** Whether idle threads spin while they wait for work; absent if ONNX Runtime chose. */
  readonly spinning?: boolean | undefined;
  /** Whether WebAssembly had SIMD; null outside a browser. */
  readonly simd: boolean | null;
}

/** Execution providers of a model's nodes. */
export interface Placement {
  /** Number of nodes by execution provider. */
  readonly counts: Readonly<Record<string, number>>;
  /** Nodes that did not run on the requested provider. */
  readonly moved: readonly { readonly node: string; readonly op: string; readonly provider: string }[];
}

/** Time of a kernel in a run, by ONNX Runtime's profiler. */
export interface KernelTime {
  /** Name of the node, into which ONNX Runtime's optimiser may have fused several nodes. */
  readonly node: string;
  readonly op: string;
  /** The execution provider by ONNX Runtime's name, such as CPUExecutionProvider. */
  readonly provider: string;
  /** Time in microseconds. */
  readonly us: number;
}

/** Times of pairs of runs of two sessions. */
export interface Pairs {
  /** Milliseconds of each pair, in the order of the sessions. */
  readonly times: readonly (readonly [number, number])[];
  /** Number of runs that each time is the mean of; above 1 if a run is too short for the clock. */
  readonly repeats: number;
}

/** A model, open on a provider. */
export interface Session {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Milliseconds for opening the model. */
  readonly createMs: number;
  readonly runtime: Runtime;
  /** Form to which the model's Mish was rewritten, because the provider cannot run the model's form. */
  readonly retargeted?: string | undefined;
  /** Remarks on the session's figures. */
  readonly notes?: readonly string[] | undefined;
  /** Known bugs of the provider that the model may trigger; an explanation if its outputs are wrong. */
  readonly suspicions?: readonly string[] | undefined;
  /** Execution providers of the nodes; undefined if unknown or always the same. */
  readonly placement?: Placement | undefined;
  /** Runs the model once. Throws `run-failed`. */
  run(feeds: Tensors): Promise<Tensors>;
  /**
   * Runs the model once, writes the outputs that `outputs` names into its arrays, and returns all outputs. No output may be an input as
   * well, and all runs must have the same shapes. Throws `run-failed`.
   */
  runInto?(feeds: Tensors, outputs: Tensors): Promise<Tensors>;
  /** Runs the model once and returns the milliseconds, without conversions of tensors. */
  time(feeds: Tensors): Promise<number>;
  /**
   * Times this session and another session of the same provider in turns, faster than run by run. `firstOfAll` is the
   * index of the session that begins.
   */
  pairs?(
    other: Session,
    feeds: readonly [own: Tensors, other: Tensors],
    count: number,
    firstOfAll: 0 | 1,
  ): Promise<Pairs>;
  /** Ends the profiling and returns every kernel of every run of the session. */
  profile?(): Promise<KernelTime[]>;
  close(): Promise<void>;
}

export type Availability =
  | { readonly available: true }
  | {
      readonly available: false;
      readonly reason: string;
      readonly fix: string;
      /** The options that `fix` is about. */
      readonly option?: OptionHint | undefined;
    };

/** Reason why a model cannot run on a provider. */
export interface Unsupported {
  readonly reason: string;
  readonly fix: string;
  /** A line for each unsupported node, with its operator, opset and name. */
  readonly nodes: readonly string[];
}

/** Model rewritten to avoid a provider's bugs; it computes the same function. */
export interface Cure {
  readonly model: Spliced;
  /** Name of the rewriting, as a noun. */
  readonly name: string;
  /** Function and options that write the model. */
  readonly option: OptionHint;
}

/** Model as a runtime opens it: a path, with its external data in the same folder, or bytes. */
export type RunnableModel = string | Uint8Array;

/** Returns whether a model is a path. */
export const isPath = (model: RunnableModel): model is string => typeof model === 'string';

/** Execution provider of ONNX Runtime. */
export interface Provider {
  readonly name: ProviderName;
  /** Version of ONNX Runtime. */
  readonly version: string;
  availability(): Promise<Availability>;
  /** Returns why the model cannot run on this provider, without starting the provider; undefined if no reason is known. */
  check?(document: OnnxDocument): Promise<Unsupported | undefined>;
  /** Rewrites a model without the nodes that this provider computes wrongly; undefined if there are no such nodes. */
  cure?(document: OnnxDocument): Promise<Cure | undefined>;
  /** Opens a model. Throws `run-failed`. */
  open(model: RunnableModel, options?: SessionOptions): Promise<Session>;
  /** Closes what the provider started, such as a browser. The provider can be used again afterwards. */
  close?(): Promise<void>;
}

/** Options with a provider. */
export interface OnProvider {
  readonly provider: Provider;
}
