import { configDefaults, defineConfig } from 'vitest/config';

/** What starts processes or browsers, runs networks at length, or goes through thousands of models. */
const SLOW = [
  'test/{bundler,cli,fuzz,package,proof,trust,web}/**',
  'test/{conformance,providers/browser,providers/webgpu}/**',
  'test/{examples,pipelines,readme,readme-web}.test.ts',
  'test/calibrate/{calibrate,seeded-bytes,select/*,repair/repair-layers}.test.ts',
  'test/mish/many-nodes.test.ts',
  'test/mutation/runner.test.ts',
  'test/onnx/{bombs,real-models}.test.ts',
  'test/providers/webgl/known-bugs.test.ts',
  'test/render/html.test.ts',
  'test/validate/{layers,web}.test.ts',
];

export default defineConfig(({ mode }) => ({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(mode === 'quick' ? SLOW : [])],
    reporters: ['default', './test/support/reporter.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Printed by `npm run coverage`, and no threshold: whether lines are tested is for `npm run mutation` to say.
    coverage: { include: ['src/onnx/**', 'src/mish/**'], reporter: ['text'] },
  },
}));
