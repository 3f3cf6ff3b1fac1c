// onnx-mish.config.ts
import { defineConfig } from 'onnx-mish/config';

export default defineConfig({
  swap: { models: ['models/**/*.onnx', '!models/old/**'], outDir: 'dist/models', target: 'wasm' },
  validate: {
    models: ['models/**/*.onnx', '!models/old/**'],
    swappedDir: 'dist/models',
    minSqnr: 3,
    latency: false,
  },
});
