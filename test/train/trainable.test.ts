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

test('a weight that is joined to itself many times is found once, and none if a part is no weight', async () => {
  const doubled = Array.from({ length: 60 }, (_, at) =>
    node('Concat', Array(2).fill(at === 0 ? 'a' : `d${at}`), [`d${at + 1}`], { axis: 0 }),
  );
  const linear = (w: string) => node('MatMul', ['x', w], ['y']);
  expect(await trainable(...doubled, linear('d60'))).toEqual(['a']);
  const mixed = node('Concat', ['d60', 'x'], ['mixed'], { axis: 0 });
  expect(await trainable(...doubled, mixed, linear('mixed'))).toEqual([]);
});

test('an operator with the name of a property of objects has no weights', async () => {
  for (const name of Object.getOwnPropertyNames(Object.prototype))
    expect(await trainable(node(name, ['x', 'a'], ['y'])), name).toEqual([]);
});

test('the scale and bias of a written-out normalisation are trained', async () => {
  const normalised = [
    node('ReduceMean', ['x'], ['mean']),
    node('Sub', ['x', 'mean'], ['centred']),
    node('Mul', ['centred', 'centred'], ['squares']),
    node('ReduceMean', ['squares'], ['variance']),
    node('Sqrt', ['variance'], ['deviation']),
  ];
  const affine = [node('Mul', ['n', 'a'], ['scaled']), node('Add', ['b', 'scaled'], ['y'])];
  const divided = node('Div', ['centred', 'deviation'], ['n']);
  expect(await trainable(...normalised, divided, ...affine)).toEqual(['a', 'b']);
  const inverse = [node('Reciprocal', ['deviation'], ['r']), node('Mul', ['centred', 'r'], ['n'])];
  expect(await trainable(...normalised, ...inverse, ...affine)).toEqual(['a', 'b']);
});

test('the scale of a written-out RMS normalisation is trained, and no scale of a plain product', async () => {
  const squares = [node('Mul', ['x', 'x'], ['squares']), node('ReduceMean', ['squares'], ['mean'])];
  const root = [node('Add', ['mean', 'm'], ['shifted']), node('Sqrt', ['shifted'], ['root'])];
  const scaled = node('Mul', ['n', 'a'], ['y']);
  const reciprocal = [node('Reciprocal', ['root'], ['r']), node('Mul', ['x', 'r'], ['n'])];
  expect(await trainable(...squares, ...root, ...reciprocal, scaled)).toEqual(['a']);
  expect(await trainable(...squares, ...root, node('Div', ['x', 'root'], ['n']), scaled)).toEqual(['a']);
  const power = [node('Pow', ['shifted', 'v'], ['r']), node('Mul', ['x', 'r'], ['n'])];
  expect(await trainable(...squares, ...root, ...power, scaled)).toEqual(['a']);
  expect(await trainable(node('Sqrt', ['x'], ['root']), node('Div', ['x', 'root'], ['n']), scaled)).toEqual(
    [],
  );
});

test('weights are found behind the cuts and joints by which an exporter orders the gates of an LSTM', async () => {
  const gates = (name: string) => [
    node('Slice', [name, 'shape', 'shape'], [`${name}/i`]),
    node('Split', [name], [`${name}/o`, `${name}/f`]),
    node('Concat', [`${name}/i`, `${name}/f`], [`${name}/all`], { axis: 0 }),
    node('Unsqueeze', [`${name}/all`, 'shape'], [`${name}/wide`]),
  ];
  const biases = [node('Concat', ['m', 'v'], ['bias'], { axis: 0 })];
  const lstm = node('LSTM', ['x', 'a/wide', 'b/wide', 'bias'], ['y']);
  expect(await trainable(...gates('a'), ...gates('b'), ...biases, lstm)).toEqual(['a', 'b', 'm', 'v']);
  const mixed = node('Concat', ['a', 'x'], ['joined'], { axis: 0 });
  expect(await trainable(mixed, node('MatMul', ['x', 'joined'], ['y']))).toEqual([]);
});

test('the scale of a layer is trained, but not the scale and shift of the input', async () => {
  const layer = [
    node('MatMul', ['n', 'm'], ['h']),
    node('Transpose', ['h'], ['t']),
    node('Mul', ['t', 'c'], ['y']),
  ];
  const input = [node('Mul', ['x', 'a'], ['scaled']), node('Add', ['scaled', 'b'], ['n'])];
  expect(await trainable(...input, ...layer)).toEqual(['m', 'c']);
});

test('the class token and the position embedding of a transformer are trained', async () => {
  const constants = [
    node('Constant', [], ['token'], { value: { tensor: floats('', [1, 1, 4], [1, 2, 3, 4]) } }),
    node('Constant', [], ['position'], { value: { tensor: floats('', [1, 3, 4], Array(12).fill(0.5)) } }),
    node('Constant', [], ['mask'], { value: { tensor: floats('', [1, 3, 3], Array(9).fill(-1e4)) } }),
  ];
  const joined = [
    node('Expand', ['token', 'shape'], ['tokens']),
    node('Concat', ['tokens', 'x'], ['sequence'], { axis: 1 }),
    node('Add', ['sequence', 'position'], ['placed']),
  ];
  const normalised = [
    node('LayerNormalization', ['placed', 'a', 'b'], ['n']),
    node('MatMul', ['n', 'n'], ['scores']),
    node('Add', ['scores', 'mask'], ['masked']),
    node('Softmax', ['masked'], ['y']),
  ];
  expect(await trainable(...constants, ...joined, ...normalised)).toEqual(['a', 'b', 'token', 'position']);
  const written = [node('ReduceMean', ['placed'], ['mean']), node('Sub', ['placed', 'mean'], ['y'])];
  expect(await trainable(...constants, ...joined, ...written)).toEqual(['token', 'position']);
  // A grid that is added to the boxes of a detector, and channels of coordinates.
  const detector = [...joined, node('Mul', ['placed', 'a'], ['y'])];
  expect(await trainable(...constants, ...detector)).toEqual([]);
});

test('masks are not trained', async () => {
  const mask = floats('', [4], [0, 0, 0, Number.NEGATIVE_INFINITY]);
  const nodes = [
    node('Constant', [], ['mask'], { value: { tensor: mask } }),
    node('Constant', [], ['square'], { value: { tensor: floats('', [2, 2], [0, -1e4, 0, 0]) } }),
    node('MatMul', ['x', 'a'], ['h']),
    node('Add', ['h', 'mask'], ['masked']),
    node('Add', ['h', 'square'], ['y']),
  ];
  expect(await trainable(...nodes)).toEqual(['a']);
});

test('the table of an embedding is trained, but no table with fixed indices', async () => {
  const table = floats('table', [3, 2], [1, 2, 3, 4, 5, 6]);
  const nodes = (indices: string) => [
    node('Constant', [], ['table'], { value: { tensor: table } }),
    node('Cast', ['x'], ['ids'], { to: 7 }),
    node('Gather', ['table', indices], ['y']),
  ];
  expect(await trainable(...nodes('ids'))).toEqual(['table']);
  expect(await trainable(...nodes('shape'))).toEqual([]);
});

test('integers, and values computed from the input, are not trained', async () => {
  expect(await trainable(node('Neg', ['x'], ['n']), node('MatMul', ['n', 'x'], ['y']))).toEqual([]);
  expect(
    await trainable(node('Cast', ['shape'], ['f'], { to: 1 }), node('MatMul', ['x', 'f'], ['y'])),
  ).toEqual([]);
});
