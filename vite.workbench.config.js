// The workbench's own files: `npm run bundle` puts them into dist/workbench, and `onnx-mish ui` adds ONNX Runtime's.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { noticesOf, packageFolder } from './bundle/notices.js';

const root = fileURLToPath(new URL('src/web/workbench/', import.meta.url));

/** Folders of the packages that the page and its workers hold; Vite's own `build.license` leaves out what workers do. */
const packages = new Set();

const licences = () => ({
  name: 'licences',
  generateBundle(_options, bundle) {
    for (const chunk of Object.values(bundle)) {
      for (const id of chunk.moduleIds ?? []) {
        const folder = packageFolder(id);
        if (folder !== undefined) packages.add(folder);
      }
    }
  },
});

const licenceFile = () => ({
  name: 'licence-file',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source: noticesOf(packages) });
  },
});

/** Workers take their time on a busy machine, and nobody can do anything about it. */
const quiet = { checks: { pluginTimings: false } };

export default defineConfig({
  root,
  base: './',
  publicDir: false,
  plugins: [licences(), licenceFile()],
  worker: { format: 'es', rolldownOptions: quiet, plugins: () => [licences()] },
  build: {
    outDir: fileURLToPath(new URL('dist/workbench/', import.meta.url)),
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 2000,
    rolldownOptions: quiet,
  },
});
