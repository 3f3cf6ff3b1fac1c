import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arrayFor, elementCount, type Tensor } from '../../src/providers/tensor.js';
import { decodeTensors, encodeTensors } from '../../src/providers/transfer.js';

const TYPES = ['f32', 'f64', 'f16', 'bf16', 'i8', 'u8', 'bool', 'i16', 'u16', 'i32', 'u32', 'i64', 'u64'];

const numeric = fc
  .tuple(fc.constantFrom(...TYPES), fc.array(fc.nat(4), { maxLength: 3 }), fc.infiniteStream(fc.nat(255)))
  .map(([elemType, dims, bytes]): Tensor => {
    const data = arrayFor(elemType, elementCount(dims));
    if (data === undefined) throw new Error(elemType);
    const view = new Uint8Array(data.buffer);
    for (let index = 0; index < view.length; index++) view[index] = bytes.next().value ?? 0;
    return { elemType, dims, data };
  });

const strings = fc
  .array(fc.string({ unit: 'grapheme' }))
  .map((data): Tensor => ({ elemType: 'string', dims: [data.length], data }));

const tensors = fc.dictionary(fc.string(), fc.oneof(numeric, strings));

describe('tensors as bytes', () => {
  test('come back the same, bit for bit, under any name', () => {
    fc.assert(
      fc.property(tensors, fc.nat(9), (sent, shift) => {
        const bytes = encodeTensors(sent);
        // Wherever the bytes lie in their buffer.
        const moved = new Uint8Array(bytes.length + shift);
        moved.set(bytes, shift);
        const got = decodeTensors(moved.subarray(shift));
        expect(Object.keys(got)).toEqual(Object.keys(sent));
        for (const [name, { elemType, dims, data }] of Object.entries(sent)) {
          const back = got[name];
          expect(back).toMatchObject({ elemType, dims });
          if (!ArrayBuffer.isView(data)) expect(back?.data).toEqual(data);
          else expect(asBytes(back?.data as Uint8Array)).toEqual(asBytes(data));
        }
      }),
    );
  });

  test('that are cut short or something else are refused', () => {
    const bytes = encodeTensors({ x: { elemType: 'f32', dims: [2], data: Float32Array.of(1, 2) } });
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeTensors(bytes.slice(0, length)), String(length)).toThrow(
        /did not send valid tensors/,
      );
    }
    expect(() => decodeTensors(new TextEncoder().encode('<!doctype html>'))).toThrow(
      /did not send valid tensors/,
    );
  });
});

function asBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): number[] {
  return [...new Uint8Array(buffer, byteOffset, byteLength)];
}
