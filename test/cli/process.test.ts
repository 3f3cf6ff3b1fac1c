import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { cliProcess as cli, MAIN } from '../support/cli.js';
import { BIAS_BYTES, externalModel } from '../support/external.js';
import { tempFolder } from '../support/folder.js';
import { reluModel } from '../support/graph.js';
import { floats } from '../support/model.js';

/** The packages that a command loads, bundled ones included, as V8's own list of scripts has them. */
async function packages(args: string[], cwd: string): Promise<string[]> {
  const folder = await tempFolder();
  const { code } = await cli(args, { cwd, env: { NODE_V8_COVERAGE: folder.path } });
  expect(code, args.join(' ')).toBe(0);
  const urls = new Set<string>();
  for (const name of await readdir(folder.path)) {
    const { result } = JSON.parse(await readFile(folder.at(name), 'utf8'));
    for (const { url } of result) urls.add(url);
  }
  expect(urls).toContain(pathToFileURL(MAIN).href); // the list is the one we want
  const names = [...urls].flatMap(
    (url) =>
      /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ??
      /\/dist\/(?:vendor\/([^/]+)\.js|bin\/vendor-(.+)-[^.]+\.cjs)$/.exec(url)?.slice(1).find(Boolean) ??
      [],
  );
  return [...new Set(names)].sort();
}

test('commands that only read and write files do not load ONNX Runtime or other unneeded modules', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', reluModel());
  const light: string[] = []; // commander is in the file of the start
  for (const args of [
    ['swap', 'm.onnx'],
    ['inspect', 'm.mish.onnx'],
    ['undo', 'm.mish.onnx'],
    ['retarget', 'm.mish.onnx', '--form', 'exp'],
  ]) {
    expect(await packages(args, folder.path), args.join(' ')).toEqual(light);
  }
  // Nor does help.
  for (const args of [['--help'], ['validate', '--help']]) {
    expect(light, args.join(' ')).toEqual(expect.arrayContaining(await packages(args, folder.path)));
  }
  // What would have been seen otherwise.
  const heavy = await packages(['validate', 'm.onnx', '--dim', 'N=1', '--no-latency'], folder.path);
  expect(heavy).toEqual(expect.arrayContaining(['onnxruntime-node', 'zod', ...light]));
});

/** Runs a line in a terminal; undefined where there is no `script` to make one. */
function terminal(line: string, cwd: string, env: Record<string, string> = {}) {
  const probe = spawnSync('script', ['--version'], { encoding: 'utf8' });
  if (!probe.stdout?.includes('util-linux')) return undefined;
  const { status, stdout } = spawnSync('script', ['-qec', line, '/dev/null'], {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '', TERM: 'xterm', ...env },
  });
  return { code: status, shown: stdout };
}

const COMMAND = `'${process.execPath}' '${MAIN}'`;
const NO_TERMINAL = 'there is no `script` of util-linux here to make a terminal with';

test('output has colours on a terminal, and none with NO_COLOR', async (context) => {
  const folder = await tempFolder();
  await folder.write('m.onnx', reluModel());
  const line = `${COMMAND} validate m.onnx --dim N=1 --no-latency --runs 1 --max-abs 9 2> /dev/null`;
  const coloured = terminal(line, folder.path);
  if (coloured === undefined) return context.skip(NO_TERMINAL);
  expect(coloured.code).toBe(0);
  expect(coloured.shown).toContain('\u001b[32mpass\u001b[39m');
  const plain = terminal(line, folder.path, { NO_COLOR: '1' });
  expect(plain?.code).toBe(0);
  expect(plain?.shown).toContain('pass  cpu maxAbs');
  expect(plain?.shown).not.toContain('\u001b');
});

test('a model is not written to a terminal', async (context) => {
  const folder = await tempFolder();
  await folder.write('m.onnx', reluModel());
  const result = terminal(`${COMMAND} swap m.onnx -o -`, folder.path);
  if (result === undefined) return context.skip(NO_TERMINAL);
  expect(result.code).toBe(2);
  expect(result.shown).toBe(
    'onnx-mish: a model is binary, and standard output is a terminal\r\n  Redirect standard output, or name a file with -o.\r\n',
  );
});

/** Mounts a small file system of its own over a folder; false where that is not allowed. */
function mount(folder: string, options: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]).status === 0;
}

const NO_MOUNT = 'no file system can be mounted here';

test('a full disk gives an error, and no file is left on it', async (context) => {
  const folder = await tempFolder();
  const weights = Array.from({ length: 500_000 }, (_, index) => index);
  await folder.write('m.onnx', reluModel({ initializers: [floats('w', [weights.length], weights)] }));
  await mkdir(folder.at('data'));
  await folder.write('data/m.onnx', externalModel('m.bin'));
  await folder.write('data/m.bin', new Uint8Array(2_000_000));
  await mkdir(folder.at('disk'));
  if (!mount(folder.at('disk'), 'size=1m')) return context.skip(NO_MOUNT);
  try {
    for (const [input, where] of [
      ['m.onnx', 'disk/out.onnx'],
      ['data/m.onnx', 'disk/m.bin'],
    ] as const) {
      const { code, stderr } = await cli(['swap', input, '-o', 'disk/out.onnx'], { cwd: folder.path });
      expect(code).toBe(2);
      expect(stderr).toContain(
        `${where}: the disk is full\n  Free some space or choose another path (-o). Nothing was left behind.`,
      );
      expect(await readdir(folder.at('disk'))).toEqual([]);
    }
  } finally {
    execFileSync('umount', [folder.at('disk')]);
  }
});

test('an output on another file system is written', async (context) => {
  const folder = await tempFolder();
  await folder.write('m.onnx', externalModel('m.bin'));
  await folder.write('m.bin', BIAS_BYTES);
  await mkdir(folder.at('disk'));
  if (!mount(folder.at('disk'), 'size=1m')) return context.skip(NO_MOUNT);
  try {
    const { code } = await cli(['swap', 'm.onnx', '-o', 'disk/out.onnx'], { cwd: folder.path });
    expect(code).toBe(0);
    expect((await readdir(folder.at('disk'))).sort()).toEqual(['m.bin', 'out.onnx']);
    expect(await folder.read('disk/m.bin')).toEqual(BIAS_BYTES);
  } finally {
    execFileSync('umount', [folder.at('disk')]);
  }
});

test('a read-only file system gives an error that names the output', async (context) => {
  const folder = await tempFolder();
  await folder.write('m.onnx', reluModel());
  await mkdir(folder.at('disk'));
  if (!mount(folder.at('disk'), 'size=1m,ro')) return context.skip(NO_MOUNT);
  try {
    expect(await cli(['swap', 'm.onnx', '-o', 'disk/out.onnx'], { cwd: folder.path })).toMatchObject({
      code: 2,
      stderr: 'onnx-mish: disk/out.onnx: the file system is read-only\n  Choose another path (-o).\n',
    });
  } finally {
    execFileSync('umount', [folder.at('disk')]);
  }
});

test('a defect of the program is reported as one, and leaves no file', async () => {
  const broken = `data:text/javascript,${encodeURIComponent(`
    import { open } from 'node:fs/promises';
    const file = await open(process.execPath);
    Object.getPrototypeOf(file).writev = () => { throw new TypeError('broken on purpose'); };
    await file.close();
  `)}`;
  const folder = await tempFolder();
  await folder.write('m.onnx', reluModel());
  const { code, stdout, stderr } = await cli(['swap', 'm.onnx', '--json'], {
    cwd: folder.path,
    node: ['--import', broken],
  });
  expect(code).toBe(2);
  expect(stderr).toBe(
    'onnx-mish: broken on purpose\n  This is a defect of onnx-mish. Run the command again with --debug and report what it prints.\n',
  );
  expect(JSON.parse(stdout).error).toMatchObject({ code: 'defect', what: 'broken on purpose' });
  expect(await folder.list()).toEqual(['m.onnx']);
});
