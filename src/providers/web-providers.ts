// The execution providers of ONNX Runtime Web. CONTRIBUTING.md lists the files that a new one touches.

import type { OptionHint } from '../base/option-hint.js';

/** Facts about one execution provider of ONNX Runtime Web. */
export interface WebProviderFacts {
  /** Name for people. */
  readonly label: string;
  /** File of ONNX Runtime Web's module with this provider. */
  readonly build: string;
  /** Name of the WebAssembly files that the module loads, without their extensions; undefined if it loads none. */
  readonly wasm: string | undefined;
  /** Provider that runs the nodes for which this one has no kernel; undefined if such a model does not run. */
  readonly fallback: 'wasm' | undefined;
  /** Kind of processor, which decides how exact a kernel has to be. */
  readonly processor: 'cpu' | 'gpu';
  /** Largest difference from the CPU in an f32 model, divided by the largest value of the output. */
  readonly parity: number;
  /** Whether ONNX Runtime reads tensors from files beside a model that was prepared for this provider. */
  readonly takesExternalData: boolean;
  /** Whether ONNX Runtime's verbose log of this provider says where each node runs. */
  readonly logsPlacement: boolean;
  /** Arguments of Chromium with which this provider is faster on a software GPU. */
  readonly softwareArgs?: readonly string[];
  /** Announcement that belongs beside every figure of this provider. */
  readonly notice?: string;
}

/**
 * The table of web providers. The parities 1e-4 and 1e-3 are the absolute errors that onnxruntime-web's tests of models
 * allow (js/web/test/test-runner.ts), here relative to the size of the output.
 */
export const WEB = {
  wasm: {
    label: 'WASM',
    build: 'ort.wasm.min.mjs',
    wasm: 'ort-wasm-simd-threaded',
    fallback: 'wasm',
    processor: 'cpu',
    parity: 1e-4,
    takesExternalData: true,
    logsPlacement: false,
  },
  webgl: {
    label: 'WebGL',
    build: 'ort.webgl.min.mjs',
    wasm: undefined,
    fallback: undefined,
    processor: 'gpu',
    parity: 1e-3,
    takesExternalData: false,
    logsPlacement: false,
    notice:
      'ONNX Runtime has announced that WebGL will be deprecated and then removed (microsoft/onnxruntime#32241); WebGPU and WASM stay',
  },
  webgpu: {
    label: 'WebGPU',
    build: 'ort.webgpu.min.mjs',
    wasm: 'ort-wasm-simd-threaded.asyncify',
    fallback: 'wasm',
    processor: 'gpu',
    parity: 1e-3,
    takesExternalData: true,
    logsPlacement: true,
    // The memory of a workgroup is not set to zero, which takes most of the time of compiling; the shaders write it before they read it.
    softwareArgs: ['--enable-dawn-features=disable_workgroup_init'],
  },
} as const satisfies Readonly<Record<string, WebProviderFacts>>;

/** An execution provider of a page. */
export type WebProvider = keyof typeof WEB;

/** The execution providers of a page, in the order in which they are listed. */
export const WEB_PROVIDERS = Object.keys(WEB) as readonly WebProvider[];

/** Returns the facts about a provider. */
export function webFacts(provider: WebProvider): WebProviderFacts {
  return WEB[provider];
}

/** Features that a browser may lack for a provider: the reason that a report gives, and what to do. */
export const MISSING = {
  webgl2: {
    reason: 'the browser has no WebGL 2',
    fix: 'Update the graphics driver, or name another browser',
    option: { browser: null },
  },
  'float-textures': {
    reason: 'its WebGL cannot render to float textures (EXT_color_buffer_float), which ONNX Runtime needs',
    fix: 'Update the graphics driver, or name another browser',
    option: { browser: null },
  },
  webgpu: {
    reason: 'the browser has no WebGPU',
    fix: 'Name a newer Chrome or Edge',
    option: { browser: null },
  },
  'webgpu-adapter': {
    reason: 'the browser has WebGPU, but no adapter for it',
    fix: 'It needs a GPU with a Vulkan, Metal or D3D12 driver',
  },
} as const satisfies Readonly<Record<string, { reason: string; fix: string; option?: OptionHint }>>;

/** A feature that a browser may lack. */
export type MissingFeature = keyof typeof MISSING;
