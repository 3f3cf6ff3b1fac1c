// What users do, as the documentation has it, each from an empty folder. `npm test` installs the packed package and links the
// packages of this repository, without a network; `--mode heavy` lets npm and npx do what the lines say, from the registry.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PEERS } from '../src/providers/node/packages.js';
import { type Consumer, installPackage } from './support/consumer.js';
import { type Folder, folderAt } from './support/folder.js';
import { isHeavy } from './support/heavy.js';
import { floats, model, node, value } from './support/model.js';
import { npy, raw } from './support/numpy.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));

let consumer: Consumer;
const projects: string[] = [];
beforeAll(async () => {
  consumer = await installPackage({ without: PEERS });
});
afterAll(async () => {
  for (const path of projects) await rm(path, { recursive: true, force: true });
  await consumer?.remove();
});

/** An empty project: its package.json keeps npm from installing into a folder above. */
async function emptyFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'onnx-mish-user-'));
  projects.push(path);
  const folder = folderAt(path);
  await folder.write('package.json', '{ "private": true }');
  return folder;
}

/** The command lines of the blocks of a page, in their order, without comments. */
async function linesOf(page: string): Promise<string[]> {
  const text = await readFile(join(root, page), 'utf8');
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
    .flatMap(([, code = '']) => code.split('\n'))
    .map((line) => line.replace(/\s+#.*/, '').trim())
    .filter((line) => line !== '');
}

/** Does in a folder what a line says; returns what it prints. */
async function follow(line: string, folder: Folder): Promise<string> {
  const [, specs] = /^(?:ONNXRUNTIME_NODE_INSTALL=skip )?npm install (?:--\S+ )*(.*)$/.exec(line) ?? [];
  if (isHeavy) {
    const command = line.replace(/\bonnx-mish(?=$| )/, (name) =>
      specs === undefined ? name : consumer.tarball,
    );
    // npx takes the package from the registry; this version of it is not there.
    const npx = `npx --yes --package ${consumer.tarball} -- onnx-mish`;
    const { stdout } = await run('sh', ['-e', '-c', command.replace(/^npx onnx-mish/, npx)], {
      cwd: folder.path,
    });
    return stdout;
  }
  if (specs === undefined) {
    const [program, ...args] = line.split(/\s+/).slice(line.startsWith('npx ') ? 1 : 0);
    expect(program, line).toBe('onnx-mish');
    const main = join(consumer.installed, 'dist/bin/main.cjs');
    return (await run(process.execPath, [main, ...args], { cwd: folder.path })).stdout;
  }
  for (const spec of specs.split(' ')) {
    const name = spec.replace(/(?<=.)@.*/, '');
    if (name === 'onnx-mish') continue;
    await mkdir(folder.at('node_modules'), { recursive: true });
    await symlink(join(root, 'node_modules', name), folder.at('node_modules', name), 'junction');
  }
  return '';
}

/** Shortens the timing of validate, which takes up to two seconds, unless everything runs at its whole size. */
async function shortenTiming(folder: Folder): Promise<void> {
  const validate = { pairs: 5, seconds: 0.1 };
  if (!isHeavy) await folder.write('onnx-mish.config.json', JSON.stringify({ validate }));
}

const samples = (count: number, size: number) =>
  Float32Array.from({ length: count * size }, (_, index) => Math.sin(index * index));

/** A classifier of four numbers in three classes; its input is `name`. */
function classifier(name: string): Uint8Array {
  const weights = (count: number) => Array.from({ length: count }, (_, index) => Math.sin(3 * index + 1));
  return model({
    nodes: [
      node('MatMul', [name, 'a'], ['h']),
      node('Relu', ['h'], ['r']),
      node('MatMul', ['r', 'b'], ['y']),
    ],
    inputs: [value(name, 1, ['N', 4])],
    outputs: [value('y', 1, ['N', 3])],
    initializers: [floats('a', [4, 8], weights(32)), floats('b', [8, 3], weights(24))],
  });
}

/** Time of a test that downloads packages. */
const TIMEOUT_MS = isHeavy ? 900_000 : 60_000;

/** A test that runs in heavy mode only. */
function withRegistry(title: string, work: () => Promise<void>): void {
  if (isHeavy) test(title, work, TIMEOUT_MS);
}

test(
  'who has a PyTorch net swaps it, sees what that did, repairs it and goes back',
  async () => {
    const folder = await emptyFolder();
    await folder.write('model.onnx', classifier('images'));
    await shortenTiming(folder);
    const images = npy('<f4', [64, 4], raw(samples(64, 4)));
    await folder.write('samples.npz', zipSync({ 'images.npy': images }));
    const lines = await linesOf('docs/start.md');
    expect(lines.length).toBeGreaterThanOrEqual(6);
    let printed = '';
    for (const line of lines) printed += await follow(line, folder);
    expect(printed).toContain('1 Relu → Mish');
    expect(printed).toMatch(/^cpu /m);
    const [again, original] = await Promise.all(
      ['again.onnx', 'model.onnx'].map((name) => folder.read(name)),
    );
    expect(Buffer.compare(again ?? Buffer.of(), original ?? Buffer.of())).toBe(0);
    expect(await folder.list()).toEqual(expect.arrayContaining(['model.mish.onnx', 'repaired.onnx']));
  },
  TIMEOUT_MS,
);

test(
  'who does research trains the swapped model beside its original',
  async () => {
    const folder = await emptyFolder();
    await folder.write('model.onnx', classifier('x'));
    for (const name of ['train.npz', 'test.npz']) {
      const y = BigInt64Array.from({ length: 96 }, (_, index) => BigInt(index % 3));
      const arrays = { 'x.npy': npy('<f4', [96, 4], raw(samples(96, 4))), 'y.npy': npy('<i8', [96], raw(y)) };
      await folder.write(name, zipSync(arrays));
    }
    const [install = '', finetune = ''] = await linesOf('docs/guide/finetune.md');
    expect(finetune).toMatch(/^npx onnx-mish finetune /);
    await follow(install, folder);
    expect(await follow(finetune, folder)).toContain('Mish');
    expect(await folder.list()).toContain('model.mish.onnx');
  },
  TIMEOUT_MS,
);

// test/readme-web.test.ts runs this page in a browser, without the installation.
withRegistry('who develops a page installs what the guide names, and builds its page', async () => {
  const folder = await emptyFolder();
  const guide = await readFile(join(root, 'docs/guide/page.md'), 'utf8');
  const [, install = ''] = /`npm i (onnx-mish [^`]*)`/.exec(guide) ?? [];
  const [, html = ''] = /```html\n([\s\S]*?)```/.exec(guide) ?? [];
  await folder.write('index.html', html);
  await follow(`npm install ${install}`, folder);
  await run('npx', ['vite', 'build'], { cwd: folder.path });
  expect(await folder.list()).toContain('dist/index.html');
});

withRegistry('who uses Yarn adds the package, swaps a model and builds a page', async () => {
  const folder = await emptyFolder();
  const yarn = (...args: string[]) => run('npx', ['--yes', 'yarn@1', ...args], { cwd: folder.path });
  await yarn('add', consumer.tarball, 'vite@6');
  await folder.write('model.onnx', classifier('x'));
  await yarn('onnx-mish', 'swap', 'model.onnx');
  expect(await folder.list()).toContain('model.mish.onnx');
  const config = "import onnxMish from 'onnx-mish/vite';\nexport default { plugins: [onnxMish()] };\n";
  await folder.write('vite.config.mjs', config);
  await folder.write('index.html', '<script type="module" src="./main.js"></script>');
  await folder.write('main.js', "import url from './model.onnx?mish';\nconsole.log(url);\n");
  await yarn('vite', 'build');
  expect(await folder.list()).toContainEqual(expect.stringMatching(/^dist\/assets\/model-[\w-]+\.onnx$/));
});

withRegistry('who uses Yarn 4 or pnpm adds the package and swaps a model', async () => {
  for (const [linker, manager] of [
    ['pnp', '@yarnpkg/cli-dist@4'],
    ['node-modules', '@yarnpkg/cli-dist@4'],
    ['', 'pnpm@10'],
  ] as const) {
    const folder = await emptyFolder();
    const managed = (...args: string[]) => run('npx', ['--yes', manager, ...args], { cwd: folder.path });
    if (linker !== '') {
      await folder.write('.yarnrc.yml', `nodeLinker: ${linker}\nenableTelemetry: false\n`);
      await folder.write('yarn.lock', ''); // Yarn would look for a project above
    }
    await managed('add', linker === '' ? consumer.tarball : `onnx-mish@file:${consumer.tarball}`);
    const bytes = classifier('x');
    await folder.write('model.onnx', bytes);
    await managed('exec', 'onnx-mish', 'swap', 'model.onnx');
    await managed('exec', 'onnx-mish', 'undo', 'model.mish.onnx', '-o', 'back.onnx');
    expect(new Uint8Array(await readFile(`${folder.path}/back.onnx`)), linker).toEqual(new Uint8Array(bytes));
  }
});

// test/pipelines.test.ts runs the workflow of who runs pipelines, in `npm test`.
withRegistry(
  'who maintains it clones it, installs and builds it, and runs the tests of an area',
  async () => {
    const folder = await emptyFolder();
    await run('git', ['clone', '--quiet', '--depth', '1', `file://${root}`, folder.at('clone')]);
    const cwd = folder.at('clone');
    await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd });
    await run('npm', ['run', '--silent', 'build'], { cwd });
    await run('npx', ['vitest', 'run', 'test/base'], { cwd });
  },
);

// The newest types of Node and the oldest TypeScript that the package promises.
withRegistry('who uses TypeScript 5.4 compiles against every module', async () => {
  const folder = await emptyFolder();
  await follow('npm install onnx-mish onnxruntime-web@~1.30.0 typescript@5.4 @types/node@20', folder);
  const names = [...consumer.exports].flatMap(([name, to]) => (to.endsWith('.js') ? [name.slice(1)] : []));
  const isPlugin = (name: string) => /^\/(unplugin|vite|webpack|rollup|esbuild|rspack)$/.test(name);
  for (const skipLibCheck of [false, true]) {
    const chosen = names.filter((name) => isPlugin(name) === skipLibCheck); // unplugin's types name absent bundlers
    const code = chosen.map(
      (name, index) => `import * as m${index} from 'onnx-mish${name}';\nvoid m${index};`,
    );
    await folder.write('typed.mts', code.join('\n'));
    const strict = { strict: true, exactOptionalPropertyTypes: true, noEmit: true, skipLibCheck };
    const module = { module: 'nodenext', target: 'es2022', lib: ['es2022', 'dom', 'dom.iterable'] };
    const compilerOptions = { ...strict, ...module, types: ['node'] };
    await folder.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['typed.mts'] }));
    // The compiler prints its errors to standard output, which a failed command does not show.
    const printed = await run('npx', ['tsc'], { cwd: folder.path }).then(
      ({ stdout }) => stdout,
      ({ stdout, message }) => stdout || message,
    );
    expect(printed).toBe('');
  }
});
