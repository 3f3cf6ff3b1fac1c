import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import type { OnnxDocument } from '../../src/onnx/document.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { roundTo } from '../../src/onnx/scalar.js';
import { scan } from '../../src/onnx/scan.js';
import { toSource } from '../../src/onnx/source.js';
import { splice } from '../../src/onnx/splice.js';
import { FLOAT_TYPES, type FloatType } from '../../src/onnx/types.js';
import { floatBytes, readWeight, weightEdit, weightOf } from '../../src/onnx/weights.js';
import { model, node, value } from '../support/model.js';

const VALUES = [1, -2.5, 0.1, 3e-5];

/** Each way in which a tensor can hold its elements. */
const LAYOUTS: Record<string, (type: FloatType) => onnx.ITensorProto | undefined> = {
  raw: (type) => ({ rawData: floatBytes(VALUES, type) }),
  typed: (type) => {
    if (type === 'f32') return { floatData: VALUES };
    if (type === 'f64') return { doubleData: VALUES };
    const bits = new Uint16Array(floatBytes(VALUES, type).buffer);
    return { int32Data: [...bits] };
  },
};

function withWeight(type: FloatType, data: onnx.ITensorProto, constant: boolean): Uint8Array {
  const tensor = { name: 'w', dataType: FLOAT_TYPES[type], dims: [2, 2], docString: 'kept', ...data };
  const use = node('MatMul', ['x', 'w'], ['y']);
  return model({
    nodes: constant ? [node('Constant', [], ['w'], { value: { tensor } }), use] : [use],
    initializers: constant ? [] : [tensor],
    inputs: [value('x', FLOAT_TYPES[type], ['N', 2])],
  });
}

async function weightIn(document: OnnxDocument) {
  const weight = weightOf(indexGraphs(document), document.graph, 'w');
  if (weight === undefined) throw new Error('no weight');
  return weight;
}

describe.each(['f16', 'bf16', 'f32', 'f64'] as const)('%s', (type) => {
  test.each(Object.entries(LAYOUTS))('%s data is read and written in its own type', async (_, layout) => {
    for (const constant of [true, false]) {
      const document = await scan(withWeight(type, layout(type) ?? {}, constant));
      const read = await readWeight(document, await weightIn(document));
      expect([...read]).toEqual(VALUES.map((value) => roundTo(value, type)));
      const doubled = read.map((value) => 2 * value);
      const edit = await weightEdit(document, await weightIn(document), doubled);
      const bytes = await splice(document.source, [edit]).bytes();
      const again = await scan(bytes);
      expect([...(await readWeight(again, await weightIn(again)))]).toEqual([...doubled]);
      const proto = onnx.ModelProto.decode(bytes);
      const tensor = constant ? proto.graph?.node?.[0]?.attribute?.[0]?.t : proto.graph?.initializer?.[0];
      expect(tensor).toMatchObject({ name: 'w', dims: [2, 2], docString: 'kept' });
      expect(tensor?.dataType).toBe(FLOAT_TYPES[type]);
    }
  });
});

test('external data is read at its offset, and comes into the file when it changes', async () => {
  const externalData = [
    { key: 'location', value: 'data.bin' },
    { key: 'offset', value: '4' },
    { key: 'length', value: '16' },
  ];
  const document = await scan(withWeight('f32', { dataLocation: 1, externalData }, false));
  const file = new Uint8Array(20);
  file.set(floatBytes(VALUES, 'f32'), 4);
  const open = async () => toSource(file, 'data.bin');
  const weight = await weightIn(document);
  expect([...(await readWeight(document, weight, open))]).toEqual(VALUES.map(Math.fround));
  const bytes = await splice(document.source, [await weightEdit(document, weight, [4, 3, 2, 1])]).bytes();
  const again = await scan(bytes);
  expect(again.external).toEqual([]);
  expect([...(await readWeight(again, await weightIn(again)))]).toEqual([4, 3, 2, 1]);

  await expect(readWeight(document, weight)).rejects.toMatchObject({ code: 'external-data' });
  const short = async () => toSource(file.subarray(0, 18), 'data.bin');
  await expect(readWeight(document, weight, short)).rejects.toMatchObject({ code: 'external-data' });
});

test('data or values that do not match the shape are refused', async () => {
  const document = await scan(withWeight('f32', { rawData: new Uint8Array(12) }, false));
  const weight = await weightIn(document);
  await expect(readWeight(document, weight)).rejects.toMatchObject({ code: 'malformed' });
  await expect(weightEdit(document, weight, [1])).rejects.toMatchObject({ code: 'bad-usage' });
});

test('only constant float tensors are weights', async () => {
  const document = await scan(withWeight('f32', { rawData: floatBytes(VALUES, 'f32') }, false));
  const index = indexGraphs(document);
  for (const name of ['x', 'y', '', 'nowhere']) expect(weightOf(index, document.graph, name)).toBeUndefined();
});

describe('external data', () => {
  const entries = (all: Record<string, string>) =>
    Object.entries(all).map(([key, value]) => ({ key, value }));
  const weightWith = async (all: Record<string, string>) => {
    const document = await scan(withWeight('f32', { dataLocation: 1, externalData: entries(all) }, false));
    return { document, weight: await weightIn(document) };
  };
  const file = floatBytes(VALUES, 'f32');
  const open = (bytes: Uint8Array) => {
    const asked: string[] = [];
    return {
      asked,
      open: async (location: string) => {
        asked.push(location);
        return toSource(bytes, 'data.bin');
      },
    };
  };

  test('without an offset or a length is all of its file', async () => {
    const { document, weight } = await weightWith({ location: 'folder/data.bin' });
    const opened = open(file);
    expect([...(await readWeight(document, weight, opened.open))]).toEqual(VALUES.map(Math.fround));
    expect(opened.asked).toEqual(['folder/data.bin']);
  });

  test.each<[Record<string, string>, number]>([
    [{ offset: '4' }, 16],
    [{ offset: '-4', length: '16' }, 32],
    [{ offset: '1.5', length: '16' }, 32],
    [{ offset: 'x', length: '16' }, 32],
    [{ offset: '17', length: '16' }, 32],
    [{ length: '12' }, 32],
    [{ length: '20' }, 32],
    [{}, 12],
    [{ offset: '9007199254740993', length: '16' }, 32],
  ])('that does not fit is refused: %j of %i bytes', async (all, size) => {
    const { document, weight } = await weightWith({ location: 'data.bin', ...all });
    await expect(readWeight(document, weight, open(new Uint8Array(size)).open)).rejects.toMatchObject({
      code: 'external-data',
      where: 'model',
      what: expect.stringMatching(/^the tensor 'w' should have 16 bytes of 'data\.bin' from byte /),
      fix: expect.stringContaining('copied whole'),
    });
  });

  test('may end at the end of its file', async () => {
    const { document, weight } = await weightWith({ location: 'data.bin', offset: '16', length: '16' });
    const two = Uint8Array.from([...new Uint8Array(16), ...file]);
    expect([...(await readWeight(document, weight, open(two).open))]).toEqual(VALUES.map(Math.fround));
  });

  test('needs no length, and may be followed by the data of other tensors', async () => {
    const padded = Uint8Array.from([...new Uint8Array(4), ...file]);
    for (const [all, bytes] of [
      [{ offset: '4' }, padded],
      [{ offset: '4' }, Uint8Array.from([...padded, 9, 9, 9, 9])],
      [{}, Uint8Array.from([...file, 9, 9, 9, 9])],
      [{ offset: '4', length: '16' }, Uint8Array.from([...padded, 9, 9, 9, 9])],
      [{ length: '16' }, Uint8Array.from([...file, 9, 9, 9, 9])],
    ] as const) {
      const { document, weight } = await weightWith({ location: 'data.bin', ...all });
      expect([...(await readWeight(document, weight, open(bytes).open))]).toEqual(VALUES.map(Math.fround));
    }
  });

  test('without openData is refused with advice', async () => {
    const { document, weight } = await weightWith({ location: 'data.bin' });
    await expect(readWeight(document, weight)).rejects.toMatchObject({
      code: 'external-data',
      what: "the data of tensor 'w' is in another file",
      fix: 'Give the model by its path',
    });
  });
});

test('errors say which tensor, and what it holds', async () => {
  const document = await scan(withWeight('f32', { rawData: new Uint8Array(12) }, false));
  const weight = await weightIn(document);
  await expect(readWeight(document, weight)).rejects.toMatchObject({
    what: "the tensor 'w' [2,2] holds 12 bytes",
    where: 'model',
    fix: expect.stringContaining('shape'),
  });
  await expect(weightEdit(document, weight, [1])).rejects.toMatchObject({
    what: "the tensor 'w' needs 4 values, got 1",
  });
  const { frame, ...tensor } = weight.tensor;
  await expect(weightEdit(document, { ...weight, tensor }, VALUES)).rejects.toMatchObject({
    code: 'bad-usage',
  });
});

test('an edit replaces the data in any field, and keeps the other fields of the tensor', async () => {
  const odd = {
    floatData: VALUES,
    int32Data: [1],
    doubleData: [1],
    rawData: floatBytes(VALUES, 'f32'),
    externalData: [{ key: 'location', value: 'a' }],
    dataLocation: 0,
    docString: 'kept',
    metadataProps: [{ key: 'k', value: 'v' }],
  };
  const document = await scan(withWeight('f32', odd, false));
  const weight = await weightIn(document);
  const bytes = await splice(document.source, [await weightEdit(document, weight, [4, 3, 2, 1])]).bytes();
  const tensor = onnx.ModelProto.decode(bytes).graph?.initializer?.[0];
  expect(tensor).toMatchObject({
    name: 'w',
    dims: [2, 2],
    dataType: 1,
    docString: 'kept',
    metadataProps: [{ key: 'k', value: 'v' }],
    rawData: floatBytes([4, 3, 2, 1], 'f32'),
  });
  expect([tensor?.floatData, tensor?.int32Data, tensor?.doubleData, tensor?.externalData]).toEqual([
    [],
    [],
    [],
    [],
  ]);
});

test('a value that only looks constant is no weight', async () => {
  const tensor = { dataType: 1, dims: [4], rawData: floatBytes(VALUES, 'f32') };
  const integers = { ...tensor, name: 'i', dataType: 6 };
  const bytes = model({
    nodes: [
      node('Constant', [], ['foreign'], { value: { tensor } }, { domain: 'com.example' }),
      node('Other', [], ['other'], { value: { tensor } }),
      node('Constant', [], ['sparse'], { elsewhere: { tensor } }),
      node('Add', ['x', 'i'], ['y']),
    ],
    initializers: [integers],
  });
  const document = await scan(bytes);
  const index = indexGraphs(document);
  for (const name of ['foreign', 'other', 'sparse', 'i'])
    expect(weightOf(index, document.graph, name), name).toBeUndefined();
});

test('floats are written little-endian, each as the nearest', () => {
  expect([...floatBytes([1, -2], 'f32')]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
  expect([...floatBytes([1], 'f64')]).toEqual([0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
  expect([...floatBytes([1, 1 / 3], 'f16')]).toEqual([0, 0x3c, 0x55, 0x35]);
  expect([...floatBytes([1, 1 / 3], 'bf16')]).toEqual([0x80, 0x3f, 0xab, 0x3e]);
});
