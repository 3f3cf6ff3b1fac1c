// Every command that writes, where its writing fails; every command that reads a model, where that changes meanwhile; and every
// kind of output, where nobody reads it.
import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { COST_NOTE, cliProcess as cli, MAIN, outcome } from '../support/cli.js';
import { type Folder, tempFolder } from '../support/folder.js';
import { reluModel, swapped } from '../support/graph.js';
import { everyNth } from '../support/heavy.js';
import { floats, model, node, value } from '../support/model.js';

/** y = Relu(Relu(x w) w): what there is to calibrate, rank and budget. */
const MODEL = model({
  inputs: [value('x', 1, ['N', 4])],
  outputs: [value('y', 1, ['N', 4])],
  initializers: [
    floats(
      'w',
      [4, 4],
      Array.from({ length: 16 }, (_, index) => Math.sin(7 * index)),
    ),
  ],
  nodes: [
    node('MatMul', ['x', 'w'], ['a'], {}, { name: 'first' }),
    node('Relu', ['a'], ['b'], {}, { name: 'act' }),
    node('MatMul', ['b', 'w'], ['c'], {}, { name: 'second' }),
    node('Relu', ['c'], ['y'], {}, { name: 'last' }),
  ],
});
const NOISE = '--data random --dim N=1';
const QUICK = '--dim N=1 --no-latency --runs 1';

const preload = (code: string) => ['--import', `data:text/javascript,${encodeURIComponent(code)}`];

/** A folder with a model, its swapped self and a report on both. */
async function workplace(): Promise<Folder> {
  const folder = await tempFolder();
  await folder.write('m.onnx', MODEL);
  await folder.write('s.onnx', (await swapped(MODEL)).bytes);
  await folder.write('old', 'old');
  return folder;
}

async function contents(folder: Folder) {
  const names = await folder.list();
  return Promise.all(names.map(async (name) => [name, name.endsWith('/') ? '' : await folder.read(name)]));
}

let known: Promise<string> | undefined;

/** What `validate --json` says of the model. */
function report(): Promise<string> {
  known ??= validated();
  return known;
}

async function validated() {
  const folder = await workplace();
  return (await cli(`validate m.onnx s.onnx ${QUICK} --json`.split(' '), { cwd: folder.path })).stdout;
}

const FULL = preload(`
  import { open } from 'node:fs/promises';
  const file = await open(process.execPath);
  Object.getPrototypeOf(file).sync = async () => {
    throw Object.assign(new Error('ENOSPC: made up'), { code: 'ENOSPC' });
  };
  await file.close();
`);

const WRITING: readonly [line: string, output: string][] = [
  ['swap m.onnx', 'm.mish.onnx'],
  ['swap m.onnx -o old --force', 'old'],
  ['swap m.onnx -o m.onnx --force', 'm.onnx'],
  [`swap m.onnx ${NOISE} --keep sqnr>=1`, 'm.mish.onnx'],
  [`swap m.onnx ${NOISE} --keep sqnr>=1 --beta auto`, 'm.mish.onnx'],
  ['retarget s.onnx --form exp -o old --force', 'old'],
  ['undo s.onnx', 's.undone.onnx'],
  [`calibrate m.onnx ${NOISE} --steps 0`, 'm.mish.onnx'],
  [`calibrate m.onnx ${NOISE} --steps 0 -o old --force --report new.html`, 'old'],
  [`rank m.onnx ${NOISE} --resume new.json`, 'new.json'],
  [`inspect m.onnx ${NOISE} --report old --force`, 'old'],
  [`validate m.onnx s.onnx ${QUICK} --junit new.xml`, 'new.xml'],
  ['report run.json --html old --force', 'old'],
  ['report run.json run.json --html new.html', 'new.html'],
  ['ui --export site', 'site/'],
];

test.each(everyNth(3, WRITING))('a disk that is full: %s', async (line, output) => {
  const folder = await workplace();
  if (line.includes('run.json')) await folder.write('run.json', await report());
  const before = await contents(folder);
  const { code, stderr } = await cli(line.split(' '), { cwd: folder.path, node: FULL });
  expect(stderr).toMatch(
    new RegExp(`^onnx-mish: ${output}\\S*: the disk is full\n  Free some space or .*\n$`),
  );
  expect(code).toBe(2);
  if (!/^(swap|retarget|undo|calibrate)/.test(line)) expect(stderr).not.toContain(' -o');
  expect(await contents(folder)).toEqual(before);
});

/** Interrupts the process while its first file is being written. */
const INTERRUPTED = preload(`
  import { open } from 'node:fs/promises';
  import { setTimeout } from 'node:timers/promises';
  const file = await open(process.execPath);
  const prototype = Object.getPrototypeOf(file);
  await file.close();
  const { sync } = prototype;
  let interrupted = false;
  prototype.sync = async function () {
    if (!interrupted) process.kill(process.pid, 'SIGINT');
    interrupted = true;
    await setTimeout(50);
    await sync.call(this);
  };
`);

/** What a command writes to go on later stays. */
const NOT_KEPT = WRITING.filter(([line]) => !line.includes('--resume')).toReversed();

test.each(everyNth(6, NOT_KEPT))('an interrupt while it writes: %s', async (line) => {
  const folder = await workplace();
  if (line.includes('run.json')) await folder.write('run.json', await report());
  const before = await contents(folder);
  const { code, stderr } = await cli(line.split(' '), { cwd: folder.path, node: INTERRUPTED });
  if (code !== 130) return expect([code, line]).toEqual([0, expect.not.stringMatching('export')]); // written whole
  expect(stderr).toMatch(/onnx-mish: .*interrupted\n {2}Nothing was left behind/);
  expect(await contents(folder)).toEqual(before);
});

/** After the first reads of the model something is added to it, as by a training run that saves it again. */
const CHANGES = preload(`
  import { appendFileSync } from 'node:fs';
  import { open } from 'node:fs/promises';
  const file = await open(process.execPath);
  const prototype = Object.getPrototypeOf(file);
  await file.close();
  const { read } = prototype;
  prototype.read = async function (...args) {
    const result = await read.apply(this, args);
    appendFileSync('m.onnx', '\\0');
    return result;
  };
`);

const READING = [
  'swap m.onnx',
  'swap m.onnx -o old --force',
  'swap m.onnx --dry-run',
  `swap m.onnx ${NOISE} --keep sqnr>=1`,
  `swap m.onnx ${NOISE} --keep sqnr>=1 --dry-run`,
  'retarget m.onnx --form exp',
  `calibrate m.onnx ${NOISE} --steps 0`,
  'inspect m.onnx',
  `inspect m.onnx ${NOISE} --report new.html`,
  `rank m.onnx ${NOISE} --estimate --resume new.json`,
  `validate m.onnx s.onnx ${QUICK} --report new.html`,
];

test.each(everyNth(3, READING))('a model that changes while it is read: %s', async (line) => {
  const folder = await workplace();
  const others = async () => (await contents(folder)).filter(([name]) => name !== 'm.onnx');
  const before = await others();
  const { code, stdout, stderr } = await cli(line.split(' '), { cwd: folder.path, node: CHANGES });
  expect(stderr).toMatch(
    /^onnx-mish: m\.onnx: the file was changed by another process while it was being read\n/,
  );
  expect([code, stdout]).toEqual([2, '']);
  expect(await others()).toEqual(before);
  // As the other process left it.
  expect((await folder.read('m.onnx')).subarray(0, MODEL.length)).toEqual(MODEL);
});

const shell = (line: string, cwd: string) =>
  outcome(spawn('bash', ['-c', line.replace('onnx-mish', `'${process.execPath}' '${MAIN}'`)], { cwd }));

const PRINTING = [
  'inspect m.onnx',
  'inspect m.onnx --json',
  'swap m.onnx -o old --force --json',
  'swap m.onnx -o old --force',
  'swap large.onnx -o -',
  `rank m.onnx ${NOISE} --json`,
  `calibrate m.onnx ${NOISE} --steps 0 --json`,
  `validate m.onnx s.onnx ${QUICK}`,
  'report run.json',
  '--help',
  '--version',
];

test.each(everyNth(3, PRINTING))('standard output that is closed early: %s', async (args) => {
  const folder = await workplace();
  if (args.includes('run.json')) await folder.write('run.json', await report());
  const weights = { name: 'w', dataType: 1, dims: [500_000], rawData: new Uint8Array(2_000_000) };
  await folder.write('large.onnx', reluModel({ initializers: [weights] }));
  for (const reader of args === 'inspect m.onnx' || args.endsWith('-o -')
    ? ['true', 'head -c 10']
    : ['true']) {
    const { stdout, stderr } = await shell(
      `onnx-mish ${args} | ${reader}; echo " $\{PIPESTATUS[0]}"`,
      folder.path,
    );
    // A busy machine gets lines of progress, from the tenth second on.
    const rest = stderr.replace(COST_NOTE, '').replace(/^.*(…|%)\n/gm, '');
    expect([stdout.split(' ').at(-1), rest]).toEqual(['0\n', '']);
    if (args.startsWith('calibrate')) await rm(folder.at('m.mish.onnx'));
  }
});

test('with standard output closed, what was asked for is written all the same, and the exit code stays', async () => {
  const folder = await workplace();
  const line = `onnx-mish validate m.onnx s.onnx ${QUICK} --max-abs 1e-9 --report new.html --junit new.xml | true`;
  const { stdout, stderr } = await shell(`${line}; echo $\{PIPESTATUS[0]}`, folder.path);
  expect([stdout, stderr]).toEqual(['1\n', '']);
  expect(await folder.list()).toEqual(['m.onnx', 'new.html', 'new.xml', 'old', 's.onnx']);
  expect(new TextDecoder().decode(await folder.read('new.html'))).toMatch(/<\/html>\s*$/);
});
