import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

// The demo and the benchmarks are run by hand, so that a name that they import from the build could go unnoticed.

const here = fileURLToPath(new URL('.', import.meta.url));
const scripts = readdirSync(here, { recursive: true, encoding: 'utf8' }).filter(
  (name) => /\.m?js$/.test(name) && !/pages/.test(name),
);
const IMPORT = /^import\s+\{([^}]*)\}\s+from\s+'(\.\.[^']*\/dist\/[^']*)'/gm;

test('every name that a script imports from the build is there', async () => {
  const missing: string[] = [];
  let checked = 0;
  for (const script of scripts) {
    const path = join(here, script);
    for (const [, names = '', from = ''] of readFileSync(path, 'utf8').matchAll(IMPORT)) {
      const module: object = await import(pathToFileURL(join(dirname(path), from)).href);
      for (const name of names.split(',').flatMap((one) => one.trim().split(/\s+as\s+/)[0] || [])) {
        checked++;
        if (!(name in module)) missing.push(`${script}: ${name} of ${from}`);
      }
    }
  }
  expect(checked).toBeGreaterThan(40);
  expect(missing).toEqual([]);
});

/** Ways to leave out a test without a reason that the run could print. */
const SILENT_SKIP = /\.(runIf|skipIf|todo)\b|\b(test|it|describe)(\.\w+)*\.skip\b|\bskip\(\)/;

test('every test that is skipped has a reason that the run prints', () => {
  const tests = readdirSync(here, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.test.ts'),
  );
  expect(tests.length).toBeGreaterThan(300);
  const silent = tests.flatMap((name) =>
    readFileSync(join(here, name), 'utf8')
      .split('\n')
      .filter((line) => SILENT_SKIP.test(line) && !line.includes('SILENT_SKIP'))
      .map((line) => `${name}: ${line.trim()}`),
  );
  expect(silent).toEqual([]);
});
