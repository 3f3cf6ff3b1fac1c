import { describe, expect, test } from 'vitest';
import { inspect } from '../../src/mish/inspect.js';
import { graph, ifNode } from '../support/bodies.js';
import { swapped } from '../support/graph.js';
import { floats, model, node, value } from '../support/model.js';

const F32 = 1;

const source = model({
  opset: 17,
  ir: 8,
  domains: { local: 1, other: 3 },
  nodes: [
    node('Conv', ['x', 'w'], ['c']),
    node('Relu', ['c'], ['r'], {}, { name: 'act' }),
    node('Act', ['r'], ['a'], {}, { domain: 'local' }),
    ifNode('y', 'z', [node('Relu', ['a'], ['z'])], [node('Cast', ['a'], ['z'], { to: 1 })]),
    node('Mystery', ['y'], ['m'], {}, { domain: 'other' }),
    node('Relu', ['i'], ['j']),
  ],
  inputs: [
    value('x', F32, ['batch', 3, 8, 8]),
    value('w', F32, [4, 3, 1, 1]),
    value('cond', 9, []),
    value('i', 7),
  ],
  outputs: [value('y', F32), value('m', 0)],
  initializers: [
    floats(
      'w',
      [4, 3, 1, 1],
      Array.from({ length: 12 }, () => 0.1),
    ),
  ],
  functions: [
    {
      name: 'Act',
      domain: 'local',
      input: ['p'],
      output: ['q'],
      node: [node('LeakyRelu', ['p'], ['q'], { alpha: { f: 0.5 } })],
      opsetImport: [{ domain: '', version: 17 }],
    },
  ],
});

describe('inspect', () => {
  test('describes the model', async () => {
    expect(await inspect(source)).toMatchObject({
      bytes: source.length,
      irVersion: 8,
      producer: 'onnx-mish tests',
      opset: 17,
      opsets: { '': 17, local: 1, other: 3 },
      nodes: 9,
      nestedGraphs: 2,
      functions: 1,
      operators: { Relu: 3, Conv: 1, 'local.Act': 1, If: 1, Cast: 1, 'other.Mystery': 1, LeakyRelu: 1 },
      mish: [],
      history: [],
      externalData: [],
    });
  });

  test('lists the inputs to feed, without the initializers, and the outputs', async () => {
    const { inputs, outputs } = await inspect(source);
    expect(inputs).toEqual([
      { name: 'x', elemType: 'f32', dims: ['batch', 3, 8, 8] },
      { name: 'cond', elemType: 'bool', dims: [] },
      { name: 'i', elemType: 'i64', dims: undefined },
    ]);
    expect(outputs).toEqual([
      { name: 'y', elemType: 'f32', dims: undefined },
      { name: 'm', elemType: 'unknown', dims: undefined },
    ]);
  });

  test('lists the sites and the skips as a swap would', async () => {
    const { sites, skipped } = await inspect(source);
    const { report } = await swapped(source);
    expect(sites).toEqual(report.sites);
    expect(skipped).toEqual(report.skipped);
    expect(sites.map(({ label, kind, elemType }) => [label, kind, elemType])).toEqual([
      ['act', 'relu', 'f32'],
      ['graph/choose.then_branch: Relu → z', 'relu', 'f32'],
      ['function local.Act: LeakyRelu → q', 'leakyrelu', 'f32'],
    ]);
    expect(sites[2]?.alpha).toBe(0.5);
    expect(skipped).toMatchObject([{ output: 'j', reason: 'integer' }]);
  });

  test('shows the Mish that is in a model, its form and its sharpness', async () => {
    for (const form of ['softplus', 'exp'] as const) {
      for (const beta of [1, 2.5]) {
        const { mish, sites } = await inspect((await swapped(source, { form, beta })).bytes);
        expect(sites).toEqual([]);
        expect(mish.map(({ scope, output }) => `${scope} ${output}`)).toEqual([
          'graph r',
          'graph/choose.then_branch z',
          'function local.Act q',
        ]);
        for (const one of mish) expect(one).toMatchObject({ form, beta, elemType: 'f32' });
      }
    }
  });

  test('takes the same options as a swap', async () => {
    const { sites } = await inspect(source, { only: ['relu'], exclude: ['act'] });
    expect(sites.map(({ output }) => output)).toEqual(['z']);
  });

  test('names the files of external data, once each and in order', async () => {
    const external = (name: string, location: string) => ({
      name,
      dataType: 1,
      dims: [4],
      dataLocation: 1,
      externalData: [{ key: 'location', value: location }],
    });
    const inner = graph('b', [node('Identity', ['v'], ['z'])], [], [value('z', F32)]);
    inner.graph.initializer = [external('v', 'a.bin')];
    const bytes = model({
      nodes: [node('If', ['cond'], ['y'], { then_branch: inner, else_branch: inner })],
      inputs: [value('cond', 9, [])],
      initializers: [external('u', 'b.bin'), external('t', 'b.bin')],
    });
    expect((await inspect(bytes)).externalData).toEqual(['a.bin', 'b.bin']);
  });
});

test('operators come from the most to the least used, equals by name, those of other domains by both', async () => {
  const named = (op: string, domain = '') => node(op, ['x'], ['y'], {}, { domain });
  const nodes = [
    named('Tanh'),
    named('Exp', 'com.b'),
    named('Neg'),
    named('Abs'),
    named('Neg'),
    named('Exp'),
    named('Exp', 'com.b'),
    named('Neg'),
  ];
  const { operators, nodes: count } = await inspect(model({ nodes }));
  expect(Object.entries(operators)).toEqual([
    ['Neg', 3],
    ['com.b.Exp', 2],
    ['Abs', 1],
    ['Exp', 1],
    ['Tanh', 1],
  ]);
  expect(count).toBe(8);
});

test('graphs inside and data files are counted once each, files in order', async () => {
  const tensor = (name: string, location: string) => ({
    name,
    dataType: 1,
    dims: [1],
    dataLocation: 1,
    externalData: [{ key: 'location', value: location }],
  });
  const body = { graph: { name: 'b', node: [node('Neg', ['x'], ['o'])], output: [{ name: 'o' }] } };
  const nodes = [node('If', ['c'], ['y'], { then_branch: body, else_branch: body })];
  const initializers = [tensor('a', 'z.bin'), tensor('b', 'a.bin'), tensor('c', 'z.bin')];
  const { nestedGraphs, externalData, functions } = await inspect(model({ nodes, initializers }));
  expect([nestedGraphs, functions, externalData]).toEqual([2, 0, ['a.bin', 'z.bin']]);
});
