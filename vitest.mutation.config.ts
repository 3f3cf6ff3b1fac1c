import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const fewerRuns = fileURLToPath(new URL('test/support/fewer-runs.ts', import.meta.url));

/** What `npm run mutation` runs for each mutant: the tests of onnx/ and mish/ that take milliseconds. */
export default defineConfig({
  resolve: { alias: [{ find: /^fast-check$/, replacement: fewerRuns }] },
  test: {
    include: ['test/{onnx,mish}/**/*.test.ts'],
    exclude: ['test/**/{real-models,fold-models,many-nodes,source}.test.ts'],
    testTimeout: 20_000,
    isolate: false,
  },
});
