import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { scan } from '../../src/onnx/scan.js';
import { weightOf } from '../../src/onnx/weights.js';
import { type FilterLayout, filterLayout, filterNumbers } from '../../src/train/filters.js';
import { floats, model, node } from '../support/model.js';

/** The filters of the weight w with these dimensions. */
async function layout(dims: readonly number[], ...nodes: onnx.INodeProto[]) {
  return layoutWith(() => dims, dims, ...nodes);
}

async function layoutWith(
  dimsOf: (name: string) => readonly number[],
  dims: readonly number[],
  ...nodes: onnx.INodeProto[]
) {
  const count = dims.reduce((product, dim) => product * dim, 1);
  const initializers = [floats('w', [...dims], Array(count).fill(1))];
  const document = await scan(model({ nodes, initializers }));
  const index = indexGraphs(document);
  const weight = weightOf(index, document.graph, 'w');
  if (weight === undefined) throw new Error('there is no weight');
  return filterLayout(document.graph, index, weight, dimsOf);
}

const numbers = (found: FilterLayout | undefined) => found && [...filterNumbers(found)];

test('the filters of a convolution are along its first axis', async () => {
  expect(numbers(await layout([2, 3, 1, 1], node('Conv', ['x', 'w'], ['y'])))).toEqual([0, 0, 0, 1, 1, 1]);
  expect(numbers(await layout([1, 3, 1, 1], node('Conv', ['x', 'w'], ['y'])))).toEqual([0, 0, 0]);
});

test('the filters of a transposed convolution are along its second axis, for each group', async () => {
  const one = node('ConvTranspose', ['x', 'w'], ['y']);
  expect(numbers(await layout([2, 3, 1, 1], one))).toEqual([0, 1, 2, 0, 1, 2]);
  const two = node('ConvTranspose', ['x', 'w'], ['y'], { group: 2 });
  expect(numbers(await layout([4, 2, 1, 1], two))).toEqual([0, 1, 0, 1, 2, 3, 2, 3]);
});

test('the filters of a dense layer belong to its outputs', async () => {
  const rows = [0, 0, 0, 1, 1, 1];
  const columns = [0, 1, 2, 0, 1, 2];
  expect(numbers(await layout([2, 3], node('Gemm', ['x', 'w'], ['y'], { transB: 1 })))).toEqual(rows);
  expect(numbers(await layout([2, 3], node('Gemm', ['x', 'w'], ['y'])))).toEqual(columns);
  expect(numbers(await layout([2, 3], node('MatMul', ['x', 'w'], ['y'])))).toEqual(columns);
  expect(numbers(await layout([2, 3], node('MatMul', ['w', 'x'], ['y'])))).toEqual(rows);
});

test('a weight is followed through nodes that pass it on', async () => {
  const nodes = [node('Identity', ['w'], ['i']), node('Transpose', ['i'], ['t'], { perm: [1, 0] })];
  expect(numbers(await layout([2, 3], ...nodes, node('MatMul', ['x', 't'], ['y'])))).toEqual([
    0, 0, 0, 1, 1, 1,
  ]);
});

test('a weight that another node reads first has the filters of its layer', async () => {
  const nodes = [node('Shape', ['w'], ['s']), node('Abs', ['w'], ['a']), node('Conv', ['x', 'w'], ['y'])];
  expect(numbers(await layout([2, 3, 1, 1], ...nodes))).toEqual([0, 0, 0, 1, 1, 1]);
});

test('a weight that is reshaped to axes across its filters, too, has the filters of its layer', async () => {
  const nodes = [node('Reshape', ['w', 's'], ['m']), node('Conv', ['x', 'w'], ['y'])];
  for (const shape of [[4, 3], [3, 4], [5, 2], [12], [1, 12]]) {
    const found = await layoutWith((name) => (name === 'm' ? shape : [6, 2, 1, 1]), [6, 2, 1, 1], ...nodes);
    expect(numbers(found), String(shape)).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
  }
});

test('biases, parameters of normalisations and slopes have no filters', async () => {
  const users: [number[], onnx.INodeProto][] = [
    [[3], node('Conv', ['x', 'v', 'w'], ['y'])],
    [[1, 3], node('Gemm', ['x', 'v', 'w'], ['y'])],
    [[3, 1, 1], node('Add', ['x', 'w'], ['y'])],
    [[3], node('BatchNormalization', ['x', 'w', 'b', 'm', 'v'], ['y'])],
    [[3, 1, 1], node('PRelu', ['x', 'w'], ['y'])],
  ];
  for (const [dims, user] of users) expect(await layout(dims, user), user.opType ?? '').toBeUndefined();
});

test('the filters of a recurrent layer are the gates of its units', async () => {
  for (const operator of ['RNN', 'GRU', 'LSTM'])
    for (const inputs of [
      ['x', 'w', 'r'],
      ['x', 'v', 'w'],
    ])
      expect(numbers(await layout([2, 2, 2], node(operator, inputs, ['y'])))).toEqual([
        0, 0, 1, 1, 2, 2, 3, 3,
      ]);
  expect(await layout([2, 2], node('LSTM', ['x', 'v', 'r', 'w'], ['y']))).toBeUndefined();
});
