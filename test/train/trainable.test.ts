import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { scan } from '../../src/onnx/scan.js';
import { trainableWeights } from '../../src/train/trainable.js';
import { floats, ints, model, node } from '../support/model.js';

async function trainable(...nodes: onnx.INodeProto[]): Promise<string[]> {
  const initializers = [
    ...['a', 'b', 'c', 'm', 'v'].map((name) => floats(name, [4], [1, 2, 3, 4])),
    ints('shape', [2], [2, 2]),
  ];
  const document = await scan(model({ nodes, initializers }));
  return trainableWeights(document, indexGraphs(document)).map(({ name }) => name);
}

test('weights and biases of linear layers and normalisations are trained', async () => {
  expect(await trainable(node('Conv', ['x', 'a', 'b'], ['y']))).toEqual(['a', 'b']);
  expect(await trainable(node('BatchNormalization', ['x', 'a', 'b', 'm', 'v'], ['y']))).toEqual(['a', 'b']);
  expect(await trainable(node('PRelu', ['x', 'a'], ['y']))).toEqual(['a']);
});

test('a constant that is added to a linear layer’s output is a bias', async () => {
  const add = node('Add', ['c', 'h'], ['y']);
  expect(await trainable(node('MatMul', ['x', 'a'], ['h']), add)).toEqual(['a', 'c']);
  expect(await trainable(node('Relu', ['x'], ['h']), add)).toEqual([]);
});

test('weights are found behind nodes that pass them on, each once', async () => {
  const nodes = [
    node('Reshape', ['a', 'shape'], ['r']),
    node('Transpose', ['r'], ['t']),
    node('MatMul', ['x', 't'], ['h']),
    node('MatMul', ['h', 'a'], ['y']),
  ];
  expect(await trainable(...nodes)).toEqual(['a']);
});

test('integers, and values computed from the input, are not trained', async () => {
  expect(await trainable(node('Neg', ['x'], ['n']), node('MatMul', ['n', 'x'], ['y']))).toEqual([]);
  expect(
    await trainable(node('Cast', ['shape'], ['f'], { to: 1 }), node('MatMul', ['x', 'f'], ['y'])),
  ).toEqual([]);
});
