import type { OptionHint } from '../base/option-hint.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { Tensors } from './tensor.js';
import { WEB_PROVIDERS } from './web-providers.js';

/** Every execution provider that can be asked for. */
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
  /** Which of several devices to run on, for the providers that have them. */
  readonly deviceId?: number | undefined;
  /** What a run takes and gives, for WebGL, whose models must say every dimension beforehand. */
  readonly shapes?: Shapes | undefined;
  /** Have ONNX Runtime time every kernel, for `Session.profile`. */
  readonly profile?: boolean | undefined;
  /** Read external data outside of the model's folder; see `DataAccess` of node/external-data.ts. */
  readonly allowOutsideData?: boolean | undefined;
}

/** Dimensions by name. */
export interface Shapes {
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly outputs: Readonly<Record<string, readonly number[]>>;
}

/** What a session really ran on. */
export interface Runtime {
  /** onnxruntime-node or onnxruntime-web. */
  readonly name: string;
  readonly version: string;
  /** Name and version of the browser; null outside one. */
  readonly browser: string | null;
  /** What the GPU calls itself; null where none is used. */
  readonly renderer: string | null;
  /** Whether that GPU is a program on the CPU. */
  readonly software: boolean | null;
  /** Null where ONNX Runtime chose. */
  readonly threads: number | null;
  /** Whether WebAssembly had SIMD; null outside a browser. */
  readonly simd: boolean | null;
}

/** Where the nodes of a model ran. */
export interface Placement {
  /** Nodes by execution provider. */
  readonly counts: Readonly<Record<string, number>>;
  /** Those that ran elsewhere than on the provider that was asked for. */
  readonly moved: readonly { readonly node: string; readonly op: string; readonly provider: string }[];
}

/** One kernel of one run, as ONNX Runtime's profiler saw it. */
export interface KernelTime {
  /** Name of the node, which ONNX Runtime's optimiser may have made of several. */
  readonly node: string;
  readonly op: string;
  /** The execution provider, by ONNX Runtime's name: CPUExecutionProvider and so on. */
  readonly provider: string;
  /** Microseconds. */
  readonly us: number;
}

/** Times of two sessions in turns. */
export interface Pairs {
  /** Milliseconds of each pair, in the order in which the sessions were named. */
  readonly times: readonly (readonly [number, number])[];
  /** How many runs each time is the mean of: more than one where a run is too short for the clock. */
  readonly repeats: number;
}

/** A model, open on a provider. */
export interface Session {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Milliseconds it took to open. */
  readonly createMs: number;
  readonly runtime: Runtime;
  /** The form that the Mish in the model was rewritten to, because the provider cannot run the one it had. */
  readonly retargeted?: string | undefined;
  /** What a reader of its figures has to know. */
  readonly notes?: readonly string[] | undefined;
  /** Why its outputs may be wrong, of what is known of the provider; of interest where they are. */
  readonly suspicions?: readonly string[] | undefined;
  /** Where the nodes run; undefined where that cannot vary or is not known. */
  readonly placement?: Placement | undefined;
  /** Runs the model once. Throws `run-failed`. */
  run(feeds: Tensors): Promise<Tensors>;
  /** Runs the model once and writes the outputs that are named here into these tensors' arrays. Throws `run-failed`. */
  runInto?(feeds: Tensors, outputs: Tensors): Promise<Tensors>;
  /** Runs the model once and drops the results; returns milliseconds, conversions not counted. */
  time(feeds: Tensors): Promise<number>;
  /**
   * Times this session and another of the same provider in turns, quicker than run by run. `firstOfAll` says which
   * of the two begins.
   */
  pairs?(
    other: Session,
    feeds: readonly [own: Tensors, other: Tensors],
    count: number,
    firstOfAll: 0 | 1,
  ): Promise<Pairs>;
  /** Ends the profiling that was asked for and gives every kernel of every run since the session was opened. */
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

/** Why a model cannot run on a provider. */
export interface Unsupported {
  readonly reason: string;
  readonly fix: string;
  /** A line for each node that stands in the way, with its operator, opset and name. */
  readonly nodes: readonly string[];
}

/** The same function, written for a provider. */
export interface Cure {
  readonly model: Uint8Array;
  /** How it came about, as a noun. */
  readonly name: string;
  /** The function and the options that write it. */
  readonly option: OptionHint;
}

/** A model as a runtime opens it: a path, beside which external data is found, or bytes. */
export type RunnableModel = string | Uint8Array;

/** Whether a model is given by its path. */
export const isPath = (model: RunnableModel): model is string => typeof model === 'string';

/** A way to run models. */
export interface Provider {
  readonly name: ProviderName;
  /** Version of the ONNX Runtime behind it. */
  readonly version: string;
  availability(): Promise<Availability>;
  /** What this provider is known not to run of a model, found out before anything is started; undefined for nothing. */
  check?(document: OnnxDocument): Promise<Unsupported | undefined>;
  /** A model written without what this provider is known to compute wrong, and what does it; undefined for none. */
  cure?(document: OnnxDocument): Promise<Cure | undefined>;
  /** Opens a model. Throws `run-failed`. */
  open(model: RunnableModel, options?: SessionOptions): Promise<Session>;
  /** Lets go of whatever it started: a browser. It can be used again afterwards. */
  close?(): Promise<void>;
}

/** Where something runs. */
export interface OnProvider {
  readonly provider: Provider;
}
