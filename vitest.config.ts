import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { configDefaults, defineConfig, type Plugin } from 'vitest/config';

/** What starts processes or browsers, runs networks at length, or goes through thousands of models. */
const SLOW = [
  'test/{bundler,cli,examples,experiment,exporters,fuzz,package,proof,proto,trust,web}/**',
  'test/{cases,conformance,providers/browser,providers/webgpu}/**',
  'test/files/{model-file,external-data}.test.ts',
  'test/finetune/finetune.test.ts',
  'test/{examples,pipelines,readme,readme-web,users}.test.ts',
  'test/calibrate/{calibrate,seeded-bytes,activations/activations,select/*,repair/*}.test.ts',
  'test/mish/{activation-models,fold-models,many-nodes,undo-changed,written-mish,written-sites}.test.ts',
  'test/mutation/runner.test.ts',
  'test/onnx/{bombs,items,operator-types,real-models}.test.ts',
  'test/providers/webgl/{known-bugs,random-graphs}.test.ts',
  'test/node/{open-trainer,transform-file}.test.ts',
  'test/render/{activations,axe,calibration,html,junit}.test.ts',
  'test/data/scale-doubt.test.ts',
  'test/models/architectures.test.ts',
  'test/train/{memory,train-model,training-step}.test.ts',
  'test/validate/{layers,profile,web}.test.ts',
];

/**
 * What has a process of its own: files that change what others would see, such as the file system’s functions or protobufjs’s settings, or that measure
 * memory. All others share one, in which each module is loaded once.
 */
const ALONE = [
  'test/{proto/proto,trust/{faults,open-sessions}}.test.ts',
  'test/providers/browser/accidents.test.ts',
  'test/{node/other-systems,files/{model-file,temporary-names},validate/profile}.test.ts',
  'test/{cli/large,onnx/{bombs,items}}.test.ts',
];

/** Most functions of tests run for moments: V8 optimises later, and collects young objects less often, for a tenth less CPU time. */
const FEWER_COLLECTIONS_AND_COMPILATIONS = ['--max-semi-space-size=64', '--interrupt-budget=600000'];

const SRC = join(import.meta.dirname, 'src/');

/** Loads the modules of dist/ in place of those of src/, as users do: Node loads them itself and calls them sooner than what Vitest has rewritten. */
const fromDist: Plugin = {
  name: 'from-dist',
  enforce: 'pre',
  resolveId(source, importer = '') {
    const path = resolve(dirname(importer), source);
    if (!/^\..*\.js$/.test(source) || !path.startsWith(SRC)) return;
    const built = join(import.meta.dirname, 'dist', path.slice(SRC.length));
    return existsSync(built) ? built : undefined;
  },
};

/** `npm test` and `npm run test:heavy` have just built dist/; elsewhere it may be old. */
const isBuilt = ['test', 'test:heavy'].includes(process.env.npm_lifecycle_event ?? '');

/** Says what each file takes, if that is asked for. */
const CPU_TIMES = process.env.CPU_TIMES ? ['./test/support/cpu-times.ts'] : [];

export default defineConfig(({ mode }) => {
  const exclude = [...configDefaults.exclude, ...(mode === 'quick' ? SLOW : [])];
  return {
    plugins: isBuilt ? [fromDist] : [],
    test: {
      projects: [
        {
          extends: true,
          mode,
          test: {
            name: 'shared',
            include: ['test/**/*.test.ts'],
            exclude: [...exclude, ...ALONE],
            isolate: false,
            execArgv: FEWER_COLLECTIONS_AND_COMPILATIONS,
            setupFiles: ['./test/support/one-thread.ts', ...CPU_TIMES],
          },
        },
        { extends: true, mode, test: { name: 'alone', include: ALONE, exclude, setupFiles: CPU_TIMES } },
      ],
      reporters: ['default', './test/support/reporter.ts'],
      // Vitest's own choice leaves a core free, which on two cores leaves one: many tests wait for a process or a browser.
      maxWorkers: Math.max(2, availableParallelism() - 1),
      testTimeout: mode === 'heavy' ? 300_000 : 60_000,
      hookTimeout: 60_000,
      expect: { poll: { timeout: 20_000 } },
      // What is built is loaded as Node does.
      server: { deps: { external: [/\/dist\//] } },
      // Printed by `npm run coverage`, and no threshold: whether lines are tested is for `npm run mutation` to say.
      coverage: { include: ['src/onnx/**', 'src/mish/**'], reporter: ['text'] },
    },
  };
});
