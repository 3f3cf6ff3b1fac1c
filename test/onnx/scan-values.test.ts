import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { scan } from '../../src/onnx/scan.js';
import { fileLike } from '../support/document.js';
import { floats, model, modelProto, node, value } from '../support/model.js';
import { int, len, varint } from '../support/wire.js';

const relu = node('Relu', ['x'], ['y']);

/** A model with further fields in its graph. */
const withGraphFields = (...fields: number[][]) =>
  Uint8Array.from([...model({ nodes: [relu] }), ...len(7, fields.flat())]);

const initializers = async (bytes: Uint8Array) => (await scan(bytes)).graph.initializers;

describe('a tensor', () => {
  const tensor = (rest: onnx.ITensorProto) =>
    model({ nodes: [relu], initializers: [{ name: 't', ...rest }] });
  const raw = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

  test.each<[string, onnx.ITensorProto, number | undefined]>([
    ['a scalar', { dataType: 1, rawData: raw(1.5) }, 1.5],
    ['one element of rank 2', { dataType: 1, dims: [1, 1], rawData: raw(2) }, 2],
    ['a typed field', { dataType: 1, floatData: [3] }, 3],
    ['int64', { dataType: 7, int64Data: [-4] }, -4],
    ['float64', { dataType: 11, doubleData: [0.1] }, 0.1],
    ['float16 in int32', { dataType: 10, int32Data: [0x3c00] }, 1],
    ['two elements', { dataType: 1, dims: [2], rawData: raw(1, 2) }, undefined],
    ['more than is read', { dataType: 1, dims: [8], rawData: raw(1, 2, 3, 4, 5, 6, 7, 8) }, undefined],
    ['no data', { dataType: 1 }, undefined],
    ['a type of no numbers', { dataType: 9, rawData: Uint8Array.of(1) }, undefined],
    ['data elsewhere', { dataType: 1, dataLocation: 1, rawData: raw(7) }, undefined],
  ])('knows its value where it is one number: %s', async (_, rest, wanted) => {
    const found = (await initializers(tensor(rest))).get('t');
    expect(found).toBeDefined();
    expect(found?.scalar).toBe(wanted);
  });

  test('has a frame, whose content is its message', async () => {
    const bytes = tensor({ dataType: 1, dims: [2], rawData: raw(1, 2) });
    const { frame } = (await initializers(bytes)).get('t') ?? {};
    expect(onnx.TensorProto.decode(bytes.slice(frame?.start, frame?.end))).toMatchObject({
      name: 't',
      dims: [2],
    });
    expect(bytes[frame?.lengthAt ?? 0]).toBe((frame?.end ?? 0) - (frame?.start ?? 0));
    expect(bytes.slice(frame?.parent?.start, frame?.parent?.end)).toHaveLength(
      onnx.GraphProto.encode(onnx.ModelProto.decode(bytes).graph ?? {}).finish().length,
    );
  });

  test.each([
    ['raw data', { rawData: new Uint8Array(400_000) }],
    ['floats', { floatData: new Array<number>(100_000).fill(0) }],
    ['integers', { int32Data: new Array<number>(200_000).fill(300) }],
    ['strings', { stringData: [new Uint8Array(400_000)] }],
    ['64-bit integers', { int64Data: new Array<number>(200_000).fill(300) }],
    ['doubles', { doubleData: new Array<number>(50_000).fill(0) }],
    ['unsigned integers', { uint64Data: new Array<number>(200_000).fill(300) }],
    ['a long description', { docString: 'd'.repeat(400_000) }],
  ])('is not read for its %s', async (_, rest) => {
    const source = fileLike(tensor({ dataType: 1, dims: [3], ...rest }));
    expect(source.size).toBeGreaterThan(380_000);
    const { graph } = await scan(source);
    expect(graph.initializers.get('t')).toMatchObject({ name: 't', dims: [3], elemType: 1 });
    expect(source.total()).toBeLessThan(330_000);
  });

  test('whose data is elsewhere is noted with what it says of it, an entry that lacks something, too', async () => {
    const externalData = [{ key: 'location', value: 'w.bin' }, { key: 'offset' }, { value: '7' }];
    const { external } = await scan(tensor({ dataType: 1, dims: [4], dataLocation: 1, externalData }));
    expect(external).toHaveLength(1);
    expect([...(external[0]?.tensor.external ?? [])]).toEqual([
      ['location', 'w.bin'],
      ['offset', ''],
      ['', '7'],
    ]);
  });

  test('that breaks off is found by its place', async () => {
    const cut = [...varint(8 * 8 + 2), 50, 1];
    const error = (bytes: Uint8Array) => scan(bytes).catch((cause: { where: string }) => cause.where);
    expect(await error(withGraphFields(len(5, cut)))).toMatch(/, in an initializer of graph$/);
    expect(await error(withGraphFields(len(15, len(1, cut))))).toMatch(/, in a sparse tensor of graph$/);
    const inNode = len(1, [...len(4, 'Constant'), ...len(5, [...len(1, 'value'), ...len(5, cut)])]);
    expect(await error(withGraphFields(inNode))).toMatch(/, in attribute value of node 1 of graph$/);
  });
});

describe('a sparse tensor', () => {
  const values = [...len(8, 's'), ...int(1, 3), ...int(2, 11)];
  const indices = [...len(8, 'places'), ...int(1, 3), ...int(2, 7)];

  test('is no number, although it stores one: its other elements are 0', async () => {
    const one = [...len(8, 's'), ...int(1, 1), ...int(2, 1), ...len(9, [0, 0, 192, 63])];
    const found = await initializers(withGraphFields(len(15, [...int(3, 9), ...len(1, one)])));
    expect(found.get('s')).toMatchObject({ elemType: 1, scalar: undefined });
  });

  test('stands for its values', async () => {
    const found = await initializers(
      withGraphFields(len(15, [...int(3, 9), ...len(1, values), ...len(2, indices)])),
    );
    expect([...found.keys()]).toEqual(['s']);
    expect(found.get('s')).toMatchObject({ dims: [9], elemType: 11 });
    expect(found.get('s')?.frame).toBeUndefined();
  });

  test('has its own dims, packed or not, also in several parts', async () => {
    for (const parts of [
      [[...int(3, 4), ...int(3, 300), ...len(1, values)]],
      [[...len(3, [4, 0xac, 2]), ...len(1, values)]],
      [
        [...int(3, 4), ...len(1, values)],
        [...len(3, [0xac, 2]), ...len(2, indices)],
      ],
    ]) {
      const fields = parts.flatMap((part) => len(22, part));
      const constant = len(1, [
        ...len(4, 'Constant'),
        ...len(2, 'c'),
        ...len(5, [...len(1, 'sparse_value'), ...fields]),
      ]);
      const { graph } = await scan(withGraphFields(constant));
      expect(graph.nodes[1]?.attributes[0]?.tensor).toMatchObject({
        name: 's',
        dims: [4, 300],
        elemType: 11,
      });
    }
  });

  test('may have its indices first, and none of what it should', async () => {
    expect([
      ...(await initializers(withGraphFields(len(15, [...len(2, indices), ...len(1, values)])))).keys(),
    ]).toEqual(['s']);
    for (const fields of [[], int(1, 5), len(2, indices), [...int(1, 5), ...int(2, 6)]]) {
      expect((await initializers(withGraphFields(len(15, fields)))).size).toBe(0);
    }
  });

  test('may be an attribute, singly, or one of several that nobody can name', async () => {
    const attribute = (number: number) =>
      len(1, [
        ...len(4, 'Constant'),
        ...len(2, 'c'),
        ...len(5, [...len(1, 'sparse_value'), ...len(number, len(1, values))]),
      ]);
    const tensors = await Promise.all(
      [22, 23].map(
        async (number) =>
          (await scan(withGraphFields(attribute(number)))).graph.nodes[1]?.attributes[0]?.tensor,
      ),
    );
    expect(tensors[0]).toMatchObject({ name: 's', elemType: 11 });
    expect(tensors[1]).toBeUndefined();
  });

  test('may have its data elsewhere, both parts', async () => {
    const elsewhere = (name: string, bytes: number[]) => [
      ...bytes,
      ...int(14, 1),
      ...len(13, [...len(1, 'location'), ...len(2, name)]),
    ];
    const bytes = withGraphFields(
      len(15, [...len(1, elsewhere('v', values)), ...len(2, elsewhere('i', indices))]),
    );
    expect(
      (await scan(bytes)).external.map(({ tensor }) => [tensor.name, tensor.external?.get('location')]),
    ).toEqual([
      ['s', 'v'],
      ['places', 'i'],
    ]);
  });
});

describe('a value', () => {
  test.each<[string, onnx.IValueInfoProto, { elemType: number; dims: unknown }]>([
    ['numbers and symbols', value('x', 1, ['N', 3]), { elemType: 1, dims: ['N', 3] }],
    [
      'a dimension of nothing',
      { name: 'x', type: { tensorType: { elemType: 1, shape: { dim: [{}, { dimParam: '' }] } } } },
      { elemType: 1, dims: [null, null] },
    ],
    ['rank 0', value('x', 10, []), { elemType: 10, dims: [] }],
    ['no shape', value('x', 10), { elemType: 10, dims: undefined }],
    ['no type', { name: 'x' }, { elemType: 0, dims: undefined }],
    [
      'a type that is no tensor',
      { name: 'x', type: { sequenceType: { elemType: { tensorType: { elemType: 1 } } } } },
      { elemType: 0, dims: undefined },
    ],
    ['a size of 0', value('x', 1, [0]), { elemType: 1, dims: [0] }],
  ])('has a type and dimensions as they are: %s', async (_, info, wanted) => {
    const proto = modelProto({ nodes: [relu], inputs: [info], values: [{ ...info, name: 'v' }] });
    const { graph } = await scan(onnx.ModelProto.encode(proto).finish());
    expect(graph.inputs).toMatchObject([{ name: 'x', ...wanted }]);
    expect(graph.values.get('v')).toMatchObject(wanted);
  });

  test('that cannot be decoded is malformed, at its place', async () => {
    const broken = len(11, [...len(1, 'x'), ...len(2, [...varint(10), 40, 1])]);
    await expect(scan(withGraphFields(broken))).rejects.toMatchObject({
      code: 'malformed',
      what: 'the message cannot be decoded',
      where: expect.stringMatching(/^model, byte \d+, in a value_info of graph$/),
      cause: expect.anything(),
    });
  });
});

test('of one name the last initializer counts', async () => {
  const found = await initializers(
    model({ nodes: [relu], initializers: [floats('w', [1], [1]), floats('w', [2], [1, 2])] }),
  );
  expect([...found.values()].map(({ dims }) => dims)).toEqual([[2]]);
});

test('a tensor is an attribute’s where it is the one, and not where it is one of several', async () => {
  const attribute = (number: number) =>
    len(1, [
      ...len(4, 'Op'),
      ...len(2, 'c'),
      ...len(5, [...len(1, 'a'), ...len(number, [...len(8, 't'), ...int(2, 1)])]),
    ]);
  const found = async (number: number) =>
    (await scan(withGraphFields(attribute(number)))).graph.nodes[1]?.attributes[0];
  expect((await found(5))?.tensor).toMatchObject({ name: 't', elemType: 1 });
  expect(await found(10)).not.toHaveProperty('tensor');
});
