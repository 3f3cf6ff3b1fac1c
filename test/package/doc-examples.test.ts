// Each public function has an example in its docstring, and all of them compile against the package's types.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { program } from '../support/consumer.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));

/** The names that the examples take as given. */
const GIVEN = `import 'onnx-mish/client';
import { sharpenSwap } from 'onnx-mish/calibrate';
import { labelledArrays } from 'onnx-mish/finetune';
declare global {
  /** A model. */
  const bytes: Uint8Array;
  /** Samples and their classes, and others. */
  const images: Parameters<typeof labelledArrays>[0][string];
  const labels: Uint8Array;
  const otherImages: typeof images;
  const otherLabels: typeof labels;
  /** Options of a training. */
  const options: { inputs: { images: typeof images }; targets: typeof labels };
  const scanned: Parameters<typeof sharpenSwap>[0];
}
`;

/** The public functions, by module. */
async function publicFunctions(): Promise<[module: string, name: string][]> {
  const found: [string, string][] = [];
  for (const [path, to] of Object.entries(manifest.exports)) {
    if (typeof to === 'string' || !('default' in to)) continue;
    const module: Record<string, unknown> = await import(
      join(root, to.default.replace('./dist/', 'src/').replace(/js$/, 'ts'))
    );
    for (const [name, value] of Object.entries(module)) {
      if (name === 'default') continue; // has no name, and is a function that another module names
      const isClass = typeof value === 'function' && /^class\b/.test(String(value));
      if (typeof value === 'function' && !isClass) found.push([`onnx-mish${path.slice(1)}`, name]);
    }
  }
  return found;
}

/** The examples of all docstrings, by the name of what they are on; names that stand for several have one. */
function examples(): Map<string, { file: string; code: string }> {
  const found = new Map<string, { file: string; code: string }>();
  const source = join(root, 'src');
  for (const file of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    if (!/\.tsx?$/.test(file)) continue;
    const text = readFileSync(join(source, file), 'utf8');
    const all = text.matchAll(
      /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nexport (?:async )?(?:function|const) (\w+|\{[^}]*\})/g,
    );
    for (const [, doc = '', names = ''] of all) {
      const [, example] = doc.split('@example');
      if (example === undefined) continue;
      const code = example.replace(/^ \* ?/gm, '').trim();
      for (const name of names.match(/\w+/g) ?? []) found.set(name, { file, code });
    }
  }
  return found;
}

/** The examples of the guides that import the package, by the name of a file. */
function guideExamples(): Map<string, string> {
  const guides = readdirSync(join(root, 'docs', 'guide')).map((name) => join('docs', 'guide', name));
  const found = new Map<string, string>();
  for (const path of ['README.md', join('docs', 'start.md'), ...guides]) {
    const blocks = readFileSync(join(root, path), 'utf8').matchAll(/```[jt]sx?\n([\s\S]*?)```/g);
    for (const [index, [, code = '']] of [...blocks].entries())
      if (code.includes("from 'onnx-mish")) found.set(`${path.replace(/\W/g, '-')}-${index}.ts`, code);
  }
  return found;
}

/** Another name of a function, which the docstring is on. */
const ALIASES: Readonly<Record<string, string>> = {
  firstParting: 'firstDivergence',
  fixRelu: 'fix',
  keepWithin: 'swapWithinBudget',
};

test('each public function has an example that compiles, as do the examples of the guides', async () => {
  const written = examples();
  const names = await publicFunctions();
  expect(names.length).toBeGreaterThan(50);
  mkdirSync(join(root, '.demo'), { recursive: true });
  const folder = mkdtempSync(join(root, '.demo', 'doc-examples-')); // inside the package, which can import itself
  try {
    const files = ['given.d.ts'];
    writeFileSync(join(folder, 'given.d.ts'), GIVEN);
    for (const [module, name] of names) {
      const { code, file } = written.get(ALIASES[name] ?? name) ?? { code: '', file: '' };
      expect(code, `${module}: ${name} has an @example that imports it from there`).toMatch(
        new RegExp(`\\b${ALIASES[name] ?? name}\\b|onnxMish`),
      );
      expect(code, file).toContain(`from '${module}'`);
      files.push(`${name}.ts`);
      writeFileSync(join(folder, `${name}.ts`), `${code}\nexport {};\n`);
    }
    const guides = guideExamples();
    expect(guides.size).toBeGreaterThan(5);
    for (const [file, code] of guides) {
      files.push(file);
      writeFileSync(join(folder, file), `${code}\nexport {};\n`);
    }
    const compilerOptions = {
      ...{
        target: 'es2023',
        lib: ['es2023', 'dom', 'dom.iterable'],
        module: 'esnext',
        moduleResolution: 'bundler',
      },
      ...{
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        skipLibCheck: true,
        types: ['node'],
      },
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    const tsc = await program('typescript', 'tsc');
    const said = await run(process.execPath, [tsc, '--singleThreaded', '--project', relative(root, folder)], {
      cwd: root,
    }).then(
      () => '',
      ({ stdout }: { stdout: string }) => stdout,
    );
    expect(said).toBe('');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
