import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arraySamples, chosenSamples, isSamples } from '../../src/data/samples.js';
import { batchArrays } from '../../src/train/batches.js';

const inputs = [{ name: 'x', elemType: 'f32', inner: [2] }];
const array = (data: Float32Array | Float64Array | Uint8Array | BigInt64Array, elemType: string) => ({
  ...{ elemType, dims: [data.length / 2, 2], data },
});

test('samples are read in any order, from each type of number', () => {
  const numbers = Array.from({ length: 40 }, (_, at) => at);
  const arrays = [
    array(Float32Array.from(numbers), 'f32'),
    array(Float64Array.from(numbers), 'f64'),
    array(Uint8Array.from(numbers), 'u8'),
    array(BigInt64Array.from(numbers, BigInt), 'i64'),
  ];
  fc.assert(
    fc.property(
      fc.array(fc.nat(19), { minLength: 1, maxLength: 30 }),
      fc.constantFrom(...arrays),
      (order, x) => {
        const samples = arraySamples({ x }, inputs);
        const batch = batchArrays(samples, order.length);
        samples.read(order, batch);
        expect(batch.x?.data).toEqual(
          Float32Array.from(order.flatMap((index) => [2 * index, 2 * index + 1])),
        );
        const reversed = chosenSamples(
          samples,
          Uint32Array.from({ length: 20 }, (_, at) => 19 - at),
        );
        const other = batchArrays(samples, order.length);
        reversed.read(
          order.map((index) => 19 - index),
          other,
        );
        expect(other).toEqual(batch);
      },
    ),
    { seed: 2, numRuns: 60 },
  );
});

test('a digest belongs to the values and to the choice of samples', async () => {
  const digestOf = (change: number, chosen?: readonly number[]) => {
    const x = array(Float32Array.of(1, 2, 3, 4, 5, 6 + change), 'f32');
    const samples = arraySamples({ x }, inputs);
    return (chosen === undefined ? samples : chosenSamples(samples, chosen)).digest?.();
  };
  const digests = await Promise.all([
    ...[digestOf(0), digestOf(1), digestOf(0, [0, 1]), digestOf(0, [1, 0])],
    ...[digestOf(1, [0, 1]), digestOf(0, [0, 1, 2])],
  ]);
  expect(new Set(digests).size).toBe(6);
  expect(await digestOf(0)).toBe(digests[0]);
  expect(await digestOf(0, [0, 1])).toBe(digests[2]);
  const { digest: _, ...without } = arraySamples({ x: array(Float32Array.of(1, 2), 'f32') }, inputs);
  expect(chosenSamples(without, [0]).digest).toBeUndefined();
});

test('integers stay integers, and a single array goes to a single input', () => {
  const tokens = [{ name: 'ids', elemType: 'i64', inner: [null] }];
  const samples = arraySamples({ other: array(Float64Array.of(1, 2, 3, 4), 'f64') }, tokens);
  const batch = batchArrays(samples, 1);
  samples.read([1], batch);
  expect(batch.ids?.data).toEqual(BigInt64Array.of(3n, 4n));
  expect(() => arraySamples({ ids: array(Float64Array.of(1, 2.5), 'f64') }, tokens)).toThrow(
    /cannot hold 2.5/,
  );
});

test('an input without a rank takes any samples', () => {
  const samples = arraySamples({ x: { elemType: 'f32', dims: [2], data: Float32Array.of(1, 2) } }, [
    { name: 'x', elemType: 'f32', inner: undefined },
  ]);
  expect(samples.inputs).toEqual({ x: { elemType: 'f32', dims: [] } });
  expect([isSamples(samples), isSamples({ x: array(new Float32Array(2), 'f32') })]).toEqual([true, false]);
});

test.each([
  ['f16', Uint16Array.of(0, 0x3c00, 0x7e00, 0), Number.NaN],
  ['f16', Uint16Array.of(0, 0x3c00, 0x7c00, 0), Number.POSITIVE_INFINITY],
  ['bf16', Uint16Array.of(0, 0, 0x7fc0, 0), Number.NaN],
  ['f32', Float32Array.of(0, 0, Number.NaN, 0), Number.NaN],
  ['f64', Float64Array.of(0, 0, Number.NEGATIVE_INFINITY, 0), Number.NEGATIVE_INFINITY],
])('an array of %s with a number that is not finite is refused', (elemType, data, bad) => {
  const x = { elemType, dims: [2, 2], data };
  for (const to of ['f32', 'f64', 'f16'])
    expect(() => arraySamples({ x }, [{ name: 'x', elemType: to, inner: [2] }])).toThrow(
      `the data of 'x' contain ${bad} in sample 1`,
    );
});

test('arrays that do not fit are refused', () => {
  const two = [...inputs, { name: 'z', elemType: 'f32', inner: [2] }];
  const x = array(new Float32Array(8), 'f32');
  expect(() => arraySamples({ x, z: array(new Float32Array(6), 'f32') }, two)).toThrow(
    "input 'z' has 3 samples, but 'x' has 4",
  );
  expect(() => arraySamples({ x: { ...x, dims: [5, 2] } }, inputs)).toThrow('has 8 elements for shape [5,2]');
  const strings = { elemType: 'string', dims: [1, 2], data: ['a', 'b'] };
  expect(() => arraySamples({ s: strings }, [{ name: 's', elemType: 'string', inner: [2] }])).toThrow(
    "input 's' takes strings",
  );
});
