// The workbench's own files: `npm run bundle` puts them into dist/workbench, and `onnx-mish ui` adds ONNX Runtime's.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const root = fileURLToPath(new URL('src/web/workbench/', import.meta.url));

/** What a page has in place of files: models are bytes here. */
const inMemory = () => ({
  name: 'in-memory',
  enforce: 'pre',
  resolveId: (/** @type {string} */ source) =>
    /\/node\/(document|beside)\.js$/.test(source) ? join(root, 'engine/in-memory.ts') : null,
});

export default defineConfig({
  root,
  base: './',
  publicDir: false,
  plugins: [inMemory()],
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
