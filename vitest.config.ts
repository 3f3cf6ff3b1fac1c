import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', './test/support/reporter.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Printed by `npm run coverage`, and no threshold: whether lines are tested is for `npm run mutation` to say.
    coverage: { include: ['src/onnx/**', 'src/mish/**'], reporter: ['text'] },
  },
});
