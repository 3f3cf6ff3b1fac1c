import onnxMish from 'onnx-mish/vite';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [onnxMish({ target: 'wasm' })],
});
