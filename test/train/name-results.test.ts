import { expect, test } from 'vitest';
import type { ComposedNode } from '../../src/onnx/compose.js';
import { nameResults } from '../../src/train/name-results.js';

const half: ComposedNode = ['Constant', [], ['half'], { value: { dims: [], data: Float32Array.of(0.5) } }];
const nodes: ComposedNode[] = [half, ['Mul', ['x', 'half'], ['a']], ['Sqrt', ['a'], ['b']]];

test('a result has the name of its output, also where another node reads it', () => {
  expect(
    nameResults(nodes, [
      ['a', 'next/a'],
      ['b', 'next/b'],
    ]),
  ).toEqual([half, ['Mul', ['x', 'half'], ['next/a']], ['Sqrt', ['next/a'], ['next/b']]]);
});

test('a constant, a tensor of another node and a result of two outputs are copied', () => {
  const results = [
    ['half', 'one'],
    ['x', 'two'],
    ['b', 'three'],
    ['b', 'four'],
  ] as const;
  expect(nameResults(nodes, results).slice(2)).toEqual([
    ['Sqrt', ['a'], ['three']],
    ['Identity', ['half'], ['one']],
    ['Identity', ['x'], ['two']],
    ['Identity', ['three'], ['four']],
  ]);
});
