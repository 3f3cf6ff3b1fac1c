import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { createRandom, normal } from '../../src/base/random.js';
import type { CalibrateOptions } from '../../src/calibrate/options.js';
import { sampledFeeds } from '../../src/data/arrays.js';
import { type Dataset, seededFeeds } from '../../src/data/dataset.js';
import { splitFeeds } from '../../src/data/split.js';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import { swap } from '../../src/mish/swap.js';
import { calibrate } from '../../src/node/calibrate-files.js';
import type { Tensors } from '../../src/providers/tensor.js';
import { readFashion } from '../support/fashion.js';
import { decode, failure } from '../support/graph.js';
import { everyNth, isHeavy } from '../support/heavy.js';
import { tensorOf, weightsOf } from '../support/linear-ops.js';
import { type ModelParts, model, node, value } from '../support/model.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';
import { run } from '../support/run.js';
import { parse } from '../support/wire.js';

const WIDTH = 8;
const SAMPLES = 160;

/** Gemm, Relu, Gemm, LeakyRelu, Gemm, and a Mul that has nothing to do with it. */
const parts = {
  nodes: [
    node('Gemm', ['x', 'w1', 'b1'], ['h1'], {}, { name: 'first' }),
    node('Relu', ['h1'], ['a1'], {}, { name: 'act1' }),
    node('Gemm', ['a1', 'w2', 'b2'], ['h2'], { transB: 1 }, { name: 'second' }),
    node('LeakyRelu', ['h2'], ['a2'], { alpha: { f: 0.1 } }, { name: 'act2' }),
    node('Gemm', ['a2', 'w3', 'b3'], ['h3'], {}, { name: 'third' }),
    node('Mul', ['h3', 'scale'], ['y'], {}, { name: 'scaled' }),
  ],
  initializers: [
    ...[1, 2, 3].flatMap((layer) => [
      tensorOf(`w${layer}`, [WIDTH, WIDTH], weightsOf([WIDTH, WIDTH], layer)),
      tensorOf(`b${layer}`, [WIDTH], weightsOf([WIDTH], layer + 10)),
    ]),
    tensorOf('scale', [], [2]),
    tensorOf('row', [1, WIDTH], weightsOf([WIDTH], 20)),
  ],
  inputs: [value('x', 1, ['N', WIDTH])],
  outputs: [value('y', 1, ['N', WIDTH])],
} satisfies ModelParts;
const net = model(parts);

function rowsOf(count: number, seed: number): Float32Array[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => Float32Array.from({ length: WIDTH }, () => 2 * normal(random)));
}

const datasetOf = (rows: readonly Float32Array[]): Dataset => ({
  source: 'npz',
  feeds: rows.map((data): Tensors => ({ x: { elemType: 'f32', dims: [1, WIDTH], data } })),
});

async function calibrated(
  input: Uint8Array,
  rows: readonly Float32Array[],
  options: Partial<CalibrateOptions> = {},
) {
  const { output, report } = await calibrate(input, {
    ...{ data: () => datasetOf(rows), steps: 0, ...options },
  });
  return { bytes: await output.bytes(), report };
}

/** Root of the mean squared difference of the outputs of two models. */
async function rmse(a: Uint8Array, b: Uint8Array, rows: readonly Float32Array[]): Promise<number> {
  const given = {
    x: { type: 'f32', dims: [rows.length, WIDTH], data: rows.flatMap((row) => [...row]) },
  } as const;
  const [{ y: wanted = [] }, { y: got = [] }] = [await run(a, given), await run(b, given)];
  return Math.sqrt(
    wanted.reduce((sum, one, index) => sum + (one - (got[index] ?? Number.NaN)) ** 2, 0) / wanted.length,
  );
}

async function plain(input: Uint8Array): Promise<Uint8Array> {
  return (await swap(input)).output.bytes();
}

const rows = rowsOf(SAMPLES, 1);
const fresh = rowsOf(400, 2);

let first: ReturnType<typeof calibrated> | undefined;
/** Calibrates the net without further options, once for all tests. */
const calibratedNet = () => {
  first ??= calibrated(net, rows);
  return first;
};

test('the outputs come nearer to the original’s, on samples outside the training', async () => {
  const { bytes, report } = await calibratedNet();
  expect(report.kept).toBe('calibrated');
  expect(report.samples).toMatchObject({ source: 'npz', seed: 0, fit: 120, held: 20, judged: 20 });
  expect(report.layers.map(({ label, op }) => [label, op])).toEqual([
    ['second', 'Gemm'],
    ['third', 'Gemm'],
  ]);
  expect(await rmse(net, bytes, fresh)).toBeLessThan(0.75 * (await rmse(net, await plain(net), fresh)));
  expect(report.bytesOut).toBe(bytes.length);
});

test.each([
  ['sigmoid', 1.2],
  ['tanh', 1.05],
  ['hard', 1.6],
] as const)(
  'the %s form is repaired as itself: its error is below %d times that of Mish',
  async (form, times) => {
    const { bytes, report } = await calibrated(net, rows, { form });
    expect(report).toMatchObject({ form, kept: 'calibrated' });
    const { mish } = await inspect(bytes);
    expect(mish.map((one) => one.form)).toEqual([form, form]);
    const exact = await calibratedNet();
    const [error, least] = [await rmse(net, bytes, fresh), await rmse(net, exact.bytes, fresh)];
    expect(error).toBeLessThan(times * least);
    const swapped = (await swap(net, { form })).output;
    expect(error).toBeLessThan(0.8 * (await rmse(net, await swapped.bytes(), fresh)));
  },
);

test.each([
  [0.01, 2],
  [0.1, 1.2],
])(
  'LeakyReLU of slope %d over small inputs becomes a sharper Mish, which costs less',
  async (alpha, least) => {
    const small = tensorOf(
      'w1',
      [WIDTH, WIDTH],
      weightsOf([WIDTH, WIDTH], 1).map((one) => one / 8),
    );
    const leaky = model({
      ...parts,
      nodes: [
        node('Gemm', ['x', 'w1'], ['h1']),
        node('LeakyRelu', ['h1'], ['a1'], { alpha: { f: alpha } }),
        node('Gemm', ['a1', 'w2', 'b2'], ['y'], { transB: 1 }),
      ],
      initializers: parts.initializers.map((tensor) => (tensor.name === 'w1' ? small : tensor)),
    });
    const [sharp, soft] = [await calibrated(leaky, rows), await calibrated(leaky, rows, { beta: 1 })];
    expect(sharp.report.sites[0]?.beta).toBeGreaterThan(least);
    expect(sharp.report.curved?.folded).toHaveLength(1);
    expect(await rmse(leaky, sharp.bytes, fresh)).toBeLessThan(0.8 * (await rmse(leaky, soft.bytes, fresh)));
  },
);

test('an output of whole numbers, such as the class that scikit-learn adds, does not judge', async () => {
  const withClass = model({
    ...parts,
    nodes: [...parts.nodes, node('ArgMax', ['y'], ['label'], { axis: 1, keepdims: 0 })],
    outputs: [value('label', 7, ['N']), ...parts.outputs],
  });
  const { report } = await calibrated(withClass, rows);
  const { swapped, kept } = (await calibratedNet()).report;
  expect(report.kept).toBe(kept);
  expect(report.swapped).toEqual(swapped);
  const { report: byClass } = await calibrated(withClass, rows, { outputs: ['label'] });
  expect(byClass.calibrated.drift.map(({ output }) => output)).toEqual(['label']);
});

test('gradient steps lower the loss, and the validation loss is reported', async () => {
  const { bytes, report } = await calibrated(net, rows, { steps: isHeavy ? 100 : 30, leaky: 'mish' });
  const { before = 0, after = 1 } = report.tuning ?? {};
  expect(after).toBeLessThan(before);
  expect(await rmse(net, bytes, fresh)).toBeLessThan(0.75 * (await rmse(net, await plain(net), fresh)));
});

describe('the same seed gives the same bytes', () => {
  test.each([0, 30])('after %i steps', async (steps) => {
    const seeded = (seed: number) => calibrated(net, rows, { seed, steps, rows: 60 });
    const [first, again, other] = [await seeded(3), await seeded(3), await seeded(4)];
    expect(again.bytes).toEqual(first.bytes);
    expect(other.bytes).not.toEqual(first.bytes);
  });
});

/** Where a data set is split, as calibrate does with seed 0. */
const [fit, held, judged] = splitFeeds(datasetOf(rows).feeds, [0.75, 0.125, 0.125], { seed: 0 });
if (fit === undefined || held === undefined || judged === undefined) throw new Error('no parts');

/** The samples with those of some parts changed. */
function poisoned(indices: readonly number[], change: (row: Float32Array, index: number) => Float32Array) {
  const bad = new Set(indices);
  return rows.map((row, index) => (bad.has(index) ? change(row, index) : row));
}

const random = createRandom(5);
const POISONS: readonly [string, (row: Float32Array, index: number) => Float32Array][] = [
  ['garbage', (row) => row.map(() => 100 * random() - 50)],
  ['huge', (row) => row.map((x) => 1e6 * x)],
  ['so huge that squares overflow', (row) => row.map((x) => 1e25 * x)],
  ['constant', (row) => row.map(() => 1)],
  ['zeros', (row) => row.map(() => 0)],
  ['one outlier', (row, index) => (index === fit.indices[0] ? row.map((x) => 1e8 * x) : row)],
  ['far on one side', (row) => row.map((x) => -Math.abs(x) * 40)],
];

describe('poisoned training samples', () => {
  test.each(everyNth(3, POISONS))(
    '%s: the result is no worse than the plain swap on the others',
    async (name, change) => {
      const before = await plain(net);
      // By default with gradient steps for one of them, and by least squares alone for the others.
      for (const steps of isHeavy ? [0, 40] : [name === 'garbage' ? 10 : 0]) {
        const { bytes, report } = await calibrated(net, poisoned(fit.indices, change), { steps });
        const [now, was] = [report.calibrated.drift[0]?.rmse, report.swapped.drift[0]?.rmse];
        expect(report.kept === 'swapped' || (now ?? Infinity) <= (was ?? 0)).toBe(true);
        for (const part of [held, judged]) {
          const chosen = part.indices.map((index) => rows[index] as Float32Array);
          expect(await rmse(net, bytes, chosen)).toBeLessThanOrEqual(
            1.0001 * (await rmse(net, before, chosen)),
          );
        }
        // Twenty samples say little more than this of all others.
        expect(await rmse(net, bytes, fresh)).toBeLessThanOrEqual(1.1 * (await rmse(net, before, fresh)));
      }
    },
  );

  test('with poisoned validation samples: the plain swap is written', async () => {
    const bad = poisoned([...fit.indices, ...held.indices], (row) => row.map((x) => -Math.abs(x) * 40));
    const { bytes, report } = await calibrated(net, bad, { steps: 20, leaky: 'mish' });
    expect(report.kept).toBe('swapped');
    expect(report.calibrated.drift[0]?.rmse).toBeGreaterThan(report.swapped.drift[0]?.rmse ?? Infinity);
    expect(await rmse(net, bytes, fresh)).toBeCloseTo(await rmse(net, await plain(net), fresh), 5);
    const { history } = await inspect(bytes);
    expect(history.map(({ operation }) => operation)).not.toContain('calibrate');
    for (const name of ['w1', 'w2', 'w3', 'b1', 'b2', 'b3'])
      expect(initializer(bytes, name)).toEqual(initializer(net, name));
  });

  test.each([
    ['to solve from', fit.indices[3] ?? 0],
    ['to choose by', held.indices[0] ?? 0],
  ])('NaN in one sample %s is an error that says so', async (_, at) => {
    const bad = poisoned([at], (row) => row.map(() => Number.NaN));
    expect(await failure(calibrated(net, bad))).toMatchObject({
      code: 'bad-data',
      what: 'the original returns NaN or infinity on these samples',
      where: 'second',
    });
  });

  test('NaN in a test sample gives a sound model', async () => {
    const bad = poisoned([judged.indices[0] ?? 0], (row) => row.map(() => Number.NaN));
    const { bytes } = await calibrated(net, bad, { steps: 10 });
    expect(await rmse(net, bytes, fresh)).toBeLessThanOrEqual(await rmse(net, await plain(net), fresh));
  });
});

/** An initializer's field as an independent reader finds it. */
function initializer(bytes: Uint8Array, name: string): Uint8Array | undefined {
  const graph = parse(bytes).find(({ number }) => number === 7);
  const fields = parse(graph?.body ?? new Uint8Array(0)).filter(({ number }) => number === 5);
  const text = new TextDecoder();
  return fields.find(({ body }) => parse(body).some((f) => f.number === 8 && text.decode(f.body) === name))
    ?.whole;
}

describe('calibrate', () => {
  test('keeps the bytes of weights before the first site, and of other tensors', async () => {
    const { bytes } = await calibrated(net, rows, { beta: 1 });
    for (const name of ['w1', 'b1', 'scale'])
      expect(initializer(bytes, name)).toEqual(initializer(net, name));
    for (const name of ['w2', 'b2', 'w3', 'b3'])
      expect(initializer(bytes, name)).not.toEqual(initializer(net, name));
  });

  test('keeps the bytes of layers that are not selected', async () => {
    const { bytes, report } = await calibrated(net, rows, {
      ...{ layers: ({ node: { name } }) => name === 'third', steps: 20, beta: 1 },
    });
    expect(report.layers.map(({ label }) => label)).toEqual(['third']);
    for (const name of ['w1', 'b1', 'w2', 'b2', 'scale'])
      expect(initializer(bytes, name)).toEqual(initializer(net, name));
  });

  test('keeps every field of a tensor but its data', async () => {
    const named = parts.initializers.map((tensor) => ({ ...tensor, docString: `about ${tensor.name}` }));
    const { bytes } = await calibrated(model({ ...parts, initializers: named }), rows);
    const changed = decode(bytes).graph?.initializer?.find(({ name }) => name === 'w2');
    expect(changed).toMatchObject({ dims: [WIDTH, WIDTH], dataType: 1, docString: 'about w2' });
  });
});

const alone = async (nodes: onnx.INodeProto[]) =>
  calibrated(model({ ...parts, nodes: [...parts.nodes.slice(0, 4), ...nodes] }), rows);

test('layers that share weights but not their biases get weights of their own, and a note says so', async () => {
  const { bytes, report } = await alone([
    node('Gemm', ['a2', 'w2', 'b3'], ['h3'], {}, { name: 'third' }),
    node('Mul', ['h3', 'scale'], ['y']),
  ]);
  expect(report.leftAlone).toEqual([]);
  expect(report.layers.map(({ label }) => label)).toEqual(['second', 'third']);
  for (const { before, after } of report.layers) expect(after).toBeLessThan(before);
  expect(report.notes).toContain(
    `weights that other nodes read as well are stored twice, so that layers could be repaired: ${WIDTH ** 2} numbers more`,
  );
  const readBy = (label: string) => decode(bytes).graph?.node?.find(({ name }) => name === label)?.input?.[1];
  expect(readBy('second')).not.toBe(readBy('third'));
});

describe('not repaired, with a reason, are', () => {
  test.each([
    [{ alpha: { f: 0 } }, 'w3', 'its alpha or beta is 0'],
    [{ beta: { f: 0 } }, 'w3', 'its alpha or beta is 0'],
    [{ transA: 1 }, 'row', 'its input is transposed'],
  ])('Gemm with %o', async (attributes, weight, why) => {
    const { report } = await alone([
      node('Gemm', ['a2', weight, 'b3'], ['h3'], attributes, { name: 'third' }),
      node('ReduceMean', ['h3'], ['y'], { keepdims: 1 }),
    ]);
    expect(report.leftAlone).toEqual([{ label: 'third', op: 'Gemm', why }]);
  });

  test('weights that are not constants', async () => {
    const { report } = await alone([
      node('Mul', ['w3', 'scale'], ['w']),
      node('MatMul', ['a2', 'w'], ['y'], {}, { name: 'third' }),
    ]);
    expect(report.leftAlone).toEqual([
      { label: 'third', op: 'MatMul', why: "its weights are not constant floats: Mul makes 'w' of 'w3'" },
    ]);
  });
});

test('a layer after an If whose branches hold the sites is repaired', async () => {
  const branch = (name: string): onnx.IGraphProto => ({
    name,
    node: [node('Relu', ['h1'], [`${name}_y`], {}, { name: `${name}_act` })],
    output: [value(`${name}_y`, 1)],
  });
  const nested = model({
    ...parts,
    nodes: [
      ...parts.nodes.slice(0, 1),
      node('If', ['yes'], ['a1'], {
        then_branch: { graph: branch('then') },
        else_branch: { graph: branch('else') },
      }),
      node('Gemm', ['a1', 'w2', 'b2'], ['y'], { transB: 1 }, { name: 'second' }),
    ],
    initializers: [...parts.initializers, { name: 'yes', dataType: 9, dims: [], rawData: Uint8Array.of(1) }],
  });
  const { bytes, report } = await calibrated(nested, rows);
  expect(report.layers.map(({ label }) => label)).toEqual(['second']);
  expect(await rmse(nested, bytes, fresh)).toBeLessThan(
    0.5 * (await rmse(nested, await plain(nested), fresh)),
  );
});

describe('the record', () => {
  test('has the operation, and nothing for undo', async () => {
    const { bytes } = await calibratedNet();
    const { history, mish } = await inspect(bytes);
    expect(mish).toHaveLength(2);
    expect(history.find(({ operation }) => operation === 'calibrate')).toMatchObject({ sites: 2 });
    expect(await failure(undo(bytes))).toMatchObject({
      code: 'cannot-undo',
      fix: 'Its weights were calibrated or trained, and the old ones are gone: go back to the original file',
    });
  });

  test.each([
    ['Tanh', [node('Tanh', ['x'], ['y'])]],
    [
      'Clip and weights that a node turns',
      [
        node('Transpose', ['w1'], ['t1']),
        node('MatMul', ['x', 't1'], ['h1']),
        node('Clip', ['h1', 'zero', 'six'], ['a1']),
        node('Transpose', ['w2'], ['t2']),
        node('MatMul', ['a1', 't2'], ['y']),
      ],
    ],
  ])('has a note for a model without sites, whose bytes are unchanged: %s', async (_, nodes) => {
    const initializers = [...parts.initializers, tensorOf('zero', [], [0]), tensorOf('six', [], [6])];
    const none = model({ ...parts, nodes, initializers });
    const { bytes, report } = await calibrated(none, rows, { steps: 20 });
    expect(bytes).toEqual(none);
    expect([report.sites, report.layers, report.tuning]).toEqual([[], [], null]);
    expect(report.notes.at(-1)).toContain('the model has no sites to swap');
  });
});

describe('a trained model is improved', () => {
  test('LeNet-5, on images outside the training', async () => {
    const count = isHeavy ? 320 : 160;
    const { images, labels } = readFashion('train', count, 2000);
    const arrays = {
      images: { elemType: 'f32', dims: [count, 1, 28, 28], data: images },
      y: { elemType: 'i32', dims: [count], data: Int32Array.from(labels) },
    };
    const { report } = await calibrate(bytesOf('models/lenet5.onnx'), {
      ...{
        data: (inputs) => sampledFeeds(arrays, inputs, { dims: { N: 16 }, labels: 'y' }),
        steps: 0,
        rows: isHeavy ? 3000 : 1500,
      },
    });
    const [before, after] = [report.swapped.drift[0], report.calibrated.drift[0]];
    expect((after?.sqnr ?? 0) - (before?.sqnr ?? 0)).toBeGreaterThan(6);
    expect(report.samples).toMatchObject({ fit: 0.8 * count, held: count / 10, judged: count / 10 });
    expect(report.original?.top1).toBeGreaterThan(0);
    expect(report.kept).toBe('calibrated');
  });

  test('a wake word on noise', async () => {
    const { report } = await calibrate(bytesOf(REAL_MODELS.alexa), {
      ...{ data: (inputs) => seededFeeds(inputs, { count: 96 }), samples: 96, steps: 0 },
    });
    expect(report.samples.source).toBe('seed');
    const [before, after] = [report.swapped.drift[0], report.calibrated.drift[0]];
    expect(report.kept === 'swapped' || (after?.rmse ?? 1) <= (before?.rmse ?? 0)).toBe(true);
    expect(report.layers.length).toBeGreaterThan(0);
  });
});

test('too few samples and an abort are errors', async () => {
  expect(await failure(calibrated(net, rows.slice(0, 2)))).toMatchObject({ code: 'bad-data' });
  const controller = new AbortController();
  const stopped = calibrated(net, rows, {
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  expect(await failure(stopped)).toMatchObject({ code: 'aborted' });
});
