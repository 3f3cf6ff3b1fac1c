import { expect, test } from 'vitest';
import { cli, cliJson } from '../../support/cli.js';
import { tempFolder } from '../../support/folder.js';
import { ops, reluModel, swapped } from '../../support/graph.js';
import { floats, model, node, value } from '../../support/model.js';

const pixel = (name: string) => value(name, 1, [1, 1, 1, 1]);
const conv = (x: string, y: string) => node('Conv', [x, 'w'], [y]);
/** A Mish, and Convs of one shape with other activations, which WebGL mixes up. */
const { bytes: MIXED } = await swapped(
  model({
    nodes: [
      node('LeakyRelu', ['x'], ['m']),
      conv('m', 'c'),
      node('Relu', ['c'], ['r'], {}, { name: 'first' }),
      conv('r', 'd'),
      node('Sigmoid', ['d'], ['y'], {}, { name: 'last' }),
    ],
    inputs: [pixel('x')],
    outputs: [pixel('y')],
    initializers: [floats('w', [1, 1, 1, 1], [2])],
  }),
  { only: ['leakyrelu'] },
);

test('--target webgl works around the bugs of WebGL, lists the changes, and undo reverts them', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', MIXED);
  const at = { cwd: folder.path };
  const { code, stdout, stderr } = await cli(['retarget', 'm.onnx', '--target', 'webgl'], at);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(
    /1 Mish: from the softplus to the exp form\n {2}for WebGL: Relu first: a Cast .*\n {2}for WebGL: Sigmoid last/,
  );
  expect(ops(await folder.read('m.webgl.onnx')).filter((op) => op === 'Cast')).toHaveLength(2);
  await cli(['undo', 'm.webgl.onnx', '-o', 'back.onnx'], at);
  expect(await folder.read('back.onnx')).toEqual(MIXED);
});

test('--json lists the changes; --no-fix leaves them out; --fix and --fix-relu make them for any form', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', MIXED);
  const fixes = async (command: string, ...args: string[]) => {
    const { json } = await cliJson([command, 'm.onnx', '--force', ...args], { cwd: folder.path });
    return json.fixes;
  };
  const both = [
    { node: 'first', output: 'r', op: 'Relu', fix: 'unfuse' },
    { node: 'last', output: 'y', op: 'Sigmoid', fix: 'unfuse' },
  ];
  expect(await fixes('retarget', '--target', 'webgl')).toMatchObject(both);
  expect(await fixes('retarget', '--target', 'webgl', '--no-fix')).toEqual([]);
  expect(await fixes('retarget', '--form', 'exp')).toEqual([]);
  expect(await fixes('retarget', '--form', 'exp', '--fix')).toMatchObject(both);
  expect(await fixes('retarget', '--form', 'exp', '--fix-relu')).toMatchObject(both);
  expect(await fixes('swap', '--target', 'webgl')).toMatchObject([both[1]]);
  expect(await fixes('swap', '--target', 'webgl', '--no-fix')).toBeUndefined();
});

test('--quiet of swap, retarget and undo prints nothing, and leaves JSON and errors', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', reluModel());
  const { path: cwd } = folder;
  const commands = [
    ['swap', 'm.onnx'],
    ['retarget', 'm.mish.onnx', '--form', 'exp'],
    ['undo', 'm.mish.onnx'],
  ];
  for (const [index, args] of commands.entries()) {
    for (const flag of ['-q', '--quiet']) {
      const { code, stdout, stderr } = await cli([...args, flag, '--force'], { cwd });
      expect([code, stdout, stderr]).toEqual([0, '', '']);
    }
    expect((await cliJson([...args, '-q', '--force'], { cwd })).json).toHaveProperty('output');
    const refused = await cli([...args, '-q'], { cwd });
    expect([index, refused.code, refused.stderr]).toEqual([
      index,
      2,
      expect.stringContaining('exists already'),
    ]);
  }
});
