import { expect, test } from 'vitest';
import { onnx } from '../../../proto/onnx.js';
import { cli, cliJson } from '../../support/cli.js';
import { tempFolder } from '../../support/folder.js';
import { decode, ops } from '../../support/graph.js';
import { model, node } from '../../support/model.js';

/** Two activations; zeros of the second would reach a divisor. */
const NET = model({
  nodes: [
    node('Relu', ['x'], ['a'], {}, { name: 'first' }),
    node('Softmax', ['a'], ['s']),
    node('LeakyRelu', ['s'], ['b'], {}, { name: 'second' }),
    node('Reciprocal', ['b'], ['y'], {}, { name: 'inverse' }),
  ],
});

async function folderWith(...commands: string[][]) {
  const folder = await tempFolder();
  await folder.write('m.onnx', NET);
  const at = { cwd: folder.path };
  for (const command of commands) expect((await cli(command, at)).code).toBe(0);
  return { ...folder, at };
}

test('every command that writes or shows an approximate form shows its bound', async () => {
  const { at, read } = await folderWith();
  const swapped = await cli(['swap', 'm.onnx', '--form', 'hard', '--beta', '2'], at);
  expect(swapped.stdout).toContain('→ Mish in the hard form, within 0.0735 of Mish, β = 2');
  expect(swapped.stdout).toMatch(/doubt at LeakyRelu second: its zeros reach Reciprocal \(inverse\)/);
  const inspected = await cli(['inspect', 'm.mish.onnx'], at);
  expect(inspected.stdout).toMatch(/hard +β 2 +f32 +within 0\.0735 +first/);
  expect(inspected.stdout).toMatch(/swap by onnx-mish .*: 2 sites, hard form, within 0\.0735 of Mish, β 2/);

  const kept = await cli(['retarget', 'm.mish.onnx', '--target', 'wasm'], at);
  expect(kept.stdout).toMatch(/0 Mish rewritten, 2 as before; 2 of them approximate/);
  expect(kept.stdout).toMatch(/2 Mish in the hard form stay approximate, within 0\.0735 of Mish.*--form exp/);
  const webgl = await cli(['retarget', 'm.mish.onnx', '--target', 'webgl'], at);
  expect(webgl.stdout).toMatch(/2 Mish rewritten, 0 as before; 2 of them approximate/);
  expect(ops(await read('m.mish.webgl.onnx'))).not.toContain('HardSigmoid');
  const exact = await cli(['retarget', 'm.mish.onnx', '--form', 'exp'], at);
  expect(exact.stdout).toMatch(/2 Mish: from the hard to the exp form\n/);
  expect(exact.stdout).toContain('2 Mish in the hard form became exact');
  const sigmoid = await cli(['retarget', 'm.mish.exp.onnx', '--form', 'hard', '-o', 'back.onnx'], at);
  expect(sigmoid.stdout).toContain('from the exp to the hard form, within 0.0735 of Mish');
  expect(sigmoid.stdout).toMatch(/doubt at .*: its zeros reach Reciprocal/);
});

test('a model of exact forms has no column of bounds, and a strange bound in a record is ignored', async () => {
  const { at, read, write } = await folderWith(['swap', 'm.onnx']);
  expect((await cli(['inspect', 'm.mish.onnx'], at)).stdout).not.toMatch(/exact|within/);
  const changed = decode(await read('m.mish.onnx'));
  const record = changed.metadataProps?.find(({ key }) => key === 'onnx-mish');
  if (record) record.value = record.value?.replace('"sites"', '"bound":"x\\u001b[0m","sites"') ?? '';
  await write('strange.onnx', onnx.ModelProto.encode(changed).finish());
  const { code, stdout } = await cli(['inspect', 'strange.onnx'], at);
  expect(code).toBe(0);
  expect(stdout).toMatch(/2 sites, softplus form, β 1/);
});

test('a plan of an approximate form is applied, with its bound', async () => {
  const { at, write } = await folderWith();
  const { json: plan } = await cliJson(['swap', 'm.onnx', '--form', 'tanh', '--dry-run'], at);
  expect(plan).toMatchObject({ form: 'tanh', bound: 0.00083 });
  await write('plan.json', new TextEncoder().encode(JSON.stringify(plan)));
  await cli(['swap', 'm.onnx', '--plan', 'plan.json'], at);
  const { json } = await cliJson(['inspect', 'm.mish.onnx'], at);
  expect(json.mish).toMatchObject([{ form: 'tanh', bound: 0.00083 }, { form: 'tanh' }]);
});
