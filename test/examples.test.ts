// The examples, as a reader runs them: in a project that has the package as it is published, without a network. React is not
// among this repository's packages, so Preact's compatible build stands in its place; Next.js neither, so its component is
// built by Vite, and its npm script is run. In heavy mode npm installs Next.js, which builds and serves it. test/pipelines.test.ts runs what the workflow has.
import { execFile, spawn } from 'node:child_process';
import { chmod, cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import type { Content } from '../src/providers/browser/server.js';
import { launchBrowser } from './support/browser.js';
import { type Consumer, installPackage } from './support/consumer.js';
import { expectScores, greyScores } from './support/grey-scores.js';
import { HEAVY_ONLY, isHeavy } from './support/heavy.js';
import { filesIn, openPages, type Pages } from './support/pages.js';
import { modelPath } from './support/workbench-page.js';

const run = promisify(execFile);
const versions: Readonly<Record<string, string>> = { ...manifest.dependencies, ...manifest.devDependencies };
const examples = fileURLToPath(new URL('../examples/', import.meta.url));
const manifestOf = async (name: string) =>
  JSON.parse(await readFile(join(examples, name, 'package.json'), 'utf8'));

let consumer: Consumer;
let expected: readonly number[];
beforeAll(async () => {
  consumer = await installPackage();
  await mkdir(consumer.folder.at('models'));
  await cp(modelPath('lenet5.onnx'), consumer.folder.at('models', 'lenet5.onnx'));
  const bin = consumer.folder.at('node_modules', '.bin');
  await mkdir(bin);
  await symlink(join(consumer.installed, 'dist/bin/main.cjs'), join(bin, 'onnx-mish'));
  await chmod(join(bin, 'onnx-mish'), 0o755); // as npm does

  expected = await greyScores();
});
afterAll(() => consumer?.remove());

/** The place of an example in the project. */
const at = (example: string, ...names: string[]) => consumer.folder.at('examples', example, ...names);

/** Copies an example, and runs the command of its README that puts a model there. */
async function prepare(example: string): Promise<void> {
  await cp(join(examples, example), at(example), { recursive: true });
  const [, command = ''] =
    /```sh\n(.*)\n(?:ONNXRUNTIME_NODE_INSTALL=skip )?npm install\n/.exec(
      await readFile(at(example, 'README.md'), 'utf8'),
    ) ?? [];
  expect(command).toContain('cp ../../models/lenet5.onnx ');
  await run('sh', ['-e', '-c', command], { cwd: at(example) });
}

/** Runs an npm script of an example; returns what it prints. */
async function npm(example: string, script: string): Promise<string> {
  const { stdout } = await run('npm', ['run', '--silent', script], { cwd: at(example) });
  return stdout;
}

/** Builds an example with Vite and its own configuration; returns the files under the example's name. */
async function built(example: string): Promise<[string, Content][]> {
  const outDir = at(example, 'dist');
  await build({
    root: at(example),
    base: './',
    logLevel: 'error',
    resolve: {
      alias: [
        { find: /^react\/jsx-(dev-)?runtime$/, replacement: 'preact/jsx-runtime' },
        { find: 'react-dom/client', replacement: 'preact/compat/client' },
        { find: /^react$/, replacement: 'preact/compat' },
      ],
    },
    build: { outDir, modulePreload: false, reportCompressedSize: false },
  });
  return (await filesIn(outDir)).map(([path, content]) => [`${example}/${path}`, content]);
}

test('the Node script swaps a model, and compares it with the original', async () => {
  await prepare('node');
  const [script, providers] = [at('node', 'swap-and-compare.js'), "{ providers: ['cpu'] }"];
  const code = await readFile(script, 'utf8');
  expect(code).toContain(providers);
  // By default the timing is short.
  const latency = 'latency: { minPairs: 5, minSeconds: 0 }';
  if (!isHeavy) await writeFile(script, code.replace(providers, providers.replace('{', `{ ${latency},`)));
  const printed = await npm('node', 'start');
  expect(printed).toMatch(/^4 activations swapped in the exp form\n/);
  expect(printed).toContain('cpu');
  expect(printed).toContain('scores');
});

describe('the page', () => {
  let pages: Pages;
  beforeAll(async () => {
    for (const example of ['vite', 'react', 'next']) await prepare(example);
    await npm('next', 'prebuild');
    // The entrance of the React example stands for that of Next.js.
    const main = await readFile(at('react', 'main.jsx'), 'utf8');
    const renamed = main.replace('./scores.jsx', './app/scores.jsx').replace('model.onnx', 'model.mish.onnx');
    await writeFile(at('next', 'main.jsx'), renamed);
    await cp(at('react', 'index.html'), at('next', 'index.html'));
    pages = await openPages([...(await built('vite')), ...(await built('react')), ...(await built('next'))]);
  });
  afterAll(() => pages?.close());

  test.each(['vite', 'react', 'next'])('of the example %s runs the swapped model', async (example) => {
    const page = await pages.open(`${example}/index.html`);
    await expectScores(page, expected);
    expect(pages.errors).toEqual([]);
  });
});

test('the page of Next.js, built and served by it, runs the swapped model', async ({ skip }) => {
  skip(!isHeavy, HEAVY_ONLY);
  const cwd = at('served');
  await cp(join(examples, 'next'), cwd, { recursive: true });
  await mkdir(join(cwd, 'public'));
  await cp(modelPath('lenet5.onnx'), join(cwd, 'model.onnx'));
  const named = await readFile(join(cwd, 'package.json'), 'utf8');
  await writeFile(join(cwd, 'package.json'), named.replace('file:../..', `file:${consumer.tarball}`));
  await run('npm', ['install', '--no-audit', '--no-fund'], { cwd });
  await run('npm', ['run', 'build'], { cwd });
  const next = join(cwd, 'node_modules/next/dist/bin/next');
  const server = spawn(process.execPath, [next, 'start', '--port', '0'], { cwd });
  const browser = await launchBrowser();
  try {
    let printed = '';
    for await (const chunk of server.stdout) {
      printed += chunk;
      if (printed.includes('Ready')) break;
    }
    const [address = ''] = /http:\/\/localhost:\d+/.exec(printed) ?? [];
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on('pageerror', ({ message }) => errors.push(message));
    await page.goto(address);
    await expectScores(page, expected);
    expect(errors).toEqual([]);
  } finally {
    await browser.close();
    server.kill();
  }
}, 300_000);

describe.each(['vite', 'react', 'next', 'node', 'github-actions'])('the example %s', (name) => {
  test('names what it imports among its dependencies, at the versions of this repository', async () => {
    const { dependencies = {}, devDependencies = {} } = await manifestOf(name);
    const named: Record<string, string> = { ...dependencies, ...devDependencies };
    for (const [dependency, version] of Object.entries(named)) {
      if (dependency === 'onnx-mish') expect(version).toMatch(/^file:\.\.\/\.\.$|^\^0\.1\.0$/);
      else if (dependency in versions) expect(version, dependency).toBe(versions[dependency]);
    }
    for (const file of await readdir(join(examples, name), { recursive: true })) {
      if (!/\.(jsx?|ts)$/.test(file)) continue;
      const code = await readFile(join(examples, name, file), 'utf8');
      for (const [, imported = ''] of code.matchAll(/(?:from |import\()'([^./'][^/']*)/g)) {
        expect(Object.keys(named), file).toContain(imported);
      }
    }
  });
});

test.each([
  ['yaml', '.github/workflows/models.yml'],
  ['ts', 'onnx-mish.config.ts'],
])(
  'the workflow is the one of the guide, which test/pipelines.test.ts runs: its %s',
  async (language, file) => {
    const guide = await readFile(new URL('../docs/guide/pipelines.md', import.meta.url), 'utf8');
    const [, code] = guide.split(`\`\`\`${language}\n`);
    expect(code?.split('```')[0]).toBe(await readFile(join(examples, 'github-actions', file), 'utf8'));
  },
);

test('the npm scripts of the workflow’s project are those of the guide', async () => {
  const guide = await readFile(new URL('../docs/guide/pipelines.md', import.meta.url), 'utf8');
  const [, json = ''] = /```json\n([\s\S]*?)```/.exec(guide) ?? [];
  expect((await manifestOf('github-actions')).scripts).toEqual(JSON.parse(json).scripts);
});
