import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OnnxMishError } from '../../src/base/error.js';
import { sampledFeeds } from '../../src/data/arrays.js';
import { imageFeeds } from '../../src/data/images.js';
import { arraySamples } from '../../src/data/samples.js';
import type { Tensor } from '../../src/providers/tensor.js';

const input = (dims: (number | string)[], elemType = 'f32') => [{ name: 'x', elemType, dims }];
const array = (dims: number[], elemType = 'f32'): Tensor => {
  const length = dims.reduce((product, dim) => product * dim, 1);
  return { elemType, dims, data: Float32Array.from({ length }, (_, at) => at) };
};
const refused = (work: () => unknown): OnnxMishError => {
  try {
    work();
  } catch (error) {
    return error as OnnxMishError;
  }
  throw new Error('not refused');
};

describe('the layout of arrays', () => {
  const last = array([2, 4, 5, 3]);

  test.each([
    [input(['N', 3, 4, 5]), last, 'nhwc'],
    [input(['N', 3, 'h', 'w']), last, 'nhwc'],
    [input(['N', 4, 5, 3]), array([2, 3, 4, 5]), 'nchw'],
    [input(['N', 'h', 'w', 3]), array([2, 3, 4, 5]), 'nchw'],
  ] as const)('other than that of %j is said with the option that mends it', (inputs, x, layout) => {
    const error = refused(() => sampledFeeds({ x }, inputs, { dims: { N: 1 } }));
    expect(error).toMatchObject({ code: 'bad-data', option: { dataLayout: layout } });
    const shape = inputs[0]?.dims
      .slice(1)
      .map((dim, at) => (dim === 3 ? 3 : [4, 5][at - (layout === 'nhwc' ? 1 : 0)]));
    const { feeds } = sampledFeeds({ x }, inputs, { dims: { N: 1 }, dataLayout: layout });
    expect(feeds).toHaveLength(2);
    expect(feeds[0]?.x?.dims).toEqual([1, ...(shape ?? [])]);
  });

  test('is transposed to the element', () => {
    const { feeds } = sampledFeeds({ x: last }, input(['N', 3, 4, 5]), {
      dims: { N: 2 },
      dataLayout: 'nhwc',
    });
    const data = feeds[0]?.x?.data as Float32Array;
    for (let n = 0; n < 2; n++)
      for (let c = 0; c < 3; c++)
        for (let h = 0; h < 4; h++)
          for (let w = 0; w < 5; w++)
            expect(data[((n * 3 + c) * 4 + h) * 5 + w]).toBe(((n * 4 + h) * 5 + w) * 3 + c);
  });

  test.each(['nhwc', 'nchw'] as const)('is that of the model wherever its sizes allow it: %s', (layout) => {
    const small = fc.integer({ min: 1, max: 4 });
    const free = fc.constantFrom(undefined, '', 'd');
    fc.assert(
      fc.property(
        fc.tuple(fc.constant(2), small, small, small),
        fc.tuple(free, free, free),
        (given, names) => {
          const [n, a, b, c] = given;
          const wanted = layout === 'nhwc' ? [n, c, a, b] : [n, b, c, a];
          const inputs = input(wanted.map((size, axis) => (axis === 0 ? 'N' : (names[axis - 1] ?? size))));
          const x = array(given);
          const { feeds } = sampledFeeds({ x }, inputs, { dims: { N: 2 }, dataLayout: layout });
          expect(feeds[0]?.x?.dims).toEqual(wanted);
          const at = (i: number, j: number, k: number) => ((i * a + j) * b + k) * c;
          const [, p, q, r] = wanted as [number, number, number, number];
          const order = (i: number, j: number, k: number, l: number) =>
            layout === 'nhwc' ? at(i, k, l) + j : at(i, l, j) + k;
          const expected: number[] = [];
          for (let i = 0; i < n; i++)
            for (let j = 0; j < p; j++)
              for (let k = 0; k < q; k++) for (let l = 0; l < r; l++) expected.push(order(i, j, k, l));
          expect(Array.from(feeds[0]?.x?.data as Float32Array)).toEqual(expected);
        },
      ),
    );
  });

  test('that fits as it is raises nothing', () => {
    for (const dims of [
      [2, 3, 4, 5],
      [2, 3, 3, 3],
    ]) {
      const inputs = input(['N', 3, 'h', 'w']);
      expect(sampledFeeds({ x: array(dims) }, inputs, { dims: { N: 1 } }).feeds).toHaveLength(2);
      expect(
        sampledFeeds({ x: array(dims) }, inputs, { dims: { N: 1 }, dataLayout: 'nhwc' }).feeds,
      ).toHaveLength(2);
    }
    const wrong = refused(() =>
      sampledFeeds({ x: array([2, 7, 4, 5]) }, input(['N', 3, 4, 5]), { dims: { N: 1 }, dataLayout: 'nhwc' }),
    );
    expect(wrong).toMatchObject({ code: 'bad-usage', option: { dataLayout: null } });
    expect(refused(() => sampledFeeds({ x: array([2, 7, 4, 5]) }, input(['N', 3, 4, 5]), {})).code).toBe(
      'bad-data',
    );
  });
});

test('samples are scaled', () => {
  const { feeds } = sampledFeeds({ x: array([2, 2]) }, input(['N', 2]), { dims: { N: 2 }, scale: 0.5 });
  expect(feeds[0]?.x).toEqual({ elemType: 'f32', dims: [2, 2], data: Float32Array.of(0, 0.5, 1, 1.5) });
});

test('integers beside a float input, such as tokens, are not scaled', () => {
  const types = fc.constantFrom('i32', 'i64', 'u8', 'i8', 'bool');
  const scales = fc.constantFrom(255, 1 / 255, -2, 0.5);
  fc.assert(
    fc.property(types, scales, fc.constantFrom('f32', 'f64'), (elemType, scale, floatType) => {
      const floats = { elemType: 'f32', dims: [2, 1], data: Float32Array.of(1, 3) };
      const ids = { elemType: 'u8', dims: [2, 1], data: Uint8Array.of(1, 0) };
      const inputs = [
        { name: 'ids', elemType, dims: ['N', 1] },
        { name: 'x', elemType: floatType, dims: ['N', 1] },
      ];
      const { feeds } = sampledFeeds({ x: floats, ids }, inputs, { dims: { N: 2 }, scale });
      expect(Array.from(feeds[0]?.ids?.data ?? [], Number)).toEqual([1, 0]);
      expect(Array.from(feeds[0]?.x?.data ?? [], Number)).toEqual(
        [1, 3].map((value) => (floatType === 'f32' ? Math.fround(value * scale) : value * scale)),
      );
      const sampled = inputs.map(({ name, elemType: type }) => ({ name, elemType: type, inner: [1] }));
      expect(() => arraySamples({ x: floats, ids }, sampled, { scale })).not.toThrow();
    }),
    { seed: 6 },
  );
});

test('the only input is scaled, whatever its type', () => {
  const x = { elemType: 'u8', dims: [2, 1], data: Uint8Array.of(1, 3) };
  const { feeds } = sampledFeeds({ x }, input(['N', 1], 'i64'), { dims: { N: 2 }, scale: 2 });
  expect(feeds[0]?.x?.data).toEqual(BigInt64Array.of(2n, 6n));
});

describe('labels', () => {
  const arrays = (dims: number[], values: number[]) => ({
    x: array([2, 2]),
    y: { elemType: 'f32', dims, data: Float32Array.from(values) },
  });
  const read = (dims: number[], values: number[]) =>
    sampledFeeds(arrays(dims, values), input(['N', 2]), { dims: { N: 1 }, labels: 'y' });

  test('that are one-hot are read, and this is said', () => {
    const { labels, notes } = read([2, 3], [0, 0, 1, 1, 0, 0]);
    expect(labels).toEqual([2, 0]);
    expect(notes).toEqual(["the labels 'y' are one-hot: the position of the 1 is the class"]);
    expect(read([2, 1], [2, 0])).toMatchObject({ labels: [2, 0], notes: [] });
  });

  test.each([
    [
      [2, 3],
      [0, 0, 0.5, 1, 0, 0],
    ],
    [
      [2, 2, 2],
      [0, 0, 0.5, 1, 0, 1, 0, 0],
    ],
  ])('%j of %j are refused', (dims, values) => {
    expect(refused(() => read(dims, values))).toMatchObject({ code: 'bad-data' });
  });

  test.each([
    [
      [2, 3],
      [0, 1, 1, 1, 0, 0],
    ],
    [
      [2, 3],
      [0, 0, 0, 1, 0, 0],
    ],
    [
      [2, 2, 2],
      [0, 0, 0, 1, 0, 1, 0, 0],
    ],
  ])('%j of %j are a class for each place', (dims, values) => {
    const [, ...inner] = dims;
    expect(read(dims, values).placeLabels).toMatchObject({ dims: inner, values: Float32Array.from(values) });
  });
});

test('a model with one channel gets grey images, as PIL makes them', async () => {
  const pixels = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9);
  const source = { count: 1, decode: async () => big(pixels) };
  for (const dims of [
    ['N', 1, 28, 28],
    ['N', 28, 28, 1],
  ]) {
    const { feeds, labels } = imageFeeds(source, input(dims), {});
    expect(labels).toBeUndefined();
    for await (const { x } of feeds) {
      expect(x?.dims).toEqual([1, ...dims.slice(1)]);
      const first = Array.from(((x?.data ?? []) as Float32Array).slice(0, 4), (value) =>
        Math.round(value * 255),
      );
      expect(first).toEqual([76, 150, 29, 9]); // PIL.Image.convert('L')
    }
  }
});

/** An image of 28 x 28 that begins with these pixels. */
function big(start: Uint8Array) {
  const data = new Uint8Array(28 * 28 * 3);
  data.set(start);
  return { width: 28, height: 28, data };
}

test('a single input takes the only array that fits its shape, whatever the names and the order', () => {
  const inner = fc.array(fc.integer({ min: 2, max: 4 }), { minLength: 1, maxLength: 3 });
  const names = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(inner, names, fc.nat(2), fc.boolean(), (dims, [a = '', b = '', c = ''], place, isFree) => {
      fc.pre(![a, b, c].includes('x'));
      const fitting = array([6, ...dims]);
      const others: [string, Tensor][] = [
        [b, array([6])],
        [c, array([6, ...dims, 5])],
      ];
      const arrays = Object.fromEntries(others.toSpliced(place, 0, [a, fitting]));
      const sizes = isFree ? dims.map((_, at) => `d${at}`) : dims;
      const { feeds } = sampledFeeds(arrays, input(['N', ...sizes]), { dims: { N: 6 } });
      expect(feeds[0]?.x?.dims).toEqual(fitting.dims);
      const free = isFree ? dims.map(() => null) : dims;
      const samples = arraySamples(arrays, [{ name: 'x', elemType: 'f32', inner: free }]);
      expect(samples.inputs.x?.dims).toEqual(dims);
      const two = { ...arrays, [`${a}${b}${c}`]: fitting };
      expect(() => sampledFeeds(two, input(['N', ...sizes]), {})).toThrow(/input 'x' has no array/);
    }),
    { seed: 18, numRuns: 100 },
  );
});

test('an array that fits after a transposition is told how, beside one of labels', () => {
  const arrays = { pixels: array([2, 4, 5, 3]), y: array([2]) };
  const error = refused(() => sampledFeeds(arrays, input(['N', 3, 4, 5]), {}));
  expect(error).toMatchObject({ code: 'bad-data', option: { dataLayout: 'nhwc' } });
});
