import type { PageFacts } from './protocol.js';

/** Why a provider is not available in a browser, and what to do about it. */
export const MISSING: Readonly<Record<NonNullable<PageFacts['missing']>, { reason: string; fix: string }>> = {
  webgl2: {
    reason: 'the browser has no WebGL 2',
    fix: 'Update the graphics driver, or name another browser with --browser',
  },
  'float-textures': {
    reason: 'its WebGL cannot render to float textures (EXT_color_buffer_float), which ONNX Runtime needs',
    fix: 'Update the graphics driver, or name another browser with --browser',
  },
  webgpu: {
    reason: 'the browser has no WebGPU',
    fix: 'Name a newer Chrome or Edge with --browser',
  },
  'webgpu-adapter': {
    reason: 'the browser has WebGPU, but no adapter for it',
    fix: 'It needs a GPU with a Vulkan, Metal or D3D12 driver',
  },
};
