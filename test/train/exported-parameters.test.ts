import { expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { elementCount } from '../../src/providers/tensor.js';
import { createTrainer } from '../../src/train/train-model.js';
import { floats, ints, modelProto, node, value } from '../support/model.js';
import { wave } from '../support/training.js';

const KIND = 'pkg.torch.export.graph_signature.InputSpec.kind';
const inputs = { x: { elemType: 'f32', dims: [6, 2], data: wave(12, 0.9) } };
const targets = { elemType: 'f32', dims: [6, 2], data: wave(12, 0.4) };

/** Trains a net with a factor that no operator marks as a weight, and a matrix beside it. */
async function trained(factor: string, kinds: Readonly<Record<string, string>> = {}, dims = [2]) {
  const proto = modelProto({
    nodes: [
      node('MatMul', ['x', 'net.table'], ['h']),
      node('Exp', [factor], ['e']),
      node('Reshape', ['h', 'pairs'], ['p']),
      node('Mul', ['p', 'e'], ['q']),
      node('ReduceSum', ['q', 'axis'], ['m'], { keepdims: 0 }),
      node('MatMul', ['m', 'w'], ['y']),
    ],
    initializers: [
      ...['net.table', 'w'].map((name) => floats(name, [2, 2], [...wave(4, 0.7)])),
      ints('pairs', [3], [0, 1, 2]),
      ints('axis', [1], [1]),
    ],
    inputs: [value('x', 1, ['N', 2])],
    outputs: [value('y', 1, ['N', 2])],
  });
  proto.graph?.initializer?.push(floats(factor, dims, [0.5, 0.25, 0.75, 1].slice(0, elementCount(dims))));
  for (const [name, kind] of Object.entries(kinds))
    proto.graph?.valueInfo?.push({ ...value(name, 1, [2]), metadataProps: [{ key: KIND, value: kind }] });
  const bytes = onnx.ModelProto.encode(proto).finish();
  const trainer = await createTrainer(bytes, { inputs, targets, loss: 'mse', provider: nodeProvider('cpu') });
  for await (const { loss } of trainer) expect(loss).toBeGreaterThan(0);
  await trainer.close();
  const kept = trainer.remarks.filter(({ code }) => code === 'constants-kept').map(({ text }) => text);
  return { names: trainer.trained.toSorted(), kept };
}

test.each([
  [
    'a parameter that no operator marks is trained',
    'net.factor',
    'PARAMETER',
    ['net.factor', 'net.table', 'w'],
  ],
  ['a buffer is not, and needs no remark', 'net.factor', 'BUFFER', ['net.table', 'w']],
  ['a buffer is not, whatever its name', 'net.weight', 'BUFFER', ['net.table', 'w']],
  ['a constant of the code is not', 'net.factor', 'CONSTANT_TENSOR', ['net.table', 'w']],
])('by what the exporter says, %s', async (_, factor, kind, names) => {
  expect(await trained(factor, { [factor]: kind })).toEqual({ names, kept: [] });
});

test('a buffer where weights are is not trained', async () => {
  expect((await trained('net.weight', { 'net.table': 'BUFFER' })).names).toEqual(['net.weight', 'w']);
});

test.each([
  ['logit_scale', 'grn.weight', 'block.gamma', 'gamma_1', 'parametrizations.weight.original1'],
  ['attn.relative_position_bias_table', 'norm.bias', 'conv.weight_g'],
])('without it, names of parameters tell: %s', async (...names) => {
  for (const name of names)
    expect(await trained(`net.${name}`)).toEqual({
      names: [`net.${name}`, 'net.table', 'w'].toSorted(),
      kept: [],
    });
});

test('a bias of several axes, as the mask of GPT-2, is not trained unless the exporter calls it a parameter', async () => {
  const kept = ["Constants that no operator marks as weights stay as they are: 'net.bias'"];
  for (const dims of [
    [2, 2],
    [1, 2, 2],
  ])
    expect(await trained('net.bias', {}, dims)).toEqual({ names: ['net.table', 'w'], kept });
  for (const dims of [[2], [1, 1, 2], [2, 1]])
    expect((await trained('net.bias', {}, dims)).names).toContain('net.bias');
  expect((await trained('net.bias', { 'net.bias': 'PARAMETER' }, [2, 2])).names).toContain('net.bias');
});

test.each(['net.factor', 'net.weights', 'weight', 'net.weight_u', 'net._bias'])(
  'and other names do not: %s',
  async (factor) => {
    const kept = [`Constants that no operator marks as weights stay as they are: '${factor}'`];
    expect(await trained(factor)).toEqual({ names: ['net.table', 'w'], kept });
  },
);
