// The plugin for Rollup: `import onnxMish from 'onnx-mish/rollup'`.
export { rollup as default } from './bundlers.js';
export type { MishOptions } from './request.js';
