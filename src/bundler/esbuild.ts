// The plugin for esbuild: `import onnxMish from 'onnx-mish/esbuild'`.
export { esbuild as default } from './bundlers.js';
export type { MishOptions } from './request.js';
