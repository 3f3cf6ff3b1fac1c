import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import {
  floatValues,
  fromBfloat16,
  fromHalf,
  roundTo,
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

describe('rounding', () => {
  /** Halfway between two neighbours, and next to it on both sides. */
  const around = (low: number, high: number) => {
    const middle = (low + high) / 2;
    return [middle * (1 - 2 ** -40), middle, middle * (1 + 2 ** -40)];
  };

  test('a tie goes to the even neighbour, what is next to it to its own, in every power of two of float16', () => {
    for (let bits = 0; bits < 0x7bff; bits += bits < 16 ? 1 : 509) {
      const halves = around(fromHalf(bits), fromHalf(bits + 1)).map(toHalf);
      expect(halves).toEqual([bits, bits % 2 === 0 ? bits : bits + 1, bits + 1]);
    }
  });

  test('NaN stays NaN in bfloat16, whatever bits it has', () => {
    const odd = new Float32Array(Uint32Array.of(0x7fffffff, 0xffffffff, 0x7f800001).buffer);
    for (const value of odd) expect(fromBfloat16(toBfloat16(value))).toBeNaN();
  });

  test('gives a value of the element type', () => {
    const third = 1 / 3;
    expect([third, -third].map((value) => roundTo(value, 'f16'))).toEqual([0.333251953125, -0.333251953125]);
    expect(roundTo(third, 'bf16')).toBe(0.333984375);
    expect(roundTo(third, 'f32')).toBe(Math.fround(third));
    expect(roundTo(third, 'f64')).toBe(third);
    expect(floatValues([third, 2], 'bf16')).toEqual([0.333984375, 2]);
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
    expect(read({ dataType: 6, int32Data: [-5] })).toBe(-5);
    for (const dataType of [2, 3, 4, 5]) expect(read({ dataType, int32Data: [7] })).toBe(7);
    expect(read({ dataType: 1, dims: [1, 1], floatData: [2] })).toBe(2);
  });

  test('are read from raw data, little-endian, if it has the size of one', () => {
    const read = (dataType: number, ...bytes: number[]) =>
      scalarValue(new onnx.TensorProto({ dataType, rawData: Uint8Array.from(bytes) }));
    expect(read(6, 0xfe, 0xff, 0xff, 0xff)).toBe(-2);
    expect(read(7, 0, 1, 0, 0, 0, 0, 0, 0)).toBe(256);
    expect(read(1, 0, 0, 0x80, 0x3f)).toBe(1);
    expect(read(11, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f)).toBe(1);
    expect(read(10, 0, 0x3c)).toBe(1);
    expect(read(16, 0x80, 0x3f)).toBe(1);
    // The zero points of quantisation.
    expect([read(2, 200), read(3, 128), read(4, 0, 1), read(5, 0, 0x80)]).toEqual([200, -128, 256, -32768]);
    expect([read(6, 1, 2), read(9, 1), read(10, 0, 0x3c, 0, 0x3c)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('are not there where there is no data', () => {
    for (const dataType of [1, 6, 7, 10, 11, 16, 2, 9])
      expect(scalarValue(new onnx.TensorProto({ dataType }))).toBeUndefined();
    expect(scalarValue(new onnx.TensorProto({ dataType: 9, int32Data: [1] }))).toBeUndefined();
  });

  test('are absent for several values, no value, or a wrong size', () => {
    const read = (tensor: onnx.ITensorProto) => scalarValue(new onnx.TensorProto(tensor));
    expect(read({ dataType: 1, dims: [2], floatData: [1, 2] })).toBeUndefined();
    expect(read({ dataType: 1, dims: [] })).toBeUndefined();
    expect(read({ dataType: 1, dims: [], rawData: new Uint8Array(3) })).toBeUndefined();
    expect(read({ dataType: 8, dims: [], stringData: [new Uint8Array(1)] })).toBeUndefined();
  });
});
