import { expect, test } from 'vitest';
import { cli, cliJson } from '../support/cli.js';
import { tempFolder } from '../support/folder.js';
import { model, node, value } from '../support/model.js';

const LEAKY = model({
  inputs: [value('x', 1, [2, 4])],
  outputs: [value('y', 1, [2, 4])],
  nodes: [
    node('Relu', ['x'], ['r'], {}, { name: 'first' }),
    node('LeakyRelu', ['r'], ['y'], { alpha: { f: 0.25 } }, { name: 'second' }),
  ],
});

test('swap, inspect, retarget and validate name --leaky mixture', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', LEAKY);
  const at = { cwd: folder.path };
  const swap = await cli(['swap', 'm.onnx', '--leaky', 'mixture', '--beta', '4', '--form', 'exp'], at);
  expect(swap).toMatchObject({ code: 0, stderr: '' });
  expect(swap.stdout).toContain(
    '  1 Relu, 1 LeakyRelu → Mish in the exp form, β = 4\n' +
      '  of these 1 as a mixture, αx + (1 - α)·Mish, which is not Mish itself\n',
  );
  const { stdout } = await cli(['inspect', 'm.mish.onnx'], at);
  expect(stdout).toMatch(/exp {2}β 4 +f32 {2}first\/mish/);
  expect(stdout).toMatch(/exp {2}β 4, mixture with α 0\.25 {2}f32 {2}second\/mish/);
  expect(stdout).toContain('2 sites, 1 of them mixtures, exp form, β 4');
  const { json } = await cliJson(['retarget', 'm.mish.onnx', '--form', 'softplus'], at);
  expect(json.sites).toMatchObject([{ kind: 'exp' }, { kind: 'exp', leak: 0.25 }]);

  const validate = await cli(['validate', 'm.onnx', 'm.mish.onnx', '--no-latency', '--json'], at);
  const report = JSON.parse(validate.stdout);
  expect(report.models.swapped.mish).toMatchObject([
    { form: 'exp', beta: 4, alpha: null },
    { form: 'exp', beta: 4, alpha: 0.25 },
  ]);
  expect(report.providers[0].kernel).toMatchObject([
    { kind: 'mish', alpha: null, broken: 0 },
    { kind: 'mixture', alpha: 0.25, broken: 0 },
    { kind: 'relu' },
    { kind: 'leakyrelu' },
  ]);
  await folder.write('run.json', validate.stdout);
  const shown = await cli(['report', 'run.json'], at);
  expect(shown.stdout).toContain('1 mixture of 0.25 x and Mish (exp, f32, β 4)');
  expect(shown.stdout).toContain('mixture of 0.25 x and Mish (exp, β 4)');

  // A report from before there were mixtures.
  for (const one of report.models.swapped.mish) delete one.alpha;
  await folder.write('old.json', JSON.stringify(report));
  expect((await cli(['report', 'old.json'], at)).stdout).toContain('1 Mish (exp, f32, β 4)');
});

test('--leaky takes one of two values, and excludes a plan', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', LEAKY);
  const at = { cwd: folder.path };
  expect((await cli(['swap', 'm.onnx', '--leaky', 'relu'], at)).code).toBe(2);
  const plan = await cli(['swap', 'm.onnx', '--leaky', 'mixture', '--dry-run', '--json'], at);
  await folder.write('plan.json', plan.stdout);
  expect(JSON.parse(plan.stdout).sites).toMatchObject([{}, { leak: 0.25 }]);
  expect((await cliJson(['swap', 'm.onnx', '--plan', 'plan.json'], at)).json.sites).toMatchObject([
    {},
    { leak: 0.25 },
  ]);
  const both = await cli(['swap', 'm.onnx', '--plan', 'plan.json', '--leaky', 'mixture', '-f'], at);
  expect(both.code).toBe(2);
});
