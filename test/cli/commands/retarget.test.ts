import { expect, test } from 'vitest';
import { cli, cliJson } from '../../support/cli.js';
import { tempFolder } from '../../support/folder.js';
import { ops } from '../../support/graph.js';
import { model, node } from '../../support/model.js';

const RELUS = model({
  nodes: [
    node('Relu', ['x'], ['a'], {}, { name: 'first' }),
    node('Softplus', ['a'], ['s']),
    node('Tanh', ['s'], ['t']),
    node('Mul', ['a', 't'], ['b']),
    node('Relu', ['b'], ['y'], {}, { name: 'last' }),
  ],
});

test('--fix-relu rewrites Relu too, says so, and undo takes both back', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', RELUS);
  const at = { cwd: folder.path };
  const { code, stdout, stderr } = await cli(['retarget', 'm.onnx', '--target', 'webgl', '--fix-relu'], at);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/1 Mish: from the softplus to the exp form\n {2}2 Relu → LeakyRelu with slope 0\n/);
  const fixed = ops(await folder.read('m.webgl.onnx'));
  expect(fixed).not.toContain('Relu');
  expect(fixed.filter((op) => op === 'LeakyRelu')).toHaveLength(2);
  await cli(['undo', 'm.webgl.onnx', '-o', 'back.onnx'], at);
  expect(await folder.read('back.onnx')).toEqual(RELUS);
});

test('--json lists them', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', RELUS);
  const run = (...args: string[]) =>
    cliJson(['retarget', 'm.onnx', '--target', 'webgl', ...args], { cwd: folder.path });
  const { json } = await run('--fix-relu');
  expect(json.sites).toHaveLength(1);
  expect(json.relus).toMatchObject([
    { node: 'first', output: 'a', elemType: 'f32' },
    { node: 'last', output: 'y' },
  ]);
  expect((await run('--force')).json.relus).toEqual([]);
});

test('--help has it', async () => {
  expect((await cli(['retarget', '--help'])).stdout).toContain('--fix-relu');
});
