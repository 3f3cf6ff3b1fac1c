import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import {
  fromBfloat16,
  fromHalf,
  scalarTensor,
  scalarValue,
  toBfloat16,
  toHalf,
} from '../../src/onnx/scalar.js';

const ALL: readonly number[] = Array.from({ length: 65536 }, (_, bits) => bits);

const isNaNPattern = {
  half: (bits: number) => (bits & 0x7fff) > 0x7c00,
  brain: (bits: number) => (bits & 0x7fff) > 0x7f80,
};

describe('float16', () => {
  test('every pattern comes back', () => {
    const wrong = ALL.filter((bits) =>
      isNaNPattern.half(bits) ? !Number.isNaN(fromHalf(bits)) : toHalf(fromHalf(bits)) !== bits,
    );
    expect(wrong).toEqual([]);
  });

  test('known values', () => {
    expect([0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00].map(fromHalf)).toEqual([
      1,
      -2,
      65504,
      2 ** -24,
      Number.POSITIVE_INFINITY,
    ]);
    expect(Object.is(fromHalf(0x8000), -0)).toBe(true);
    expect([5.5, 65519, 65520, 1e-8, Number.NaN].map(toHalf)).toEqual([0x4580, 0x7bff, 0x7c00, 0, 0x7e00]);
  });

  test('rounds to the nearer neighbour, ties to the even one', () => {
    fc.assert(
      fc.property(fc.nat(0x7bfe), fc.double({ min: 0, max: 1, noNaN: true }), (bits, part) => {
        const [low, high] = [fromHalf(bits), fromHalf(bits + 1)];
        const value = low + (high - low) * part;
        const nearer =
          value - low < high - value || (value - low === high - value && bits % 2 === 0) ? bits : bits + 1;
        expect(toHalf(value)).toBe(nearer);
        expect(toHalf(-value)).toBe(nearer | 0x8000);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('bfloat16', () => {
  test('every pattern comes back, and is the upper half of a float32', () => {
    const view = new DataView(new ArrayBuffer(4));
    const wrong = ALL.filter((bits) => {
      if (isNaNPattern.brain(bits)) return !Number.isNaN(fromBfloat16(bits));
      view.setUint32(0, bits * 65536);
      return !Object.is(fromBfloat16(bits), view.getFloat32(0)) || toBfloat16(fromBfloat16(bits)) !== bits;
    });
    expect(wrong).toEqual([]);
    expect(toBfloat16(Number.NaN)).toBe(0x7fc0);
    expect(toBfloat16(1 + 2 ** -8)).toBe(0x3f80); // a tie, to even
    expect(toBfloat16(1 + 3 * 2 ** -8)).toBe(0x3f82);
  });
});

describe('scalars', () => {
  test.each(['f16', 'f32', 'f64', 'bf16'] as const)('of %s are written and read', (type) => {
    for (const value of [0, 1, -2, 20, 0.5, 5.5]) {
      const bytes = onnx.TensorProto.encode(scalarTensor(value, type)).finish();
      expect(scalarValue(onnx.TensorProto.decode(bytes))).toBe(value);
    }
  });

  test('are read from the typed fields as well', () => {
    const read = (tensor: onnx.ITensorProto) =>
      scalarValue(onnx.TensorProto.decode(onnx.TensorProto.encode(tensor).finish()));
    expect(read({ dataType: 1, floatData: [1.5] })).toBe(1.5);
    expect(read({ dataType: 11, doubleData: [0.1] })).toBe(0.1);
    expect(read({ dataType: 7, int64Data: [-3] })).toBe(-3);
    expect(read({ dataType: 10, int32Data: [0x3c00] })).toBe(1);
    expect(read({ dataType: 16, int32Data: [0x3f80] })).toBe(1);
    expect(read({ dataType: 1, dims: [1, 1], floatData: [2] })).toBe(2);
  });

  test('are not what has several values, none, or a size that does not fit', () => {
    const read = (tensor: onnx.ITensorProto) => scalarValue(new onnx.TensorProto(tensor));
    expect(read({ dataType: 1, dims: [2], floatData: [1, 2] })).toBeUndefined();
    expect(read({ dataType: 1, dims: [] })).toBeUndefined();
    expect(read({ dataType: 1, dims: [], rawData: new Uint8Array(3) })).toBeUndefined();
    expect(read({ dataType: 8, dims: [], stringData: [new Uint8Array(1)] })).toBeUndefined();
  });
});
