// `--to`: other activations than Mish, in every command that swaps.
import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { createRandom, normal } from '../../../src/base/random.js';
import { cli, cliJson } from '../../support/cli.js';
import { type Folder, tempFolder } from '../../support/folder.js';
import { ops } from '../../support/graph.js';
import { tensorOf, weightsOf } from '../../support/linear-ops.js';
import { model, node, value } from '../../support/model.js';
import { npy, raw } from '../../support/numpy.js';

const WIDTH = 6;
/** Gemm, Mish, Gemm, Relu, Gemm. */
const NET = model({
  opset: 18,
  nodes: [
    node('Gemm', ['x', 'w1'], ['h1'], {}, { name: 'first' }),
    node('Mish', ['h1'], ['a1'], {}, { name: 'act1' }),
    node('Gemm', ['a1', 'w2'], ['h2'], {}, { name: 'second' }),
    node('Relu', ['h2'], ['a2'], {}, { name: 'act2' }),
    node('Gemm', ['a2', 'w3'], ['y'], {}, { name: 'third' }),
  ],
  initializers: [1, 2, 3].map((layer) =>
    tensorOf(`w${layer}`, [WIDTH, WIDTH], weightsOf([WIDTH, WIDTH], layer)),
  ),
  inputs: [value('x', 1, ['N', WIDTH])],
  outputs: [value('y', 1, ['N', WIDTH])],
});

async function prepared(): Promise<Folder> {
  const folder = await tempFolder();
  await folder.write('m.onnx', NET);
  const random = createRandom(1);
  const rows = Float32Array.from({ length: 120 * WIDTH }, () => 2 * normal(random));
  await folder.write('s.npz', zipSync({ 'x.npy': npy('<f4', [120, WIDTH], raw(rows)) }));
  return folder;
}

test('swap --to writes a file with the activation in its name, and undo restores the model', async () => {
  const folder = await prepared();
  const run = (...args: string[]) => cli(args, { cwd: folder.path });
  const { code, stdout, stderr } = await run('swap', 'm.onnx', '--to', 'hardswish');
  expect([code, stderr]).toEqual([0, '']);
  const [head, what] = stdout.split('\n');
  expect([head, what]).toEqual(['m.onnx → m.hardswish.onnx', '  1 Mish, 1 Relu → HardSwish']);
  expect(ops(await folder.read('m.hardswish.onnx'))).toEqual([
    ...['Gemm', 'HardSwish', 'Gemm', 'HardSwish', 'Gemm'],
  ]);
  const inspected = await run('inspect', 'm.hardswish.onnx');
  expect(inspected.stdout).toContain('activations  hardswish 2');
  expect(inspected.stdout).toMatch(/swap by onnx-mish \S+: 2 sites to hardswish, native form\n/);
  expect((await run('undo', 'm.hardswish.onnx', '-o', 'again.onnx')).code).toBe(0);
  expect(Buffer.compare(await folder.read('again.onnx'), NET)).toBe(0);
});

test('--json, a plan and --plan carry the activation, the slope and the target', async () => {
  const folder = await prepared();
  const json = (...args: string[]) => cliJson(args, { cwd: folder.path });
  const slope = await json('swap', 'm.onnx', '--to', 'leakyrelu', '--alpha', '0.2');
  expect(slope.json).toMatchObject({
    output: 'm.leakyrelu.onnx',
    to: 'leakyrelu',
    sites: [
      { kind: 'mish', leak: 0.2 },
      { kind: 'relu', leak: 0.2 },
    ],
  });
  const { json: plan } = await json(
    ...['swap', 'm.onnx', '--to', 'hardswish', '--target', 'webgl', '--dry-run'],
  );
  expect(plan).toMatchObject({ schema: 'onnx-mish/plan@1', to: 'hardswish', target: 'webgl' });
  await folder.write('plan.json', new TextEncoder().encode(JSON.stringify(plan)));
  const { json: planned } = await json('swap', 'm.onnx', '--plan', 'plan.json');
  expect(planned).toMatchObject({ output: 'm.hardswish.onnx', to: 'hardswish', target: 'webgl' });
  expect(ops(await folder.read('m.hardswish.onnx'))).toContain('Clip');
});

test('silu is swish, and keeps the given name', async () => {
  const folder = await prepared();
  const { json } = await cliJson(['swap', 'm.onnx', '--to', 'silu', '--only', 'relu'], { cwd: folder.path });
  expect(json).toMatchObject({ output: 'm.silu.onnx', to: 'swish', sites: [{ kind: 'relu' }] });
});

test('many models, standard output and a configuration take --to', async () => {
  const folder = await prepared();
  await folder.write('n.onnx', NET);
  const many = await cli(['swap', 'm.onnx', 'n.onnx', '--to', 'relu', '--out-dir', 'out'], {
    cwd: folder.path,
  });
  expect([many.code, many.stderr]).toEqual([0, '']);
  expect(ops(await folder.read('out/n.relu.onnx'))).toEqual(['Gemm', 'Relu', 'Gemm', 'Relu', 'Gemm']);
  const piped = await cli(['swap', 'm.onnx', '--to', 'elu', '-o', '-'], { cwd: folder.path });
  expect(ops(piped.bytes)).toEqual(['Gemm', 'Elu', 'Gemm', 'Elu', 'Gemm']);
  const config = { swap: { to: 'swish', beta: 2, only: ['relu'] } };
  await folder.write('onnx-mish.config.json', new TextEncoder().encode(JSON.stringify(config)));
  const { json } = await cliJson(['swap', 'm.onnx'], { cwd: folder.path });
  expect(json).toMatchObject({ output: 'm.swish.onnx', to: 'swish', beta: 2, sites: [{ kind: 'relu' }] });
});

test('inspect, rank and validate show the activation, and a ranking is a plan for it', async () => {
  const folder = await prepared();
  const at = { cwd: folder.path };
  const sites = async (...args: string[]) => (await cliJson(['inspect', 'm.onnx', ...args], at)).json.sites;
  const kinds = (all: { kind: string }[]) => all.map(({ kind }) => kind);
  expect(kinds(await sites())).toEqual(['relu']);
  expect(kinds(await sites('--to', 'hardswish'))).toEqual(['mish', 'relu']);
  expect(kinds(await sites('--to', 'relu'))).toEqual(['mish']);

  const rank = ['rank', 'm.onnx', '--data', 's.npz', '--to', 'leakyrelu', '--alpha', '0.2'];
  const { stdout } = await cli([...rank, '--resume', 'r.json'], at);
  expect(stdout.split('\n')[0]).toContain('2 sites, each swapped alone to LeakyReLU over');
  const { json } = await cliJson(rank, at);
  expect([json.to, json.form]).toEqual(['leakyrelu', 'native']);
  const other = await cli([...rank.slice(0, 4), '--to', 'elu', '--resume', 'r.json'], at);
  expect([other.code, other.stderr]).toEqual([
    2,
    expect.stringContaining('with to leakyrelu, and now to is elu'),
  ]);
  const { to, form, beta } = json;
  await folder.write(
    'plan.json',
    JSON.stringify({ schema: 'onnx-mish/plan@1', to, form, beta, sites: json.sites.slice(0, 1) }),
  );
  await cli(['swap', 'm.onnx', '--plan', 'plan.json', '-o', 'one.onnx'], at);
  const validated = await cli(
    ['validate', 'm.onnx', 'one.onnx', '--data', 's.npz', '--providers', 'cpu', '--no-latency'],
    at,
  );
  expect(validated.stdout).toContain('m.onnx against one.onnx: 1 LeakyReLU');
});

test('--keep swaps to the activation within a budget', async () => {
  const folder = await prepared();
  const { json, code } = await cliJson(
    ['swap', 'm.onnx', '--to', 'hardswish', '--data', 's.npz', '--keep', 'sqnr>=8'],
    { cwd: folder.path },
  );
  expect(code).toBe(0);
  expect(json).toMatchObject({ output: 'm.hardswish.onnx', to: 'hardswish' });
});

describe('calibrate --to', () => {
  test('repairs the weights behind the new activation', async () => {
    const folder = await prepared();
    const args = ['calibrate', 'm.onnx', '--data', 's.npz', '--to', 'relu', '--steps', '20'];
    const { json, code } = await cliJson([...args, '--report', 'r.html'], { cwd: folder.path });
    expect(code).toBe(0);
    expect(json).toMatchObject({ output: 'm.relu.onnx', to: 'relu', kept: 'calibrated' });
    const html = new TextDecoder().decode(await folder.read('r.html'));
    expect(html).toContain('1 site → ReLU.');
    const { stdout } = await cli([...args, '--force'], { cwd: folder.path });
    expect(stdout).toContain('1 site → ReLU.');
  });

  test('writes the operators that the target has', async () => {
    const folder = await prepared();
    const args = ['calibrate', 'm.onnx', '--data', 's.npz', '--to', 'hardswish', '--target', 'webgl'];
    const { code } = await cli([...args, '--steps', '0'], { cwd: folder.path });
    expect(code).toBe(0);
    const written = ops(await folder.read('m.hardswish.onnx'));
    expect(written).toContain('Clip');
    expect(written).not.toContain('HardSwish');
  });
});

test.each([
  [['--to', 'selu'], "argument 'selu' is invalid"],
  [['--to', 'relu', '--beta', '2'], 'ReLU is written without a sharpness β'],
  [['--to', 'relu', '--form', 'exp'], 'the option form chooses a form of Mish, and ReLU is written'],
  [['--to', 'gelu', '--leaky', 'mixture'], 'a mixture with GELU is not possible'],
  [['--to', 'elu', '--alpha', '0.5'], 'ELU has no slope α'],
  [['--alpha', '0.5'], 'Mish has no slope α'],
  [['--to', 'relu', '--only', 'relu'], "'relu' cannot replace itself"],
  [['--to', 'relu', '--plan', 'plan.json'], '--to'],
  [
    ['--to', 'relu', '--beta', 'auto', '--data', 's.npz', '--keep', 'sqnr>=3'],
    'the search for β is for Mish, and relu is to be written',
  ],
])('%j is bad usage', async (args, message) => {
  const folder = await prepared();
  const { code, stderr } = await cli(['swap', 'm.onnx', ...args], { cwd: folder.path });
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(await folder.list()).toEqual(['m.onnx', 's.npz']);
});
