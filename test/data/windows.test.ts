import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutTensor, cutWindow, imageAxes, imageSize, middleParts } from '../../src/data/windows.js';

const declared = (name: string, dims: readonly (number | string)[]) => ({ name, elemType: 1, dims });

const indexOf = (dims: readonly number[], at: readonly number[]) =>
  at.reduce((index, place, axis) => index * (dims[axis] ?? 1) + place, 0);

/** Returns all places of a shape. */
const placesOf = (dims: readonly number[]): number[][] =>
  dims.reduce<number[][]>(
    (places, dim) => places.flatMap((place) => Array.from({ length: dim }, (_, at) => [...place, at])),
    [[]],
  );

const SHARE = fc.double({ min: 0, max: 0.99, noNaN: true });
const cases = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 5 }).chain((dims) =>
  fc.record({
    dims: fc.constant(dims),
    axes: fc
      .uniqueArray(fc.integer({ min: 0, max: dims.length - 1 }), { minLength: 2, maxLength: 2 })
      .map((axes) => axes.toSorted((a, b) => a - b) as [number, number]),
    shares: fc.tuple(SHARE, SHARE, SHARE, SHARE),
  }),
);

test('a window has the elements of its place, on any two axes of any tensor', () => {
  fc.assert(
    fc.property(cases, ({ dims, axes, shares }) => {
      const [high, wide] = axes.map((axis) => dims[axis] ?? 1) as [number, number];
      const size = [1 + Math.floor(shares[0] * high), 1 + Math.floor(shares[1] * wide)] as const;
      const at = [
        Math.floor(shares[2] * (high - size[0] + 1)),
        Math.floor(shares[3] * (wide - size[1] + 1)),
      ] as const;
      const data = Int32Array.from({ length: placesOf(dims).length }, (_, index) => index);
      const cut = cutTensor({ elemType: 'i32', dims, data }, axes, at, size);
      expect(cut.dims).toEqual(dims.map((dim, axis) => size[axes.indexOf(axis)] ?? dim));
      const wanted = placesOf(cut.dims).map((place) =>
        indexOf(
          dims,
          place.map((each, axis) => each + (at[axes.indexOf(axis)] ?? 0)),
        ),
      );
      expect([...(cut.data as Int32Array)]).toEqual(wanted);
    }),
    { seed: 1, numRuns: 200 },
  );
});

const image = (...dims: number[]) => ({
  elemType: 'f32',
  dims,
  data: new Float32Array(dims.reduce((product, dim) => product * dim, 1)),
});

test('height and width are the two free axes of an input, beside that of the samples', () => {
  const axesOf = (...dims: (number | string)[]) => imageAxes([declared('x', dims)], { x: image(1, 2, 2, 2) });
  expect(axesOf('N', 3, 'H', 'W')).toEqual(new Map([['x', [2, 3]]]));
  expect(axesOf(1, 'H', 'W', 3)).toEqual(new Map([['x', [1, 2]]]));
  expect(axesOf('N', 3, 64, 64)).toBeUndefined();
  expect(axesOf('N', 'T')).toBeUndefined();
  expect(axesOf('N', 'C', 'H', 'W')).toBeUndefined();
});

test('inputs of one size are cut alike, and inputs without places stay whole', () => {
  const inputs = [
    declared('x', ['N', 3, 'H', 'W']),
    declared('mask', ['N', 'H', 'W']),
    declared('s', ['N', 1]),
  ];
  const run = { x: image(1, 3, 6, 8), mask: image(1, 6, 8), s: image(1, 1) };
  const axes = imageAxes(inputs, run) ?? new Map();
  expect(imageSize(run, axes)).toEqual([6, 8]);
  const cut = cutWindow(run, axes, [1, 2], [4, 5]);
  expect([cut.x?.dims, cut.mask?.dims, cut.s?.dims]).toEqual([
    [1, 3, 4, 5],
    [1, 4, 5],
    [1, 1],
  ]);
  expect(imageSize({ ...run, mask: image(1, 6, 7) }, axes)).toBeUndefined();
});

test('the middle of large images is taken, and small or fixed ones stay whole', async () => {
  const run = { x: image(1, 3, 6, 9) };
  const dimsOf = async (side: number, ...dims: (number | string)[]) => {
    const parts = middleParts([run], [declared('x', dims)], side);
    for await (const { x } of parts) return x?.dims;
  };
  expect(await dimsOf(4, 'N', 3, 'H', 'W')).toEqual([1, 3, 4, 4]);
  expect(await dimsOf(7, 'N', 3, 'H', 'W')).toEqual([1, 3, 6, 7]);
  expect(await dimsOf(9, 'N', 3, 'H', 'W')).toEqual([1, 3, 6, 9]);
  expect(await dimsOf(4, 'N', 3, 6, 9)).toEqual([1, 3, 6, 9]);
});
