// Where an optional package is not installed, the command line and the library name it, and the line that installs it.
import { spawn } from 'node:child_process';
import { copyFile, mkdir, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { installCommand, installLine } from '../../src/providers/node/package-manager.js';
import { PEERS, type Peer, specs } from '../../src/providers/node/packages.js';
import { type Outcome, outcome } from '../support/cli.js';
import { type Consumer, installPackage } from '../support/consumer.js';
import { model, node, value } from '../support/model.js';
import { modelPath } from '../support/workbench-page.js';

/** A model of images with three channels. */
const COLOURS = model({
  nodes: [node('Relu', ['x'], ['y'])],
  inputs: [value('x', 1, ['N', 3, 8, 8])],
  outputs: [value('y', 1, ['N', 3, 8, 8])],
});

let consumer: Consumer;
beforeAll(async () => {
  consumer = await installPackage({ without: PEERS });
  for (const name of ['model.onnx', 'other.onnx'])
    await copyFile(modelPath('lenet5.onnx'), consumer.folder.at(name));
  await consumer.folder.write('colours.onnx', COLOURS);
  await mkdir(consumer.folder.at('images', 'cat'), { recursive: true });
  await writeFile(consumer.folder.at('images', 'cat', 'a.png'), 'not decoded');
});
afterAll(() => consumer?.remove());

const linkTo = (name: string, folder: string) =>
  symlink(
    fileURLToPath(new URL(`../../node_modules/${name}`, import.meta.url)),
    join(folder, name),
    'junction',
  );

/** Runs `work` while these optional packages are installed in the project. */
async function withPeers<T>(names: readonly Peer[], work: () => Promise<T>): Promise<T> {
  const modules = consumer.folder.at('node_modules');
  for (const name of names) await linkTo(name, modules);
  try {
    return await work();
  } finally {
    for (const name of names) await unlink(join(modules, name));
  }
}

/** Runs the installed command, or another program of Node's. */
function cli(args: readonly string[], cwd = consumer.folder.path, PATH = process.env.PATH): Promise<Outcome> {
  const main = join(consumer.installed, 'dist/bin/main.cjs');
  const child = spawn(process.execPath, [main, ...args], { cwd, env: { PATH: PATH ?? '' } });
  child.stdin.end();
  return outcome(child);
}

const PAIR = ['model.onnx', 'other.onnx', '--no-latency', '--runs', '1'];

describe('without optional packages', () => {
  test('inspect, swap, retarget and undo do their work', async () => {
    for (const args of [
      ['inspect', 'model.onnx'],
      ['swap', 'model.onnx'],
      ['retarget', 'model.mish.onnx', '--target', 'wasm', '-o', 'wasm.onnx'],
      ['undo', 'model.mish.onnx', '-o', 'again.onnx'],
    ]) {
      const { code, stderr } = await cli(args);
      expect(stderr, args.join(' ')).not.toContain('not installed');
      expect(code, args.join(' ')).toBe(0);
    }
    const [again, original] = await Promise.all(
      ['again.onnx', 'model.onnx'].map((name) => consumer.folder.read(name)),
    );
    expect(Buffer.compare(again ?? Buffer.of(), original ?? Buffer.of())).toBe(0);
  });

  test('an HTML report has its charts', async () => {
    const report = fileURLToPath(new URL('../fuzz/report.json', import.meta.url));
    const { code, stderr } = await cli(['report', report, '--html', 'report.html']);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const html = Buffer.from(await consumer.folder.read('report.html')).toString();
    expect(html.match(/<svg/g)?.length).toBeGreaterThan(1);
  });

  test('every module of the library loads', async () => {
    const modules = [...consumer.exports]
      .filter(([, to]) => to.endsWith('.js'))
      .map(([name]) => name.slice(1));
    const script = `for (const name of ${JSON.stringify(modules)}) await import('onnx-mish' + name);`;
    await consumer.node('--no-warnings', '--input-type=module', '--eval', script);
  });

  test('doctor says once what to install for each provider', async () => {
    const { code, stdout } = await cli(['doctor']);
    expect(code).toBe(0);
    for (const line of stdout.trimEnd().split('\n')) expect(line).toMatch(/ no .* not installed\./);
    expect(stdout.match(/npm install .*?`/g)).toEqual([
      'npm install onnxruntime-node@~1.30.0`',
      'npm install onnxruntime-web@~1.30.0 playwright-core@1`',
    ]);
  });
});

/** For each optional package, a command that needs it, and the line that installs it. */
const NEEDED: readonly (readonly [Peer, readonly string[]])[] = [
  ['onnxruntime-node', ['validate', ...PAIR]],
  ['onnxruntime-web', ['ui', '--export', 'site']],
  ['playwright-core', ['validate', ...PAIR, '--providers', 'wasm']],
  ['sharp', ['validate', 'colours.onnx', 'colours.onnx', '--images', 'images', '--no-latency']],
];

describe('a command that needs an optional package', () => {
  test.each(NEEDED)('names %s, and exits with code 3', async (name, args) => {
    const others = PEERS.filter((other) => other !== name);
    const { code, stdout, stderr } = await withPeers(others, () => cli(args));
    expect(stdout + stderr).toContain(`the package ${name} is not installed`);
    expect(stdout + stderr).toContain(
      installLine(specs([name]), { file: consumer.installed, cwd: consumer.folder.path }),
    );
    expect(stdout + stderr).toContain('doctor --install');
    expect(code).toBe(3);
  });

  test('names all that lacks at once', async () => {
    const { code, stderr } = await cli(['validate', ...PAIR, '--providers', 'wasm']);
    expect(stderr).toContain(
      'the packages onnxruntime-node, onnxruntime-web and playwright-core are not installed',
    );
    expect(code).toBe(3);
  });

  test('has one error in JSON', async () => {
    const { code, stdout } = await cli(['validate', ...PAIR, '--json']);
    expect(code).toBe(3);
    expect(JSON.parse(stdout).error).toMatchObject({ code: 'missing-package', option: { install: null } });
  });

  test('finds it in the project in which it runs, as npx and a global install need', async () => {
    const modules = consumer.folder.at('other', 'project', 'node_modules');
    await mkdir(modules, { recursive: true });
    await linkTo('onnxruntime-node', modules);
    const models = ['../../model.onnx', '../../other.onnx', ...PAIR.slice(2)];
    const { code, stderr } = await cli(['validate', ...models], join(modules, '..'));
    expect(stderr).not.toContain('not installed');
    expect(code).toBe(0);
  });
});

test('the library throws missing-package', async () => {
  const script = `import { validateFiles } from 'onnx-mish/validate';
import { decodeImage, getProvider } from 'onnx-mish/node';
const failed = async (work) => { try { return await work(); } catch ({ code, message }) { return [code, message]; } };
console.log(JSON.stringify([
  await failed(() => getProvider('cpu').open('model.onnx')),
  await failed(() => validateFiles('model.onnx', 'other.onnx')),
  await failed(() => decodeImage('images/cat/a.png', { width: 8, height: 8 })),
  await failed(() => getProvider('wasm').open('model.onnx')),
  await getProvider('cpu').availability(),
]));`;
  const printed = await consumer.node('--no-warnings', '--input-type=module', '--eval', script);
  const [cpu, validation, image, wasm, availability] = JSON.parse(printed);
  expect(cpu).toEqual(['missing-package', expect.stringContaining('onnxruntime-node is not installed')]);
  expect(validation).toEqual(cpu);
  expect(image).toEqual(['missing-package', expect.stringContaining('sharp is not installed')]);
  expect(wasm).toEqual([
    'missing-package',
    expect.stringContaining('onnxruntime-web and playwright-core are not installed'),
  ]);
  expect(availability).toMatchObject({
    available: false,
    reason: 'the package onnxruntime-node is not installed',
  });
});

describe('doctor --install', () => {
  test('shows the command, and without a terminal runs it with --yes only', async () => {
    const { code, stdout, stderr } = await cli(['doctor', '--install']);
    expect(code).toBe(2);
    expect(stdout).toMatch(
      /npm install onnxruntime-node@\S+ onnxruntime-web@\S+ playwright-core@1 sharp@\S+\n/,
    );
    expect(stderr).toContain('--yes');
  });

  test('runs the command with the variable that keeps CUDA away', async () => {
    const bin = consumer.folder.at('bin');
    await mkdir(bin);
    const script = `#!/bin/sh\necho "$ONNXRUNTIME_NODE_INSTALL" "$@" > ran.txt\nexit 7\n`;
    await writeFile(join(bin, 'npm'), script, { mode: 0o755 });
    const args = ['doctor', '--install', 'onnxruntime-node,sharp', '--yes'];
    const { code, stderr } = await cli(args, consumer.folder.path, `${bin}:${process.env.PATH}`);
    expect(stderr).toContain('npm failed with exit code 7');
    expect(code).toBe(3);
    const ran = Buffer.from(await consumer.folder.read('ran.txt')).toString();
    const { env } = installCommand(specs(['onnxruntime-node']));
    expect(ran).toBe(`${env.ONNXRUNTIME_NODE_INSTALL ?? ''} install onnxruntime-node@~1.30.0 sharp@0.35\n`);
  });

  test('finds what was installed, and says so', async () => {
    const bin = consumer.folder.at('bin-of-all');
    await mkdir(bin);
    const script = `#!/bin/sh
for name in ${PEERS.join(' ')}; do
  mkdir -p "node_modules/$name/dist"
  echo '{ "main": "dist/index.js" }' > "node_modules/$name/package.json"
  echo > "node_modules/$name/dist/index.js"
done
`;
    await writeFile(join(bin, 'npm'), script, { mode: 0o755 });
    const path = `${bin}:${process.env.PATH}`;
    try {
      const { code, stdout, stderr } = await cli(['doctor', '--install', '--yes'], undefined, path);
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(stdout).toContain(`Installed: ${PEERS.join(', ')}.`);
    } finally {
      for (const name of PEERS) await rm(consumer.folder.at('node_modules', name), { recursive: true });
    }
  });

  test('refuses other packages', async () => {
    const { code, stderr } = await cli(['doctor', '--install', 'left-pad', '--yes']);
    expect(code).toBe(2);
    expect(stderr).toContain('left-pad is not an optional package');
  });
});

describe('the command that installs', () => {
  const linux = { platform: 'linux', arch: 'x64', userAgent: '', cwd: '/home/me/project' };
  const local = '/home/me/project/node_modules/onnx-mish/dist/bin/main.cjs';
  test.each([
    ['in a project', { ...linux, file: local }, 'npm install sharp@0.35'],
    [
      'started by npx',
      { ...linux, file: '/home/me/.npm/_npx/1f/node_modules/onnx-mish/dist/a.js' },
      'npm install sharp@0.35',
    ],
    [
      'installed globally',
      { ...linux, file: '/usr/lib/node_modules/onnx-mish/dist/a.js' },
      'npm install --global sharp@0.35',
    ],
    ['started by pnpm', { ...linux, file: local, userAgent: 'pnpm/10.1.0 npm/?' }, 'pnpm add sharp@0.35'],
    ['started by yarn', { ...linux, file: local, userAgent: 'yarn/4.6.0' }, 'yarn add sharp@0.35'],
    [
      'in an archive of Yarn’s Plug’n’Play',
      {
        ...{ ...linux, userAgent: 'yarn/4.18.1 npm/? node/v20' },
        file: '/home/me/.yarn/berry/cache/onnx-mish-npm-0.1.0-74af3694d9-10c0.zip/node_modules/onnx-mish/dist/a.js',
      },
      'yarn add sharp@0.35',
    ],
    [
      'in the store of pnpm',
      {
        ...{ ...linux, userAgent: 'pnpm/10.34.9 npm/?' },
        file: '/home/me/.local/share/pnpm/store/v10/links/@/onnx-mish/0.1.0/1f/node_modules/onnx-mish/dist/a.js',
      },
      'pnpm add sharp@0.35',
    ],
    [
      'installed globally by pnpm',
      { ...linux, file: '/home/me/.local/share/pnpm/global/5/node_modules/onnx-mish/dist/a.js' },
      'pnpm add --global sharp@0.35',
    ],
  ])('fits a package %s', (_, facts, line) => {
    expect(installLine(specs(['sharp']), facts)).toBe(line);
  });

  test.each([
    ['linux', 'x64', 'ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@~1.30.0'],
    ['linux', 'arm64', 'npm install onnxruntime-node@~1.30.0'],
    ['win32', 'x64', 'npm install onnxruntime-node@~1.30.0'],
  ])('has on %s %s the variable only where a script downloads', (platform, arch, line) => {
    expect(installLine(specs(['onnxruntime-node']), { ...linux, file: local, platform, arch })).toBe(line);
  });
});

test('the optional packages are the peers of package.json, whose versions the lines install', () => {
  const { peerDependencies, peerDependenciesMeta, devDependencies } = manifest;
  expect(Object.keys(peerDependencies).sort()).toEqual([...PEERS].sort());
  for (const name of PEERS) {
    expect(peerDependenciesMeta[name]).toEqual({ optional: true });
    expect(devDependencies[name], name).toBeDefined();
  }
});
