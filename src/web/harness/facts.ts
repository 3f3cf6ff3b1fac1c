import type * as Ort from 'onnxruntime-web';
import type { PageFacts } from '../../providers/browser/protocol.js';
import { WEB, type WebProvider } from '../../providers/web-providers.js';

/** Function that examines the GPU of each provider; undefined for a provider without a GPU. */
const PROBES: Readonly<Record<WebProvider, (() => Gpu | Promise<Gpu>) | undefined>> = {
  wasm: undefined,
  webgl,
  webgpu,
};

/** Returns what this page or worker offers a provider: threads, SIMD and the GPU. */
export async function factsOf(provider: WebProvider, ort: typeof Ort): Promise<PageFacts> {
  const wasm = WEB[provider].wasm !== undefined;
  const gpu = await PROBES[provider]?.();
  // ONNX Runtime chooses this number when it starts (wasm-utils of onnxruntime-web).
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

/** Returns what this page or worker knows about the GPU of a provider, without loading ONNX Runtime. */
export async function gpuFacts(provider: WebProvider): Promise<Partial<Gpu>> {
  return (await PROBES[provider]?.()) ?? {};
}

/** Returns what a provider needs and this page or worker lacks; undefined if nothing is missing. */
export async function missingFor(provider: WebProvider): Promise<PageFacts['missing']> {
  return (await gpuFacts(provider)).missing;
}

/** A WebAssembly module whose only function returns `i8x16.popcnt(i8x16.splat(0))`, a SIMD instruction. */
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
  gl.getExtension('WEBGL_lose_context')?.loseContext(); // browsers limit the number of contexts
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

/** The part of WebGPU's API that this file uses; TypeScript's DOM types lack some of it. */
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
