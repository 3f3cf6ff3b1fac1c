import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { plural } from '../../src/base/plural.js';
import { sampledFeeds, testCaseFeeds } from '../../src/data/arrays.js';
import { splitFeeds } from '../../src/data/split.js';
import type { Tensor } from '../../src/providers/tensor.js';

describe('samples', () => {
  const f64 = (dims: number[], data: number[]): Tensor => ({
    elemType: 'f64',
    dims,
    data: Float64Array.from(data),
  });

  test('are cut into batches of the model’s size and converted to its type', () => {
    const input = { name: 'x', elemType: 'f32', dims: [2, 2] };
    const { feeds } = sampledFeeds({ x: f64([5, 2], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) }, [input], {});
    expect(feeds.map(({ x }) => x)).toEqual([
      { elemType: 'f32', dims: [2, 2], data: Float32Array.of(0, 1, 2, 3) },
      { elemType: 'f32', dims: [2, 2], data: Float32Array.of(4, 5, 6, 7) },
    ]);
  });

  test('give one sample per run for a free batch dimension without a size', () => {
    const input = { name: 'x', elemType: 'f32', dims: ['batch', 1] };
    const arrays = { only: f64([3, 1], [1, 2, 3]) };
    expect(sampledFeeds(arrays, [input], {}).feeds).toHaveLength(3);
    expect(sampledFeeds(arrays, [input], { dims: { batch: 3 } }).feeds).toHaveLength(1);
  });

  test('have labels', () => {
    const input = { name: 'x', elemType: 'f32', dims: ['n', 1] };
    const arrays = {
      x: f64([2, 1], [1, 2]),
      y: { elemType: 'i64', dims: [2], data: BigInt64Array.of(4n, 2n) },
    };
    expect(sampledFeeds(arrays, [input], { labels: 'y' }).labels).toEqual([4, 2]);
    expect(() => sampledFeeds(arrays, [input], { labels: 'z' })).toThrow(
      /array 'z' for the labels is missing.*x, y/,
    );
  });

  test('that do not fit throw an error with the reason', () => {
    const input = { name: 'x', elemType: 'f32', dims: [4, 2] };
    expect(() => sampledFeeds({ a: f64([4, 2], []), b: f64([4, 2], []) }, [input], {})).toThrow(
      /input 'x' has no array.*a, b/,
    );
    expect(() => sampledFeeds({ x: f64([3, 2], [1, 2, 3, 4, 5, 6]) }, [input], {})).toThrow(
      /too few samples/,
    );
    expect(() => sampledFeeds({ x: f64([4, 3], Array(12).fill(0)) }, [input], {})).toThrow(/does not fit/);
    expect(() => sampledFeeds({ x: f64([4], [1, 2, 3, 4]) }, [input], {})).toThrow(/samples for input 'x'/);
  });

  test('for an integer input must be values that its type can hold', () => {
    const input = { name: 'x', elemType: 'u8', dims: ['n', 1] };
    const cut = (...data: number[]) => sampledFeeds({ x: f64([data.length, 1], data) }, [input], {});
    expect(cut(0, 255).feeds[1]?.x?.data).toEqual(Uint8Array.of(255));
    for (const value of [0.5, 256, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      // Runs are made on access, so that runs beyond a limit cost nothing.
      expect(() => [...cut(1, value).feeds]).toThrow(
        new RegExp(`cannot hold ${value}, element 1 of its samples`),
      );
    }
  });

  test('of 64-bit integers keep every bit', () => {
    const input = { name: 'x', elemType: 'i64', dims: ['n', 1] };
    const big = { elemType: 'u64', dims: [1, 1], data: BigUint64Array.of(2n ** 63n - 1n) };
    expect(sampledFeeds({ x: big }, [input], {}).feeds[0]?.x?.data).toEqual(BigInt64Array.of(2n ** 63n - 1n));
    const more = { ...big, data: BigUint64Array.of(2n ** 63n) };
    expect(() => sampledFeeds({ x: more }, [input], {})).toThrow(/cannot hold/);
  });

  test('with the shape of a whole feed go into every run, and a scalar input gets one element per run', () => {
    const inputs = [
      { name: 'x', elemType: 'f32', dims: ['n', 2] },
      { name: 'state', elemType: 'f32', dims: [2, 'n', 1] },
      { name: 'rate', elemType: 'i64', dims: [] },
      { name: 'gain', elemType: 'f32', dims: [] },
    ];
    const rate = { elemType: 'i64', dims: [], data: BigInt64Array.of(16000n) };
    const { feeds, samples } = sampledFeeds(
      { x: f64([3, 2], [1, 2, 3, 4, 5, 6]), state: f64([2, 1, 1], [7, 8]), rate, gain: f64([3], [1, 2, 3]) },
      inputs,
      {},
    );
    expect([feeds.length, samples]).toEqual([3, 3]);
    expect(feeds[2]).toEqual({
      x: { elemType: 'f32', dims: [1, 2], data: Float32Array.of(5, 6) },
      state: { elemType: 'f32', dims: [2, 1, 1], data: Float32Array.of(7, 8) },
      rate,
      gain: { elemType: 'f32', dims: [], data: Float32Array.of(3) },
    });
  });

  test('are counted by the input of the samples, wherever it stands among inputs that go into every run', () => {
    const inputs = [
      { name: 'x', elemType: 'f32', dims: ['n', 2] },
      { name: 'gain', elemType: 'f32', dims: [1] },
      { name: 'state', elemType: 'f32', dims: [2, 'n', 1] },
    ];
    const values = (count: number) => Array.from({ length: count }, (_, at) => at);
    const anyOrder = fc.shuffledSubarray(inputs, { minLength: 3 });
    fc.assert(
      fc.property(
        anyOrder,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        (order, batch, runs) => {
          const count = batch * runs;
          const arrays = {
            x: f64([count, 2], values(2 * count)),
            gain: f64([1], [1]),
            state: f64([2, batch, 1], values(2 * batch)),
            y: f64([count], values(count)),
          };
          const { feeds, samples, labels } = sampledFeeds(arrays, order, { dims: { n: batch }, labels: 'y' });
          expect([feeds.length, samples, labels]).toEqual([runs, count, values(count)]);
        },
      ),
    );
    const [x, gain] = inputs;
    const some = { x: f64([4, 2], values(8)), gain: f64([1], [1]) };
    for (const order of [
      [x, gain],
      [gain, x],
    ])
      expect(
        sampledFeeds(
          some,
          order.flatMap((one) => one ?? []),
          { dims: { n: 4 } },
        ).samples,
      ).toBe(4);
  });

  test('for an input of unknown rank keep their shape', () => {
    const input = { name: 'x', elemType: 'f32', dims: [] };
    const { feeds } = sampledFeeds({ x: f64([2, 1, 2], [1, 2, 3, 4]) }, [input], {});
    expect(feeds.map(({ x }) => x?.dims)).toEqual([
      [1, 1, 2],
      [1, 1, 2],
    ]);
  });

  test('with different numbers of runs are rejected', () => {
    const inputs = ['a', 'b'].map((name) => ({ name, elemType: 'f32', dims: ['n', 1] }));
    const arrays = { a: f64([4, 1], [1, 2, 3, 4]), b: f64([2, 1], [1, 2]) };
    expect(() => sampledFeeds(arrays, inputs, {})).toThrow(/'b' has samples for 2 runs.*'a' for 4/);
  });

  test('need one integer label each', () => {
    const input = { name: 'x', elemType: 'f32', dims: [2, 1] };
    const x = f64([5, 1], [1, 2, 3, 4, 5]);
    const label = (y: Tensor) => sampledFeeds({ x, y }, [input], { labels: 'y' }).labels;
    expect(label(f64([5, 1], [0, 1, 2, 3, 4]))).toEqual([0, 1, 2, 3]); // the fifth sample does not fill a run
    expect(() => label(f64([4], [0, 1, 2, 3]))).toThrow(/'y' has 4 labels for 5 samples of 'x'/);
    expect(() => label(f64([5, 2], Array(10).fill(0.5)))).toThrow(/argmax/);
    expect(() => label(f64([5], [0, 1, 2, 3, 0.5]))).toThrow(/the labels 'y' are f64 \[5\]/);
  });

  test.each([[2], [2, 3], [1, 4, 4]])(
    'with labels of places %j for too few or too many samples are rejected',
    (...dims) => {
      const input = { name: 'x', elemType: 'f32', dims: ['n', 1] };
      const x = f64([5, 1], [1, 2, 3, 4, 5]);
      const size = dims.reduce((product, dim) => product * dim, 1);
      for (const samples of [1, 4, 6, 10]) {
        const y = f64([samples, ...dims], new Array<number>(samples * size).fill(2));
        expect(() => sampledFeeds({ x, y }, [input], { labels: 'y' })).toThrow(
          `'y' [${[samples, ...dims]}] has labels of ${plural(samples ?? 0, 'sample')} for 5 samples of 'x'`,
        );
      }
    },
  );
});

describe('ONNX test cases', () => {
  const info = (name: string) => ({ name, elemType: 'f32', dims: [1] });
  const named = (name: string, x: number) => ({
    name,
    tensor: { elemType: 'f32', dims: [1], data: Float32Array.of(x) },
  });
  const data = (tensors: Record<string, Tensor> | undefined) =>
    Object.fromEntries(Object.entries(tensors ?? {}).map(([name, { data }]) => [name, data[0]]));

  test('are assigned by name, or by order if names are missing', () => {
    const inputs = [info('a'), info('b')];
    const run = (...tensors: ReturnType<typeof named>[]) =>
      data(testCaseFeeds([{ inputs: tensors, outputs: [] }], inputs, []).feeds[0]);
    expect(run(named('b', 2), named('a', 1))).toEqual({ a: 1, b: 2 });
    expect(run(named('', 1), named('', 2))).toEqual({ a: 1, b: 2 });
    expect(run(named('b', 1), named('other', 2))).toEqual({ a: 1, b: 2 });
  });

  test('need a tensor for every input', () => {
    expect(() =>
      testCaseFeeds([{ inputs: [named('a', 1)], outputs: [] }], [info('a'), info('b')], []),
    ).toThrow(/test case 0 has no tensor for input 'b'/);
  });

  test('without outputs have no expected outputs', () => {
    const bare = testCaseFeeds([{ inputs: [named('a', 1)], outputs: [] }], [info('a')], [info('y')]);
    expect(bare.expected).toBeUndefined();
    const full = testCaseFeeds(
      [{ inputs: [named('a', 1)], outputs: [named('y', 3)] }],
      [info('a')],
      [info('y')],
    );
    expect(full.expected?.map(data)).toEqual([{ y: 3 }]);
  });
});

test('twenty million samples are cut on access, and a few of them take little time', async () => {
  const count = 20e6;
  const x: Tensor = { elemType: 'u8', dims: [count, 1], data: new Uint8Array(count).fill(7) };
  const before = process.memoryUsage();
  const { feeds, samples } = sampledFeeds({ x }, [{ name: 'x', elemType: 'f32', dims: ['N', 1] }], {});
  expect([feeds.length, samples]).toEqual([count, count]);
  const parts = splitFeeds(feeds, [0.5, 0.5], { seed: 3, limit: 4 });
  const taken = parts.flatMap(({ indices }) => indices);
  expect(new Set(taken).size).toBe(4);
  for (const part of parts)
    for await (const feed of part.feeds)
      expect(feed).toEqual({ x: { elemType: 'f32', dims: [1, 1], data: Float32Array.of(7) } });
  const after = process.memoryUsage();
  expect(after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed).toBeLessThan(
    32 * 2 ** 20,
  );
});

test.each([
  [[4, 1, 32, 32], { fix: expect.stringMatching(/^Resize/), option: { images: null } }],
  [[4, 3, 28, 28], { fix: expect.stringMatching(/^Give samples of 1 channel,/), option: { images: null } }],
  [[4, 784], { fix: 'Give each sample its axes again: x.reshape(-1, 1, 28, 28)' }],
  [[4, 28, 28], { fix: 'Insert the axis of length 1: x.reshape(-1, 1, 28, 28)' }],
  [[4, 30, 28], { fix: expect.stringContaining('first axis') }],
])('samples of a wrong size %j are refused with what mends them', (dims, details) => {
  const x = { elemType: 'f32', dims, data: new Float32Array(dims.reduce((all, dim) => all * dim, 1)) };
  const inputs = [{ name: 'x', elemType: 'f32', dims: ['N', 1, 28, 28] }];
  try {
    sampledFeeds({ x }, inputs, {});
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ code: 'bad-data', what: expect.stringContaining(`[${dims}]`), ...details });
  }
});

test('a note has the number of samples that do not fill a run', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 40 }), (batch, count) => {
      fc.pre(count >= batch);
      const x = { elemType: 'f32', dims: [count, 2], data: new Float32Array(2 * count) };
      const { notes, samples } = sampledFeeds({ x }, [{ name: 'x', elemType: 'f32', dims: [batch, 2] }], {});
      const left = count % batch;
      expect(samples).toBe(count - left);
      expect(notes).toEqual(left === 0 ? [] : [expect.stringContaining(`${left} of ${count} samples`)]);
    }),
    { seed: 8 },
  );
});
