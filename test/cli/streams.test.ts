// Pipes and devices by their names, and signals while somebody is waited for.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { COST_NOTE, cli, MAIN, outcome, start } from '../support/cli.js';
import { externalModel } from '../support/external.js';
import { tempFolder } from '../support/folder.js';
import { ops, reluModel, swapped } from '../support/graph.js';
import { everyNth } from '../support/heavy.js';
import { LINUX_ONLY, needs } from '../support/needs.js';

const MODEL = reluModel();

/** A folder with a model and two named pipes, and bash to run command lines in it. */
async function place() {
  const folder = await tempFolder();
  await folder.write('m.onnx', MODEL);
  await folder.write('beside.onnx', externalModel('beside.bin'));
  await folder.write('beside.bin', new Uint8Array(16));
  spawnSync('mkfifo', [folder.at('in'), folder.at('out')]);
  const command = `'${process.execPath}' '${MAIN}'`;
  const bash = (line: string) =>
    outcome(
      spawn('bash', ['-c', `${line.replaceAll('onnx-mish', command)}\nstatus=$?; wait; exit $status`], {
        cwd: folder.path,
      }),
    );
  return { ...folder, bash };
}

describe('streams', () => {
  needs(process.platform === 'linux', LINUX_ONLY);

  test('a named pipe is read as a stream, and needs -o', async () => {
    const { bash, read } = await place();
    const { bytes } = await swapped(MODEL);
    const lines = {
      'cat m.onnx > in & onnx-mish swap in -o 1': '1',
      'onnx-mish swap /dev/stdin -o 2 < m.onnx': '2',
      'cat m.onnx | onnx-mish swap /dev/stdin -o 3': '3',
      'onnx-mish swap <(cat m.onnx) -o 4': '4',
      'onnx-mish swap /dev/fd/7 -o 5 7< m.onnx': '5',
    };
    for (const [line, output] of Object.entries(lines)) {
      expect((await bash(line)).code, line).toBe(0);
      expect(await read(output), line).toEqual(bytes);
    }
    for (const line of ['onnx-mish swap /dev/stdin < m.onnx', 'onnx-mish undo <(cat m.onnx)']) {
      const { code, stderr } = await bash(line);
      expect([code, stderr]).toEqual([
        2,
        expect.stringMatching(/from a pipe has no folder.*\n {2}Give the output with -o/),
      ]);
    }
  });

  test('outputs may be devices and pipes', async () => {
    const { bash, read, list } = await place();
    const { bytes } = await swapped(MODEL);
    const lines = {
      'cat out > 1 & onnx-mish swap m.onnx -o out': '1',
      'onnx-mish swap m.onnx -o /dev/stdout > 2': '2',
      'onnx-mish swap m.onnx -o >(cat > 3) > log; sleep 0.3': '3',
    };
    for (const [line, output] of Object.entries(lines)) {
      expect((await bash(line)).code, line).toBe(0);
      expect(await read(output), line).toEqual(bytes);
    }
    const before = await list();
    for (const line of [
      'onnx-mish swap m.onnx -o /dev/null',
      'onnx-mish swap beside.onnx -o /dev/null',
      'cat m.onnx | onnx-mish swap - -o /dev/null',
    ]) {
      const { code, stderr } = await bash(line);
      expect([code, stderr.replace(COST_NOTE, '')], line).toEqual([0, '']);
    }
    expect((await bash('onnx-mish swap m.onnx -o /dev/full')).stderr).toContain(
      '/dev/full: the disk is full',
    );
    // What is printed is no file that -o could move, and nothing is removed.
    for (const line of [
      'inspect m.onnx',
      'inspect m.onnx --json',
      'completion fish',
      'swap m.onnx -o full.onnx',
    ]) {
      const { code, stderr } = await bash(`onnx-mish ${line} > /dev/full`);
      expect([code, stderr.replace(COST_NOTE, '')], line).toEqual([
        2,
        expect.stringMatching(
          /^onnx-mish: standard output: .*\n {2}Free some space.*The rest of the output is missing/,
        ),
      ]);
    }
    expect(await list()).toEqual([...before, 'full.onnx'].toSorted());
    expect((await bash('rm full.onnx; test -c /dev/null && ! test -e /dev/beside.bin')).code).toBe(0);
  });

  test('commands that run a model read it from a pipe too', async () => {
    const { bash, list, read } = await place();
    const validate = 'onnx-mish validate --dim N=1 --no-latency --runs 1 --json --per-layer';
    for (const models of everyNth(2, [
      '<(cat m.onnx)',
      '<(cat m.onnx) m.onnx',
      'm.onnx <(cat m.onnx)',
      '/dev/stdin < m.onnx',
    ])) {
      const { code, stdout, stderr } = await bash(`${validate} ${models}`);
      expect([code, stderr], models).toEqual([0, '']);
      const { original, swapped } = JSON.parse(stdout).models;
      expect([original.bytes, swapped.activations], models).toEqual([
        MODEL.length,
        models.includes('m.onnx) m') || models.startsWith('m') ? original.activations : 0,
      ]);
    }
    const calibrate = 'onnx-mish calibrate --data random --dim N=4 --samples 16 --steps 0';
    expect((await bash(`${calibrate} m.onnx -o 1`)).code).toBe(0);
    const line = `${calibrate} <(cat m.onnx) -o 2 && cat m.onnx > in & ${calibrate} in -o 3`;
    expect(await bash(line)).toMatchObject({ code: 0 });
    expect([await read('2'), await read('3')]).toEqual([await read('1'), await read('1')]);
    const before = await list();
    const refused = {
      [`${calibrate} <(cat m.onnx)`]: /from a pipe has no folder.*\n {2}Name a file with -o/,
      [`${calibrate} <(cat beside.onnx) -o 4`]: /has its data in another file/,
      [`${validate} <(cat beside.onnx)`]: /has its data in another file[\s\S]*Name a file/,
    };
    for (const [command, wanted] of Object.entries(refused)) {
      const { code, stdout, stderr } = await bash(command);
      expect([code, stdout + stderr], command).toEqual([2, expect.stringMatching(wanted)]);
    }
    expect(await list()).toEqual(before);
  });

  test('plans, configurations and reports are read from and written to pipes', async () => {
    const { bash, read } = await place();
    const line = `onnx-mish swap m.onnx --dry-run --json > plan && onnx-mish swap m.onnx --plan <(cat plan) -o 1 > log`;
    expect((await bash(line)).code).toBe(0);
    expect(await read('1')).toEqual((await swapped(MODEL)).bytes);
    expect((await bash(`onnx-mish swap m.onnx -o 2 --config <(echo '{"swap":{"form":"exp"}}')`)).code).toBe(
      0,
    );
    expect(ops(await read('2'))).toContain('Exp');
    const validated = await bash(
      `onnx-mish validate m.onnx --dim N=1 --no-latency --runs 1 --json --junit /dev/null > run.json
       onnx-mish report <(cat run.json) && onnx-mish report run.json --junit /dev/stdout`,
    );
    expect(validated.code).toBe(0);
    expect(validated.stdout).toContain('<testsuites');
    // What the command says is no part of the file, which a shell may have made already.
    const written = await bash('onnx-mish report run.json --junit /dev/stdout > run.xml');
    expect([written.code, written.stderr]).toEqual([0, expect.stringContaining('run.json → /dev/stdout')]);
    expect(new TextDecoder().decode(await read('run.xml'))).toMatch(/^<\?xml[\s\S]*<\/testsuites>\s*$/);
  });

  test('- is standard output for every output, and messages go to standard error', async () => {
    const { bash, list, path, read } = await place();
    const validate = 'onnx-mish validate m.onnx --dim N=1 --no-latency --runs 1';
    expect((await bash(`${validate} --json > run.json`)).code).toBe(0);
    const before = await list();
    const lines: Record<string, RegExp> = {
      [`${validate} --report -`]: /^<!doctype html>[\s\S]*<\/html>\s*$/,
      [`${validate} --json --junit -`]: /^<\?xml[\s\S]*<\/testsuites>\s*$/,
      'onnx-mish report run.json --html -': /^<!doctype html>[\s\S]*<\/html>\s*$/,
      'onnx-mish report run.json run.json --html -': /^<!doctype html>[\s\S]*<\/html>\s*$/,
      'onnx-mish inspect m.onnx --data random --dim N=1 --report -': /^<!doctype html>[\s\S]*<\/html>\s*$/,
    };
    for (const [line, wanted] of Object.entries(lines)) {
      const { code, stdout, stderr } = await bash(line);
      expect([code, stdout], line).toEqual([0, expect.stringMatching(wanted)]);
      expect(stderr, line).toMatch(/\w/);
    }
    const refused = {
      'onnx-mish report run.json --html - --junit -': 'cannot go to the same file',
      'onnx-mish report run.json --html /dev/stdout --junit -': 'cannot go to the same file',
      'onnx-mish swap m.onnx --out-dir -': '--out-dir needs a folder',
      'onnx-mish ui --export -': '--export needs a folder',
      'onnx-mish rank m.onnx --data random --dim N=1 --resume -': '--resume reads and rewrites a file',
      'onnx-mish rank m.onnx --data random --dim N=1 --resume /dev/stdout':
        '--resume reads and rewrites a file',
    };
    for (const [line, wanted] of Object.entries(refused)) {
      const { code, stdout, stderr } = await cli(line.split(' ').slice(1), { cwd: path });
      expect([code, stdout, stderr], line).toEqual([2, '', expect.stringContaining(wanted)]);
    }
    expect(await list()).toEqual(before);
    // A configuration in another folder means standard output by it as well.
    expect((await bash(`mkdir sub && echo '{"validate":{"junit":"-"}}' > sub/c.json`)).code).toBe(0);
    expect((await bash(`${validate} --config sub/c.json`)).stdout).toMatch(/^<\?xml/);
    // What a shell has opened is written to as it is, after what is there.
    expect((await bash('echo begun > 9; onnx-mish swap m.onnx -o /dev/fd/9 9>> 9 > log')).code).toBe(0);
    expect((await bash('onnx-mish swap m.onnx -o /dev/stderr 2> 2 > log')).code).toBe(0);
    const { bytes } = await swapped(MODEL);
    expect(await read('2')).toEqual(bytes);
    expect((await read('9')).slice(6)).toEqual(bytes);
  });

  const waiting = [
    'swap in -o x',
    'swap m.onnx -o out',
    'inspect in',
    'swap m.onnx --plan in',
    'swap m.onnx --config in',
    'rank m.onnx --data random --dim N=1 --resume in',
    'swap in -o x --keep sqnr>=1 --data random',
    'report in',
    'ui in --no-open',
    'validate in',
    'calibrate in --data random',
  ].map((line, index) => ({ line, signal: index % 2 === 0 ? 'SIGINT' : 'SIGTERM' }) as const);
  test.each(everyNth(3, waiting))('$line ends at the first $signal, or at once', async ({ line, signal }) => {
    const { path } = await place();
    const child = start([...line.split(' ')], { cwd: path, node: ['--import', READY] });
    const ended = once(child, 'close');
    await Promise.race([once(child.stderr ?? child, 'data'), ended]);
    if (child.exitCode === null) setTimeout(() => child.kill(signal), 400);
    const killer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    const [code, by] = await ended;
    clearTimeout(killer);
    // By its own choice, by the signal, or because such a pipe is no input.
    expect(by === signal || code === 130 || code === 2, `${code} ${by}`).toBe(true);
  });
});

/** Tells when Node itself is there, as before that nobody listens to signals. */
const READY = `data:text/javascript,process.stderr.write('READY')`;
