import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

// A test runner for StrykerJS that bundles the tests of onnx/ and mish/ once and keeps them loaded, so that a mutant costs
// milliseconds and not seconds. Stryker's own runner for vitest starts a worker for every mutant.

/** Real models, thousands of nodes, files and other processes take seconds, and find nothing that the others do not. */
const LEFT_OUT =
  /\/(real-models|fold-models|kept-sites|stripped-models|operator-types|many-nodes|source|bombs|items|undo-changed)\.test\.ts$/;

/** Files of tests to run, such as those of the mutated files alone: a regular expression for their paths. */
const ONLY = new RegExp(process.env.MUTATION_TESTS ?? '');

/** Properties that need many cases to say anything, and take a second for them. */
const SLOW = /> (with any byte changed|random nets: |.* and back gives the same graph, in every type)/;

/** A mutant that has lived through so many seconds of a processor counts as a survivor. */
const ENOUGH = Number(process.env.MUTATION_SECONDS ?? 5);

const here = (name) => resolve('test/mutation', name);

/**
 * Each file's tests under its name: a module before it says which file begins. And each file of tests at its place: what it
 * reads beside itself is not beside the bundle.
 */
const inOrder = {
  name: 'in-order',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^onnxruntime-node$/ }, ({ importer }) =>
      importer.endsWith('/test/support/run.ts') ? { path: here('onnxruntime-node.js') } : undefined,
    );
    onResolve({ filter: /^begin:/ }, ({ path }) => ({ path: path.slice(6), namespace: 'begin' }));
    onLoad({ filter: /.*/, namespace: 'begin' }, ({ path }) => ({
      contents: `import { file } from 'vitest'; file(${JSON.stringify(path)});`,
      resolveDir: process.cwd(),
    }));
    onLoad({ filter: /\/test\/(onnx|mish|support)\/.*\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll(
        'import.meta.url',
        JSON.stringify(String(pathToFileURL(path))),
      ),
      loader: 'ts',
    }));
  },
};

const filesIn = (folder, end) =>
  readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(end))
    .map((name) => `${folder}/${name}`);

async function bundle(outfile) {
  const files = ['test/onnx', 'test/mish']
    .flatMap((folder) => filesIn(folder, '.test.ts'))
    .filter((path) => !LEFT_OUT.test(path) && ONLY.test(path));
  const sources = ['src/onnx', 'src/mish'].flatMap((folder) => filesIn(folder, '.ts'));
  const contents = [
    // Modules that the code loads late begin with all others, so that Stryker knows their constants for what they are, and loads them anew.
    ...sources.map((path) => `import './${path}';`),
    ...files.flatMap((path) => [`import 'begin:${path}';`, `import './${path}';`]),
    `export { tests } from 'vitest';`,
  ].join('\n');
  await build({
    stdin: { contents, resolveDir: process.cwd() },
    bundle: true,
    ignoreAnnotations: true, // package.json says that our files have no side effects; a test has
    format: 'esm',
    platform: 'node',
    packages: 'external',
    alias: { vitest: here('vitest.js'), 'fast-check': here('fast-check.js') },
    plugins: [inOrder],
    outfile,
    logLevel: 'error',
  });
}

function warmRunner() {
  const state = globalThis;
  state.__stryker__ ??= {};
  const ns = state.__stryker__;
  // Beside the sources, so that paths relative to a module mean the same.
  const outfile = join(process.cwd(), `test/mutation/bundle-${process.env.STRYKER_MUTATOR_WORKER ?? 0}.mjs`);
  const took = new Map();
  let loads = 0;
  let loaded;

  async function load(activeMutant) {
    ns.activeMutant = activeMutant;
    const { tests } = await import(`${pathToFileURL(outfile)}?${loads++}`);
    loaded = tests.filter(({ id }) => !SLOW.test(id));
  }

  async function runOne({ id, run }) {
    const start = performance.now();
    let failure;
    try {
      await run();
    } catch (error) {
      failure = String(error?.message ?? error);
    }
    const timeSpentMs = performance.now() - start;
    took.set(id, timeSpentMs);
    const result = { id, name: id, fileName: id.split(' > ')[0], timeSpentMs };
    return failure === undefined
      ? { ...result, status: 0 }
      : { ...result, status: 1, failureMessage: failure };
  }

  return {
    capabilities: () => ({ reloadEnvironment: true }),
    init: () => bundle(outfile),
    async dryRun() {
      ns.mutantCoverage = undefined;
      await load(undefined);
      const results = [];
      for (const test of loaded) {
        ns.currentTestId = test.id;
        results.push(await runOne(test));
        ns.currentTestId = undefined;
      }
      return { status: 'complete', tests: results, mutantCoverage: ns.mutantCoverage };
    },
    async mutantRun(options) {
      const { testFilter, hitLimit, activeMutant, mutantActivation, reloadEnvironment, sandboxFileName } =
        options;
      ns.hitCount = 0;
      // Stryker allows a hundred times what all tests together need. A loop without end should not take minutes.
      const limit = hitLimit === undefined ? undefined : hitLimit / 20 + 1000;
      ns.hitLimit = limit;
      try {
        if (mutantActivation === 'static') await load(activeMutant.id);
        else if (loaded === undefined || reloadEnvironment) await load(undefined);
      } catch (error) {
        loaded = undefined;
        return { status: 'killed', killedBy: testFilter ?? [], failureMessage: String(error), nrOfTests: 0 };
      }
      ns.activeMutant = activeMutant.id;
      const wanted = testFilter === undefined ? undefined : new Set(testFilter);
      const chosen = loaded.filter(({ id }) => wanted?.has(id) ?? true);
      // First what is named for the mutated file, and the short ones.
      const named = `/${basename(sandboxFileName, '.ts')}.test.ts`;
      const rank = ({ id }) => (took.get(id) ?? 0) + (id.split(' > ')[0].endsWith(named) ? 0 : 1e3);
      chosen.sort((a, b) => rank(a) - rank(b));
      let nrOfTests = 0;
      const start = process.cpuUsage();
      for (const test of chosen) {
        const { user, system } = process.cpuUsage(start);
        if (user + system > ENOUGH * 1e6) break;
        const result = await runOne(test);
        nrOfTests++;
        if (ns.hitCount > limit) return { status: 'timeout', reason: `${ns.hitCount} hits` };
        if (result.status === 1)
          return { status: 'killed', killedBy: [test.id], failureMessage: result.failureMessage, nrOfTests };
      }
      return { status: 'survived', nrOfTests };
    },
    dispose: () => rmSync(outfile, { force: true }),
  };
}
warmRunner.inject = [];

export const strykerPlugins = [{ kind: 'TestRunner', name: 'warm', factory: warmRunner }];
