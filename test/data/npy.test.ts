import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseNpy, readNpy } from '../../src/data/npy.js';
import { npy, raw } from '../support/numpy.js';

describe('reads', () => {
  test.each([
    ['<f4', 'f32', Float32Array.of(1.5, -2, 3, 4, 5, 6)],
    ['<f8', 'f64', Float64Array.of(1.5, -2, 3, 4, 5, 6)],
    ['<f2', 'f16', Uint16Array.of(0x3c00, 0, 1, 2, 3, 4)],
    ['|b1', 'bool', Uint8Array.of(0, 1, 1, 0, 0, 1)],
    ['|i1', 'i8', Int8Array.of(-1, 2, 3, 4, 5, 6)],
    ['<i4', 'i32', Int32Array.of(-1, 2, 3, 4, 5, 6)],
    ['<i8', 'i64', BigInt64Array.of(-1n, 2n ** 60n, 3n, 4n, 5n, 6n)],
  ])('%s', (descr, elemType, data) => {
    expect(parseNpy(npy(descr, [2, 3], raw(data)), 'a')).toEqual({ elemType, dims: [2, 3], data });
  });

  test('a scalar and an empty array', () => {
    expect(parseNpy(npy('<f4', [], raw(Float32Array.of(7))), 'a').dims).toEqual([]);
    expect(parseNpy(npy('<f4', [0, 4], new Uint8Array(0)), 'a').data).toHaveLength(0);
  });

  test('column-major data in row-major order', () => {
    // numpy.asfortranarray([[1, 2, 3], [4, 5, 6]]) stores 1 4 2 5 3 6.
    const stored = raw(Float32Array.of(1, 4, 2, 5, 3, 6));
    expect([...(parseNpy(npy('<f4', [2, 3], stored, true), 'a').data as Float32Array)]).toEqual([
      1, 2, 3, 4, 5, 6,
    ]);
  });

  test('column-major data of three axes', () => {
    const index = (a: number, b: number, c: number) => a * 100 + b * 10 + c;
    const stored: number[] = [];
    for (let c = 0; c < 4; c++)
      for (let b = 0; b < 3; b++) for (let a = 0; a < 2; a++) stored.push(index(a, b, c));
    const expected: number[] = [];
    for (let a = 0; a < 2; a++)
      for (let b = 0; b < 3; b++) for (let c = 0; c < 4; c++) expected.push(index(a, b, c));
    const { data } = parseNpy(npy('<i4', [2, 3, 4], raw(Int32Array.from(stored)), true), 'a');
    expect([...(data as Int32Array)]).toEqual(expected);
  });
});

describe('refuses', () => {
  const one = raw(Float32Array.of(1));
  test.each<[string, Uint8Array, RegExp, string?]>([
    ['pickled objects', npy('|O', [1], one), /pickled/],
    ['big-endian numbers', npy('>f4', [1], one), /big-endian/, "array.astype('<f4')"],
    ['big-endian integers', npy('>i8', [1], one), /big-endian/, "array.astype('<i8')"],
    ['strings', npy('<U3', [1], one), /is not among bool/],
    ['complex numbers', npy('<c8', [1], raw(Float32Array.of(1, 2))), /is not among bool/],
    ['big-endian strings', npy('>U3', [1], one), /'>U3' is not among bool/],
    ['too few bytes', npy('<f4', [2], one), /4 bytes of data, but its shape needs 8/],
    ['too many bytes', npy('<f4', [], raw(Float32Array.of(1, 2))), /8 bytes of data, but its shape needs 4/],
    ['something else', new TextEncoder().encode('hello, world'), /not an \.npy/],
    ['a file cut in its header', npy('<f4', [1], one).subarray(0, 40), /header/],
    ['a negative shape', npy('<f4', [-1], one), /not a valid shape/],
  ])('%s', (_, bytes, message, fix = '') => {
    expect(() => parseNpy(bytes, 'a.npy')).toThrow(message);
    const advice = fix === '' ? {} : { fix: expect.stringContaining(fix) };
    expect(() => parseNpy(bytes, 'a.npy')).toThrow(
      expect.objectContaining({ code: 'bad-data', where: 'a.npy', ...advice }),
    );
  });

  test('every truncation', () => {
    const whole = npy('<f4', [2, 2], raw(Float32Array.of(1, 2, 3, 4)));
    for (let length = 0; length < whole.length; length++) {
      expect(() => parseNpy(whole.subarray(0, length), 'a')).toThrow(
        expect.objectContaining({ code: 'bad-data' }),
      );
    }
  });
});

describe('large arrays', () => {
  test('both readers give the same array, for each order and alignment', async () => {
    const dims = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(dims, fc.boolean(), fc.nat(9), async (shape, fortran, offset) => {
        const count = shape.reduce((product, dim) => product * dim, 1);
        const file = npy('<f4', shape, raw(Float32Array.from({ length: count }, (_, at) => at)), fortran);
        const bytes = new Uint8Array(offset + file.length).subarray(offset);
        bytes.set(file);
        const read = parseNpy(bytes, 'a');
        // `slice` of a Buffer does not copy.
        expect(parseNpy(Buffer.from(bytes.buffer, offset), 'a')).toEqual(read);
        expect(await readNpy(bytes, 'a')).toEqual(read);
        if (!fortran) expect([...(read.data as Float32Array)]).toEqual([...Array(count).keys()]);
      }),
      { numRuns: 200, seed: 3 },
    );
  });

  test('elements are not copied', () => {
    const bytes = npy('<f4', [1e6], new Uint8Array(4e6));
    expect((parseNpy(bytes, 'a').data as Float32Array).buffer).toBe(bytes.buffer);
  });

  test('a signal aborts the reordering of a column-major array', async () => {
    const bytes = npy('|u1', [2, 2 ** 23], new Uint8Array(2 ** 24), true);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 10);
    await expect(readNpy(bytes, 'a', controller.signal)).rejects.toMatchObject({
      code: 'aborted',
      where: 'a',
    });
  });
});

test.each([
  ['<U3', 'numpy.unique(array, return_inverse=True)[1]'],
  ['|S8', 'numpy.unique(array, return_inverse=True)[1]'],
  ['<c16', 'array.real'],
  ['<M8[D]', "array.astype('int64')"],
  ['<m8[s]', "array.astype('int64')"],
  ['<f16', "array.astype('float32')"], // numpy.longdouble
  ['<V2', "array.astype('float32')"], // bfloat16 of ml_dtypes
])('says how to convert %s', (descr, advice) => {
  const fix = expect.stringContaining(advice);
  expect(() => parseNpy(npy(descr, [1], new Uint8Array(2)), 'a.npy')).toThrow(
    expect.objectContaining({ fix }),
  );
});
