import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { OnnxMishError } from '../../src/base/error.js';
import { opsetOf } from '../../src/onnx/document.js';
import { scan } from '../../src/onnx/scan.js';
import { arbitraryModel } from '../support/arbitrary-model.js';
import { fileLike, summary } from '../support/document.js';
import { casesOf } from '../support/heavy.js';
import { messageType } from '../support/items.js';
import { floats, model, modelProto, node, value } from '../support/model.js';
import { int, len, varint } from '../support/wire.js';

describe('a file, a buffer and a Blob give the same document', () => {
  test('for any model', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryModel, async ({ bytes }) => {
        const expected = summary(await scan(bytes));
        expect(summary(await scan(fileLike(bytes)))).toEqual(expected);
        expect(summary(await scan(new Blob([bytes as Uint8Array<ArrayBuffer>])))).toEqual(expected);
      }),
      { numRuns: casesOf(100), seed: 7 },
    );
  });

  test('wherever the window of 64 KiB ends', async () => {
    // Weights push the nodes behind them across the end of the window, byte by byte.
    const relu = node('LeakyRelu', ['x'], ['y'], { alpha: { f: 0.25 } }, { name: 'the-node' });
    for (let size = 65_300; size < 65_560; size++) {
      const graph = {
        name: 'g',
        initializer: [{ name: 'w', dims: [size], dataType: 2, rawData: new Uint8Array(size) }],
      };
      const parts = [graph, { node: [relu], output: [{ name: 'y' }] }].map((part) =>
        onnx.GraphProto.encode(part).finish(),
      );
      const head = onnx.ModelProto.encode({ irVersion: 8, opsetImport: [{ version: 18 }] }).finish();
      const fields = parts.flatMap((part) => [Uint8Array.of(0x3a, ...encodeLength(part.length)), part]);
      const { graph: found } = await scan(fileLike(new Uint8Array(Buffer.concat([head, ...fields]))));
      expect(found.nodes).toMatchObject([
        { name: 'the-node', outputs: ['y'], attributes: [{ name: 'alpha', f: 0.25 }] },
      ]);
      expect(found.initializers.get('w')).toMatchObject({ dims: [size] });
    }
  });
});

function encodeLength(length: number): number[] {
  return length < 128 ? [length] : [(length & 127) | 128, ...encodeLength(length >> 7)];
}

test('of a model with big weights only a little is read', async () => {
  const weights = Array.from({ length: 8 }, (_, index) => ({
    name: `w${index}`,
    dims: [1_000_000],
    dataType: 1,
    rawData: new Uint8Array(4_000_000),
  }));
  const constant = node('Constant', [], ['c'], {
    value: { tensor: { dims: [500_000], dataType: 1, rawData: new Uint8Array(2_000_000) } },
  });
  const source = fileLike(model({ nodes: [constant, node('Relu', ['x'], ['y'])], initializers: weights }));
  const document = await scan(source);
  expect(document.graph.initializers.size).toBe(8);
  expect(document.graph.nodes).toHaveLength(2);
  expect(source.total()).toBeLessThan(source.size / 30);
  expect(source.largest()).toBeLessThanOrEqual(64 * 1024);
});

describe('the view', () => {
  test('knows names, types, shapes, opsets and metadata', async () => {
    const proto = modelProto({
      opset: 17,
      ir: 9,
      domains: { 'com.microsoft': 1 },
      nodes: [node('Relu', ['x'], ['y'], {}, { name: 'act', domain: 'ai.onnx' })],
      inputs: [value('x', 1, ['N', 4]), value('s', 7)],
      values: [value('h', 10, [2])],
      initializers: [floats('w', [2], [1, 2]), floats('one', [], [3])],
    });
    proto.metadataProps = [{ key: 'k', value: 'v' }];
    proto.producerVersion = '2';
    const document = await scan(onnx.ModelProto.encode(proto).finish());
    expect(document).toMatchObject({
      irVersion: 9,
      producer: 'onnx-mish tests 2',
      metadata: [{ key: 'k', value: 'v' }],
    });
    const { graph } = document;
    expect(opsetOf(graph)).toBe(17);
    expect(graph.opsets.get('com.microsoft')).toBe(1);
    expect(graph.inputs).toMatchObject([
      { name: 'x', elemType: 1, dims: ['N', 4] },
      { name: 's', elemType: 7, dims: undefined },
    ]);
    expect(graph.values.get('h')).toMatchObject({ name: 'h', elemType: 10, dims: [2] });
    expect(graph.initializers.get('w')).toMatchObject({ name: 'w', dims: [2], elemType: 1 });
    expect(graph.initializers.get('one')).toMatchObject({ name: 'one', dims: [], elemType: 1, scalar: 3 });
    expect(graph.nodes).toMatchObject([{ opType: 'Relu', domain: '', name: 'act', index: 0 }]);
  });

  test('names nested graphs by the way to them, and functions by their name', async () => {
    const body = (inner: onnx.INodeProto[], output: string) => ({
      node: inner,
      name: 'b',
      output: [{ name: output }],
    });
    const deep = node('If', ['c'], ['d'], {
      then_branch: { graph: body([node('Relu', ['x'], ['e'])], 'e') },
    });
    const bytes = model({
      nodes: [node('If', ['c'], ['y'], { then_branch: { graph: body([deep], 'd') } }, { name: 'choice' })],
      functions: [
        {
          domain: 'local',
          name: 'Act',
          input: ['a'],
          output: ['b'],
          node: [node('Relu', ['a'], ['b'])],
          opsetImport: [{ version: 16 }],
        },
      ],
    });
    const { scopes, functions } = await scan(bytes);
    expect(scopes.map(({ path }) => path)).toEqual([
      'graph',
      'graph/choice.then_branch',
      'graph/choice.then_branch/If#0.then_branch',
      'function local.Act',
    ]);
    expect(scopes[2]).toMatchObject({
      kind: 'graph',
      parent: scopes[1],
      root: scopes[0],
      nodes: [{ opType: 'Relu' }],
    });
    expect(functions[0]).toMatchObject({
      kind: 'function',
      callee: { domain: 'local', name: 'Act', overload: '' },
    });
    expect(functions[0]?.opsets.get('')).toBe(16);
  });

  test('notes external data wherever it is', async () => {
    const external = (name: string): onnx.ITensorProto => ({
      name,
      dims: [4],
      dataType: 1,
      dataLocation: 1,
      externalData: [
        { key: 'location', value: `${name}.bin` },
        { key: 'offset', value: '16' },
      ],
    });
    const bytes = model({
      nodes: [
        node('Constant', [], ['c'], { value: { tensor: external('inside') } }),
        node('Relu', ['x'], ['y']),
      ],
      initializers: [external('weights')],
    });
    const { external: found } = await scan(bytes);
    expect(found.map(({ tensor, scope }) => [tensor.name, scope, tensor.external?.get('location')])).toEqual([
      ['inside', 'graph', 'inside.bin'],
      ['weights', 'graph', 'weights.bin'],
    ]);
  });

  test('reads repeated numbers packed or not, and merges what comes twice', async () => {
    const tensor = (dims: number[]) => len(5, [...dims, ...int(2, 1), ...len(8, 'w')]);
    const build = (fields: number[]) =>
      Uint8Array.from([
        ...int(1, 3),
        ...int(1, 8),
        ...len(8, int(2, 17)),
        ...len(8, int(2, 18)),
        ...len(7, fields),
      ]);
    const packed = await scan(build(tensor(len(1, [2, 3, 4]))));
    const loose = await scan(build(tensor([...int(1, 2), ...len(1, [3]), ...int(1, 4, 3)])));
    const said = ({ graph }: typeof loose) =>
      [...graph.initializers.values()].map(({ frame, ...rest }) => rest);
    expect(said(loose)).toEqual(said(packed));
    expect(loose.graph.initializers.get('w')?.dims).toEqual([2, 3, 4]);
    expect(packed.irVersion).toBe(8); // of a singular field the last one counts
    expect(opsetOf(packed.graph)).toBe(18); // and of two imports of a domain as well
  });

  test('reads a model before IR 3, which imports no operator set, as opset 1', async () => {
    const proto = modelProto({ nodes: [node('Relu', ['x'], ['y'])], ir: 2 });
    proto.opsetImport = [];
    expect(opsetOf((await scan(onnx.ModelProto.encode(proto).finish())).graph)).toBe(1);
  });

  test('says when names are not valid UTF-8', async () => {
    const bytes = model({ nodes: [node('Relu', ['x'], ['y'], {}, { name: 'ab' })] });
    const at = Buffer.from(bytes).indexOf('ab');
    bytes[at] = 0xff;
    expect((await scan(bytes)).graph.nodes[0]?.lossyNames).toBe(true);
  });
});

describe('what the structure does not need', () => {
  const text = 'd'.repeat(500_000);
  const body = { name: 'b', node: [node('Relu', ['x'], ['t'])], output: [{ name: 't' }] };
  const branching = () => node('If', ['x'], ['y'], { then_branch: { graph: body } });
  const parts: Record<string, (proto: onnx.IModelProto) => void> = {
    'a description of the model': (proto) => void Object.assign(proto, { docString: text }),
    'a description of the graph': (proto) => void Object.assign(proto.graph ?? {}, { docString: text }),
    'a description of a node': (proto) =>
      void Object.assign(proto.graph?.node?.[0] ?? {}, { docString: text }),
    'a description of an attribute': (proto) => {
      proto.graph?.node?.push(branching());
      Object.assign(proto.graph?.node?.[1]?.attribute?.[0] ?? {}, { docString: text });
    },
    'metadata of a node': (proto) =>
      void Object.assign(proto.graph?.node?.[0] ?? {}, { metadataProps: [{ key: 'k', value: text }] }),
    'a description of a function': (proto) =>
      void Object.assign(proto.functions?.[0] ?? {}, { docString: text }),
    'metadata of a function': (proto) =>
      void Object.assign(proto.functions?.[0] ?? {}, { metadataProps: [{ key: 'k', value: text }] }),
    'the default of a function’s attribute': (proto) =>
      void Object.assign(proto.functions?.[0] ?? {}, {
        attributeProto: [{ name: 'a', type: 3, s: new Uint8Array(500_000) }],
      }),
    'a long text': (proto) => void proto.graph?.node?.push(node('Op', ['x'], ['z'], { s: text })),
    'a long list': (proto) =>
      void proto.graph?.node?.push(node('Op', ['x'], ['z'], { i: new Array<number>(250_000).fill(300) })),
    'training information': (proto) =>
      void Object.assign(proto, { trainingInfo: [{ initialization: { docString: text } }] }),
  };
  const proto = () =>
    modelProto({
      nodes: [node('Relu', ['x'], ['y'])],
      functions: [
        {
          name: 'F',
          domain: 'l',
          input: ['a'],
          output: ['b'],
          node: [node('Relu', ['a'], ['b'])],
          opsetImport: [{ version: 18 }],
        },
      ],
    });

  test.each(Object.entries(parts))('is not read: %s', async (_, add) => {
    const made = proto();
    add(made);
    const source = fileLike(onnx.ModelProto.encode(made).finish());
    expect(source.size).toBeGreaterThan(500_000);
    const { graph, functions } = await scan(source);
    expect(graph.nodes[0]).toMatchObject({ opType: 'Relu', inputs: ['x'], outputs: ['y'] });
    expect(functions).toMatchObject([{ nodes: [{ opType: 'Relu' }] }]);
    expect(source.total()).toBeLessThan(400_000);
    expect(source.largest()).toBeLessThanOrEqual(64 * 1024);
  });

  test('and is known to be there: a list that is short is kept, text of up to 4 KiB', async () => {
    const attributes = { s: 's'.repeat(4096), i: [1, 2, 3], t: { strings: ['a', 'b'] }, none: [], empty: '' };
    const { graph } = await scan(
      model({ nodes: [node('Op', ['x'], ['y'], { ...attributes, long: 's'.repeat(4097) })] }),
    );
    const found = new Map(graph.nodes[0]?.attributes.map((one) => [one.name, one]));
    expect(found.get('s')?.s).toBe(attributes.s);
    expect(found.get('i')?.ints).toEqual([1, 2, 3]);
    expect(found.get('t')?.strings).toEqual(['a', 'b']);
    for (const name of ['none', 'empty', 'long']) {
      for (const key of ['s', 'ints', 'strings', 'tensor', 'graphs', 'ref'])
        expect(found.get(name)).not.toHaveProperty(key);
    }
  });
});

describe('a field of a wire type that it does not have', () => {
  // To protobuf it is an unknown field, whatever its number.
  const wrong = [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 20, 22, 23, 25].flatMap((number) => [
    ...varint(number * 8 + 1),
    ...[1, 2, 3, 4, 5, 6, 7, 8],
  ]);
  const tensor = [...len(8, 'w'), ...int(2, 1)];
  const attribute = (extra: number[]) =>
    len(5, [
      ...len(1, 'value'),
      ...extra,
      ...len(5, [...tensor, ...extra]),
      ...len(6, [...extra, ...len(1, len(4, 'Neg'))]),
    ]);
  const nodeBytes = (extra: number[]) => [
    ...len(1, 'x'),
    ...extra,
    ...len(2, 'y'),
    ...len(4, 'Op'),
    ...attribute(extra),
  ];
  const bytes = (extra: number[]) =>
    Uint8Array.from([
      ...int(1, 8),
      ...len(8, int(2, 18)),
      ...extra,
      ...len(7, [
        ...extra,
        ...len(1, nodeBytes(extra)),
        ...len(5, [...tensor, ...extra]),
        ...len(15, [...extra, ...len(1, [...tensor, ...extra])]),
      ]),
      ...len(25, [
        ...len(1, 'F'),
        ...extra,
        ...len(7, nodeBytes(extra)),
        ...len(9, int(2, 18)),
        ...len(10, 'l'),
      ]),
    ]);

  test('is ignored, wherever it is', async () => {
    const plain = (document: Awaited<ReturnType<typeof scan>>) =>
      document.scopes.map(({ path, nodes, initializers, inputs, outputs, values }) => ({
        path,
        nodes: nodes.map(({ opType, inputs: given, outputs: made, attributes }) => ({
          opType,
          given,
          made,
          attributes: attributes.map(({ name, type, tensor: t, graphs }) => [
            name,
            type,
            t?.name,
            graphs?.length,
          ]),
        })),
        initializers: [...initializers.keys()],
        others: [inputs.length, outputs.length, values.size],
      }));
    const expected = plain(await scan(bytes([])));
    expect(expected.map(({ path }) => path)).toEqual([
      'graph',
      'graph/Op#0.value',
      'function l.F',
      'function l.F/Op#0.value',
    ]);
    expect(plain(await scan(bytes(wrong)))).toEqual(expected);
  });
});

describe('paths of scopes', () => {
  const branch = (name: string) => ({ graph: { name, output: [{ name: 'o' }] } });

  test('are told apart where names are the same', async () => {
    const twins = [1, 2, 3].map((at) =>
      node('If', ['c'], [`y${at}`], { then_branch: branch('t') }, { name: 'twin' }),
    );
    const { scopes } = await scan(model({ nodes: twins }));
    const path = 'graph/twin.then_branch';
    expect(scopes.map((scope) => scope.path)).toEqual(['graph', path, `${path}#2`, `${path}#3`]);
  });

  test('count the graphs of an attribute that has several, and merge the one that comes twice', async () => {
    const graphs = [len(11, len(2, 'first')), len(11, len(1, len(4, 'Neg')))];
    const single = [len(6, len(1, len(4, 'Abs'))), len(6, len(1, len(4, 'Exp')))];
    const attribute = len(5, [...len(1, 'bodies'), ...graphs.flat(), ...single.flat()]);
    const bytes = Uint8Array.from([
      ...model({ nodes: [] }),
      ...len(7, len(1, [...len(4, 'Op'), ...attribute])),
    ]);
    const { scopes } = await scan(bytes);
    expect(scopes.map(({ path, nodes }) => [path, nodes.map(({ opType }) => opType)])).toEqual([
      ['graph', ['Op']],
      ['graph/Op#0.bodies[0]', []],
      ['graph/Op#0.bodies[1]', ['Neg']],
      ['graph/Op#0.bodies', ['Abs', 'Exp']],
    ]);
  });

  test('of functions have their overload', async () => {
    const local = { name: 'F', domain: 'l', input: ['a'], output: ['b'], opsetImport: [{ version: 18 }] };
    const { functions } = await scan(model({ nodes: [], functions: [local, { ...local, overload: 'two' }] }));
    expect(functions.map(({ path, callee }) => [path, callee?.overload])).toEqual([
      ['function l.F', ''],
      ['function l.F:two', 'two'],
    ]);
  });
});

test('value_info of a function is known, with its place', async () => {
  const local = {
    name: 'F',
    domain: 'l',
    input: ['a'],
    output: ['b'],
    node: [node('Relu', ['a'], ['b'])],
    opsetImport: [{ version: 18 }],
  };
  const bytes = model({ nodes: [], functions: [{ ...local, valueInfo: [value('a', 10, [3])] }] });
  const found = (await scan(bytes)).functions[0]?.values.get('a');
  expect(found).toMatchObject({ name: 'a', elemType: 10, dims: [3] });
  expect(Buffer.from(bytes.slice(found?.span.start, found?.span.end)).includes('a')).toBe(true);
  expect(onnx.FunctionProto.decode(bytes.slice(found?.frame.start, found?.frame.end))).toMatchObject({
    name: 'F',
  });
});

describe('graphs in graphs', () => {
  const bytes = (depth: number) => {
    let graph = len(2, 'inner');
    for (let level = 0; level < depth; level++)
      graph = len(1, [...len(4, 'If'), ...len(5, [...len(1, 'then_branch'), ...len(6, graph)])]);
    return Uint8Array.from([...int(1, 8), ...len(8, int(2, 18)), ...len(7, graph)]);
  };

  test('may be 100 deep, and no more', async () => {
    expect((await scan(bytes(100))).scopes).toHaveLength(101);
    await expect(scan(bytes(101))).rejects.toThrow('graphs are nested more than 100 deep');
  });
});

describe('an incomplete model', () => {
  const opset = len(8, int(2, 18));

  test.each([
    ['no graph', [...int(1, 8), ...opset], /has no graph/],
    ['no operator set', [...int(1, 8), ...len(7, len(2, 'g'))], /imports no operator set/],
    [
      'no operator set at IR 3, the first that needs one',
      [...int(1, 3), ...len(7, len(2, 'g'))],
      /imports no operator set/,
    ],
  ])('%s', async (_, bytes, what) => {
    const source = fileLike(Uint8Array.from(bytes)); // which is shorter than what is looked at for other formats
    await expect(scan(source)).rejects.toMatchObject({
      code: 'malformed',
      what: expect.stringMatching(what),
      where: 'file',
      fix: 'Check that it was copied or downloaded whole',
    });
  });

  test.each([
    ['metadata_props', len(14, [...varint(10), 9, 1]), 'metadata_props'],
    ['a function', len(25, [...varint(10), 9, 1]), 'a function'],
    ['a node', len(7, len(1, [...varint(10), 9, 1])), 'node 0 of graph'],
    [
      'a node of a function',
      len(25, [...len(1, 'F'), ...len(7, [...varint(10), 9, 1])]),
      'node 0 of function .F',
    ],
    [
      'the second node',
      len(7, [...len(1, len(4, 'Neg')), ...len(1, [...varint(10), 9, 1])]),
      'node 1 of graph',
    ],
  ])('what breaks off in %s says so', async (_, field, place) => {
    const bytes = Uint8Array.from([...int(1, 8), ...opset, ...len(7, len(2, 'g')), ...field]);
    await expect(scan(bytes)).rejects.toMatchObject({
      code: 'malformed',
      where: expect.stringMatching(new RegExp(`, in ${place}$`)),
    });
  });

  test('a source that fails is not taken for another format', async () => {
    const failing = (error: Error) => {
      let count = 0;
      return {
        name: 'disk',
        size: 100_000,
        read: async () => {
          if (count++ === 0) throw error;
          return new TextEncoder().encode('{"json": 1}');
        },
      };
    };
    const io = new OnnxMishError('io', 'the disk is gone');
    await expect(scan(failing(io))).rejects.toBe(io);
    const other = new TypeError('a bug');
    await expect(scan(failing(other))).rejects.toBe(other);
  });

  test('another format is named, with the parse error as the cause', async () => {
    const cause = expect.objectContaining({ code: 'malformed' });
    await expect(scan(new TextEncoder().encode('{"json": 1}'))).rejects.toMatchObject({
      code: 'not-onnx',
      cause,
    });
  });
});

test('a node’s place is its own, and so is that of what it lies in', async () => {
  const bytes = model({
    nodes: [
      node('Relu', ['x'], ['h']),
      node('If', ['c'], ['y'], {
        then_branch: { graph: { node: [node('Neg', ['h'], ['n'])], output: [{ name: 'n' }] } },
      }),
    ],
  });
  const { scopes } = await scan(bytes);
  const [, body] = scopes;
  const [inner] = body?.nodes ?? [];
  const [, branching] = scopes[0]?.nodes ?? [];
  // From the innermost message outwards: graph, attribute, node, graph.
  const frames = [];
  for (let frame = inner?.frame; frame !== undefined; frame = frame.parent) frames.push(frame);
  expect(frames).toHaveLength(4);
  expect(frames[2]).toMatchObject({ end: branching?.span.end });
  expect(frames[3]).toEqual(branching?.frame);
  for (const { lengthAt, start, end } of frames) {
    expect(bytes[lengthAt]).toBe(end - start); // all are shorter than 128 bytes
    expect(start - lengthAt).toBe(1);
  }
  expect(onnx.NodeProto.decode(bytes.slice((inner?.span.start ?? 0) + 2, inner?.span.end))).toMatchObject({
    opType: 'Neg',
  });
});

const reference = messageType('TensorProto');

describe('a field with several occurrences', () => {
  const entries = (...pairs: [string, string][]) => pairs.map(([key, value]) => ({ key, value }));
  const constant = (...tensors: onnx.ITensorProto[]) => {
    const graph = onnx.GraphProto.encode({ name: 'g', output: [{ name: 'y' }] }).finish();
    const attribute = [
      ...len(1, 'value'),
      ...tensors.flatMap((tensor) => len(5, onnx.TensorProto.encode(tensor).finish())),
      ...int(20, 4),
    ];
    const constantNode = [...len(2, 'y'), ...len(4, 'Constant'), ...len(5, attribute)];
    const head = onnx.ModelProto.encode({ irVersion: 8, opsetImport: [{ version: 18 }] }).finish();
    return Uint8Array.from([...head, ...len(7, [...graph, ...len(1, constantNode)])]);
  };

  test('is merged as protobuf does: lists joined, single fields the last', async () => {
    const part = fc.record(
      {
        name: fc.constantFrom('a', 'b'),
        dataType: fc.constantFrom(1, 7),
        dims: fc.array(fc.constantFrom(1, 2, 3), { maxLength: 3 }),
        floatData: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }),
        int64Data: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }),
        dataLocation: fc.constantFrom(0, 1),
        location: fc.option(fc.constantFrom('x', 'y')),
        offset: fc.option(fc.constantFrom('0', '8')),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 4 }), async (parts) => {
        const tensors = parts.map(({ location, offset, ...rest }) => ({
          ...rest,
          externalData: entries(
            ...(location == null ? [] : [['location', location] as [string, string]]),
            ...(offset == null ? [] : [['offset', offset] as [string, string]]),
          ),
        }));
        // protobufjs concatenates and merges: another implementation says what is right.
        const bytes = tensors.map((tensor) => onnx.TensorProto.encode(tensor).finish());
        const merged = reference.toObject(reference.decode(Buffer.concat(bytes)), {
          defaults: true,
          longs: Number,
        }) as onnx.TensorProto;
        const keys = merged.externalData.map(({ key }) => key);
        const found = scan(constant(...tensors));
        if (merged.dataLocation === 1 && new Set(keys).size < keys.length) {
          await expect(found).rejects.toMatchObject({
            code: 'malformed',
            what: expect.stringMatching(/twice/),
          });
          return;
        }
        const { graph, external } = await found;
        const { tensor } = graph.nodes[0]?.attributes[0] ?? {};
        expect(tensor).toMatchObject({ name: merged.name, elemType: merged.dataType });
        expect(tensor?.dims).toEqual(merged.dims.map(Number));
        expect(external).toHaveLength(merged.dataLocation === 1 ? 1 : 0);
        const expected = Object.fromEntries(merged.externalData.map(({ key, value }) => [key, value]));
        expect(Object.fromEntries(external[0]?.tensor.external ?? [])).toEqual(
          external.length ? expected : {},
        );
        // What is in several places cannot be replaced.
        expect(tensor?.frame === undefined).toBe(parts.length > 1);
      }),
      { numRuns: casesOf(200), seed: 5 },
    );
  });

  test('a location that is given twice is refused, wherever the tensor is', async () => {
    const tensor: onnx.ITensorProto = {
      name: 'w',
      dataType: 1,
      dims: [1],
      dataLocation: 1,
      externalData: entries(['location', 'a'], ['offset', '0'], ['location', '']),
    };
    for (const bytes of [
      model({ nodes: [node('Relu', ['x'], ['y'])], initializers: [tensor] }),
      constant(tensor),
      constant(
        { ...tensor, externalData: entries(['location', 'a']) },
        { externalData: entries(['location', 'b']) },
      ),
    ]) {
      await expect(scan(bytes)).rejects.toMatchObject({
        code: 'malformed',
        what: "its external data has 'location' twice",
      });
    }
  });
});
