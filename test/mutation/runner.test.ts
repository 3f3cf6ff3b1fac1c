import { expect, test } from 'vitest';
// @ts-expect-error: a plugin of Stryker's, in JavaScript
import { strykerPlugins } from './runner.js';

test('the tests that mutants are shown to can be bundled, and all of them are found', async () => {
  const runner = strykerPlugins[0].factory();
  try {
    await runner.init();
    const { tests } = await import(`${process.cwd()}/test/mutation/bundle-0.mjs`);
    expect(tests.length).toBeGreaterThan(1200);
    expect(tests.every(({ run }: { run: unknown }) => typeof run === 'function')).toBe(true);
  } finally {
    await runner.dispose();
  }
});
