// The plugin for Rspack: `import onnxMish from 'onnx-mish/rspack'`.
export { rspack as default } from './bundlers.js';
export type { MishOptions } from './request.js';
