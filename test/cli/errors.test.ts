import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { gzipSync, strToU8, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { cli, cliJson, MAIN, outcome } from '../support/cli.js';
import { BIAS_BYTES, externalModel } from '../support/external.js';
import { tempFolder } from '../support/folder.js';
import { reluModel } from '../support/graph.js';
import { model, node } from '../support/model.js';
import { LINUX_ONLY } from '../support/needs.js';

const PNG = readFileSync(new URL('../demo/workbench.png', import.meta.url));
const LFS = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`;

/** What was given instead of a model, and the whole of standard error. */
const NOT_ONNX: [string, Uint8Array | string, string][] = [
  ['empty', '', 'the file is empty\n  Check that the export or download finished.\n'],
  ['lfs', LFS, 'this is a Git LFS pointer, not the model itself\n  Fetch the model with `git lfs pull`.\n'],
  [
    'zip',
    zipSync({ 'm.onnx': reluModel() }),
    'this is a zip archive (a PyTorch .pt file is one too), not an ONNX model\n  Unpack it and pass the .onnx file inside, or export the model to ONNX.\n',
  ],
  [
    'gzip',
    gzipSync(reluModel()),
    'this is a gzip archive, not an ONNX model\n  Unpack it and pass the .onnx file inside.\n',
  ],
  ['png', PNG, 'this is a PNG image, not an ONNX model\n  Pass the .onnx file.\n'],
  ['pdf', '%PDF-1.4\n', 'this is a PDF document, not an ONNX model\n  Pass the .onnx file.\n'],
  [
    'ort',
    strToU8('\u0018\0\0\0ORTM\0\0\0\0'),
    'this is a model in ORT format, which ONNX Runtime has already optimised\n  Pass the .onnx file it was made from, and convert the swapped model again.\n',
  ],
  [
    'html',
    '<!DOCTYPE html>\n<html><body>404</body></html>\n',
    'this is an HTML page, probably an error or login page saved under the name of the model\n  Download the file itself, not the page about it.\n',
  ],
];

test.each(NOT_ONNX)(
  '%s instead of a model: said exactly, exit 2, nothing written',
  async (name, content, says) => {
    const folder = await tempFolder();
    await folder.write(name, content);
    const result = await cli(['swap', name], { cwd: folder.path });
    expect(result).toMatchObject({ code: 2, stdout: '', stderr: `onnx-mish: ${name}: ${says}` });
    expect(await folder.list()).toEqual([name]);
  },
);

test('the error on a truncated model names the byte where it breaks', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', reluModel().subarray(0, 60));
  const { code, stderr } = await cli(['swap', 'm.onnx'], { cwd: folder.path });
  expect(code).toBe(2);
  expect(stderr).toMatch(/^onnx-mish: m\.onnx.*byte \d+/);
});

test('an output that exists is refused, and replaced with --force', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', reluModel());
  await folder.write('m.mish.onnx', 'old');
  const run = (...more: string[]) => cli(['swap', 'm.onnx', ...more], { cwd: folder.path });
  expect(await run()).toMatchObject({
    code: 2,
    stdout: '',
    stderr:
      'onnx-mish: m.mish.onnx: the file exists already\n  Choose another path, or overwrite the file (-o, --force).\n',
  });
  expect(new TextDecoder().decode(await folder.read('m.mish.onnx'))).toBe('old');
  expect(await run('--force')).toMatchObject({ code: 0, stderr: '' });
  expect(await run('-f')).toMatchObject({ code: 0, stderr: '' });
  expect(await run('-o', 'm.onnx')).toMatchObject({
    code: 2,
    stderr:
      'onnx-mish: m.onnx: the output is the input itself\n  Choose another path, or replace the input (-o, --force).\n',
  });
});

test('an opset that is too low for the form is refused, and the error names the opset it needs', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', reluModel({ opset: 17 }));
  expect(await cli(['swap', 'm.onnx', '--form', 'native'], { cwd: folder.path })).toMatchObject({
    code: 2,
    stdout: '',
    stderr:
      'onnx-mish: m.onnx: the native form needs opset 18, and the model imports opset 17\n  Use the softplus form, or raise it to opset 18 first (--form softplus, --opset 18).\n',
  });
  expect(await folder.list()).toEqual(['m.onnx']);
});

test('external data with an unusable path is refused, and the error names the tensor', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', externalModel('../secret.bin'));
  const { code, stderr } = await cli(['swap', 'm.onnx'], { cwd: folder.path });
  expect(code).toBe(2);
  expect(stderr).toBe(
    "onnx-mish: m.onnx: the data of tensor 'bias' in graph is outside of the model’s folder: '../secret.bin'\n  Put the data file into the model’s folder, and write its location relative to that folder, or, if you trust the model, allow it (--allow-outside-data).\n",
  );
});

test('with --json an error is one JSON document, and standard error has the same error as text', async () => {
  const folder = await tempFolder();
  await folder.write('lfs', LFS);
  await folder.write('plain.onnx', model({ nodes: [node('Relu', ['x'], ['y'])] }));
  await folder.write('image.png', PNG);
  await folder.write('bad.json', '{');
  const cases: [string[], string, string | undefined][] = [
    [['inspect', 'lfs'], 'not-onnx', 'lfs'],
    [['inspect', 'image.png'], 'not-onnx', 'image.png'],
    [['validate', 'image.png', 'plain.onnx'], 'not-onnx', 'image.png'],
    [['swap', 'lfs'], 'not-onnx', 'lfs'],
    [['swap', 'lfs', '--dry-run'], 'not-onnx', 'lfs'],
    [['undo', 'plain.onnx'], 'cannot-undo', 'plain.onnx'],
    [['retarget', 'lfs', '--form', 'exp'], 'not-onnx', 'lfs'],
    [['retarget', 'plain.onnx'], 'bad-usage', undefined],
    [['validate', 'absent.onnx'], 'io', 'absent.onnx'],
    [['swap', 'plain.onnx', '--plan', 'bad.json'], 'bad-usage', 'bad.json'],
    [['swap', 'plain.onnx', '-o', 'absent/out.onnx'], 'io', 'absent/out.onnx'],
  ];
  for (const [args, code, where] of cases) {
    const result = await cliJson(args, { cwd: folder.path });
    expect(result.code, args.join(' ')).toBe(2);
    expect(result.json).toEqual({
      error: {
        code,
        what: expect.any(String),
        fix: expect.any(String),
        ...(where === undefined ? {} : { where }),
        ...(code === 'cannot-undo' ? { option: { undo: false } } : {}),
      },
    });
    expect(result.stderr).toContain(
      `onnx-mish: ${where === undefined ? '' : `${where}: `}${result.json.error.what}\n`,
    );
  }
});

const OTHER = 65534; // nobody: somebody who is not the superuser, whom nothing is forbidden

test('the error names a file that may not be read or written', async (context) => {
  if (process.getuid?.() !== 0) return context.skip('only the superuser can act as somebody else');
  const folder = await tempFolder();
  const { chmod } = await import('node:fs/promises');
  await chmod(folder.path, 0o755);
  await folder.write('m.onnx', reluModel());
  await folder.write('secret.onnx', reluModel());
  await chmod(folder.at('secret.onnx'), 0o600);
  const run = (...args: string[]) => cli(args, { cwd: folder.path, uid: OTHER });
  const says = (path: string) =>
    `onnx-mish: ${path}: permission denied\n  Check the permissions of the path.\n`;
  expect(await run('inspect', 'm.onnx')).toMatchObject({ code: 0 });
  expect(await run('inspect', 'secret.onnx')).toMatchObject({ code: 2, stderr: says('secret.onnx') });
  expect(await run('swap', 'm.onnx')).toMatchObject({ code: 2, stderr: says('m.mish.onnx') });
  expect(await folder.list()).toEqual(['m.onnx', 'secret.onnx']);
});

const RAW = '\u001b]0;owned\u0007\u001b[31mred\r\n\u009b2J\u202e';
const HARMLESS = '\\u001b]0;owned\\u0007\\u001b[31mred\\u000d\\u000a\\u009b2J\\u202e';

test('names from a model are printed without control characters', async () => {
  const folder = await tempFolder();
  const path = await folder.write(
    'm.onnx',
    model({
      nodes: [
        node('Relu', ['x'], ['z'], {}, { name: RAW }),
        node('Cast', ['z'], ['i'], { to: 7 }),
        node('Relu', ['x'], ['y'], {}, { name: `${RAW}2` }),
        node(RAW, ['y'], ['q'], {}, { domain: RAW }),
      ],
      domains: { [RAW]: 1 },
    }),
  );
  for (const args of [
    ['inspect', path],
    ['swap', path, '--dry-run'],
    ['swap', path, '--strict'],
  ]) {
    const { stdout, stderr } = await cli(args);
    const shown = stdout + stderr;
    expect(shown, args.join(' ')).toContain(HARMLESS);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  }
  const { json } = await cliJson(['inspect', path]);
  expect(json.sites[0].node).toBe(`${RAW}2`);
});

test('names of files and arguments are printed without control characters', async () => {
  const folder = await tempFolder();
  const name = RAW.replaceAll('/', '');
  await folder.write(name, reluModel());
  for (const args of [
    ['inspect', name],
    ['swap', name],
    ['inspect', `${name}.absent`],
    [name],
    ['swap', 'a', '--form', name],
  ]) {
    const { stdout, stderr } = await cli(args, { cwd: folder.path });
    expect(stdout + stderr, JSON.stringify(args)).toContain('\\u001b]0;owned\\u0007');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
    expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  }
});

test('too few file descriptors are an error with their number', async ({ skip }) => {
  skip(process.platform !== 'linux', LINUX_ONLY);
  const folder = await tempFolder();
  await folder.write('m.onnx', reluModel());
  await folder.write('data.onnx', externalModel('m.bin'));
  await folder.write('m.bin', BIAS_BYTES);
  for (const [limit, args] of [
    [18, 'm.onnx'],
    [19, 'data.onnx -o out/data.onnx'], // the data are a file more
  ] as const) {
    const line = `mkdir -p out; ulimit -n ${limit}; exec '${process.execPath}' '${MAIN}' swap ${args}`;
    const { code, stderr } = await outcome(spawn('bash', ['-c', line], { cwd: folder.path }));
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(
        new RegExp(`^onnx-mish: .*too many files open \\(its limit is ${limit}\\)\\n {2}Raise the limit`),
      ),
    ]);
  }
});
