import { expect, test } from 'vitest';
import { attribute, nodeLabel, opsetOf, rewriteObstacle } from '../../src/onnx/document.js';
import { scan } from '../../src/onnx/scan.js';
import { model, node } from '../support/model.js';

const { graph } = await scan(
  model({
    opset: 17,
    nodes: [
      node('Relu', ['x'], ['r'], {}, { name: 'act' }),
      node('Neg', ['r'], ['y'], { one: 1, two: 2 }),
      node('Sink', ['y'], []),
    ],
  }),
);

test('a node’s label is its name, or its operator and first output', () => {
  expect(graph.nodes.map(nodeLabel)).toEqual(['act', 'Neg → y', 'Sink → ?']);
});

test('an attribute is found by its name', () => {
  const [, neg] = graph.nodes;
  expect(neg && ['two', 'one', 'three'].map((name) => attribute(neg, name)?.i)).toEqual([2, 1, undefined]);
});

test('the opset is that of ONNX’s own operators, 13 where only others are imported, 1 where none is', () => {
  expect(opsetOf(graph)).toBe(17);
  expect(opsetOf({ ...graph, opsets: new Map([['com.microsoft', 5]]) })).toBe(13);
  expect(opsetOf({ ...graph, opsets: new Map() })).toBe(1);
});

test('a node can be written again unless its names are lossy or it holds a graph', async () => {
  const bytes = model({
    nodes: [
      node('Relu', ['x'], ['r'], {}, { name: 'qqq' }),
      node('If', ['r'], ['i'], { then_branch: { graph: { name: 'g' } } }),
      node('Cast', ['i'], ['y'], { to: 1 }),
    ],
  });
  bytes[Buffer.from(bytes).indexOf('qqq')] = 0xff;
  const { graph } = await scan(bytes);
  expect(graph.nodes.map(rewriteObstacle)).toEqual([
    'its names are not valid UTF-8',
    'it has a graph inside',
    undefined,
  ]);
});
