import { expect, test } from 'vitest';
import { isElementwise } from '../../src/mish/elementwise.js';
import { loadMatcher, PLAIN } from '../../src/mish/load-matcher.js';
import { scan } from '../../src/onnx/scan.js';
import { model, node, value } from '../support/model.js';

/** Elementwise operators that are an activation by themselves, change nothing, or are part of one only beside operators that load the matcher. */
const ALONE = ['Relu', 'LeakyRelu', 'PRelu', 'Identity', 'BatchNormalization'];

test('no operator that does without the matcher computes something that could be part of an activation', () => {
  const parts = [...PLAIN].filter((opType) => isElementwise({ opType, domain: '' }));
  expect(parts.sort()).toEqual(ALONE.sort());
});

const documentOf = (nodes: ReturnType<typeof node>[]) =>
  scan(model({ nodes, inputs: [value('x', 1)], outputs: [value('y', 1)] }));

test('the matcher is loaded for a node that could be part of an activation, and for no plain network', async () => {
  const plain = [node('MaxPool', ['x'], ['a']), node('Relu', ['a'], ['y'])];
  expect(await loadMatcher(await documentOf(plain))).toBeUndefined();
  const joined = [node('Relu', ['x'], ['a']), node('Add', ['a', 'x'], ['y'])];
  expect(await loadMatcher(await documentOf(joined))).toBeDefined();
  expect(await loadMatcher(await documentOf([node('Mish', ['x'], ['y'])]))).toBeDefined();
});
