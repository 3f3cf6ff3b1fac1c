import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { inferElementTypes } from '../../src/onnx/element-types.js';
import { scan } from '../../src/onnx/scan.js';
import { DataType } from '../../src/onnx/types.js';
import { graph, ifNode } from '../support/bodies.js';
import { floats, ints, type ModelParts, model, node, value } from '../support/model.js';

const { FLOAT, DOUBLE, FLOAT16, INT64, INT32, BOOL, STRING } = DataType;

/** The type of each name, as the main graph sees it. */
async function typesOf(parts: ModelParts, ...names: string[]) {
  const document = await scan(model(parts));
  const types = inferElementTypes(document);
  return names.map((name) => types(document.graph, name));
}

const x = [value('x', FLOAT16)];
const untyped = [{ name: 'y' }];

describe('a type comes from', () => {
  test('what the model declares: inputs, initializers, outputs, value_info', async () => {
    const parts = {
      nodes: [node('Op', ['x', 'w', 'n'], ['v', 'y', 'z'])],
      inputs: x,
      outputs: [value('y', DOUBLE)],
      values: [value('v', INT32)],
      initializers: [floats('w', [1], [1]), ints('n', [1], [1])],
    };
    expect(await typesOf(parts, 'x', 'w', 'n', 'v', 'y', 'z', 'nowhere')).toEqual([
      FLOAT16,
      FLOAT,
      INT64,
      INT32,
      DOUBLE,
      undefined,
      undefined,
    ]);
  });

  test('a Cast, if it is to a number that may be a type', async () => {
    const to = (number: number) => typesOf({ nodes: [node('Cast', ['x'], ['c'], { to: number })] }, 'c');
    expect(await to(FLOAT16)).toEqual([FLOAT16]);
    for (const number of [0, -1, 2 ** 32, 2 ** 32 + 1])
      expect(await to(number), `${number}`).toEqual([undefined]);
  });

  test.each([undefined, 0])(
    'a zero point or a scale where the attribute of the type is %s',
    async (dtype) => {
      const attributes = dtype === undefined ? {} : { output_dtype: dtype };
      for (const opset of [21, 23])
        expect(
          await typesOf(
            {
              opset,
              nodes: [
                node('QuantizeLinear', ['x', 's', 'z'], ['q'], attributes),
                node('QuantizeLinear', ['x', 's'], ['u'], attributes),
                node('DequantizeLinear', ['q', 's'], ['y'], opset < 23 ? {} : attributes),
              ],
              inputs: [value('x', FLOAT16), value('s', FLOAT16), value('z', DataType.INT8)],
              outputs: untyped,
            },
            ...['q', 'u', 'y'],
          ),
        ).toEqual([DataType.INT8, DataType.UINT8, FLOAT16]);
    },
  );

  test('the other end of an operator that has one type, on either side of it', async () => {
    for (const op of ['Relu', 'Conv', 'Add', 'Mish']) {
      expect(
        await typesOf({ nodes: [node(op, ['x', 'w'], ['y'])], inputs: x, outputs: untyped }, 'w', 'y'),
        op,
      ).toEqual([FLOAT16, FLOAT16]);
      const backwards = { nodes: [node(op, ['a', 'b'], ['y'])], inputs: [], outputs: [value('y', DOUBLE)] };
      expect(await typesOf(backwards, 'a', 'b'), op).toEqual([DOUBLE, DOUBLE]);
    }
  });

  test('the first input only, where the others are of another type', async () => {
    for (const [op, other] of [
      ['Reshape', INT64],
      ['Gather', undefined],
      ['Pow', undefined],
      ['Expand', INT64],
      ['Slice', undefined],
    ] as const) {
      expect(
        await typesOf({ nodes: [node(op, ['x', 'i'], ['y'])], inputs: x, outputs: untyped }, 'y', 'i'),
        op,
      ).toEqual([FLOAT16, other]);
    }
  });

  test.each<[onnx.INodeProto, (number | undefined)[]]>([
    [node('Shape', ['x'], ['y']), [INT64]],
    [node('ArgMax', ['x'], ['y']), [INT64]],
    [node('Greater', ['x', 'x'], ['y']), [BOOL]],
    [node('IsNaN', ['x'], ['y']), [BOOL]],
    [node('Cast', ['x'], ['y'], { to: DOUBLE }), [DOUBLE]],
    [node('Cast', ['x'], ['y']), [undefined]],
    [node('CastLike', ['i', 'x'], ['y']), [FLOAT16]],
    [node('DequantizeLinear', ['i', 'x'], ['y']), [FLOAT16]],
    [node('DequantizeLinear', ['i', 'x'], ['y'], { output_dtype: DOUBLE }), [DOUBLE]],
    [node('Cast', ['x'], ['y'], { to: { ref: 'a', type: 'INT' } }), [undefined]],
    [node('EyeLike', ['x'], ['y']), [FLOAT16]],
    [node('EyeLike', ['x'], ['y'], { dtype: INT32 }), [INT32]],
    [node('QuantizeLinear', ['x', 'x'], ['y']), [DataType.UINT8]],
    [node('Where', ['c', 'x', 'b'], ['y']), [FLOAT16]],
    [node('Where', ['c', 'b', 'x'], ['y']), [FLOAT16]],
    [node('Range', ['x', 'b', 'c'], ['y']), [FLOAT16]],
    [node('Split', ['x', 'i'], ['z', 'y']), [FLOAT16]],
    [node('Constant', [], ['y'], { value: { tensor: ints('', [1], [1]) } }), [INT64]],
    [node('Constant', [], ['y'], { value_float: { f: 1 } }), [FLOAT]],
    [node('Constant', [], ['y'], { value_floats: { f: 1 } }), [FLOAT]],
    [node('Constant', [], ['y'], { value_int: 1 }), [INT64]],
    [node('Constant', [], ['y'], { value_ints: [1, 2] }), [INT64]],
    [node('Constant', [], ['y'], { value_string: 'a' }), [STRING]],
    [node('Constant', [], ['y'], { value_strings: { strings: ['a'] } }), [STRING]],
    [node('Constant', [], ['y'], { other: 1 }), [undefined]],
    [node('ConstantOfShape', ['i'], ['y']), [FLOAT]],
    [node('ConstantOfShape', ['i'], ['y'], { value: { tensor: ints('', [1], [1]) } }), [INT64]],
    [node('Unheard', ['x'], ['y']), [undefined]],
    [node('Relu', ['x'], ['y'], {}, { domain: 'com.example' }), [undefined]],
  ])('$opType with $attribute', async (one, wanted) => {
    expect(await typesOf({ opset: 23, nodes: [one], inputs: x, outputs: untyped }, 'y')).toEqual(wanted);
  });

  test('the schema, for an input that has one type only; nowhere for what has another type beside it', async () => {
    const parts = {
      nodes: [
        node('Where', ['c', 'x', 'b'], ['y']),
        node('CastLike', ['i', 'x'], ['z']),
        node('Split', ['x', 's'], ['p']),
      ],
      inputs: x,
      outputs: untyped,
    };
    expect(await typesOf(parts, 'c', 'i', 's', 'b')).toEqual([BOOL, undefined, INT64, FLOAT16]);
  });

  test('a chain in any order, in both directions', async () => {
    const chain = [
      node('Abs', ['b'], ['c']),
      node('Neg', ['a'], ['b']),
      node('Exp', ['x'], ['a']),
      node('Op', ['c'], ['y']),
    ];
    expect(await typesOf({ nodes: chain, inputs: x, outputs: untyped }, 'a', 'b', 'c', 'y')).toEqual([
      FLOAT16,
      FLOAT16,
      FLOAT16,
      undefined,
    ]);
    const back = [node('Neg', ['a'], ['b']), node('Abs', ['b'], ['c']), node('Exp', ['c'], ['y'])];
    expect(await typesOf({ nodes: back, inputs: [], outputs: [value('y', DOUBLE)] }, 'a', 'b', 'c')).toEqual([
      DOUBLE,
      DOUBLE,
      DOUBLE,
    ]);
  });

  test('no name that is empty', async () => {
    const parts = {
      nodes: [node('Clip', ['', 'x'], ['y']), node('Op', [''], ['z'])],
      inputs: x,
      outputs: untyped,
    };
    expect(await typesOf(parts, 'y', '', 'z')).toEqual([FLOAT16, undefined, undefined]);
  });
});

describe('graphs inside', () => {
  test('see the types around them, and give theirs', async () => {
    const parts = {
      nodes: [
        ifNode('y', 'o', [node('Neg', ['x'], ['o'])], [node('Op', [], ['o'])]),
        node('Abs', ['y'], ['z']),
      ],
      inputs: [...x, value('cond', BOOL)],
      outputs: untyped,
    };
    // ifNode declares its outputs float32; take that away.
    for (const one of parts.nodes[0]?.attribute ?? [])
      for (const output of one.g?.output ?? []) output.type = null;
    const document = await scan(model(parts));
    const types = inferElementTypes(document);
    const [main, yes, no] = document.scopes;
    if (main === undefined || yes === undefined || no === undefined) throw new Error('no branches');
    expect([types(main, 'y'), types(main, 'z'), types(yes, 'o'), types(no, 'o')]).toEqual([
      FLOAT16,
      FLOAT16,
      FLOAT16,
      FLOAT16,
    ]);
  });

  const loop = (
    op: 'Loop' | 'Scan',
    inputs: string[],
    body: onnx.INodeProto[],
    given: string[],
    taken: string[],
  ) =>
    node(op, inputs, ['y', 'z'], {
      body: graph(
        'b',
        body,
        given.map((name) => ({ name })),
        taken.map((name) => ({ name })),
      ),
    });

  test('of a Loop: the count is an integer, the condition a bool, the rest what goes around', async () => {
    const body = [
      node('Neg', ['state'], ['next']),
      node('Abs', ['other'], ['more']),
      node('Identity', ['go'], ['still']),
    ];
    const parts = {
      nodes: [
        loop('Loop', ['n', 'c', 'x', 'w'], body, ['i', 'go', 'state', 'other'], ['still', 'next', 'more']),
      ],
      inputs: [...x, value('w', DOUBLE)],
      outputs: untyped,
    };
    const document = await scan(model(parts));
    const types = inferElementTypes(document);
    const [main, inside] = document.scopes;
    if (main === undefined || inside === undefined) throw new Error('no body');
    expect(['i', 'go', 'state', 'next', 'other', 'more', 'still'].map((name) => types(inside, name))).toEqual(
      [INT64, BOOL, FLOAT16, FLOAT16, DOUBLE, DOUBLE, BOOL],
    );
    expect(['y', 'z', 'n', 'c'].map((name) => types(main, name))).toEqual([
      FLOAT16,
      DOUBLE,
      undefined,
      undefined,
    ]);
  });

  test('of a Scan: everything is what goes around', async () => {
    const body = [node('Neg', ['state'], ['next']), node('Abs', ['row'], ['out'])];
    const parts = {
      nodes: [loop('Scan', ['x', 'w'], body, ['state', 'row'], ['next', 'out'])],
      inputs: [...x, value('w', DOUBLE)],
      outputs: untyped,
    };
    const document = await scan(model(parts));
    const types = inferElementTypes(document);
    const [main, inside] = document.scopes;
    if (main === undefined || inside === undefined) throw new Error('no body');
    expect(['state', 'next', 'row', 'out'].map((name) => types(inside, name))).toEqual([
      FLOAT16,
      FLOAT16,
      DOUBLE,
      DOUBLE,
    ]);
    expect(['y', 'z'].map((name) => types(main, name))).toEqual([FLOAT16, DOUBLE]);
  });
});

const local = (
  name: string,
  nodes: onnx.INodeProto[],
  input = ['a'],
  output = ['b'],
): onnx.IFunctionProto => ({
  name,
  domain: 'l',
  input,
  output,
  node: nodes,
  opsetImport: [
    { domain: '', version: 18 },
    { domain: 'l', version: 1 },
  ],
});
const call = (name: string, from: string[], to: string[]) => node(name, from, to, {}, { domain: 'l' });
const infer = async (
  functions: onnx.IFunctionProto[],
  nodes: onnx.INodeProto[],
  inputs = [...x, value('w', DOUBLE)],
) => {
  const document = await scan(model({ nodes, functions, inputs, outputs: untyped, domains: { l: 1 } }));
  const types = inferElementTypes(document);
  return {
    main: (name: string) => types(document.graph, name),
    inside: (at: number, name: string) => types(document.functions[at] ?? document.graph, name),
    all: (at: number, name: string) => types.all(document.functions[at] ?? document.graph, name),
  };
};

describe('a function', () => {
  test('has the types of its calls, and passes them on', async () => {
    const { main, inside } = await infer(
      [local('F', [node('Neg', ['a'], ['b'])])],
      [call('F', ['x'], ['h']), call('F', ['h'], ['y'])],
    );
    expect([main('h'), main('y'), inside(0, 'a'), inside(0, 'b')]).toEqual([
      FLOAT16,
      FLOAT16,
      FLOAT16,
      FLOAT16,
    ]);
  });

  test('that is called with two types has none, and what comes of it has that of its call', async () => {
    const { main, inside } = await infer(
      [local('F', [node('Neg', ['a'], ['b'])])],
      [call('F', ['x'], ['h']), call('F', ['w'], ['y'])],
    );
    expect([main('h'), main('y'), inside(0, 'a'), inside(0, 'b')]).toEqual([
      FLOAT16,
      DOUBLE,
      undefined,
      undefined,
    ]);
  });

  test('that is called with a type and with something unknown has none', async () => {
    const { inside } = await infer(
      [local('F', [node('Neg', ['a'], ['b'])])],
      [call('F', ['x'], ['h']), call('F', ['nobody'], ['y'])],
    );
    expect(inside(0, 'a')).toBeUndefined();
  });

  test('each of whose inputs is judged by itself', async () => {
    const add = local('F', [node('Neg', ['a'], ['b']), node('Neg', ['c'], ['d'])], ['a', 'c'], ['b', 'd']);
    const { main, inside } = await infer(
      [add],
      [call('F', ['x', 'x'], ['p', 'q']), call('F', ['x', 'w'], ['r', 'y'])],
    );
    expect([inside(0, 'a'), inside(0, 'c')]).toEqual([FLOAT16, undefined]);
    expect([main('p'), main('r'), main('q'), main('y')]).toEqual([FLOAT16, FLOAT16, FLOAT16, DOUBLE]);
  });

  test('has its declared types without any call', async () => {
    const { inside } = await infer([local('F', [node('Shape', ['a'], ['b'])])], [node('Neg', ['x'], ['y'])]);
    expect([inside(0, 'a'), inside(0, 'b')]).toEqual([undefined, INT64]);
  });

  test('called by another takes its types through that', async () => {
    const functions = [
      local('Outer', [call('Inner', ['a'], ['b'])]),
      local('Inner', [node('Neg', ['a'], ['b'])]),
    ];
    const { main, inside } = await infer(functions, [call('Outer', ['x'], ['y'])]);
    expect([inside(0, 'a'), inside(1, 'a'), main('y')]).toEqual([FLOAT16, FLOAT16, FLOAT16]);
  });
});

describe('a function that is called in several ways', () => {
  test('tells every type that its values have, also through another function', async () => {
    const functions = [
      local('Outer', [call('Inner', ['a'], ['b'])]),
      local('Inner', [node('Neg', ['a'], ['b'])]),
    ];
    const nodes = [call('Outer', ['x'], ['p']), call('Inner', ['w'], ['q']), node('Neg', ['p'], ['y'])];
    const { main, all } = await infer(functions, nodes);
    expect([main('p'), main('q'), main('y')]).toEqual([FLOAT16, DOUBLE, FLOAT16]);
    expect([all(0, 'a'), all(0, 'b')]).toEqual([[FLOAT16], [FLOAT16]]);
    expect([new Set(all(1, 'a')), new Set(all(1, 'b'))]).toEqual([
      new Set([FLOAT16, DOUBLE]),
      new Set([FLOAT16, DOUBLE]),
    ]);
  });

  test('has the attributes of each call, handed on by another function too', async () => {
    const to = { to: { ref: 'to', type: 'INT' as const } };
    const functions = [
      local('Outer', [node('Inner', ['a'], ['b'], to, { domain: 'l' })]),
      local('Inner', [node('Cast', ['a'], ['b'], to)]),
    ];
    const nodes = [
      node('Outer', ['x'], ['p'], { to: DOUBLE }, { domain: 'l' }),
      node('Outer', ['x'], ['q'], { to: INT32 }, { domain: 'l' }),
      node('Outer', ['x'], ['r'], {}, { domain: 'l' }),
    ];
    const { main, all } = await infer(functions, nodes);
    expect([main('p'), main('q'), main('r')]).toEqual([DOUBLE, INT32, undefined]);
    expect(new Set(all(1, 'b'))).toEqual(new Set([DOUBLE, INT32, undefined]));
  });

  test('asks for the type of an argument', async () => {
    const { main } = await infer(
      [
        local('F', [
          node('Neg', ['a'], ['n']),
          node('Add', ['n', 'w'], ['b']),
          node('Cast', ['a'], ['w'], { to: DOUBLE }),
        ]),
      ],
      [node('Unheard', ['x'], ['h']), call('F', ['h'], ['y'])],
    );
    expect([main('h'), main('y')]).toEqual([DOUBLE, DOUBLE]);
  });

  test('terminates, if it calls itself or is huge', async () => {
    const twice = (from: string, to: string, more: string[]) =>
      local(from, [call(to, more, ['m']), call(to, [...more].reverse(), ['b'])], ['a', 'c']);
    const functions = [
      ...Array.from({ length: 40 }, (_, at) => twice(`F${at}`, `F${at + 1}`, ['a', 'c'])),
      twice('F40', 'F0', ['a', 'm']),
    ];
    const { main } = await infer(functions, [call('F0', ['x', 'w'], ['y'])]);
    expect(main('y')).toBeUndefined();
  });
});

describe('a chain through graphs inside', () => {
  const untypedBranch = (name: string, from: string) => ({
    graph: { name, node: [node('Neg', [from], [`${from}_in`])], output: [{ name: `${from}_in` }] },
  });
  const choose = (from: string, to: string) =>
    node('If', ['cond'], [to], {
      then_branch: untypedBranch('t', from),
      else_branch: untypedBranch('e', from),
    });
  const links = (count: number) =>
    Array.from({ length: count }, (_, at) =>
      at % 2 === 0 ? choose(`v${at}`, `v${at + 1}`) : node('Abs', [`v${at}`], [`v${at + 1}`]),
    );

  test.each(['along', 'against'])(
    'is followed to its end, with the nodes %s its flow, from either end',
    async (order) => {
      const count = 24;
      const nodes = order === 'along' ? links(count) : links(count).reverse();
      for (const [inputs, outputs] of [
        [[value('v0', DOUBLE)], [{ name: `v${count}` }]],
        [[{ name: 'v0' }], [value(`v${count}`, DOUBLE)]],
      ]) {
        const document = await scan(
          model({ nodes, inputs: [...(inputs ?? []), value('cond', BOOL)], outputs: outputs ?? [] }),
        );
        const types = inferElementTypes(document);
        const all = Array.from({ length: count + 1 }, (_, at) => types(document.graph, `v${at}`));
        expect(all).toEqual(all.map(() => DOUBLE));
        for (const inside of document.scopes.slice(1))
          expect(types(inside, inside.outputs[0]?.name ?? '')).toBe(DOUBLE);
      }
    },
  );
});
