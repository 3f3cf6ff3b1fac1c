import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { reflow } from '../../src/cli/text/reflow.js';
import { cli } from '../support/cli.js';
import { tempFolder } from '../support/folder.js';

const COMMANDS = [
  ...['inspect', 'swap', 'undo', 'retarget', 'rank', 'calibrate', 'finetune', 'experiment', 'validate'],
  ...['report', 'ui', 'doctor', 'completion'],
];

describe('help', () => {
  test.each(COMMANDS)('help %s is --help of the command, and fits into 80 columns', async (command) => {
    const { code, stdout, stderr } = await cli(['help', command]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe((await cli([command, '--help'])).stdout);
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  test('without a command lists the commands; help on an unknown command is an error', async () => {
    const { stdout } = await cli(['help']);
    expect(stdout).toBe((await cli(['--help'])).stdout);
    expect((await cli(['help', 'help'])).stdout).toBe(stdout);
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    expect(await cli(['help', 'swop'])).toMatchObject({
      code: 2,
      stderr: "error: unknown command 'swop'\n(Did you mean swap?)\n(add --help for the options)\n",
    });
  });

  test('swap has its options in groups', async () => {
    const { stdout } = await cli(['swap', '--help']);
    const headings = [...stdout.matchAll(/^([A-Z][\w ]+):\n {2}-/gm)].map(([, heading]) => heading);
    expect(headings).toEqual(['What to swap', 'How', 'Samples', 'Output', 'Many models', 'General']);
    const groupOf = (option: string) =>
      headings.find((heading) =>
        stdout
          .split(`\n${heading}:\n`)[1]
          ?.split('\n\n')[0]
          ?.match(new RegExp(`^  (-\\w, )?${option} `, 'm')),
      );
    expect(['--only', '--target', '--keep', '--output', '--shard', '--debug'].map(groupOf)).toEqual(headings);
  });

  test('does not show the earlier names of options, which still work', async () => {
    const { stdout } = await cli(['validate', '--help']);
    expect(stdout).toContain('--samples <number>');
    for (const earlier of ['--runs', '--limit']) expect(stdout).not.toContain(earlier);
    expect((await cli(['report', '--help'])).stdout).not.toContain('--html');
  });
});

describe('text', () => {
  test('stays as it is if it fits, and is wrapped otherwise', () => {
    expect(reflow('one\ntwo\n\n  a  b\n', 20)).toBe('one\ntwo\n\n  a  b\n');
    expect(reflow('one two three four\nfive six', 10)).toBe('one two\nthree four\nfive six');
    expect(reflow('  term  one two three four', 16)).toBe('  term  one two\n        three\n        four');
    expect(reflow("  $ onnx-mish swap 'a b c' --target webgl", 24)).toBe(
      "  $ onnx-mish swap \\\n      'a b c' --target \\\n      webgl",
    );
  });

  test.each([16, 20, 30, 45])('of %i columns keeps the remark of an example out of its command', (width) => {
    const lines = reflow('  $ run model.onnx --to gelu   one two three four five six', width).split('\n');
    const remark = lines.filter((line) => line.startsWith('      # ')).map((line) => line.slice(8));
    const command = lines.slice(0, lines.length - remark.length).join('\n');
    expect(remark.join(' ')).toBe('one two three four five six');
    expect(command.replace(/ \\\n +/g, ' ')).toBe('  $ run model.onnx --to gelu');
  });
});

describe('completion', () => {
  test('in bash completes commands, options, values and files', async () => {
    const folder = await tempFolder();
    const { stdout } = await cli(['completion', 'bash']);
    await folder.write('c.bash', stdout);
    writeFileSync(folder.at('model.onnx'), '');
    const complete = (...words: string[]) =>
      execFileSync(
        'bash',
        [
          '-c',
          // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell expands it
          'source ./c.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _onnx_mish; printf "%s\\n" "${COMPREPLY[@]}"',
          'bash',
          'onnx-mish',
          ...words,
        ],
        { cwd: folder.path, encoding: 'utf8' },
      )
        .trim()
        .split('\n');
    expect(complete('va')).toEqual(['validate']);
    expect(complete('help', 'fine')).toEqual(['finetune']);
    expect(complete('swap', '--out')).toEqual(['--output', '--out-dir']);
    expect(complete('swap', '--target', 'web')).toEqual(['webgl', 'webgpu']);
    expect(complete('swap', '--target', '=', 'web')).toEqual(['webgl', 'webgpu']);
    expect(complete('experiment', '--optimizer', '=')).toEqual(['rmsprop', 'adam', 'adamw', 'sgd']);
    // Files are left to bash.
    expect(complete('swap', '-o', 'mod')).toEqual(['']);
    expect(complete('swap', 'mod')).toEqual(['']);
    expect(complete('completion', '')).toEqual(['bash', 'zsh', 'fish']);
  });

  test('in a bash at a terminal completes names with blanks and special characters whole', async ({
    skip,
  }) => {
    skip(spawnSync('script', ['--version']).status !== 0, 'script is not installed');
    const folder = await tempFolder();
    await folder.write('c.bash', (await cli(['completion', 'bash'])).stdout);
    const names = ['model.onnx', 'one two.onnx', 'three$x.onnx', 'four*.onnx', "five's.onnx", 'six(1)&.onnx'];
    for (const name of names) writeFileSync(folder.at(name), '');
    mkdirSync(folder.at('report')); // a folder with the name of a command
    const lines = [
      // Each argument of the completed command on a line of its own
      'source c.bash; onnx-mish() { printf \'<%s>\\n\' "$@"; }',
      ...names.map((name) => `onnx-mish undo -o ${name.slice(0, 2)}\t`),
      'onnx-mish repo\t x',
      'onnx-mish swap --target=cu\t',
      'exit',
    ];
    const { stdout } = spawnSync('script', ['-qec', 'bash --norc -i', '/dev/null'], {
      ...{ cwd: folder.path, encoding: 'utf8', input: lines.map((line) => `${line}\n`).join('') },
      env: { ...process.env, INPUTRC: '/dev/null', TERM: 'dumb', PS1: '$ ' },
    });
    for (const name of [...names, 'report', '--target=cuda'])
      expect(stdout).toMatch(new RegExp(`^<${name.replace(/[$*()]/g, '\\$&')}>\\r?$`, 'm'));
  });

  test.each(['zsh', 'fish'])(
    'of %s names every command, and every option that the help shows',
    async (shell) => {
      const { code, stdout } = await cli(['completion', shell]);
      expect(code).toBe(0);
      for (const command of COMMANDS) {
        expect(stdout).toContain(command);
        const { stdout: help } = await cli([command, '--help']);
        for (const [, option = ''] of help.matchAll(/^ {2}(?:-\w, )?--([a-z0-9-]+)/gm))
          expect(stdout).toMatch(new RegExp(shell === 'zsh' ? `--${option}=?\\[` : `-l ${option}( |$)`, 'm'));
      }
      // Quotes are balanced on every line.
      for (const line of stdout.split('\n'))
        expect((line.replace(/\\'/g, '').match(/'/g) ?? []).length % 2, line).toBe(0);
    },
  );

  test('in fish is valid, and completes commands, options, values and files', async ({ skip }) => {
    skip(spawnSync('fish', ['--version']).status !== 0, 'fish is not installed');
    const folder = await tempFolder();
    await folder.write('c.fish', (await cli(['completion', 'fish'])).stdout);
    writeFileSync(folder.at('model.onnx'), '');
    const fish = (...args: string[]) =>
      execFileSync('fish', ['--no-config', ...args], { cwd: folder.path, encoding: 'utf8' });
    expect(fish('--no-execute', 'c.fish')).toBe('');
    const complete = (line: string) =>
      fish('-c', `source c.fish; complete -C '${line}'`).trim().split('\n').map((found) => found.split('\t')[0]); // biome-ignore format: one call
    expect(complete('onnx-mish va')).toEqual(['validate']);
    expect(complete('onnx-mish help fine')).toEqual(['finetune']);
    expect(complete('onnx-mish swap --target web')).toEqual(['webgl', 'webgpu']);
    expect(complete('onnx-mish swap --out').toSorted()).toEqual(['--out-dir', '--output']);
    expect(complete('onnx-mish swap -o mod')).toEqual(['model.onnx']);
    expect(complete('onnx-mish swap mod')).toEqual(['model.onnx']);
    expect(complete('onnx-mish completion ').toSorted()).toEqual(['bash', 'fish', 'zsh']);
  });

  test('for another shell is refused', async () => {
    expect(await cli(['completion', 'csh'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('bash, zsh, fish'),
    });
  });
});
