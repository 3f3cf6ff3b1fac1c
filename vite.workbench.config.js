// The workbench's own files: `npm run bundle` puts them into dist/workbench, and `onnx-mish ui` adds ONNX Runtime's.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { guidePages } from './bundle/guide.js';
import { noticesOf, packageFolder } from './bundle/notices.js';

const root = fileURLToPath(new URL('src/web/workbench/', import.meta.url));

/** Folders of the packages that the page and its workers hold; Vite's own `build.license` leaves out what workers do. */
const packages = new Set();

/** A package whose file has another package in it. */
const DAGRE = '@dagrejs/dagre';

const licences = () => ({
  name: 'licences',
  generateBundle(_options, bundle) {
    for (const chunk of Object.values(bundle)) {
      for (const id of chunk.moduleIds ?? []) {
        const folder = packageFolder(id);
        if (folder === undefined) continue;
        packages.add(folder);
        if (folder.endsWith(DAGRE)) packages.add(folder.replace(DAGRE, '@dagrejs/graphlib'));
      }
    }
  },
});

const licenceFile = () => ({
  name: 'licence-file',
  generateBundle() {
    const images = readFileSync(new URL('models/fashion-sample.LICENSE.txt', import.meta.url), 'utf8');
    this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source: `${noticesOf(packages)}\n${images}` });
  },
});

/** Workers take their time on a busy machine, and some load at once what the core loads later: neither can be mended. */
const quiet = { checks: { pluginTimings: false, ineffectiveDynamicImport: false } };

/** The guides, which the empty page links to. */
const guides = () => ({
  name: 'guides',
  generateBundle() {
    for (const [fileName, source] of guidePages(fileURLToPath(new URL('docs/', import.meta.url))))
      this.emitFile({ type: 'asset', fileName, source });
  },
});

export default defineConfig({
  root,
  base: './',
  publicDir: false,
  plugins: [licences(), licenceFile(), guides()],
  worker: {
    format: 'es',
    rolldownOptions: { ...quiet, output: { codeSplitting: false } },
    plugins: () => [licences()],
  },
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
