import { expect, test } from 'vitest';
import { attribute, nodeLabel, opsetOf } from '../../src/onnx/document.js';
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

test('a node is called by its name, or by what it does and gives', () => {
  expect(graph.nodes.map(nodeLabel)).toEqual(['act', 'Neg → y', 'Sink → ?']);
});

test('an attribute is found by its name', () => {
  const [, neg] = graph.nodes;
  expect(neg && ['two', 'one', 'three'].map((name) => attribute(neg, name)?.i)).toEqual([2, 1, undefined]);
});

test('the opset is that of ONNX’s own operators, 1 where none is imported', () => {
  expect(opsetOf(graph)).toBe(17);
  expect(opsetOf({ ...graph, opsets: new Map([['com.microsoft', 5]]) })).toBe(1);
});
