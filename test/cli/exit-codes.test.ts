// The exit code of every command: a model or data that may not be read, a model without a site, a limit that is not kept, a provider
// that is not there, and a signal.
import { chmod } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { classifiedArchive, classifier } from '../support/classified.js';
import { cli, cliProcess, outcome, start } from '../support/cli.js';
import { type Folder, tempFolder } from '../support/folder.js';
import { swapped } from '../support/graph.js';
import { everyNth } from '../support/heavy.js';
import { floats, model, node, value } from '../support/model.js';
import { needs } from '../support/needs.js';

const MODEL = classifier();
const SWAPPED = (await swapped(MODEL)).bytes;
/** y = x w: a model with weights and without an activation. */
const NO_SITES = model({
  inputs: [value('x', 1, ['N', 4])],
  outputs: [value('scores', 1, ['N', 3])],
  initializers: [
    floats(
      'w',
      [4, 3],
      Array.from({ length: 12 }, (_, index) => Math.sin(index)),
    ),
  ],
  nodes: [node('MatMul', ['x', 'w'], ['scores'])],
});

/** Commands that read the model M, and their exit codes for a model without a site. */
const READING: readonly (readonly [line: string, withoutSites: number])[] = [
  ['inspect M', 0],
  ['inspect M --data s.npz', 0],
  ['swap M -o out.onnx', 0],
  ['swap M -o out.onnx --strict', 0],
  ['swap M -o out.onnx --data s.npz --keep sqnr>=1', 0],
  ['undo M -o out.onnx', 2],
  ['retarget M -o out.onnx --form exp', 0],
  ['validate M --no-latency --runs 1 --dim N=1', 0],
  ['calibrate M -o out.onnx --data s.npz --steps 0', 0],
  ['finetune M -o out.onnx --data s.npz --labels y --epochs 1 --batch 16 --no-calibrate', 0],
  ['experiment M -o out.json --data s.npz --labels y --epochs 1 --seeds 1 --jobs 1', 2],
  ['rank M --data s.npz', 0],
];

async function workplace(): Promise<Folder> {
  const folder = await tempFolder();
  await folder.write('m.onnx', MODEL);
  await folder.write('w.onnx', SWAPPED);
  await folder.write('none.onnx', NO_SITES);
  await folder.write('s.npz', classifiedArchive(64));
  return folder;
}

const argsOf = (line: string, path = '') => line.split(' ').map((word) => (word === 'M' ? path : word));

test.each(everyNth(2, READING))('%s without a site ends with %i', async (line, expected) => {
  const { path: cwd } = await workplace();
  const { code, stderr } = await cli(argsOf(line, 'none.onnx'), { cwd });
  expect(code, stderr).toBe(expected);
});

describe('what may not be read', () => {
  needs(process.getuid?.() === 0, 'only the superuser can start a command as somebody else');
  const NOBODY = 65534;
  const files = (line: string) => ['M', ...(line.includes('s.npz') ? ['s.npz'] : [])];
  const cases = READING.flatMap(([line]) => files(line).map((file) => [line, file] as const));

  test.each(everyNth(3, cases))('%s ends with 2 where %s may not be read', async (line, file) => {
    const folder = await workplace();
    await chmod(folder.path, 0o777);
    const name = file === 'M' ? 'm.onnx' : file;
    await chmod(folder.at(name), 0);
    const before = await folder.list();
    const run = [...argsOf(line, 'm.onnx'), '--json'];
    const { code, stdout, stderr } = await cliProcess(run, { cwd: folder.path, uid: NOBODY });
    expect(code, stderr).toBe(2);
    expect(stderr).toContain(`${name}: permission denied\n`);
    expect(JSON.parse(stdout).error).toMatchObject({ code: 'io', fix: expect.stringMatching(/permission/) });
    expect(await folder.list()).toEqual(before);
  });
});

/** Commands with a limit that no model keeps. */
const LIMITED = [
  'validate m.onnx --no-latency --runs 1 --min-sqnr 1000',
  'validate m.onnx w.onnx --no-latency --runs 1 --max-abs 0',
  'validate m.onnx --no-latency --data s.npz --require sqnr>=1000',
  'validate *m.onnx --no-latency --runs 1 --min-sqnr 1000',
  'swap m.onnx --data s.npz --keep sqnr>=1000',
  'calibrate m.onnx --data s.npz --steps 0 --beta auto --keep sqnr>=1000',
];
test.each(everyNth(2, LIMITED))('%s ends with 1', async (line) => {
  const { path: cwd } = await workplace();
  const { code, stderr } = await cli(line.split(' '), { cwd });
  expect(code, stderr).toBe(1);
});

test('a provider that is not there ends with 3, and the others still run', async () => {
  const { path: cwd } = await workplace();
  const line = 'validate m.onnx --no-latency --runs 1 --providers cpu,coreml';
  const { code, stdout } = await cli(line.split(' '), { cwd });
  expect(code).toBe(process.platform === 'darwin' ? 0 : 3);
  expect(stdout).toMatch(/^cpu /m);
});

/** Announces that the command handles signals by now. */
const LISTENING = `data:text/javascript,${encodeURIComponent(`
  process.on('newListener', (name) => name === 'SIGTERM' && setTimeout(() => process.stderr.write('LISTENING'), 50));
`)}`;

/** Commands that take long. */
const LONG = [
  'validate m.onnx --runs 1 --seconds 1000',
  'calibrate m.onnx --data s.npz --steps 10000000',
  'finetune m.onnx --data s.npz --labels y --epochs 100000 --batch 16 --no-calibrate',
  'experiment m.onnx --data s.npz --labels y --epochs 100000 --seeds 1 --jobs 1 --activations relu',
  'swap m.onnx --data random --samples 1000000 --keep sqnr>=1',
  'rank m.onnx --data random --samples 1000000',
];
const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
const stops = LONG.flatMap((line, at) => signals.map((signal, of) => ({ line, signal, turn: (at + of) % 3 })))
  .sort((a, b) => a.turn - b.turn)
  .map(({ line, signal }) => [line, signal] as const);
test.each(everyNth(3, stops))('%s ends with 130 at %s', async (line, signal) => {
  const { path: cwd } = await workplace();
  const child = start([...line.split(' '), '--json'], { cwd, node: ['--import', LISTENING] });
  const ended = outcome(child);
  child.stderr?.on('data', (text) => {
    if (String(text).includes('LISTENING')) child.kill(signal);
  });
  const { code, stdout, stderr } = await ended;
  expect(code, stderr).toBe(130);
  expect(JSON.parse(stdout).error).toMatchObject({ code: 'aborted' });
});
