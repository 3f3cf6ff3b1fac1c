import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { messageField } from '../../src/onnx/encode.js';
import { decodeTensor } from '../../src/onnx/tensor-data.js';
import { DataType } from '../../src/onnx/types.js';

const written = (tensor: onnx.ITensorProto) => onnx.TensorProto.encode(tensor).finish();
const view = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** The types, the field that holds them one by one, and what their bytes are. */
const TYPES: [string, onnx.ITensorProto, Uint8Array][] = [
  ['f32', { dataType: DataType.FLOAT, floatData: [1.5, -2] }, view(Float32Array.of(1.5, -2))],
  ['f64', { dataType: DataType.DOUBLE, doubleData: [0.1, -2] }, view(Float64Array.of(0.1, -2))],
  ['i64', { dataType: DataType.INT64, int64Data: [-3, 2 ** 40] }, view(BigInt64Array.of(-3n, 2n ** 40n))],
  ['u64', { dataType: DataType.UINT64, uint64Data: [3, 2 ** 40] }, view(BigUint64Array.of(3n, 2n ** 40n))],
  ['u32', { dataType: DataType.UINT32, uint64Data: [3, 2 ** 32 - 1] }, view(Uint32Array.of(3, 2 ** 32 - 1))],
  ['i32', { dataType: DataType.INT32, int32Data: [-3, 7] }, view(Int32Array.of(-3, 7))],
  ['f16', { dataType: DataType.FLOAT16, int32Data: [0x3c00, 0xc000] }, view(Uint16Array.of(0x3c00, 0xc000))],
  [
    'bf16',
    { dataType: DataType.BFLOAT16, int32Data: [0x3f80, 0xbf80] },
    view(Uint16Array.of(0x3f80, 0xbf80)),
  ],
  ['u16', { dataType: DataType.UINT16, int32Data: [65535, 1] }, view(Uint16Array.of(65535, 1))],
  ['i16', { dataType: DataType.INT16, int32Data: [-1, 300] }, view(Int16Array.of(-1, 300))],
  ['bool', { dataType: DataType.BOOL, int32Data: [1, 0] }, Uint8Array.of(1, 0)],
  ['i8', { dataType: DataType.INT8, int32Data: [-1, 7] }, view(Int8Array.of(-1, 7))],
  ['u8', { dataType: DataType.UINT8, int32Data: [255, 7] }, Uint8Array.of(255, 7)],
];

describe.each(TYPES)('a tensor of %s', (elemType, tensor, bytes) => {
  test('has the same bytes from its own field and from raw data', () => {
    const { dataType = 0 } = tensor;
    const said = { name: 't', elemType, dims: [2] };
    const own = decodeTensor(written({ ...tensor, name: 't', dims: [2] }), 'file');
    expect(own).toMatchObject(said);
    expect([...own.data]).toEqual([...bytes]);
    const raw = decodeTensor(written({ dataType, name: 't', dims: [2], rawData: bytes }), 'file');
    expect(raw).toMatchObject(said);
    expect([...raw.data]).toEqual([...bytes]);
  });
});

test('64-bit integers are exact in raw data', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const rawData = view(BigInt64Array.of(value));
      const { data } = decodeTensor(written({ dataType: DataType.INT64, rawData }), 'file');
      expect(data).toEqual(rawData);
    }),
  );
});

/** A packed field of 64-bit integers, each as it is. */
function packed(number: number, values: readonly bigint[]): Uint8Array {
  const bytes = values.flatMap((value) => {
    const rest = BigInt.asUintN(64, value);
    const groups = Array.from({ length: 10 }, (_, at) => Number((rest >> BigInt(7 * at)) & 127n));
    const last = Math.max(
      0,
      groups.findLastIndex((bits) => bits > 0),
    );
    return groups.slice(0, last + 1).map((bits, at) => (at < last ? bits | 128 : bits));
  });
  return messageField(number, Uint8Array.from(bytes));
}

/** Returns whether a number is an integer, as near as a double can be. */
const isNear = (found: bigint, wanted: bigint) => {
  const [gap, size] = [found - wanted, wanted < 0n ? -wanted : wanted];
  return (gap < 0n ? -gap : gap) <= size >> 53n;
};

test('64-bit integers of a field of their own are the nearest that a double can be, up to the largest', () => {
  const types = [
    { dataType: DataType.INT64, field: 7, arbitrary: [-(2n ** 63n), 2n ** 63n - 1n], read: BigInt64Array },
    { dataType: DataType.UINT64, field: 11, arbitrary: [0n, 2n ** 64n - 1n], read: BigUint64Array },
  ] as const;
  for (const {
    dataType,
    field,
    arbitrary: [min, max],
    read,
  } of types)
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min, max }), { maxLength: 3 }), (drawn) => {
        const values = [...drawn, min, max];
        const tensor = Uint8Array.from([...written({ dataType }), ...packed(field, values)]);
        const { data } = decodeTensor(tensor, 'file');
        const found = [...new read((data as Uint8Array).buffer as ArrayBuffer)];
        expect(found.map((value, at) => isNear(value, values[at] ?? 0n))).toEqual(values.map(() => true));
      }),
    );
});

test('64-bit integers of attributes are written as near as a double can be, and with their sign', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (drawn) => {
      const values = [drawn, -(2n ** 63n), 2n ** 63n - 1n];
      const { ints } = onnx.AttributeProto.decode(packed(8, values));
      const { int64Data } = onnx.TensorProto.decode(packed(7, values));
      const again = written({ dataType: DataType.INT64, int64Data });
      const found = [
        ...new BigInt64Array((decodeTensor(again, 'file').data as Uint8Array).buffer as ArrayBuffer),
      ];
      expect(found.map((value, at) => isNear(value, values[at] ?? 0n))).toEqual([true, true, true]);
      const signs = onnx.AttributeProto.decode(onnx.AttributeProto.encode({ ints }).finish()).ints;
      expect(signs.map(Math.sign)).toEqual(values.map((value) => Math.sign(Number(value))));
    }),
  );
});

test('strings are text', () => {
  const stringData = ['a', '', 'µ'].map((text) => new TextEncoder().encode(text));
  const tensor = decodeTensor(written({ dataType: DataType.STRING, dims: [3], stringData }), 'file');
  expect(tensor).toMatchObject({ elemType: 'string', data: ['a', '', 'µ'] });
});

test('bytes that are not a tensor, and types without numbers, are refused with the file name', () => {
  expect(() => decodeTensor(Uint8Array.of(0x0a, 0xff), 'a.pb')).toThrow(
    expect.objectContaining({
      code: 'bad-data',
      where: 'a.pb',
      what: 'this is not a tensor',
      fix: expect.stringContaining('TensorProto'),
      cause: expect.anything(),
    }),
  );
  for (const dataType of [0, DataType.COMPLEX64, 999]) {
    expect(() => decodeTensor(written({ dataType }), 'a.pb')).toThrow(
      expect.objectContaining({
        code: 'bad-data',
        where: 'a.pb',
        what: expect.stringMatching(/^elements of type .+ cannot be read outside of raw_data$/),
      }),
    );
  }
});

describe('more elements than the limit, in a field of their own, are refused before they are kept', () => {
  const COUNT = 1000;
  const fields = {
    floatData: [1, Array(COUNT).fill(1)],
    int32Data: [6, Array(COUNT).fill(1)],
    int64Data: [7, Array(COUNT).fill(1)],
    doubleData: [11, Array(COUNT).fill(1)],
    uint64Data: [13, Array(COUNT).fill(1)],
    stringData: [8, Array(COUNT).fill(new Uint8Array(1))],
    dims: [1, Array(COUNT).fill(1)],
  } as const;
  test.each(Object.entries(fields))('%s', (name, [dataType, elements]) => {
    const bytes = written({ dataType, [name]: [...elements] });
    expect(() => decodeTensor(bytes, 'file', COUNT - 1)).toThrow(
      expect.objectContaining({
        code: 'bad-data',
        where: 'file',
        what: 'the tensor has more than 999 elements outside of raw_data',
      }),
    );
    expect(() => decodeTensor(bytes, 'file', 4 * COUNT)).not.toThrow();
  });

  test('raw_data may hold any number', () => {
    const { data } = decodeTensor(
      written({ dataType: DataType.UINT8, rawData: new Uint8Array(COUNT) }),
      'file',
      0,
    );
    expect(data).toHaveLength(COUNT);
  });
});
