import { describe, expect, test } from 'vitest';
import type { ActivationsOptions } from '../../../src/calibrate/activations/activations.js';
import { seededFeeds } from '../../../src/data/dataset.js';
import { activations } from '../../../src/node/calibrate-files.js';
import { compareLayers } from '../../../src/node/compare-layers.js';
import { toHalf } from '../../../src/onnx/scalar.js';
import { nodeProvider } from '../../../src/providers/node/provider.js';
import type { Tensor, Tensors } from '../../../src/providers/tensor.js';
import { LOOP_INITIALIZERS, loopNode } from '../../support/bodies.js';
import { BIAS, BIAS_BYTES, externalModel } from '../../support/external.js';
import { tempFolder } from '../../support/folder.js';
import { failure, reluModel } from '../../support/graph.js';
import { floats, model, node, value } from '../../support/model.js';
import { bytesOf, REAL_MODELS } from '../../support/models.js';

const f32 = (dims: readonly number[], data: readonly number[]): Tensor => {
  return { elemType: 'f32', dims, data: Float32Array.from(data) };
};
const fed = (...feeds: Tensors[]): Pick<ActivationsOptions, 'data'> => {
  return { data: () => ({ source: 'npz', feeds }) };
};
const mish = (x: number) => x * Math.tanh(Math.log1p(Math.exp(x)));
const sum = (values: readonly number[]) => values.reduce((total, one) => total + one, 0);

/** The one site of a model. */
async function only(bytes: Uint8Array | string, options: ActivationsOptions) {
  const { sites, unmeasured } = await activations(bytes, options);
  expect(unmeasured).toEqual([]);
  expect(sites).toHaveLength(1);
  const [site] = sites;
  if (site === undefined) throw new Error('no site');
  return site;
}

describe('a layer with known statistics', () => {
  /** Unit 0 is always below 0, unit 1 in all but one of 200, unit 2 never. */
  const biases = [-10, -1.98, 5, 0];
  const rows = Array.from({ length: 200 }, (_, row) => biases.map(() => (row - 99.5) / 50));
  const bytes = (activation = node('Relu', ['z'], ['y'], {}, { name: 'act' })) =>
    model({
      nodes: [node('Add', ['x', 'b'], ['z']), activation],
      initializers: [floats('b', [4], biases)],
    });
  const inputs = rows.flatMap((row) => row.map((x, unit) => Math.fround(x + Math.fround(biases[unit] ?? 0))));
  const below = inputs.filter((x) => x < 0);

  test('is measured in a single run', async () => {
    const site = await only(bytes(), fed({ x: f32([200, 4], rows.flat()) }));
    expect(site).toMatchObject({ label: 'act', kind: 'relu', input: 'z', dims: [200, 4], n: 800, nan: 0 });
    expect(site.units).toEqual({ axis: 1, count: 4, each: 200, neverPositive: 1, rarelyPositive: 2 });
    const mean = sum(inputs) / 800;
    expect(site.mean).toBeCloseTo(mean, 5);
    expect(site.std).toBeCloseTo(Math.sqrt(sum(inputs.map((x) => (x - mean) ** 2)) / 800), 5);
    expect(site.min).toBeCloseTo(-11.99, 5);
    expect(site.max).toBeCloseTo(6.99, 5);
    expect(site.positive).toBe(inputs.filter((x) => x > 0).length / 800);
    expect(site.dip).toBe(below.filter((x) => x > -2.5).length / 800);
    expect(site.bend).toBe(inputs.filter((x) => Math.abs(x) < 4).length / 800);
    const stopped = sum(below.map((x) => Math.abs(mish(x))));
    expect(site.letThrough).toBeCloseTo(stopped / sum(inputs.filter((x) => x > 0)), 5);
    const { counts = [], below: under = 0, above = 0 } = site.histogram ?? {};
    expect(sum(counts) + under + above).toBe(800);
  });

  test('is measured run by run with the same result', async () => {
    const whole = await only(bytes(), fed({ x: f32([200, 4], rows.flat()) }));
    const single = await only(bytes(), fed(...rows.map((row) => ({ x: f32([1, 4], row) }))));
    const { mean, std, letThrough, dims, ...rest } = single;
    expect(dims).toEqual([1, 4]);
    expect(whole).toMatchObject(rest);
    expect(mean).toBeCloseTo(whole.mean ?? 0, 9);
    expect(std).toBeCloseTo(whole.std ?? 0, 9);
    expect(letThrough).toBeCloseTo(whole.letThrough ?? 0, 9);
  });

  test('has a smaller negative mass ratio for LeakyReLU', async () => {
    const leaky = bytes(node('LeakyRelu', ['z'], ['y'], { alpha: { f: 0.25 } }, { name: 'act' }));
    const { letThrough, alpha } = await only(leaky, fed({ x: f32([200, 4], rows.flat()) }));
    expect(alpha).toBe(0.25);
    const apart = sum(below.map((x) => Math.abs(mish(x) - 0.25 * x)));
    const own = sum(inputs.map((x) => (x > 0 ? x : -0.25 * x)));
    expect(letThrough).toBeCloseTo(apart / own, 5);
  });

  test('has no negative mass ratio if the activation always returns 0', async () => {
    const site = await only(reluModel(), fed({ x: f32([1, 4], [-1, -2, -3, -4]) }));
    expect(site.letThrough).toBeNull();
    expect(site.units).toMatchObject({ neverPositive: 4, rarelyPositive: 4 });
  });
});

describe('units', () => {
  const ones = (name: string, dims: readonly number[]) =>
    floats(
      name,
      dims,
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 1),
    );
  const chain = (
    nodes: Parameters<typeof model>[0]['nodes'],
    dims: readonly number[],
    initializers = [ones('w', [3, 5])],
  ) =>
    model({
      nodes: [...nodes, node('Relu', ['z'], ['y'])],
      inputs: [value('x', 1, dims)],
      outputs: [value('y', 1)],
      initializers,
    });
  const unitsOf = async (bytes: Uint8Array, dims: readonly number[]) => {
    const x = f32(
      dims,
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 1),
    );
    const { units } = await only(bytes, fed({ x }));
    return units && [units.axis, units.count, units.each];
  };

  test('are channels after a convolution', async () => {
    const conv = chain([node('Conv', ['x', 'w'], ['z'])], [1, 3, 4, 4], [ones('w', [5, 3, 2, 2])]);
    expect(await unitsOf(conv, [1, 3, 4, 4])).toEqual([1, 5, 9]);
  });

  test('are features after MatMul, an Add in between', async () => {
    const nodes = [node('MatMul', ['x', 'w'], ['m']), node('Add', ['m', 'b'], ['z'])];
    const dense = chain(nodes, [2, 7, 3], [ones('w', [3, 5]), ones('b', [5])]);
    expect(await unitsOf(dense, [2, 7, 3])).toEqual([2, 5, 14]);
  });

  test('are followed through Transpose', async () => {
    const nodes = [node('Conv', ['x', 'w'], ['c']), node('Transpose', ['c'], ['z'], { perm: [0, 2, 3, 1] })];
    const nhwc = chain(nodes, [1, 3, 4, 4], [ones('w', [5, 3, 2, 2])]);
    expect(await unitsOf(nhwc, [1, 3, 4, 4])).toEqual([3, 5, 9]);
  });

  test('are on axis 1 by default, and last in a vector', async () => {
    expect(await unitsOf(chain([node('Neg', ['x'], ['z'])], [2, 7, 3]), [2, 7, 3])).toEqual([1, 7, 6]);
    expect(await unitsOf(chain([node('Neg', ['x'], ['z'])], [6]), [6])).toEqual([0, 6, 1]);
    expect(await unitsOf(chain([node('Neg', ['x'], ['z'])], []), [])).toBeNull();
  });

  test('are null if their number varies', async () => {
    const bytes = reluModel({ inputs: [value('x', 1, ['N', 'M'])], outputs: [value('y', 1)] });
    const feeds = [3, 4].map((count) => ({
      x: f32(
        [1, count],
        Array.from({ length: count }, () => 1),
      ),
    }));
    expect(await only(bytes, fed(...feeds))).toMatchObject({ n: 7, units: null, mean: 1 });
  });
});

test('NaN and infinity are counted separately and change no other figure', async () => {
  const data = [1, -1, Number.NaN, Number.POSITIVE_INFINITY, 3, -3, Number.NaN, Number.NEGATIVE_INFINITY];
  const site = await only(reluModel(), fed({ x: f32([2, 4], data) }));
  expect(site).toMatchObject({ n: 4, nan: 2, infinite: 2, mean: 0, min: -3, max: 3, dip: 0.25 });
  expect(site.std).toBeCloseTo(Math.sqrt(5), 12);
  // +Infinity is above 0; a unit of nothing but NaN is neither dead nor alive.
  expect(site.units).toMatchObject({ count: 4, neverPositive: 1 });
  const nothing = await only(reluModel(), fed({ x: f32([1, 4], data.map(() => Number.NaN).slice(4)) }));
  expect(nothing).toMatchObject({ n: 0, nan: 4, mean: null, std: null, dip: null, histogram: null });
});

test('half precision is measured', async () => {
  const types = { inputs: [value('x', 10, ['N', 4])], outputs: [value('y', 10, ['N', 4])] };
  const nodes = [node('Neg', ['x'], ['z']), node('Relu', ['z'], ['y'])];
  const x: Tensor = { elemType: 'f16', dims: [1, 4], data: Uint16Array.from([-1, 2, 0.5, -8], toHalf) };
  const site = await only(model({ nodes, ...types }), fed({ x }));
  expect(site).toMatchObject({
    elemType: 'f16',
    n: 4,
    mean: 1.625,
    min: -2,
    max: 8,
    positive: 0.5,
    dip: 0.5,
  });
  expect(site.units).toMatchObject({ count: 4, neverPositive: 2 });
});

test('external data is read', async () => {
  const folder = await tempFolder();
  await folder.write('w.bin', BIAS_BYTES);
  const path = await folder.write('m.onnx', externalModel('w.bin'));
  const { mean, units } = await only(path, fed({ x: f32([1, 4], [0, 0, 0, 0]) }));
  expect(mean).toBeCloseTo(sum([...BIAS]) / 4, 12);
  expect(units?.neverPositive).toBe(2);
  expect(await folder.list()).toEqual(['m.onnx', 'w.bin']);
});

test('activations that cannot be measured are listed with the reason', async () => {
  const body = [node('Relu', ['carried'], ['next'], {}, { name: 'inner' })];
  const bytes = model({
    nodes: [
      node('Relu', ['x'], ['a'], {}, { name: 'outer' }),
      loopNode('a', 'l', body),
      node('Relu', ['c'], ['k'], {}, { name: 'constant' }),
      node('Twice', ['l'], ['m'], {}, { domain: 'local' }),
      node('Add', ['m', 'k'], ['y']),
    ],
    initializers: [...LOOP_INITIALIZERS, floats('c', [4], [1, 2, 3, 4])],
    domains: { local: 1 },
    functions: [
      {
        ...{ name: 'Twice', domain: 'local', input: ['p'], output: ['q'] },
        node: [node('Relu', ['p'], ['q'], {}, { name: 'called' })],
        opsetImport: [{ domain: '', version: 18 }],
      },
    ],
  });
  const { sites, unmeasured } = await activations(bytes, fed({ x: f32([1, 4], [1, -1, 2, -2]) }));
  expect(sites.map(({ node }) => node)).toEqual(['outer']);
  expect(unmeasured.map(({ node, why }) => [node, why])).toEqual([
    ['constant', 'the input is a constant of the model'],
    ['inner', 'tensors in the body of a node cannot become outputs'],
    ['called', 'tensors in a function cannot become outputs'],
  ]);
});

describe('a public model', async () => {
  const bytes = bytesOf(REAL_MODELS.embedding);
  const data: ActivationsOptions['data'] = (inputs) =>
    seededFeeds(inputs, { count: 3, shapes: { input_1: [1, 76, 32, 1] } });
  const whole = await activations(bytes, { data });

  test('has the moments that comparing layers finds', async () => {
    const provider = nodeProvider('cpu');
    const run = { which: 'original', model: bytes, provider } as const;
    const { inputs } = await provider.open(bytes);
    const { rows } = await compareLayers({ a: run, b: run, feeds: data(inputs, []).feeds as Tensors[] });
    expect(whole.sites).toHaveLength(19);
    for (const { input, mean, std, min, max, units } of whole.sites) {
      const moments = rows.find(({ output }) => output === input)?.a;
      expect(mean).toBeCloseTo(moments?.mean ?? Number.NaN, 9);
      expect(std).toBeCloseTo(moments?.std ?? Number.NaN, 9);
      expect({ min, max }).toEqual({ min: moments?.min, max: moments?.max });
      expect(units?.axis).toBe(1);
      expect(units?.count).toSatisfy((count: number) => count % 24 === 0);
    }
  });

  test('is the same in passes of one tensor, and of few bytes', async () => {
    expect(await activations(bytes, { data, chunk: 1 })).toEqual(whole);
    expect(await activations(bytes, { data, bytes: 1000 })).toEqual(whole);
  });

  test('is measured at the selected sites, with progress', async () => {
    const seen: [number, number][] = [];
    const { sites } = await activations(bytes, {
      ...{ data, include: ['*leaky_re_lu_1?/*'] },
      onProgress: (done, of) => seen.push([done, of]),
    });
    expect(sites.map(({ output, ...site }) => site)).toEqual(
      whole.sites.slice(10).map(({ output, ...site }) => site),
    );
    expect(seen.at(-1)).toEqual([27, 27]);
    expect(seen.every(([done], index) => index === 0 || done > (seen[index - 1]?.[0] ?? 0))).toBe(true);
  });
});

test('the seed selects the given number of samples', async () => {
  const feeds = Array.from({ length: 50 }, (_, index) => ({ x: f32([2, 4], Array(8).fill(index)) }));
  const run = (samples: number, seed?: number) =>
    activations(reluModel(), { ...fed(...feeds), samples, seed });
  const some = await run(10);
  expect(some.data).toEqual({
    ...{ source: 'npz', seed: null, runs: 5, of: 50, samples: 10 },
    shapes: { x: [2, 4] },
  });
  expect(some.sites[0]?.n).toBe(40);
  expect(await run(10)).toEqual(some);
  expect((await run(10, 1)).sites[0]?.mean).not.toBe(some.sites[0]?.mean);
  expect((await run(1)).data).toMatchObject({ runs: 1, samples: 2 });
  expect((await run(1000)).data).toMatchObject({ runs: 50, samples: 100 });
});

test('a model without sites is run once, and has an empty result', async () => {
  const bytes = model({ nodes: [node('Neg', ['x'], ['y'])] });
  const { sites, unmeasured, schema } = await activations(bytes, fed({ x: f32([1, 4], [1, 2, 3, 4]) }));
  expect({ sites, unmeasured, schema }).toEqual({
    ...{ sites: [], unmeasured: [] },
    schema: 'onnx-mish/activations@1',
  });
});

describe('an error is thrown for', () => {
  const x = f32([1, 4], [1, 2, 3, 4]);
  test.each<[string, string, ActivationsOptions]>([
    ['no feeds', 'bad-data', fed()],
    ['a feed that does not fit', 'run-failed', fed({ x: f32([1, 5], [1, 2, 3, 4, 5]) })],
    ['no samples', 'bad-usage', { ...fed({ x }), samples: 0 }],
    ['a kind that is not', 'bad-usage', { ...fed({ x }), only: ['reluu'] }],
    ['being stopped', 'aborted', { ...fed({ x }), signal: AbortSignal.abort() }],
  ])('%s', async (_, code, options) => {
    expect(await failure(activations(reluModel(), options))).toMatchObject({ code });
  });

  test('bytes that are not a model', async () => {
    expect(await failure(activations(new Uint8Array(9), fed({ x })))).toMatchObject({ code: 'not-onnx' });
  });
});
