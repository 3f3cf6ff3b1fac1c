import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arraySamples, chosenSamples } from '../../src/data/samples.js';
import { sharedSamples, sharedSamplesNote } from '../../src/data/shared-samples.js';

const inputs = [
  { name: 'x', elemType: 'f32', inner: [2] },
  { name: 'k', elemType: 'i64', inner: [] },
];
/** Samples of two inputs, each from a few different numbers. */
const samplesOf = (rows: readonly (readonly [number, number, number])[]) =>
  arraySamples(
    {
      x: {
        elemType: 'f32',
        dims: [rows.length, 2],
        data: Float32Array.from(rows.flatMap((row) => row.slice(0, 2))),
      },
      k: { elemType: 'i64', dims: [rows.length], data: BigInt64Array.from(rows, ([, , c]) => BigInt(c)) },
    },
    inputs,
  );
const row = fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: -2, max: 2 }))) as fc.Arbitrary<
  [number, number, number]
>;
const rows = fc.array(row, { minLength: 1, maxLength: 600 });

test('samples are shared if all their values are equal', async () => {
  await fc.assert(
    fc.asyncProperty(rows, rows, async (part, other) => {
      const known = new Set(other.map(String));
      const expected = part.filter((one) => known.has(String(one))).length;
      expect(await sharedSamples(samplesOf(part), samplesOf(other))).toBe(expected);
    }),
    { numRuns: 30, seed: 1 },
  );
});

test('parts of one set share what is in both, and bytes equal the floats that they become', async () => {
  const values = Uint8Array.from({ length: 200 }, (_, at) => (at * 7) % 251);
  const one = (data: Uint8Array | Float32Array, elemType: string) =>
    arraySamples({ x: { elemType, dims: [100, 2], data } }, inputs.slice(0, 1));
  const [bytes, floats] = [one(values, 'u8'), one(Float32Array.from(values), 'f32')];
  expect(await sharedSamples(chosenSamples(bytes, [3, 4, 5]), chosenSamples(floats, [5, 9, 3]))).toBe(2);
});

test('samples that are decoded at each read are not compared', async () => {
  const { digest: _, ...decoded } = samplesOf([[1, 2, 3]]);
  expect(await sharedSamples(decoded, decoded)).toBeUndefined();
  expect(sharedSamplesNote(undefined, 100)).toBeUndefined();
});

test('a note says how many, unless hardly any are', () => {
  expect(sharedSamplesNote(0, 100)).toBeUndefined();
  expect(sharedSamplesNote(1, 10_000)).toBeUndefined();
  expect(sharedSamplesNote(3, 100)).toContain('3 of the 100 test samples are also training samples');
  expect(sharedSamplesNote(100, 100)).toContain('all 100 test samples');
});
