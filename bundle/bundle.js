// Bundles what tsc has written into dist: packages into dist/vendor, the command into dist/bin, the page that providers
// run in a browser into dist/page.
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { build } from 'rolldown';
import { vendor } from './vendor.js';

/** What `swap` loads for a usual model. In one file it starts a fifth sooner than in forty: Node resolves each by itself. */
const AT_START = [
  'cli/run.js',
  'cli/commands/swap.js',
  'cli/io/transform.js',
  'cli/text/describe-swap.js',
  'mish/notes.js',
  'mish/results.js',
  'mish/rewrite.js',
  'mish/swap.js',
  'mish/uses.js',
  'node/write-transformed.js',
];
const IMPORT = /^(?:import|export)\b[^;]*?from\s*(["'])(\.[^"']+)\1/gm;

/** Adds a file, and what it imports in turn, but not what it loads later. */
function addImports(files, file) {
  if (files.has(file)) return;
  files.add(file);
  for (const [, , target] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
    addImports(files, resolve(dirname(file), target));
  }
}

const REQUIRE = /^(?:let|const) (\w+) = require\("(node:[^"]+)"\);$/gm;

/** Loads each of Node's modules when it is first used (in parentheses, because of `new`): crypto, net and streams take some ms each, and few commands need all. */
const loadLate = {
  name: 'load-late',
  renderChunk(code) {
    let late = code;
    for (const [statement, name, module] of code.matchAll(REQUIRE)) {
      const uses = code.match(new RegExp(`\\b${name}\\b`, 'g')).length - 1;
      const members = code.match(new RegExp(`\\b${name}\\.(?=\\w)`, 'g'))?.length ?? 0;
      if (uses !== members) continue; // the whole module is used
      late = late
        .replace(new RegExp(`\\b${name}\\.(?=\\w)`, 'g'), `(${name}()).`)
        .replace(statement, `const ${name} = () => require("${module}");`);
    }
    return late;
  },
};

await vendor();
const atStart = new Set();
for (const file of AT_START) addImports(atStart, resolve('dist', file));
await build([
  {
    input: 'dist/cli/main.js',
    platform: 'node',
    plugins: [loadLate],
    external: [/^[^./]/, resolve('dist/vendor/vega.js')], // large, and only charts load it
    preserveEntrySignatures: 'allow-extension',
    output: {
      dir: 'dist/bin',
      // CommonJS: a tenth of a small swap is the loader of ES modules, and all of what each of Node's modules exports.
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: '[name]-[hash].cjs',
      // A class keeps its name, which --debug prints before an error.
      minify: { mangle: { keepNames: { class: true, function: false } } },
      codeSplitting: {
        includeDependenciesRecursively: false,
        groups: [
          { name: 'start', test: (id) => atStart.has(id) },
          {
            debugName: 'vendor',
            name: (id) => `vendor-${basename(id, '.js')}`,
            test: /[\\/]dist[\\/]vendor[\\/]/,
          },
        ],
      },
    },
  },
  { input: 'dist/web/harness/harness.js', platform: 'browser', output: { dir: 'dist/page' } },
]);
