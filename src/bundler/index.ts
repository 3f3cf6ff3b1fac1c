// Bundles swapped models as assets: `import url from './model.onnx?mish'`.
export { esbuild, onnxMish, rolldown, rollup, rspack, vite, webpack } from './bundlers.js';
export type { MishOptions } from './request.js';
