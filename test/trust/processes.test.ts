// More than one process, and processes that end before their time.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, link, mkdir, symlink } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { swapFile } from '../../src/node/index.js';
import { cliProcess as cli, MAIN, outcome, start } from '../support/cli.js';
import { BIAS_BYTES, externalModel } from '../support/external.js';
import { tempFolder } from '../support/folder.js';
import { reluModel, swapped } from '../support/graph.js';
import { isHeavy } from '../support/heavy.js';
import { killRounds } from './kill.js';

const MODEL = reluModel();
/** Large enough that two processes are at it at the same time. */
const LARGE = reluModel({
  initializers: [{ name: 'w', dataType: 1, dims: [1_000_000], rawData: new Uint8Array(4_000_000).fill(9) }],
});

test('killed outright: the input stays, the output is old or new, and the next run removes what is left', async () => {
  const folder = await tempFolder();
  const rounds = isHeavy ? 10 : 2;
  const count = await killRounds({ rounds, bytes: 16 * 2 ** 20, folder: folder.path });
  expect(count.killed).toBe(rounds);
});

/** Stops the command for good where it would flush what it has written. */
const STUCK = `data:text/javascript,${encodeURIComponent(`
  import { open } from 'node:fs/promises';
  const file = await open(process.execPath);
  Object.getPrototypeOf(file).sync = () => {
    process.stderr.write('STUCK');
    return new Promise(() => setInterval(() => {}, 1000));
  };
  await file.close();
`)}`;

test('a temporary goes with the next run once its process is dead, and not before', async () => {
  const folder = await tempFolder();
  const input = await folder.write('m.onnx', MODEL);
  const child = start(['swap', 'm.onnx', '-o', 'other.onnx'], {
    cwd: folder.path,
    node: ['--import', STUCK],
  });
  const ended = once(child, 'close');
  await once(child.stderr ?? child, 'data');
  const temporary = expect.stringMatching(
    new RegExp(`^\\.other\\.onnx\\.[0-9a-f]{8}-${child.pid}-[0-9a-f]{12}\\.onnx-mish\\.tmp$`),
  );
  await swapFile(input, { output: folder.at('first.onnx') });
  expect(await folder.list()).toEqual([temporary, 'first.onnx', 'm.onnx']);
  child.kill('SIGKILL');
  await ended;
  expect(await folder.list()).toEqual([temporary, 'first.onnx', 'm.onnx']);
  await swapFile(input, { output: folder.at('second.onnx') });
  expect(await folder.list()).toEqual(['first.onnx', 'm.onnx', 'second.onnx']);
});

const FORMS = ['softplus', 'exp', 'native', 'softplus'] as const;

test('processes that write the same new file: one does, the others say so', async () => {
  const folder = await tempFolder();
  const model = reluModel({ opset: 18 });
  await folder.write('m.onnx', model);
  const whole = await Promise.all(FORMS.map(async (form) => (await swapped(model, { form })).bytes));
  const results = await Promise.all(
    FORMS.map((form) => cli(['swap', 'm.onnx', '-o', 'out.onnx', '--form', form], { cwd: folder.path })),
  );
  expect(results.map(({ code }) => code).sort()).toEqual([0, 2, 2, 2]);
  for (const { code, stderr } of results) {
    if (code !== 0) expect(stderr).toContain('out.onnx: the file exists already\n');
  }
  const winner = whole[results.findIndex(({ code }) => code === 0)];
  expect(await folder.read('out.onnx')).toEqual(winner);
  expect(await folder.list()).toEqual(['m.onnx', 'out.onnx']);
});

test('processes that replace the same file: all do, and it is whole at any time', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', LARGE);
  const whole = await Promise.all(
    FORMS.slice(0, 2).map(async (form) => (await swapped(LARGE, { form })).bytes),
  );
  await folder.write('out.onnx', LARGE);
  const isWhole = async () => {
    const now = await folder.read('out.onnx');
    expect([LARGE, ...whole].some((bytes) => Buffer.compare(now, bytes) === 0)).toBe(true);
  };
  let running = true;
  const watching = (async () => {
    for (; running; await new Promise(setImmediate)) await isWhole();
  })();
  const results = await Promise.all(
    [0, 1, 0, 1].map((form) =>
      cli(['swap', 'm.onnx', '-o', 'out.onnx', '--force', '--form', FORMS[form] ?? ''], { cwd: folder.path }),
    ),
  );
  running = false;
  await watching;
  expect(results.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  await isWhole();
  expect(await folder.list()).toEqual(['m.onnx', 'out.onnx']);
});

test('processes that bring the same data along: the one that is later takes nothing of the other’s away', async () => {
  const folder = await tempFolder();
  await mkdir(folder.at('in'));
  await mkdir(folder.at('out'));
  await folder.write('in/m.onnx', externalModel('w/m.bin'));
  await mkdir(folder.at('in/w'));
  await folder.write('in/w/m.bin', BIAS_BYTES);
  const args = ['swap', 'in/m.onnx', '-o', 'out/m.onnx'];
  const results = await Promise.all([1, 2, 3].map(() => cli(args, { cwd: folder.path })));
  expect(results.map(({ code }) => code).sort()).toEqual([0, 2, 2]);
  const there = (await folder.list()).filter((name) => name.startsWith('out/'));
  expect(there).toEqual(['out/', 'out/m.onnx', 'out/w/', 'out/w/m.bin']);
  expect(await folder.read('out/w/m.bin')).toEqual(BIAS_BYTES);
});

test('the input under another name is refused, forced or not, and standard output into it as well', async () => {
  const folder = await tempFolder();
  const run = (line: string) =>
    outcome(
      spawn('sh', ['-c', line.replace('onnx-mish', `'${process.execPath}' '${MAIN}'`)], { cwd: folder.path }),
    );
  await folder.write('m.onnx', MODEL);
  await symlink('m.onnx', folder.at('soft.onnx'));
  await link(folder.at('m.onnx'), folder.at('hard.onnx'));
  for (const [input, output] of [
    ['m.onnx', 'soft.onnx'],
    ['soft.onnx', 'm.onnx'],
    ['m.onnx', 'hard.onnx'],
    ['soft.onnx', 'hard.onnx'],
  ]) {
    for (const command of input === 'm.onnx' && output === 'soft.onnx' ? ['swap', 'undo'] : ['swap']) {
      const { code, stderr } = await run(`onnx-mish ${command} ${input} -o ${output} --force`);
      expect([code, stderr]).toEqual([
        2,
        `onnx-mish: ${output}: the output is the input itself under another name\n  Choose another path (-o).\n`,
      ]);
    }
  }
  const appended = await run('onnx-mish swap m.onnx -o - >> hard.onnx');
  expect(appended.code).toBe(2);
  expect(appended.stderr).toContain(
    'onnx-mish: m.onnx: standard output is redirected to this file\n  Redirect standard output to',
  );
  expect(await folder.read('m.onnx')).toEqual(MODEL);
  // An appended file that is another one is as good as any.
  await folder.write('other', 'before ');
  expect((await run('onnx-mish swap m.onnx -o - >> other')).code).toBe(0);
  expect((await folder.read('other')).subarray(7)).toEqual((await swapped(MODEL)).bytes);
});

test('a report does not take the place of what is read, forced or not', async () => {
  const folder = await tempFolder();
  const at = { cwd: folder.path };
  await folder.write('m.onnx', MODEL);
  await symlink('m.onnx', folder.at('soft.onnx'));
  const report = await cli(
    ['validate', 'm.onnx', '--dim', 'N=1', '--no-latency', '--runs', '1', '--json'],
    at,
  );
  await folder.write('run.json', report.stdout);
  for (const args of [
    ['validate', 'm.onnx', '--report', 'm.onnx'],
    ['validate', 'm.onnx', '--junit', 'soft.onnx'],
    ['inspect', 'm.onnx', '--data', 'random', '--report', 'soft.onnx'],
    ['calibrate', 'm.onnx', '--data', 'random', '--report', 'm.onnx'],
    ['report', 'run.json', '--html', 'run.json'],
    ['report', 'run.json', 'run.json', '--html', 'run.json'],
  ]) {
    const { code, stderr } = await cli([...args, '--force'], at);
    expect([code, stderr], args.join(' ')).toEqual([
      2,
      `onnx-mish: ${args.at(-1)}: this file is an input of the command\n  Choose another name.\n`,
    ]);
  }
  const same = await cli(['calibrate', 'm.onnx', '--data', 'random', '-o', 'x', '--report', './x'], at);
  expect([same.code, same.stderr]).toEqual([
    2,
    expect.stringContaining('output and report cannot go to the same file'),
  ]);
  expect(await folder.list()).toEqual(['m.onnx', 'run.json', 'soft.onnx']);
  expect(await folder.read('m.onnx')).toEqual(MODEL);
});

const NOBODY = 65534;

test('a folder that may only be read', async (context) => {
  if (process.getuid?.() !== 0) return context.skip('only the superuser can act as somebody else');
  const folder = await tempFolder();
  await chmod(folder.path, 0o555);
  const as = { cwd: folder.path, uid: NOBODY };
  await folder.write('m.onnx', MODEL);
  await folder.write('s.onnx', (await swapped(MODEL)).bytes);
  await folder.write('old.onnx', 'old');
  await chmod(folder.at('old.onnx'), 0o666); // what may be written itself is no exception
  for (const [args, output] of [
    [['swap', 'm.onnx'], 'm.mish.onnx'],
    [['swap', 'm.onnx', '-o', 'old.onnx', '--force'], 'old.onnx'],
    [['undo', 's.onnx'], 's.undone.onnx'],
    [['retarget', 's.onnx', '--form', 'exp'], 's.exp.onnx'],
  ] as const) {
    expect(await cli(args, as)).toMatchObject({
      code: 2,
      stderr: `onnx-mish: ${output}: permission denied\n  Check the permissions of the path.\n`,
    });
  }
  expect(await folder.list()).toEqual(['m.onnx', 'old.onnx', 's.onnx']);
  expect(new TextDecoder().decode(await folder.read('old.onnx'))).toBe('old');
});
