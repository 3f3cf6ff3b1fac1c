import { vite as onnxMish } from 'onnx-mish/unplugin';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [onnxMish({ target: 'wasm' })],
});
