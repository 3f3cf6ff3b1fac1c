import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { cliProcess as cli, cliJson, MAIN, outcome, start } from '../support/cli.js';
import { BIAS_BYTES, externalModel } from '../support/external.js';
import { tempFolder } from '../support/folder.js';
import { ops, reluModel } from '../support/graph.js';
import { everyNth } from '../support/heavy.js';
import { floats } from '../support/model.js';

const MODEL = reluModel();
const MISH = ['Softplus', 'Tanh', 'Mul'];

/** A model of 20 MB: read in blocks, and more than a pipe holds. */
function big(): Uint8Array {
  const weights = Array.from({ length: 5_000_000 }, (_, index) => index % 1000);
  return reluModel({ initializers: [floats('w', [weights.length], weights)] });
}

test('a model goes from standard input to standard output, and undo restores it the same way', async () => {
  const swapped = await cli(['swap', '-', '-o', '-'], { input: MODEL });
  expect(swapped.code).toBe(0);
  expect(ops(swapped.bytes)).toEqual(MISH);
  expect(swapped.stderr).toMatch(/^- → -\n {2}1 Relu → Mish in the softplus form\n/);
  // Without -o a piped model goes on through the pipe.
  const retargeted = await cli(['retarget', '-', '--form', 'native'], { input: swapped.bytes });
  expect(ops(retargeted.bytes)).toEqual(['Mish']);
  const undone = await cli(['undo', '-'], { input: swapped.bytes });
  expect(undone.bytes).toEqual(MODEL);
  expect(undone.stderr).toContain('as before the swap');
});

test('a pipe gives the same bytes as files', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', MODEL);
  const at = { cwd: folder.path };
  await cli(['swap', 'm.onnx'], at);
  const expected = await folder.read('m.mish.onnx');
  expect((await cli(['swap', 'm.onnx', '-o', '-'], at)).bytes).toEqual(expected);
  const { code, stdout } = await cli(['swap', '-', '-o', 'piped.onnx'], { ...at, input: MODEL });
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^- → piped\.onnx\n/)]);
  expect(await folder.read('piped.onnx')).toEqual(expected);
  // An existing file is safe from pipes as well, and is so before anything is read.
  const child = start(['swap', '-', '-o', 'piped.onnx'], at);
  expect((await outcome(child)).stderr).toContain('piped.onnx: the file exists already\n');
});

test('with the model on standard output, --json and errors go to standard error', async () => {
  const swapped = await cli(['swap', '-', '--json'], { input: MODEL });
  expect(ops(swapped.bytes)).toEqual(MISH);
  expect(JSON.parse(swapped.stderr)).toMatchObject({ input: '-', output: '-', form: 'softplus' });
  const failed = await cli(['swap', '-', '--json'], { input: 'no model at all' });
  expect([failed.code, failed.stdout]).toEqual([2, '']);
  expect(failed.stderr).toContain('"code": "not-onnx"');
  expect(failed.stderr).toContain('onnx-mish: standard input: this is a text file');
});

test('an input that changes while it is piped out is an error', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', MODEL);
  const meddle = `data:text/javascript,${encodeURIComponent(`
    import { appendFileSync } from 'node:fs';
    const { write } = process.stdout;
    process.stdout.write = function (...args) {
      appendFileSync('m.onnx', 'x');
      return write.apply(this, args);
    };
  `)}`;
  const { code, stderr } = await cli(['swap', 'm.onnx', '-o', '-'], {
    cwd: folder.path,
    node: ['--import', meddle],
  });
  expect(code).toBe(2);
  expect(stderr).toContain('m.onnx: the file was changed by another process while it was being read\n');
});

test('a dry run of standard input prints its plan', async () => {
  const { code, json } = await cliJson(['swap', '-', '--dry-run'], { input: MODEL });
  expect([code, json.schema]).toEqual([0, 'onnx-mish/plan@1']);
});

test('a model with data in another file cannot go through a pipe', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', externalModel('m.bin'));
  await folder.write('m.bin', BIAS_BYTES);
  for (const args of [
    ['swap', 'm.onnx', '-o', '-'],
    ['swap', '-', '-o', 'out.onnx'],
    ['undo', '-'],
  ]) {
    const result = await cli(args, { cwd: folder.path, input: externalModel('m.bin') });
    expect([result.code, result.stdout]).toEqual([2, '']);
    expect(result.stderr).toContain("tensor 'bias' has its data in another file\n  Name files for input and");
  }
  expect(await folder.list()).toEqual(['m.bin', 'm.onnx']);
});

test('a reader that closes the pipe early is not an error', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', big());
  const shell = async (line: string) => {
    const child = spawn('bash', ['-c', `set -o pipefail; ${line}`], { cwd: folder.path });
    return outcome(child);
  };
  const main = `'${process.execPath}' '${MAIN}'`;
  for (const args of everyNth(2, [
    'swap m.onnx -o -',
    'swap - < m.onnx',
    'inspect m.onnx --json',
    '--help',
  ])) {
    const { code, stderr, bytes } = await shell(`${main} ${args} | head -c 10`);
    expect([code, stderr], args).toEqual([0, '']);
    expect(bytes).toHaveLength(10);
  }
});

test.each([
  [0, '--help'],
  [0, 'swap m.onnx --force'],
  [2, 'swap missing.onnx'],
  [2, 'swap --unknown'],
  [2, 'unknown'],
])('exit code %i stays where nobody reads the standard error of %s', async (expected, line) => {
  const folder = await tempFolder();
  await folder.write('m.onnx', MODEL);
  const child = start(line.split(' '), { cwd: folder.path });
  child.stderr?.destroy();
  child.stdout?.resume();
  expect(await once(child, 'close')).toEqual([expected, null]);
});

// Stops the command in the middle of its work, whatever the speed of the machine: the third write announces
// itself and goes on only when the signal has come.
const HOLD = `data:text/javascript,${encodeURIComponent(`
  import { open } from 'node:fs/promises';
  import { once } from 'node:events';
  const file = await open(process.execPath);
  const prototype = Object.getPrototypeOf(file);
  await file.close();
  const { writev } = prototype;
  let writes = 0;
  let signal;
  const hold = async () => {
    process.stderr.write('HOLD');
    const alive = setInterval(() => {}, 1000); // waiting for a signal alone does not keep Node running
    await Promise.race(['SIGINT', 'SIGTERM', 'SIGHUP'].map((name) => once(process, name)));
    clearInterval(alive);
  };
  prototype.writev = async function (...args) {
    if (++writes >= 3) await (signal ??= hold());
    return writev.apply(this, args);
  };
`)}`;

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s while it writes leaves nothing behind',
  async (signal) => {
    const folder = await tempFolder();
    await folder.write('m.onnx', big());
    const child = start(['swap', 'm.onnx', '--json'], { cwd: folder.path, node: ['--import', HOLD] });
    const ended = outcome(child);
    await once(child.stderr ?? child, 'data');
    const during = await folder.list();
    child.kill(signal);
    const { stdout, stderr, ...end } = await ended;
    // It really was at work: the temporary was there.
    expect(during).toEqual([
      expect.stringMatching(/^\.m\.mish\.onnx\.[0-9a-f]{8}-\d+-[0-9a-f]{12}\.onnx-mish\.tmp$/),
      'm.onnx',
    ]);
    expect({ ...end, stderr }).toMatchObject({
      code: 130,
      signal: null,
      stderr: 'HOLDonnx-mish: m.mish.onnx: interrupted\n  Nothing was left behind.\n',
    });
    expect(JSON.parse(stdout).error).toMatchObject({ code: 'aborted' });
    expect(await folder.list()).toEqual(['m.onnx']);
  },
);

test('SIGINT while it waits for standard input ends it', async () => {
  const folder = await tempFolder();
  // The preload says when the command has begun to read.
  const announce = `data:text/javascript,${encodeURIComponent(`
    process.stdin.on('newListener', (name) => name === 'readable' && process.stderr.write('READING'));
  `)}`;
  const child = start(['swap', '-', '-o', 'out.onnx'], { cwd: folder.path, node: ['--import', announce] });
  const ended = outcome(child);
  child.stdin?.write(MODEL.subarray(0, 20));
  await once(child.stderr ?? child, 'data');
  child.kill('SIGINT');
  const { code, stderr } = await ended;
  expect(code).toBe(130);
  expect(stderr).toMatch(/^READINGonnx-mish: standard input: interrupted\n/);
  expect(await folder.list()).toEqual([]);
});
