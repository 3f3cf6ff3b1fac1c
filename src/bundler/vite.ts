// The plugin for Vite: `import onnxMish from 'onnx-mish/vite'`.
export { vite as default } from './bundlers.js';
export type { MishOptions } from './request.js';
