import { mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { parseReport, type Report } from '../../../src/validate/report-schema.js';
import { type CliOptions, cli, outcome, start } from '../../support/cli.js';
import { BIAS_BYTES, externalModel } from '../../support/external.js';
import { type Folder, tempFolder } from '../../support/folder.js';
import { reluModel } from '../../support/graph.js';
import { floats, model, node, value } from '../../support/model.js';

const MODEL = reluModel();
const BROKEN = MODEL.subarray(0, 60);

/** A folder with these files, and the command run in it. */
async function zoo(files: Record<string, Uint8Array>) {
  const folder = await tempFolder();
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(join(folder.at(name), '..'), { recursive: true });
    await folder.write(name, bytes);
  }
  const run = (args: readonly string[], options: CliOptions = {}) =>
    cli(args, { cwd: folder.path, ...options });
  return { ...folder, run, files: () => filesOf(folder) };
}

const filesOf = async (folder: Folder) => (await folder.list()).filter((name) => !name.endsWith('/'));

interface Line {
  input: string;
  status: string;
  output?: string;
  copied?: string[];
  error?: { code: string; what: string; where?: string; fix?: string };
}

/** Each line a document of its own, and nothing else. */
const linesOf = (stdout: string): Line[] =>
  stdout === ''
    ? []
    : stdout
        .replace(/\n$/, '')
        .split('\n')
        .map((line) => JSON.parse(line));

test('a glob swapped into another folder gives the files of single runs, in the same folders, with their data', async () => {
  const folder = await zoo({
    'zoo/top.onnx': MODEL,
    'zoo/a/one.onnx': MODEL,
    'zoo/a/b/two.onnx': externalModel('two.bin'),
    'zoo/a/b/two.bin': BIAS_BYTES,
    'zoo/a/b/notes.txt': BROKEN,
    'zoo/node_modules/p/dependency.onnx': MODEL,
  });
  const { code, stdout, stderr } = await folder.run(['swap', 'zoo/**/*.onnx', '--out-dir', 'out', '--json']);
  expect([code, stderr]).toEqual([0, '']);
  const lines = linesOf(stdout);
  expect(lines.map(({ input, output, status }) => [input, output, status])).toEqual([
    ['zoo/a/b/two.onnx', 'out/a/b/two.mish.onnx', 'done'],
    ['zoo/a/one.onnx', 'out/a/one.mish.onnx', 'done'],
    ['zoo/top.onnx', 'out/top.mish.onnx', 'done'],
  ]);
  expect(lines[0]).toMatchObject({ copied: [folder.at('out/a/b/two.bin')], form: 'softplus', sites: [{}] });
  expect(await folder.read('out/a/b/two.bin')).toEqual(BIAS_BYTES);
  for (const { input, output = '' } of lines) {
    await folder.run(['swap', input, '-o', 'zoo/a/b/single.onnx', '--force']);
    expect(await folder.read(output)).toEqual(await folder.read('zoo/a/b/single.onnx'));
  }
});

test('a whole folder is swapped, retargeted and undone', async () => {
  const folder = await zoo({
    'zoo/a.onnx': MODEL,
    'zoo/b/c.onnx': externalModel('c.bin'),
    'zoo/b/c.bin': BIAS_BYTES,
  });
  expect((await folder.run(['swap', 'zoo/**/*.onnx', '--out-dir', 'mish'])).code).toBe(0);
  expect(
    (await folder.run(['retarget', 'mish/**/*.onnx', '--target', 'webgl', '--out-dir', 'web'])).code,
  ).toBe(0);
  expect((await folder.run(['undo', 'web/**/*.onnx', '--out-dir', 'mish again'])).code).toBe(0);
  expect((await folder.run(['undo', 'mish/**/*.onnx', '--out-dir', 'again'])).code).toBe(0);
  expect(await folder.read('mish again/a.mish.webgl.undone.onnx')).toEqual(
    await folder.read('mish/a.mish.onnx'),
  );
  expect(await folder.read('again/a.mish.undone.onnx')).toEqual(MODEL);
  expect(await folder.read('again/b/c.mish.undone.onnx')).toEqual(externalModel('c.bin'));
  const { stdout } = await folder.run(['inspect', '{zoo,mish,web}/**/*.onnx', '--json']);
  const found = linesOf(stdout).map((line) => line as Line & { sites: unknown[]; mish: { form: string }[] });
  expect(found.map(({ input, sites, mish }) => [input, sites.length, mish.map(({ form }) => form)])).toEqual([
    ['mish/a.mish.onnx', 0, ['softplus']],
    ['mish/b/c.mish.onnx', 0, ['softplus']],
    ['web/a.mish.webgl.onnx', 0, ['exp']],
    ['web/b/c.mish.webgl.onnx', 0, ['exp']],
    ['zoo/a.onnx', 1, []],
    ['zoo/b/c.onnx', 1, []],
  ]);
});

test('a failure does not stop the other models, and is printed', async () => {
  const folder = await zoo({ 'a.onnx': MODEL, 'b.onnx': BROKEN, 'c.onnx': MODEL });
  const json = await folder.run(['swap', '*.onnx', 'absent.onnx', '--json']);
  expect(json.code).toBe(2);
  expect(linesOf(json.stdout)).toMatchObject([
    { input: 'a.onnx', status: 'done', output: 'a.mish.onnx' },
    { input: 'absent.onnx', status: 'failed', error: { code: 'io', what: 'the file does not exist' } },
    {
      input: 'b.onnx',
      status: 'failed',
      error: { code: 'malformed', where: expect.stringContaining('b.onnx') },
    },
    { input: 'c.onnx', status: 'done', output: 'c.mish.onnx' },
  ]);
  expect(json.stderr).toContain('onnx-mish: absent.onnx: the file does not exist\n  Check the path.\n');
  expect(json.stderr).toMatch(/^onnx-mish: 4 models: 2 swapped, 2 failed in \d+\.\d s$/m);
  expect(await folder.files()).toEqual(['a.mish.onnx', 'a.onnx', 'b.onnx', 'c.mish.onnx', 'c.onnx']);

  const words = await folder.run(['swap', '*.onnx', '--force']);
  expect(words.code).toBe(2);
  const table = words.stdout.split('\n').map((line) => line.split(/ {2,}/));
  expect(table.slice(0, 4)).toEqual([
    ['model', 'output', 'sites', 'skipped', 'form', 'bytes', 'growth'],
    [
      'a.onnx',
      'a.mish.onnx',
      '1',
      '0',
      'softplus',
      expect.stringMatching(/^[\d,]+$/),
      expect.stringMatching(/^\+.* %$/),
    ],
    ['b.onnx', 'failed'],
    ['c.onnx', 'c.mish.onnx', '1', '0', 'softplus', expect.anything(), expect.anything()],
  ]);
  expect(words.stdout).toMatch(/\n\n3 models: 2 swapped, 1 failed in \d+\.\d s\n$/);
  expect(words.stderr).toContain('note: 2 files of an earlier run skipped\n');
});

test('--fail-fast stops at the first failure', async () => {
  const folder = await zoo({ 'a.onnx': MODEL, 'b.onnx': BROKEN, 'c.onnx': MODEL, 'd.onnx': MODEL });
  const { code, stdout, stderr } = await folder.run([
    'swap',
    '*.onnx',
    '--fail-fast',
    '--jobs',
    '1',
    '--json',
  ]);
  expect(code).toBe(2);
  expect(linesOf(stdout).map(({ status }) => status)).toEqual(['done', 'failed', 'not-run', 'not-run']);
  expect(stderr).toMatch(/4 models: 1 swapped, 1 failed, 2 not run in/);
  expect(await folder.files()).toEqual(['a.mish.onnx', 'a.onnx', 'b.onnx', 'c.onnx', 'd.onnx']);
});

test('a missed threshold is exit code 1, for many models too', async () => {
  const counts = model({ nodes: [node('Relu', ['x'], ['c']), node('Cast', ['c'], ['y'], { to: 7 })] });
  const folder = await zoo({ 'a.onnx': counts, 'b.onnx': MODEL });
  const { code, stdout } = await folder.run(['swap', '*.onnx', '--strict', '--json']);
  expect(linesOf(stdout)).toMatchObject([
    { status: 'failed', error: { code: 'skipped' } },
    { status: 'done' },
  ]);
  expect(code).toBe(1);
});

test('all shards together have each model once', async () => {
  const names = ['e', 'b', 'd', 'a', 'c'].map((name) => `${name}.onnx`);
  const folder = await zoo(Object.fromEntries(names.map((name) => [name, MODEL])));
  const shards = await Promise.all(
    ['1/2', '2/2'].map(async (shard) => {
      const { stdout } = await folder.run(['inspect', '*.onnx', '--shard', shard, '--json']);
      return linesOf(stdout).map(({ input }) => input);
    }),
  );
  expect(shards).toEqual([
    ['a.onnx', 'c.onnx', 'e.onnx'],
    ['b.onnx', 'd.onnx'],
  ]);
  const empty = await folder.run(['swap', '*.onnx', '--shard', '6/6']);
  expect(empty).toMatchObject({ code: 0, stderr: '' });
  expect(empty.stdout).toMatch(/^0 models of 5 \(shard 6\/6\): 0 swapped in/);
});

test.each([
  [
    ['swap', 'a/m.onnx', 'b/m.onnx', '--out-dir', 'out'],
    "'a/m.onnx' and 'b/m.onnx' would both be written here",
    'out/m.mish.onnx',
  ],
  [
    ['swap', '{a,b}/m.onnx', 'c/m.onnx', 'a/m.mish.onnx'],
    "the output of 'a/m.onnx' would replace this input",
    'a/m.mish.onnx',
  ],
  [['swap', '!a/*.onnx'], 'all globs start with !, which excludes models', undefined],
  [['swap', 'nowhere/**/*.onnx'], "no file matches 'nowhere/**/*.onnx'", undefined],
  [['swap', 'a/*.onnx', 'nowhere/*.onnx'], "no file matches 'nowhere/*.onnx'", undefined],
  [['swap', 'a/*.mish.*'], "no file matches 'a/*.mish.*'", undefined],
  [
    ['swap', '*/m.onnx', '!*/m.onnx'],
    "all files that '*/m.onnx' matches are excluded by a glob with !",
    undefined,
  ],
])('%j is refused before anything is written', async (args, what, where) => {
  const folder = await zoo({ 'a/m.onnx': MODEL, 'b/m.onnx': MODEL, 'c/m.onnx': MODEL });
  const before = await folder.list();
  const { code, stdout, stderr } = await folder.run([...args, '--force', '--json']);
  expect(code).toBe(2);
  const [line, ...more] = linesOf(stdout);
  expect(more).toEqual([]);
  expect(line?.error).toMatchObject({
    code: 'bad-usage',
    what: expect.stringContaining(what),
    ...(where && { where }),
  });
  expect(stderr).toContain(what);
  expect(await folder.list()).toEqual(before);
});

test.each(['m[1].onnx', '{a,b}.onnx', 'x (2).onnx', 'why?.onnx', '!.onnx'])(
  'the file %s is left out by its name after !, as by a glob',
  async (name) => {
    const folder = await zoo({ 'zoo/other.onnx': MODEL, [`zoo/${name}`]: MODEL });
    const { code, stdout } = await folder.run(['inspect', 'zoo/*.onnx', `!zoo/${name}`, '--json']);
    expect([code, linesOf(stdout).map(({ input }) => input)]).toEqual([0, ['zoo/other.onnx']]);
  },
);

test('a second run ignores the outputs of the first, wherever they are', async () => {
  const folder = await zoo({ 'zoo/a.onnx': MODEL, 'zoo/b/c.onnx': MODEL });
  for (const args of [
    ['swap', '**/*.onnx'],
    ['swap', '**/*.onnx', '--out-dir', 'out'],
    ['retarget', '**/*.onnx', '--form', 'exp', '--out-dir', 'out'],
  ]) {
    const [first, second] = [
      await folder.run([...args, '--json']),
      await folder.run([...args, '--json', '--force']),
    ];
    expect([first.code, second.code], args.join(' ')).toEqual([0, 0]);
    expect(linesOf(second.stdout).map(({ input }) => input)).toEqual(
      linesOf(first.stdout).map(({ input }) => input),
    );
  }
  const only = await folder.run(['swap', 'out/*/a.m*.onnx']);
  expect(only.stderr).toContain(
    "'out/*/a.m*.onnx' matches only files that an earlier run wrote\n  Name the files without wildcards",
  );
  expect((await folder.run(['swap', 'zoo/*.mish.onnx', '--dry-run'])).code).toBe(0); // it says so itself
});

test('a name of an existing file is not a glob, and a file given twice counts once', async () => {
  const folder = await zoo({ 'm[1].onnx': MODEL, 'm1.onnx': MODEL });
  const { code, stdout } = await folder.run([
    'swap',
    'm[1].onnx',
    './m[1].onnx',
    folder.at('m[1].onnx'),
    '--json',
  ]);
  expect(code).toBe(0);
  expect(linesOf(stdout).map(({ input }) => input)).toEqual(['m[1].onnx']);
});

test.each(['\n', '\r', '\u2028', ' ', 'é'])(
  'globs go into folders with %j in their names, and through links',
  async (character) => {
    const name = `a${character}b`;
    const folder = await zoo({
      [`zoo/${name}/deep/x.onnx`]: MODEL,
      [`zoo/${name}/y${character}.onnx`]: MODEL,
      'zoo/z.onnx': MODEL,
    });
    await symlink(name, folder.at('zoo/link'));
    for (const pattern of ['zoo/**/*.onnx', 'zoo/**']) {
      const { stdout } = await folder.run(['inspect', pattern, '--json']);
      expect(
        linesOf(stdout)
          .map(({ input }) => input)
          .toSorted(),
      ).toEqual(
        [
          ...[`zoo/${name}/deep/x.onnx`, `zoo/${name}/y${character}.onnx`, 'zoo/z.onnx'],
          ...['zoo/link/deep/x.onnx', `zoo/link/y${character}.onnx`],
        ].toSorted(),
      );
    }
    const { stdout } = await folder.run(['inspect', `zoo/${name}/*/*.onnx`, '--json']);
    expect(linesOf(stdout).map(({ input }) => input)).toEqual([`zoo/${name}/deep/x.onnx`]);
  },
);

test('two outputs that are links to one file are refused, also with --force', async () => {
  const folder = await zoo({ 'zoo/a.onnx': MODEL, 'zoo/b.onnx': MODEL, 'zoo/out': BROKEN });
  for (const name of ['a', 'b']) await symlink('out', folder.at(`zoo/${name}.mish.onnx`));
  const { code, stderr } = await folder.run(['swap', 'zoo/?.onnx', '--force']);
  expect(code).toBe(2);
  expect(stderr).toContain('would both be written here');
  expect(Buffer.compare(await folder.read('zoo/out'), BROKEN)).toBe(0);
});

test('links in a circle are followed once', async () => {
  const folder = await zoo({ 'zoo/a.onnx': MODEL });
  await symlink('.', folder.at('zoo/self'));
  const { code, stdout } = await folder.run(['inspect', 'zoo/**/*.onnx', '--json']);
  expect(code).toBe(0);
  expect(linesOf(stdout).map(({ input }) => input)).toEqual(['zoo/a.onnx', 'zoo/self/a.onnx']);
});

test.each(['1', '4'])(
  'data in common is copied once, and stays while one model needs it (--jobs %s)',
  async (jobs) => {
    const shared = externalModel('w.bin');
    const folder = await zoo({
      'zoo/a.onnx': shared,
      'zoo/b.onnx': externalModel('w.bin', 'more.bin'),
      'zoo/c.onnx': shared,
      'zoo/w.bin': BIAS_BYTES,
      'zoo/more.bin': BIAS_BYTES,
      'out/more.bin': BROKEN, // in the way of one of them, once w.bin is there
    });
    const run = ['swap', 'zoo/*.onnx', '--out-dir', 'out', '--json', '--jobs', jobs];
    const { code, stdout } = await folder.run(run);
    expect(code).toBe(2);
    expect(linesOf(stdout).map(({ status }) => status)).toEqual(['done', 'failed', 'done']);
    expect((await folder.files()).filter((name) => name.startsWith('out/'))).toEqual([
      'out/a.mish.onnx',
      'out/c.mish.onnx',
      'out/more.bin',
      'out/w.bin',
    ]);
    expect(await folder.read('out/w.bin')).toEqual(BIAS_BYTES);
  },
);

test('external data of one model never replaces another’s', async () => {
  const other = BIAS_BYTES.toReversed();
  const files = {
    'a/one.onnx': externalModel('w.bin'),
    'a/w.bin': BIAS_BYTES,
    'b/two.onnx': externalModel('w.bin'),
    'b/w.bin': other,
  };
  for (const jobs of ['1', '4']) {
    const folder = await zoo(files);
    const { code, stdout } = await folder.run([
      'swap',
      'a/one.onnx',
      'b/two.onnx',
      '--out-dir',
      'out',
      '--force',
      '--json',
      '--jobs',
      jobs,
    ]);
    expect(code).toBe(2);
    const lines = linesOf(stdout);
    const [done, failed] = ['done', 'failed'].map((status) => lines.find((line) => line.status === status));
    expect(failed?.error).toMatchObject({
      code: 'external-data',
      what: expect.stringMatching(/'.*w\.bin' and '.*w\.bin' would both be copied here/),
    });
    expect(await folder.read('out/w.bin')).toEqual(done?.input === 'a/one.onnx' ? BIAS_BYTES : other);
  }
});

test('the number of models at a time changes no file and no message', async () => {
  const files = Object.fromEntries(
    Array.from({ length: 30 }, (_, index) => [`${index}.onnx`, index % 7 === 3 ? BROKEN : MODEL]),
  );
  const results = await Promise.all(
    ['1', '3', '50'].map(async (jobs) => {
      const folder = await zoo(files);
      const { stdout, stderr } = await folder.run([
        'swap',
        '*.onnx',
        '--out-dir',
        'out',
        '--json',
        '--jobs',
        jobs,
      ]);
      return { stdout, stderr: stderr.replace(/in \d.*/, ''), files: await folder.list() };
    }),
  );
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
  expect(linesOf(results[0]?.stdout ?? '')).toHaveLength(30);
});

test('empty output folders are removed', async () => {
  const folder = await zoo({ 'zoo/a/b.onnx': BROKEN });
  expect((await folder.run(['swap', 'zoo/**/*.onnx', '--out-dir', 'out/of/it'])).code).toBe(2);
  expect(await folder.list()).toEqual(['zoo/', 'zoo/a/', 'zoo/a/b.onnx']);
});

test('after Ctrl-C finished outputs are whole, and no others exist', async () => {
  const weights = Array.from({ length: 100_000 }, (_, index) => index);
  const bytes = reluModel({ initializers: [floats('w', [weights.length], weights)] });
  const names = Array.from({ length: 300 }, (_, index) => `zoo/${String(index).padStart(3, '0')}.onnx`);
  const folder = await zoo({ 'zoo/000.onnx': bytes });
  for (const name of names.slice(1)) await symlink('000.onnx', folder.at(name));
  const child = start(['swap', 'zoo/*.onnx', '--out-dir', 'out', '--json'], { cwd: folder.path });
  const ended = outcome(child);
  if (child.stdout !== null) createInterface(child.stdout).once('line', () => child.kill('SIGINT'));
  const { code, stdout, stderr } = await ended;
  expect(code).toBe(130);
  expect(stderr).toContain('onnx-mish: interrupted; finished outputs stay');
  const lines = linesOf(stdout);
  expect(lines.map(({ input }) => input)).toEqual(names);
  const done = lines.filter(({ status }) => status === 'done');
  expect(done.length).toBeGreaterThan(0);
  expect(lines.filter(({ status }) => status === 'not-run').length).toBe(names.length - done.length);
  const outputs = done.map(({ output = '' }) => output);
  expect((await folder.files()).filter((name) => name.startsWith('out/'))).toEqual(outputs);
  const sizes = await Promise.all(outputs.map(async (name) => (await readFile(folder.at(name))).length));
  expect(new Set(sizes).size).toBe(1);
});

test('validate finds what swap --to wrote, and refuses a folder with several swaps of a model', async () => {
  const sized = reluModel({ inputs: [value('x', 1, [1, 8])] });
  const folder = await zoo({ 'zoo/a.onnx': sized, 'zoo/b.onnx': sized });
  await folder.run(['swap', 'zoo/a.onnx', '--to', 'gelu', '--out-dir', 'out']);
  await folder.run(['swap', 'zoo/b.onnx', '--to', 'hardswish', '--out-dir', 'out']);
  const args = ['validate', 'zoo/*.onnx', '--swapped-dir', 'out', '--no-latency', '--runs', '1', '--json'];
  const found = await folder.run(args);
  expect([found.code, found.stderr]).toEqual([0, '']);
  expect(linesOf(found.stdout).map(({ status }) => status)).toEqual(['done', 'done']);
  await folder.run(['swap', 'zoo/a.onnx', '--out-dir', 'out']);
  const both = await folder.run(args);
  expect(both.code).toBe(2);
  expect(both.stderr).toContain("several swaps of 'zoo/a.onnx': 'a.mish.onnx', 'a.gelu.onnx'");
});

test('validate compares each model of a folder with what swap --out-dir wrote', async () => {
  const sized = reluModel({ inputs: [value('x', 1, [1, 8])] });
  const folder = await zoo({ 'zoo/a.onnx': sized, 'zoo/b/c.onnx': sized, 'zoo/d.onnx': BROKEN });
  await folder.run(['swap', 'zoo/**/*.onnx', '--out-dir', 'out', '--beta', '4']);
  const quick = ['--no-latency', '--runs', '1'];
  const found = await folder.run(['validate', 'zoo/**/*.onnx', '--swapped-dir', 'out', ...quick, '--json']);
  expect(found.code).toBe(2); // there is one that cannot be read
  const lines = linesOf(found.stdout).map((line) => line as Line & Partial<Report>);
  expect(lines.map(({ input, status }) => [input, status])).toEqual([
    ['zoo/a.onnx', 'done'],
    ['zoo/b/c.onnx', 'done'],
    ['zoo/d.onnx', 'failed'],
  ]);
  const report = parseReport(lines[1]); // a line is a report
  expect(report.models.swapped.mish).toMatchObject([{ form: 'softplus', beta: 4, count: 1 }]);
  const [drift] = report.providers[0]?.drift ?? [];
  expect(drift?.maxAbs).toBeLessThan(0.309 / 4);

  const but = ['validate', 'zoo/**/*.onnx', '!zoo/{b/*,d.onnx}', '--swapped-dir', 'out', ...quick, '--json'];
  expect(linesOf((await folder.run(but)).stdout).map(({ input }) => input)).toEqual(['zoo/a.onnx']);

  const strict = await folder.run(['validate', 'zoo/{a,b/c}.onnx', ...quick, '--max-abs', '1e-6']);
  expect([strict.code, strict.stderr]).toEqual([1, '']);
  expect(strict.stdout).toMatch(/^zoo\/a\.onnx +cpu +FAIL /m);
  expect(strict.stdout).toContain('2 models: 2 validated, 2 of them failed a check');
  const one = await folder.run([
    'validate',
    'zoo/{a,b/c}.onnx',
    ...quick,
    '--max-abs',
    '1e-6',
    '--fail-fast',
    '--json',
  ]);
  expect(linesOf(one.stdout).map(({ status }) => status)).toEqual(['done', 'not-run']);
});

test('--junit has one suite with a case and a time for each model, and a model with nothing to swap is counted apart', async () => {
  const folder = await zoo({ 'a.onnx': MODEL, 'b.onnx': BROKEN, 'c.onnx': MODEL });
  await folder.run(['swap', 'c.onnx']);
  await folder.run(['swap', 'c.mish.onnx', '-o', 'c.onnx', '--force']);
  const { code, stdout } = await folder.run(['swap', '?.onnx', '--force', '--junit', 'swap.xml']);
  expect(code).toBe(2);
  expect(stdout).toMatch(/^3 models: 1 swapped, 1 with nothing to swap, 1 failed in /m);
  expect(stdout).toMatch(/^c\.onnx +c\.mish\.onnx +0 +0 +– /m); // no form of Mish
  const xml = Buffer.from(await folder.read('swap.xml')).toString();
  expect(xml).toMatch(
    /^ {2}<testsuite name="onnx-mish swap" tests="3" failures="0" errors="1" skipped="0" /m,
  );
  const cases = [
    ...xml.matchAll(/<testcase classname="onnx-mish swap" name="([^"]+)" time="([\d.]+)">\s*<([\w-]+)/g),
  ];
  expect(cases.map(([, name, , kind]) => [name, kind])).toEqual([
    ['a.onnx', 'system-out'],
    ['b.onnx', 'error'],
    ['c.onnx', 'system-out'],
  ]);
  const again = await folder.run(['swap', 'a.onnx', '--out-dir', 'out', '--junit', 'swap.xml']);
  expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('swap.xml')]); // not overwritten
  expect(await folder.files()).not.toContain('out/a.mish.onnx'); // refused before the run
});

test('validate of many models writes the failed limits and the conclusion into JUnit XML', async () => {
  const folder = await zoo({ 'a.onnx': MODEL, 'b.onnx': MODEL });
  const args = ['validate', '?.onnx', '--no-latency', '--dim', 'N=2', '--max-abs', '0', '--junit', '-'];
  const { code, stdout, stderr } = await folder.run(args);
  expect(code).toBe(1);
  expect(stdout).toMatch(/<testsuite name="onnx-mish validate" tests="2" failures="2" errors="0" /);
  expect(stdout).toMatch(/<failure message="cpu maxAbs: \S+ &gt; 0; On noise /);
  expect(stderr).toMatch(/^2 models: 2 validated, 2 of them failed a check in /m);
});

test('a GitHub workflow gets annotations on standard error, and other runs do not', async () => {
  const folder = await zoo({ 'a,b.onnx': MODEL, 'c.onnx': BROKEN });
  const args = ['validate', '*.onnx', '--no-latency', '--max-abs', '0', '--json'];
  const plain = await folder.run(args);
  expect(plain.stderr).not.toContain('::');
  const { stdout, stderr } = await folder.run(args, { env: { GITHUB_ACTIONS: 'true' } });
  expect(linesOf(stdout)).toHaveLength(2);
  const marks = stderr.split('\n').filter((line) => line.startsWith('::'));
  expect(marks).toEqual([
    expect.stringMatching(/^::error file=a%2Cb\.onnx,title=onnx-mish::FAIL: cpu maxAbs: \S+ > 0$/),
    expect.stringMatching(/^::notice file=a%2Cb\.onnx,title=onnx-mish::On noise .*\.$/),
    expect.stringMatching(/^::error file=c\.onnx,title=onnx-mish::c\.onnx, byte \d+/),
  ]);
  const wrong = await folder.run(['swap', 'a,b.onnx', '--form', 'x'], { env: { GITHUB_ACTIONS: 'true' } });
  expect(wrong.stderr).toMatch(/^::error title=onnx-mish::option '--form <form>' argument 'x' is invalid/m);
});
