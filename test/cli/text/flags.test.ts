import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OptionHint } from '../../../src/base/option-hint.js';
import { FLAGS, notesWithFlags, reportWithFlags, withFlags } from '../../../src/cli/text/flags.js';
import type { Report } from '../../../src/validate/report-schema.js';

const NAMES = [
  'calibrate',
  'doctor',
  'experiment',
  'finetune',
  'inspect',
  'rank',
  'report',
  'retarget',
  'swap',
  'ui',
  'undo',
  'validate',
];

const commands: Command[] = await Promise.all(
  NAMES.map(async (name) => {
    const { command }: { command: () => Command } = await import(`../../../src/cli/commands/${name}.ts`);
    return command();
  }),
);
const flagsOf = (some: readonly Command[]) =>
  new Set(some.flatMap(({ options }) => options.flatMap(({ short, long }) => [short, long])));

describe('the flag of an option', () => {
  test.each(Object.entries(FLAGS))('of %s, %s, is one of a command', (_, text) => {
    const [first = '', ...rest] = text.split(' ');
    const command = commands.find((one) => one.name() === first);
    const flags = command === undefined ? text.split(' ') : rest;
    const real = flagsOf(command === undefined ? commands : [command]);
    for (const flag of flags) expect(real).toContain(flag);
    expect(command !== undefined || flags.length === 1).toBe(true);
  });
});

describe('advice on options', () => {
  test.each<[OptionHint, string]>([
    [{ opset: 13 }, 'Do it (--opset 13)'],
    [{ labels: null }, 'Do it (--labels)'],
    [{ undo: false }, 'Do it (--no-undo)'],
    [{ output: null, force: null }, 'Do it (-o, --force)'],
    [{ output: undefined, force: null }, 'Do it (--force)'],
    [{ form: 'exp' }, 'Do it (--form exp)'],
    [{ only: "it's" }, `Do it (--only 'it'\\''s')`],
    [{ dims: { N: 1 }, shapes: { x: [1, 3] } }, "Do it (--dim 'N=1', --shape 'x=1x3')"],
    [{ retarget: { target: 'webgl' } }, 'Do it (retarget --target webgl)'],
    [{ swap: { opset: 7, undo: false } }, 'Do it (swap --opset 7 --no-undo)'],
    [{ plan: null }, 'Do it (swap --dry-run --json)'],
    [{}, 'Do it'],
  ])('%j is written behind the sentence', (option, text) => {
    expect(withFlags('Do it', option)).toBe(text);
  });

  test('a shell reads the advised values as they are, whatever is in them', ({ skip }) => {
    skip(process.platform === 'win32', 'no shell');
    const name = fc.string({ unit: fc.constantFrom(...`a'"$\`\\ ;&|>*?~!#=(){}\n`), maxLength: 8 });
    const advice = fc.sample(fc.record({ only: name, key: name }), { seed: 7, numRuns: 100 });
    const words = advice.flatMap(({ only, key }) => ['--only', only, '--dim', `${key}=1`]);
    const text = advice.map(({ only, key }) => withFlags('', { only, dims: { [key]: 1 } }).slice(2, -1));
    const script = `printf '%s\\0' ${text.map((flags) => flags.replace(', --dim', ' --dim')).join(' ')}`;
    expect(execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1)).toEqual(words);
  });

  test('a report’s option without a flag is left out', () => {
    const option = JSON.parse('{"newer": 1, "__proto__": 2, "toString": 3, "opset": [1], "beta": 4}');
    expect(withFlags('Do it', option)).toBe("Do it (--opset '0=1', --beta 4)");
  });

  test('a note gets the flags of its own options', () => {
    const notes = ['first', 'toString', 'second'];
    expect(notesWithFlags(notes, { second: { dims: null } })).toEqual([
      'first',
      'toString',
      'second (--dim)',
    ]);
    expect(notesWithFlags(undefined, undefined)).toEqual([]);
  });

  test('a report shows the flags in its rows and notes', () => {
    const row = {
      fix: 'Name another',
      option: { browser: null },
      notes: ['a'],
      noteOptions: { a: { form: 'exp' } },
    };
    const report = {
      providers: [row, { fix: null, notes: [] }],
      notes: ['b'],
      noteOptions: { b: { dims: null } },
    };
    const { providers, notes } = reportWithFlags(report as unknown as Report);
    expect(providers.map(({ fix }) => fix)).toEqual(['Name another (--browser)', null]);
    expect(providers.map((one) => one.notes)).toEqual([['a (--form exp)'], []]);
    expect(notes).toEqual(['b (--dim)']);
  });
});

/** Sends a user of the page to the command. */
const IN_COMMAND = join('web', 'workbench', 'in-command.ts');

test('no file outside the command line names a flag or a call of a command', () => {
  const root = fileURLToPath(new URL('../../../src/', import.meta.url));
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    (name) => /\.tsx?$/.test(name) && !/^cli[/\\]/.test(name) && name !== IN_COMMAND,
  );
  expect(files.length).toBeGreaterThan(100);
  const flags = [...flagsOf(commands)].flatMap((flag) =>
    flag === undefined ? [] : [flag, flag.replace('--no-', '--')],
  );
  // CSS has properties of this form, as a name before a colon or within var(); -i of a number is its negative.
  const named = new RegExp(`(?<![\\w-]|var\\()(?:${[...new Set(flags)].join('|')})(?![\\w:-])`, 'g');
  const called = new RegExp(`\`(?:onnx-mish )?(?:${NAMES.join('|')})(?: [^\`]*)? -`, 'g');
  for (const file of files) {
    const text = readFileSync(join(root, file), 'utf8');
    expect([...(text.match(named) ?? []), ...(text.match(called) ?? [])], file).toEqual([]);
  }
});
