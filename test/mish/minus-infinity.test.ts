import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { inspect } from '../../src/mish/inspect.js';
import { swap } from '../../src/mish/swap.js';
import { ifNode, LOOP_INITIALIZERS, loopNode } from '../support/bodies.js';
import { floats, type ModelParts, model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';

const F32 = 1;
const low = -Infinity;
const initializers = [
  floats('low', [], [low]),
  floats('high', [], [Infinity]),
  floats('mask', [2, 4], [0, 0, low, low, 0, low, 0, 0]),
  floats('zeros', [4], [0, 0, 0, 0]),
  floats('w', [4, 4], Array(16).fill(0.25)),
  floats('two', [], [2]),
  floats('least', [], [-100]),
  { name: 'cond', dataType: 9, dims: [], rawData: new Uint8Array([1]) },
  { name: 'keep', dataType: 9, dims: [4], rawData: new Uint8Array([1, 1, 0, 1]) },
  {
    name: 'ends',
    dataType: 7,
    dims: [4],
    rawData: new Uint8Array(new BigInt64Array([0n, 0n, 0n, 1n]).buffer),
  },
  { name: 'four', dataType: 7, dims: [1], rawData: new Uint8Array(new BigInt64Array([4n]).buffer) },
  ...LOOP_INITIALIZERS,
];
const relu = (from: string) => node('Relu', [from], ['r']);
const parts = (nodes: onnx.INodeProto[]): ModelParts => ({
  ...{ nodes, initializers, opset: 17 },
  inputs: [value('x', F32, [2, 4])],
  outputs: [value('r', F32)],
});

describe('a constant -Infinity that reaches a site is reported', () => {
  const cases: Record<string, onnx.INodeProto[]> = {
    'added by a mask': [node('Add', ['x', 'mask'], ['a']), relu('a')],
    'chosen by a Where': [node('Where', ['keep', 'x', 'low'], ['a']), relu('a')],
    'padded with': [node('Pad', ['x', 'ends', 'low'], ['a']), relu('a')],
    'by a Constant node': [
      node('Constant', [], ['c'], { value_float: { f: low } }),
      node('Where', ['keep', 'x', 'c'], ['a']),
      relu('a'),
    ],
    'from a tensor in a Constant node': [
      node('Constant', [], ['c'], { value: { tensor: floats('', [4], [0, low, 0, 0]) } }),
      ...[node('Add', ['x', 'c'], ['a']), relu('a')],
    ],
    'of a ConstantOfShape': [
      node('ConstantOfShape', ['four'], ['c'], { value: { tensor: floats('', [1], [low]) } }),
      ...[node('Where', ['keep', 'x', 'c'], ['a']), relu('a')],
    ],
    'by a negated one': [node('Neg', ['high'], ['c']), node('Where', ['keep', 'x', 'c'], ['a']), relu('a')],
    'by what is subtracted': [
      ...[node('Sub', ['zeros', 'high'], ['c']), node('Where', ['keep', 'x', 'c'], ['a'])],
      relu('a'),
    ],
    'moved and scaled': [
      ...[node('Add', ['x', 'mask'], ['a']), node('Transpose', ['a'], ['b'])],
      ...[node('Concat', ['b', 'b'], ['c'], { axis: 0 }), node('Identity', ['c'], ['d']), relu('d')],
    ],
    divided: [node('Add', ['x', 'mask'], ['a']), node('Div', ['a', 'two'], ['b']), relu('b')],
    'from which another is subtracted': [node('Sub', ['mask', 'x'], ['a']), relu('a')],
    'as the least of a minimum': [
      node('Min', ['x', 'mask'], ['a']),
      node('Mul', ['a', 'x'], ['b']),
      relu('b'),
    ],
    'below an upper bound only': [
      node('Add', ['x', 'mask'], ['a']),
      ...[node('Clip', ['a', '', 'two'], ['b']), node('Mul', ['b', 'x'], ['c'])],
      relu('c'),
    ],
    'round a Loop': [loopNode('x', 'l', [node('Where', ['keep', 'carried', 'low'], ['next'])]), relu('l')],
  };
  test.each(Object.entries(cases))('%s, and Mish of it is NaN', async (_, nodes) => {
    const bytes = model(parts(nodes));
    const { output, report } = await swap(bytes);
    expect(report.sites).toMatchObject([{ output: 'r', minusInfinity: expect.any(String) }]);
    expect(report.notes).toContainEqual(
      expect.stringMatching(/constant -Infinity '.+' reaches a site, where ReLU gives 0 and Mish gives NaN/),
    );
    expect((await inspect(bytes)).sites).toMatchObject([{ minusInfinity: report.sites[0]?.minusInfinity }]);
    const feeds = { x: f32([1, 2, 3, 4, 5, 6, 7, 8], [2, 4]) };
    expect((await run(bytes, feeds)).r?.some(Number.isNaN)).toBe(false);
    expect((await run(await output.bytes(), feeds)).r?.some(Number.isNaN)).toBe(true);
  });

  test.each([6, 10])('padded with, as an attribute of opset %d', async (opset) => {
    const padded = (value: number) =>
      inspect(
        model({
          ...parts([
            node('Pad', ['x'], ['a'], { pads: [0, 0, 0, 1], value: { f: value } }, { name: 'pad' }),
            relu('a'),
          ]),
          opset,
        }),
      );
    expect((await padded(low)).sites).toMatchObject([{ minusInfinity: 'pad' }]);
    for (const value of [0, Infinity, -1e30])
      expect((await padded(value)).sites[0]?.minusInfinity).toBeFalsy();
  });

  test.each<[string, onnx.INodeProto[]]>([
    [
      'a finite Constant',
      [node('Constant', [], ['c'], { value_float: { f: -1e30 } }), node('Add', ['x', 'c'], ['a'])],
    ],
    [
      'a Constant of whole numbers',
      [node('Constant', [], ['c'], { value_int: 3 }), node('Expand', ['x', 'c'], ['a'])],
    ],
    [
      'a finite tensor',
      [
        node('Constant', [], ['c'], { value: { tensor: floats('', [1], [-1]) } }),
        node('Add', ['x', 'c'], ['a']),
      ],
    ],
    [
      'a ConstantOfShape of zeros',
      [node('ConstantOfShape', ['four'], ['c']), node('Add', ['x', 'c'], ['a'])],
    ],
    ['Neg of -Infinity', [node('Neg', ['low'], ['c']), node('Add', ['x', 'c'], ['a'])]],
    ['Neg of a finite number', [node('Neg', ['two'], ['c']), node('Add', ['x', 'c'], ['a'])]],
    [
      'what another domain makes',
      [node('Neg', ['high'], ['c'], {}, { domain: 'com.example' }), node('Add', ['x', 'c'], ['a'])],
    ],
    [
      'another domain between',
      [node('Identity', ['mask'], ['c'], {}, { domain: 'com.example' }), node('Add', ['x', 'c'], ['a'])],
    ],
    ['another operator with a number as value', [node('Selu', ['x'], ['a'], { value: { f: low } })]],
    ['a bound of a Clip', [node('Clip', ['x', 'low'], ['a'])]],
  ])('%s does not count', async (_, nodes) => {
    const { sites } = await inspect(
      model({ ...parts([...nodes, relu('a')]), domains: { 'com.example': 1 } }),
    );
    expect(sites).toHaveLength(1);
    expect(sites[0]?.minusInfinity).toBeFalsy();
  });

  test('behind another site, with a slope', async () => {
    const nodes = [node('Add', ['x', 'mask'], ['a']), node('LeakyRelu', ['a'], ['b']), relu('b')];
    const { sites } = await inspect(model(parts(nodes)));
    expect(sites).toMatchObject([
      { kind: 'leakyrelu', minusInfinity: 'mask' },
      { kind: 'relu', minusInfinity: 'mask' },
    ]);
  });

  test('in a body and in a function', async () => {
    const inBody = [
      ifNode(
        'r',
        'out',
        [node('Add', ['x', 'mask'], ['a']), node('Relu', ['a'], ['out'])],
        [node('Neg', ['x'], ['out'])],
      ),
    ];
    expect((await swap(model(parts(inBody)))).report.sites).toMatchObject([{ minusInfinity: 'mask' }]);
    const functions = [
      {
        ...{ name: 'Act', domain: 'local', input: ['p'], output: ['q'], node: [node('Relu', ['p'], ['q'])] },
        opsetImport: [{ domain: '', version: 17 }],
      },
    ];
    const nodes = [node('Add', ['x', 'mask'], ['a']), node('Act', ['a'], ['r'], {}, { domain: 'local' })];
    const called = model({ ...parts(nodes), functions, domains: { local: 1 } });
    expect((await swap(called)).report.sites).toMatchObject([{ output: 'q', minusInfinity: 'mask' }]);
    const masks = {
      ...{ name: 'Hide', domain: 'local', input: ['p', 'm'], output: ['copy', 'q'] },
      node: [node('Identity', ['p'], ['copy']), node('Add', ['p', 'm'], ['q'])],
      opsetImport: [{ domain: '', version: 17 }],
    };
    const hidden = (output: string) => [
      node('Hide', ['x', 'mask'], ['copy', 'hidden'], {}, { domain: 'local' }),
      relu(output),
    ];
    for (const [output, label] of [
      ['hidden', 'mask'],
      ['copy', undefined],
    ] as const) {
      const from = model({ ...parts(hidden(output)), functions: [masks], domains: { local: 1 } });
      expect((await swap(from)).report.sites.map(({ minusInfinity }) => minusInfinity)).toEqual([label]);
    }
  });

  test.each<[string, onnx.INodeProto[]]>([
    ['behind a layer', [node('Add', ['x', 'mask'], ['a']), node('MatMul', ['a', 'w'], ['b']), relu('b')]],
    ['behind a Softmax', [node('Add', ['x', 'mask'], ['a']), node('Softmax', ['a'], ['b']), relu('b')]],
    ['behind a bound', [node('Add', ['x', 'mask'], ['a']), node('Clip', ['a', 'least'], ['b']), relu('b')]],
    ['as the least of a maximum', [node('Max', ['x', 'low'], ['b']), relu('b')]],
    [
      'behind a maximum of several',
      [node('Add', ['x', 'mask'], ['a']), node('ReduceMax', ['a'], ['b'], { axes: [1] }), relu('b')],
    ],
    ['as a divisor', [node('Div', ['x', 'low'], ['b']), relu('b')]],
    ['subtracted', [node('Sub', ['x', 'low'], ['b']), relu('b')]],
    ['with finite numbers only', [node('Add', ['x', 'zeros'], ['b']), relu('b')]],
  ])('not %s', async (_, nodes) => {
    const { report } = await swap(model(parts(nodes)));
    expect(report.sites).toMatchObject([{ output: 'r' }]);
    expect(report.sites[0]).not.toHaveProperty('minusInfinity');
    expect(report.notes.join()).not.toMatch(/Infinity/);
  });
});
