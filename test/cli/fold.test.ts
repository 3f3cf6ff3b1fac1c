import { expect, test } from 'vitest';
import { cli, cliJson } from '../support/cli.js';
import { type Folder, tempFolder } from '../support/folder.js';
import { decode, ops } from '../support/graph.js';
import { floats, model, node, value } from '../support/model.js';

const DATA = new Float32Array([1, -2, 3, -4]);

/** x · w1, Relu, · w2, Relu: the first can be folded, the second is an output. The second weights are in a file. */
async function net(): Promise<Folder> {
  const folder = await tempFolder();
  const far = { location: 'w.bin', length: String(DATA.byteLength) };
  const bytes = model({
    inputs: [value('x', 1, [2, 2])],
    outputs: [value('y', 1, [2, 2])],
    nodes: [
      node('MatMul', ['x', 'w1'], ['a']),
      node('Relu', ['a'], ['r'], {}, { name: 'first' }),
      node('MatMul', ['r', 'w2'], ['b']),
      node('Relu', ['b'], ['y'], {}, { name: 'second' }),
    ],
    initializers: [
      floats('w1', [2, 2], [1, 2, 3, 5]),
      {
        ...{ name: 'w2', dataType: 1, dims: [2, 2], dataLocation: 1 },
        externalData: Object.entries(far).map(([key, value]) => ({ key, value })),
      },
    ],
  });
  await folder.write('m.onnx', bytes);
  await folder.write('w.bin', new Uint8Array(DATA.buffer));
  return folder;
}

test('--fold prints what it folded and what it left, and reads weights from external data', async () => {
  const folder = await net();
  const at = { cwd: folder.path };
  const { code, stdout, stderr } = await cli(['swap', 'm.onnx', '--beta', '4', '--fold'], at);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain(
    '2 Relu → Mish in the softplus form, β = 4\n  β folded into weights at 1 of 2 sites; 2 tensors changed\n',
  );
  expect(stdout).toContain("  not folded second: its result reaches an output of the model, 'y'\n");
  expect(stdout).toMatch(/note: undo keeps the old weights, about \d+ bytes \(--no-undo\)/);
  const bytes = await folder.read('m.mish.onnx');
  const [w1, w2] = decode(bytes).graph?.initializer ?? [];
  const floatsOf = (raw: Uint8Array | null | undefined) => [
    ...new Float32Array(Uint8Array.from(raw ?? []).buffer),
  ];
  expect(floatsOf(w1?.rawData)).toEqual([4, 8, 12, 20]);
  expect(floatsOf(w2?.rawData)).toEqual([0.25, -0.5, 0.75, -1]);
  expect(new Uint8Array(await folder.read('w.bin'))).toEqual(new Uint8Array(DATA.buffer));
  expect(ops(bytes).filter((op) => op !== 'Constant')).toEqual([
    ...['MatMul', 'Softplus', 'Tanh', 'Mul', 'MatMul'],
    ...['Mul', 'Softplus', 'Tanh', 'Mul'],
  ]);
  const { stdout: inspected } = await cli(['inspect', 'm.mish.onnx'], at);
  expect(inspected).toContain('2 sites, softplus form, β 4, at 1 site in the weights');
  const validate = await cli(['validate', 'm.onnx', 'm.mish.onnx', '--no-latency', '--json'], at);
  expect(JSON.parse(validate.stdout).models.swapped.mish).toMatchObject([{ beta: 1 }, { beta: 4 }]);
  await cli(['undo', 'm.mish.onnx', '-o', 'again.onnx'], at);
  expect(await folder.read('again.onnx')).toEqual(await folder.read('m.onnx'));
});

test('--fold works in a dry run, in JSON, and from a pipe, which has no external data', async () => {
  const folder = await net();
  const at = { cwd: folder.path };
  const dry = await cli(['swap', 'm.onnx', '--beta', '4', '--fold', '--dry-run'], at);
  expect(dry.stdout).toContain('β folded into weights at 1 of 2 sites; 2 tensors changed');
  const { json } = await cliJson(['swap', 'm.onnx', '--beta', '4', '--fold', '--no-undo'], at);
  expect(json.fold).toMatchObject({
    folded: [{ scope: 'graph', label: 'first', output: 'r', beta: 4 }],
    kept: [{ label: 'second', output: 'y', beta: 4, why: expect.stringContaining('output') }],
    weights: 2,
  });
  const { json: plan } = await cliJson(['swap', 'm.onnx', '--dry-run'], at);
  await folder.write('plan.json', JSON.stringify(plan));
  const plain = await cliJson(['swap', 'm.onnx', '--plan', 'plan.json', '--fold', '-o', 'plain.onnx'], at);
  expect(plain.json.fold).toEqual({ folded: [], kept: [], weights: 0 });
  const input = await folder.read('m.onnx');
  const piped = await cli(['swap', '-', '--dry-run', '--beta', '4', '--fold'], { ...at, input });
  expect(piped.stdout).toContain("not folded first: the data of tensor 'w2' is in another file");
});
