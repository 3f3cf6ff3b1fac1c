import { expect, test } from 'vitest';
import { VERSION } from '../../src/base/version.js';
import { cli, cliJson, cliProcess } from '../support/cli.js';
import { tempFolder } from '../support/folder.js';
import { reluModel } from '../support/graph.js';

const COMMANDS = [
  'inspect',
  'rank',
  'swap',
  'calibrate',
  'undo',
  'retarget',
  'validate',
  'report',
  'ui',
  'doctor',
];

test('a call without arguments prints the help as an error', async () => {
  const { code, stdout, stderr } = await cli([]);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain('Usage: onnx-mish [options] [command]');
});

test.each([
  ['validate', 'r.json', '--json > FILE'],
  ['calibrate', 'r.JSONL', '--json > FILE'],
  ['rank', 'r.xml', 'Name a file .html'],
])('%s --report %s is refused before the work, because the report is HTML', async (command, name, advice) => {
  const folder = await tempFolder();
  await folder.write('m.onnx', reluModel());
  const args = [command, 'm.onnx', '--data', 'random', '--report', name];
  const { code, stderr } = await cli(args, { cwd: folder.path });
  expect([code, stderr]).toEqual([2, expect.stringContaining('the report is HTML')]);
  expect(stderr).toContain(advice);
  expect(await folder.list()).toEqual(['m.onnx']);
});

test.concurrent.each(['--help', '-h'])(
  '%s lists every command, with examples and exit codes',
  async (flag) => {
    const { code, stdout, stderr } = await cli([flag]);
    expect([code, stderr]).toEqual([0, '']);
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} .*\\w`, 'm'));
    expect(stdout).toContain('Exit codes: 0 done; 1 a threshold was not met; 2 bad usage or bad input; 3 ');
    expect(stdout).toContain('$ onnx-mish swap model.onnx ');
  },
);

test.concurrent.each(COMMANDS)('%s --help has a description, its options and examples', async (command) => {
  const { code, stdout, stderr } = await cli([command, '--help']);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(new RegExp(`^Usage: onnx-mish ${command} \\[options\\]`));
  expect(stdout).toMatch(/^ {2}--json .*\w/m);
  expect(stdout).toMatch(/^ {2}--debug .*\w/m);
  expect(stdout).not.toMatch(/default: [[{]/); // defaults in words, not in JSON
  const [, examples = ''] = stdout.split('\nExamples:\n');
  expect(examples).toMatch(new RegExp(`^  \\$ (cat .* \\| )?onnx-mish ${command}`));
  // Every option of an example is one that the command has.
  for (const option of examples.match(/ --?[a-z][a-z0-9-]*/g) ?? []) {
    expect(stdout, option).toMatch(new RegExp(`^  (-\\w, )?${option.trim()}\\b|^  ${option.trim()}, `, 'm'));
  }
});

test.concurrent.each(['--version', '-V'])('%s is the version', async (flag) => {
  expect(await cli([flag])).toMatchObject({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
});

test.concurrent.each([
  [['swop', 'm.onnx'], "error: unknown command 'swop'\n(Did you mean swap?)\n"],
  [['--nonsense'], "error: unknown option '--nonsense'\n"],
  [['swap'], "error: missing required argument 'model'\n"],
  [['calibrate', 'a', 'b'], "error: too many arguments for 'calibrate'. Expected 1 argument but got 2.\n"],
  [['swap', 'm.onnx', '--fast'], "error: unknown option '--fast'\n"],
  [
    ['swap', 'm.onnx', '--form', 'swish'],
    "error: option '--form <form>' argument 'swish' is invalid. Allowed choices are softplus, exp, native, sigmoid, tanh, hard.\n",
  ],
  [
    ['swap', 'm.onnx', '--target', 'tpu'],
    "error: option '--target <provider>' argument 'tpu' is invalid. Allowed choices are cpu, wasm, webgl, webgpu, cuda.\n",
  ],
  [
    ['swap', 'm.onnx', '--form', 'exp', '--target', 'cpu'],
    "error: option '--form <form>' cannot be used with option '--target <provider>'\n",
  ],
  [
    ['swap', 'm.onnx', '--plan', 'p.json', '--beta', '2'],
    "error: option '--plan <file>' cannot be used with option '--beta <number>'\n",
  ],
  [
    ['swap', 'm.onnx', '--beta', 'two'],
    "error: option '--beta <number>' argument 'two' is invalid. Write a number.\n",
  ],
  [
    ['swap', 'm.onnx', '--shard', '6/5'],
    "error: option '--shard <i/n>' argument '6/5' is invalid. Write part/parts: 1/5 to 5/5; or auto.\n",
  ],
  [
    ['swap', 'm.onnx', '--jobs', '0'],
    "error: option '--jobs <number>' argument '0' is invalid. Write a whole number of at least 1.\n",
  ],
  [
    ['swap', 'm.onnx', '-o', 'a.onnx', '--out-dir', 'out'],
    "error: option '--out-dir <folder>' cannot be used with option '-o, --output <file>'\n",
  ],
  [
    ['validate', 'm.onnx', '--seed', '-1'],
    "error: option '--seed <number>' argument '-1' is invalid. Write a whole number of at least 0.\n",
  ],
  [
    ['validate', 'm.onnx', '--runs', '1.5'],
    "error: option '--runs <number>' argument '1.5' is invalid. Write a whole number of at least 0.\n",
  ],
])('%j is bad usage', async (args, message) => {
  const { code, stdout, stderr } = await cli(args);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toBe(`${message}(add --help for the options)\n`);
  const { json } = await cliJson(args);
  const [what = ''] = message.replace(/^error: /, '').split('\n');
  expect(json.error).toMatchObject({ code: 'bad-usage', what: expect.stringContaining(what) });
});

test.each([
  [['swap', 'm.onnx', '--only', 'relu,selu'], "onnx-mish: 'selu' is not a kind of activation\n"],
  [['swap', 'm.onnx', '--beta', '0'], 'onnx-mish: '],
  [['swap', 'm.onnx', '--beta', 'Infinity'], 'onnx-mish: '],
  [['retarget', 'm.onnx'], 'onnx-mish: retarget needs a form\n  Name a provider with --target, or a'],
  [['swap', 'm.onnx', 'm.onnx', '--plan', 'p.json'], 'onnx-mish: --plan is for one model at a time\n'],
  [['swap', 'm.onnx', '-'], 'onnx-mish: standard input cannot be one of many models\n  Name files only'],
  [
    ['swap', '-', '--out-dir', 'out'],
    'onnx-mish: standard input: --out-dir is for files\n  Give the output with -o',
  ],
  [
    ['swap', 'm.onnx', 'n.onnx', '-o', 'o.onnx'],
    'onnx-mish: o.onnx: -o names one file, and there may be many',
  ],
  [
    ['inspect', '-', '--junit', 'j.xml'],
    'onnx-mish: standard input: --junit is for files\n  Leave out --junit, or name a file',
  ],
  [['inspect', 'm.onnx', '--scale', '1/255'], 'onnx-mish: --scale needs samples to run the model on\n'],
  [['inspect', 'm.onnx', '--data-layout', 'nhwc'], 'onnx-mish: --data-layout needs samples to run the'],
  [['swap', '*.onnx', '--data', 'random'], 'onnx-mish: --data needs --keep\n'],
  [['inspect', '*.onnx', '--data', 'random'], 'onnx-mish: --data is for one model at a time\n'],
  [
    ['swap', 'm.onnx', '--config', 'm.onnx'],
    'onnx-mish: m.onnx: this is not a configuration file\n  Name a .ts, .js',
  ],
  [['swap', 'm.onnx', '--config', 'nowhere'], 'onnx-mish: nowhere: the file does not exist\n'],
  [['swap', 'm.onnx', '--config', '.'], 'onnx-mish: .: this folder has no configuration\n'],
  [['swap', '-', '--plan', '-'], 'onnx-mish: model and plan cannot both come from standard input\n  Name a'],
  [['validate', 'm.onnx', '--shape', 'x'], "onnx-mish: --shape 'x' has no '='\n  Write --shape name=size.\n"],
  ...['1x', 'x3', '1xx3', '1,,3', ' ', '1e1', '0x1f', '-1', '1.0'].map((shape): [string[], string] => [
    ['validate', 'm.onnx', '--shape', `x=${shape}`],
    `onnx-mish: '${shape}' is not a valid shape\n  Write sizes as 1x3x224x224.\n`,
  ]),
  [
    ['validate', 'm.onnx', '--shape', 'x=a'],
    "onnx-mish: 'a' is not a valid shape\n  Write sizes as 1x3x224x224.\n",
  ],
  [
    ['validate', 'm.onnx', '--dim', 'N=-1'],
    "onnx-mish: the size of 'N' has to be a whole number, got '-1'\n  Write --dim 'N=1'",
  ],
  [
    ['validate', 'm.onnx', '--dim', 'N=1x2'],
    "onnx-mish: the size of 'N' has to be a whole number, got '1x2'\n",
  ],
  [['validate', 'm.onnx', '--dim', 'N='], "onnx-mish: the size of 'N' has to be a whole number, got ''\n"],
  [['validate', 'm.onnx', '--dim', '=3'], "onnx-mish: --dim '=3' has no name before '='\n  Write --dim name"],
  [['swap', ''], 'onnx-mish: the file name is empty\n  Name a file.\n'],
  [['swap', 'm.onnx', '-o', ''], 'onnx-mish: the file name is empty\n  Name a file.\n'],
  [['validate', 'm.onnx', '--labels', 'y'], 'onnx-mish: --labels needs samples\n'],
  [['validate', 'm.onnx', '--providers', 'tpu'], "onnx-mish: 'tpu' is not a provider\n"],
])('%j is bad usage, found by the command itself', async (args, message) => {
  const folder = await tempFolder();
  await folder.write('m.onnx', reluModel());
  const { code, stdout, stderr } = await cli(args, { cwd: folder.path });
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain('    at ');
  expect(await folder.list()).toEqual(['m.onnx']);
});

test('only --debug prints a stack trace', async () => {
  const { code, stderr } = await cliProcess(['inspect', '/absent.onnx', '--debug']);
  expect(code).toBe(2);
  expect(stderr).toMatch(/^onnx-mish: \/absent\.onnx: the file does not exist\n {2}Check the path\.\n/);
  expect(stderr).toMatch(/OnnxMishError: .*\n {4}at /);
});
