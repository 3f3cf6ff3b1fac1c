// The workbench as files that any web server can host: `npm run bundle` puts it into dist/workbench.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const root = fileURLToPath(new URL('src/web/workbench/', import.meta.url));
const runtime = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'));

/** ONNX Runtime Web's builds for the three providers, and what they load themselves. */
const RUNTIME = [
  ...['ort.wasm.min.mjs', 'ort.webgl.min.mjs', 'ort.webgpu.min.mjs'],
  ...['ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'],
  ...['ort-wasm-simd-threaded.asyncify.mjs', 'ort-wasm-simd-threaded.asyncify.wasm'],
];

/** What a page has in place of files: models are bytes here. */
const inMemory = () => ({
  name: 'in-memory',
  enforce: 'pre',
  resolveId: (/** @type {string} */ source) =>
    /\/node\/(document|beside)\.js$/.test(source) ? join(root, 'engine/in-memory.ts') : null,
});

const withRuntime = () => ({
  name: 'onnxruntime-web',
  generateBundle() {
    for (const file of RUNTIME) {
      const source = readFileSync(join(runtime, file));
      this.emitFile({ type: 'asset', fileName: `ort/${file}`, source });
    }
  },
});

export default defineConfig({
  root,
  base: './',
  publicDir: false,
  plugins: [inMemory(), withRuntime()],
  worker: { format: 'es', plugins: () => [inMemory()] },
  build: {
    outDir: fileURLToPath(new URL('dist/workbench/', import.meta.url)),
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 2000,
  },
});
