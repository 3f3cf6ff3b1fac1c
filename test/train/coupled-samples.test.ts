import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { createTrainer } from '../../src/train/train-model.js';
import { floats, ints, model, node, value } from '../support/model.js';
import { wave } from '../support/training.js';

const inputs = { x: { elemType: 'f32', dims: [6, 3], data: wave(18, 0.9) } };
const targets = { elemType: 'f32', dims: [6, 2], data: wave(12, 0.4) };

/** Returns what a trainer tells of a model whose rows go through these nodes, from h to y. */
async function told(rows: 'N' | 6, ...nodes: onnx.INodeProto[]) {
  const bytes = model({
    opset: 17,
    nodes: [node('MatMul', ['x', 'w'], ['h']), ...nodes],
    inputs: [value('x', 1, [rows, 3])],
    outputs: [value('y', 1, [rows, 2])],
    initializers: [
      floats('w', [3, 2], [...wave(6, 0.7)]),
      ints('first', [1], [0]),
      ...['scale', 'shift', 'mean', 'variance'].map((name) => floats(name, [2], [0.5, 1])),
    ],
  });
  const provider = nodeProvider('cpu');
  const trainer = await createTrainer(bytes, { inputs, targets, loss: 'mse', batchNorm: 'train', provider });
  await trainer.close();
  return trainer.remarks.filter(({ code }) => code === 'coupled-samples').map(({ text }) => text);
}

const steps = node('CumSum', ['h', 'first'], ['y']);

test('a trainer tells of a model that gives other outputs to two samples in one run', async () => {
  expect(await told('N', steps)).toEqual([
    "The model gives other outputs to two samples of 'x' in one run than to each alone, so the first axis may not count samples; export it so that it does (batch_first=True in PyTorch)",
  ]);
});

test('a trainer tells nothing of a model whose rows are samples, or whose batch is fixed', async () => {
  expect(await told('N', node('Tanh', ['h'], ['y']))).toEqual([]);
  const norm = node('BatchNormalization', ['h', 'scale', 'shift', 'mean', 'variance'], ['y']);
  expect(await told('N', norm)).toEqual([]);
  expect(await told(6, steps)).toEqual([]);
  const noise = [node('RandomNormalLike', ['h'], ['noise']), node('Add', ['h', 'noise'], ['y'])];
  expect(await told('N', ...noise)).toEqual([]);
});
