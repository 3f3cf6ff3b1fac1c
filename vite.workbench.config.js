// The workbench's own files: `npm run bundle` puts them into dist/workbench, and `onnx-mish ui` adds ONNX Runtime's.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const root = fileURLToPath(new URL('src/web/workbench/', import.meta.url));

/** Folders of the packages that the page and its workers hold; Vite's own `build.license` leaves out what workers do. */
const packages = new Set();

const licences = () => ({
  name: 'licences',
  generateBundle(_options, bundle) {
    for (const chunk of Object.values(bundle)) {
      for (const id of chunk.moduleIds ?? []) {
        const [folder] = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id) ?? [];
        if (folder !== undefined) packages.add(folder);
      }
    }
  },
});

const licenceFile = () => ({
  name: 'licence-file',
  generateBundle() {
    const source = [...packages].sort().map(noticeOf).join('\n');
    this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source });
  },
});

/** Name, version and licence of the package in a folder. */
function noticeOf(/** @type {string} */ folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} has no licence file`);
  const text = readFileSync(join(folder, file), 'utf8');
  return `${name} ${version} (${license})\n\n${text.trim()}\n\n${'-'.repeat(72)}\n`;
}

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
