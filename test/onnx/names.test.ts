import { describe, expect, test } from 'vitest';
import { checkNames, namer } from '../../src/onnx/names.js';
import { scan } from '../../src/onnx/scan.js';
import { ifNode } from '../support/bodies.js';
import { floats, model, node, value } from '../support/model.js';

const document = await scan(
  model({
    nodes: [
      node('Relu', ['read'], ['made'], {}, { name: 'site' }),
      ifNode(
        'y',
        'inner',
        [node('Relu', ['made'], ['inner'], {}, { name: 'nested' })],
        [node('Neg', ['made'], ['inner'])],
      ),
    ],
    inputs: [value('given', 1), value('cond', 9)],
    outputs: [value('y', 1), value('only-an-output', 1)],
    initializers: [floats('weight', [1], [1])],
    values: [value('hint', 1)],
  }),
);

describe('a fresh name', () => {
  test.each([
    'read',
    'made',
    'site',
    'inner',
    'nested',
    'given',
    'y',
    'only-an-output',
    'weight',
    'hint',
    'choose',
  ])('is not one that the model has: %s', (name) => {
    expect(namer(document)(name)).toBe(`${name}_2`);
  });

  test('is the wanted name, if it is unused', () => {
    expect(namer(document)('new')).toBe('new');
  });

  test('is given once, then gets a number', () => {
    const fresh = namer(document);
    expect([fresh('new'), fresh('new'), fresh('new_2'), fresh('new'), fresh('made'), fresh('made')]).toEqual([
      'new',
      'new_2',
      'new_2_2',
      'new_3',
      'made_2',
      'made_3',
    ]);
  });

  test('may be the name of a deleted node, but not of its output', () => {
    const [site] = document.graph.nodes;
    const fresh = namer(document, new Set(site === undefined ? [] : [site]));
    expect([fresh('site'), fresh('made'), fresh('nested')]).toEqual(['site', 'made_2', 'nested_2']);
  });
});

test('more names than a Map holds are refused', () => {
  expect(() => checkNames(16e6, document)).not.toThrow();
  expect(() => checkNames(16e6 + 1, document)).toThrow(
    expect.objectContaining({
      code: 'malformed',
      what: 'the model has more than 16000000 names',
      where: 'model',
      fix: expect.stringMatching(/the source of the file/),
    }),
  );
});
