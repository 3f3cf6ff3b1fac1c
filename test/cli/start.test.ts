import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { cliProcess as cli } from '../support/cli.js';
import { tempFolder } from '../support/folder.js';
import { reluModel } from '../support/graph.js';

/** Writes at exit which of Node's own modules a process has loaded. */
const LIST =
  "process.on('exit', () => require('fs').writeFileSync(process.env.LIST, process.moduleLoadList.join('\\n')));";

test('a small swap loads no module of Node that takes long to load and that it does not need', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', reluModel());
  const preload = await folder.write('list.cjs', LIST);
  const listOf = async (name: string) => new Set((await readFile(folder.at(name), 'utf8')).split('\n'));
  const { code, stderr } = await cli(['swap', 'm.onnx'], {
    cwd: folder.path,
    node: ['--require', preload],
    env: { LIST: folder.at('swap'), NODE_DISABLE_COMPILE_CACHE: '1' },
  });
  expect(code, stderr).toBe(0);
  execFileSync(process.execPath, ['--require', preload, '--eval', '0'], {
    env: { LIST: folder.at('nothing') },
  });
  const [ours, nodes] = [await listOf('swap'), await listOf('nothing')];
  const added = [...ours].filter((name) => !nodes.has(name)).map((name) => name.replace('NativeModule ', ''));
  expect(added).toContain('crypto'); // the list is the one we want
  for (const name of [
    'child_process',
    'net',
    'perf_hooks',
    'tty',
    'v8',
    'internal/webstreams/readablestream',
  ])
    expect(added).not.toContain(name);
});

/** Gives Node's own module the cache of Node 22, and takes the user's home away, as in a container that runs as any number. */
const HOMELESS = `
  require('module').enableCompileCache ??= () => {};
  require('os').homedir = () => { throw new Error('no home'); };
`;

test('a user without a home folder can run commands', async () => {
  const folder = await tempFolder();
  const preload = await folder.write('homeless.cjs', HOMELESS);
  const { code, stdout, stderr } = await cli(['--version'], { node: ['--require', preload] });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
