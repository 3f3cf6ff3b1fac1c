// The plugin for esbuild: `import onnxMish from 'onnx-mish/esbuild'`.
export { esbuild as default } from './index.js';
export type { MishOptions } from './request.js';
