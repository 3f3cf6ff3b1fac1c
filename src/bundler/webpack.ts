// The plugin for webpack: `import onnxMish from 'onnx-mish/webpack'`.
export { webpack as default } from './bundlers.js';
export type { MishOptions } from './request.js';
