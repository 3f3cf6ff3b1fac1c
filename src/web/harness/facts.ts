import type * as Ort from 'onnxruntime-web';
import type { PageFacts } from '../../providers/browser/protocol.js';
import { WEB, type WebProvider } from '../../providers/web-providers.js';

/** How the GPU of each provider is looked for; undefined for a provider that uses none. */
const PROBES: Readonly<Record<WebProvider, (() => Gpu | Promise<Gpu>) | undefined>> = {
  wasm: undefined,
  webgl,
  webgpu,
};

/** Describes what there is for a provider in this page or worker. */
export async function factsOf(provider: WebProvider, ort: typeof Ort): Promise<PageFacts> {
  const wasm = WEB[provider].wasm !== undefined;
  const gpu = await PROBES[provider]?.();
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

/** Looks for what this page or worker lacks for a provider; returns undefined where it lacks nothing. */
export async function missingFor(provider: WebProvider): Promise<PageFacts['missing']> {
  return (await PROBES[provider]?.())?.missing;
}

/** A module of one function, which gives `i8x16.popcnt(i8x16.splat(0))`. */
const SIMD = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10],
  ...[10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
);

type Gpu = Pick<PageFacts, 'renderer' | 'software'> & { missing?: NonNullable<PageFacts['missing']> };

function webgl(): Gpu {
  const canvas =
    typeof document === 'undefined' ? new OffscreenCanvas(1, 1) : document.createElement('canvas');
  const gl = canvas.getContext('webgl2') as WebGL2RenderingContext | null;
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
