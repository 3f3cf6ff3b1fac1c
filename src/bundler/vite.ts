// The plugin for Vite: `import onnxMish from 'onnx-mish/vite'`.
export { vite as default } from './index.js';
export type { MishOptions } from './request.js';
