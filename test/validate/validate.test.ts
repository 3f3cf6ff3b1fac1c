import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OnnxMishError } from '../../src/base/error.js';
import { sampledFeeds, testCaseFeeds } from '../../src/data/arrays.js';
import { seededFeeds } from '../../src/data/dataset.js';
import { swap } from '../../src/mish/swap.js';
import { host } from '../../src/node/host.js';
import { bytesCandidate, validate, validateFiles } from '../../src/node/validate-files.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { Provider } from '../../src/providers/provider.js';
import { swapped } from '../support/graph.js';
import { floats, model, node, value } from '../support/model.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';

/** A two-class classifier: class 0 for x > 0, through a Relu whose swap can change the answer. */
const classifier = model({
  nodes: [
    node('MatMul', ['x', 'w'], ['hidden']),
    node('Relu', ['hidden'], ['active']),
    node('MatMul', ['active', 'v'], ['y']),
  ],
  inputs: [value('x', 1, ['N', 1])],
  outputs: [value('y', 1, ['N', 2])],
  initializers: [floats('w', [1, 2], [1, -1]), floats('v', [2, 2], [1, 0, 0, 1])],
});

const data = { x: { elemType: 'f64', dims: [4, 1], data: Float64Array.of(2, 3, -2, -3) } };
const labels = { elemType: 'i64', dims: [4], data: BigInt64Array.of(0n, 0n, 1n, 0n) };

/** One that this system never has. */
const ABSENT = process.platform === 'darwin' ? 'dml' : 'coreml';

/** The classifier with Mish as x · tanh(log(1 + exp(x))). */
const written = model({
  nodes: [
    node('MatMul', ['x', 'w'], ['hidden']),
    node('Exp', ['hidden'], ['e']),
    node('Add', ['e', 'one'], ['s']),
    node('Log', ['s'], ['l']),
    node('Tanh', ['l'], ['t']),
    node('Mul', ['hidden', 't'], ['active']),
    node('MatMul', ['active', 'v'], ['y']),
  ],
  inputs: [value('x', 1, ['N', 1])],
  outputs: [value('y', 1, ['N', 2])],
  initializers: [floats('w', [1, 2], [1, -1]), floats('one', [], [1]), floats('v', [2, 2], [1, 0, 0, 1])],
});

const quantised = Uint8Array.from(readFileSync(new URL('../mish/int8/u8.onnx', import.meta.url)));

test.each([
  ['in nodes of no form', 'f32', classifier, async () => written],
  ['on integers', 'u8', quantised, async () => (await swapped(quantised, { int8: 'qlinear' })).bytes],
] as const)('Mish %s has no kernel to measure', async (_, elemType, original, make) => {
  const [from, to] = [
    await bytesCandidate(original, 'original'),
    await bytesCandidate(await make(), 'swapped'),
  ];
  const report = await validateFiles(from, to, { latency: false, thresholds: { maxKernelError: 1e-3 } });
  expect(report.models.swapped.mish).toMatchObject([{ form: 'other', elemType }]);
  expect(report.providers).toMatchObject([{ status: 'ran', reason: null }]);
  expect(report.providers[0]?.kernel.map(({ kind }) => kind)).toEqual(elemType === 'f32' ? ['relu'] : []);
});

test('an activation of several element types, in a function that several types call, has no kernel to measure', async () => {
  const original = model({
    opset: 17,
    domains: { own: 1 },
    functions: [
      {
        ...{ name: 'Act', domain: 'own', input: ['a'], output: ['b'] },
        node: [node('Relu', ['a'], ['b'])],
        opsetImport: [{ domain: '', version: 17 }],
      },
    ],
    nodes: [
      node('Act', ['x'], ['single'], {}, { domain: 'own' }),
      node('Cast', ['single'], ['wide'], { to: 11 }),
      node('Act', ['wide'], ['y'], {}, { domain: 'own' }),
    ],
    inputs: [value('x', 1, ['N', 2])],
    outputs: [value('y', 11, ['N', 2])],
  });
  const one = await bytesCandidate(original, 'original');
  expect(one.info.kinds).toMatchObject([{ kind: 'relu', elemType: 'unknown' }]);
  const report = await validateFiles(one, one, { latency: false });
  expect(report.providers).toMatchObject([{ status: 'ran', kernel: [] }]);
});

describe('a small classifier', async () => {
  const original = await bytesCandidate(classifier, 'original');
  const { output } = await swap(classifier, { form: 'exp' });
  const swapped = await bytesCandidate(await output.bytes(), 'swapped');

  test('is compared with its swap: drift, agreement, labelled accuracy, kernel, verdicts', async () => {
    const report = await validateFiles(original, swapped, {
      data: (inputs) => sampledFeeds({ ...data, y: labels }, inputs, { labels: 'y' }),
      latency: { minPairs: 5, minSeconds: 0 },
      thresholds: { minTop1: 0.75, maxTop1Drop: 0, maxAbs: 0.01 },
    });
    const [row] = report.providers;
    // Wilson's interval of 3 of 4, by scipy.
    const top1Interval = { low: expect.closeTo(0.300642, 5), high: expect.closeTo(0.954413, 5) };
    expect(row?.accuracy).toEqual({
      output: 'y',
      threshold: null,
      original: { n: 4, top1: 0.75, top5: null, top1Interval },
      swapped: { n: 4, top1: 0.75, top5: null, top1Interval },
      difference: { value: 0, low: expect.any(Number), high: expect.any(Number), midP: 1 },
    });
    // Mish(-2) where ReLU gives 0 is the largest difference.
    expect(row?.drift[0]?.maxAbs).toBeCloseTo(0.2525, 3);
    expect(row?.drift[0]).toMatchObject({ output: 'y', n: 8, top1: 1 });
    expect(row?.kernel).toMatchObject([
      { kind: 'mish', form: 'exp', beta: 1, elemType: 'f32', problem: null },
      { kind: 'relu', form: null, beta: null, elemType: 'f32', maxAbs: 0, problem: null },
    ]);
    expect(row?.latency?.n).toBeGreaterThanOrEqual(5);
    expect(report.models).toMatchObject({
      original: { activations: 1, mish: [] },
      swapped: { activations: 0, mish: [{ form: 'exp', count: 1 }] },
    });
    expect(report.data).toMatchObject({ source: 'npz', runs: 4, samples: 4, labelled: true });
    expect(report.verdicts.map(({ threshold, passed }) => [threshold, passed])).toEqual([
      ['maxKernelError', true],
      ['maxAbs', false],
      ['minTop1', true],
      ['maxTop1Drop', true],
    ]);
    expect(report.passed).toBe(false);
  });

  test('is compared with the expected outputs of those test cases that have some', async () => {
    const hasOutput = fc.array(fc.boolean(), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(hasOutput, async (given) => {
        const cases = given.map((has, at) => {
          const x = { elemType: 'f32', dims: [1, 1], data: Float32Array.of(at + 1) };
          const y = { elemType: 'f32', dims: [1, 2], data: Float32Array.of(at + 1, 0.5) }; // 0 is right
          return {
            inputs: [{ name: 'x', tensor: x }],
            outputs: has ? [{ name: 'y', tensor: y }] : [],
          };
        });
        const report = await validateFiles(original, original, {
          data: (inputs, outputs) => testCaseFeeds(cases, inputs, outputs),
          latency: false,
        });
        const count = given.filter(Boolean).length;
        const wanted = [{ output: 'y', n: 2 * count, maxAbs: 0.5, problem: null }];
        if (count === 0) expect(report.providers[0]?.expected).toBeNull();
        else expect(report.providers[0]?.expected).toMatchObject(wanted);
      }),
      { seed: 2, numRuns: 8 },
    );
  });

  test('does not differ from itself', async () => {
    const report = await validateFiles(original, original, {
      dims: { N: 3 },
      latency: false,
      thresholds: { maxAbs: 0 },
    });
    expect(report.providers[0]?.drift).toMatchObject([{ maxAbs: 0, broken: 0, cosine: 1, top1: 1 }]);
    expect(report.passed).toBe(true);
  });

  test('a missing provider has a row with a reason and a remedy', async () => {
    const report = await validateFiles(original, swapped, {
      providers: [ABSENT, 'cpu'],
      dims: { N: 1 },
      latency: false,
    });
    expect(report.providers.map(({ provider, status }) => [provider, status])).toEqual([
      [ABSENT, 'unavailable'],
      ['cpu', 'ran'],
    ]);
    expect(report.providers[0]?.reason).toMatch(/onnxruntime-node has no/);
    expect(report.providers[0]?.fix).not.toBeNull();
    expect(report.passed).toBe(true);
    const alone = await validateFiles(original, swapped, {
      providers: [ABSENT],
      dims: { N: 1 },
      latency: false,
    });
    expect(alone.passed).toBe(false); // nothing was measured
  });

  test('a dimension without a size is 1, and a note names it', async () => {
    const { data, notes } = await validateFiles(original, swapped, { latency: false });
    expect(data.shapes).toEqual({ x: [1, 1] });
    expect(notes).toEqual([expect.stringContaining("taken as 1: 'N'")]);
  });

  test.each<[string, (number | string)[] | undefined, string]>([
    ['a size', ['N', 'M'], "'x' [1,1]"],
    ['a rank', undefined, "'x' []"],
  ])('an input without %s that noise does not fit is told with what it was fed', async (_, dims, fed) => {
    const bytes = model({
      nodes: [node('MatMul', ['x', 'w'], ['h']), node('Relu', ['h'], ['y'])],
      inputs: [value('x', 1, dims)],
      outputs: [value('y', 1)],
      initializers: [floats('w', [2, 1], [1, 2])],
    });
    const original = await bytesCandidate(bytes, 'original');
    await expect(validateFiles(original, original, { latency: false })).rejects.toMatchObject({
      code: 'run-failed',
      fix: `It was fed noise for ${fed}: give samples, or the shapes of its inputs`,
      option: { data: null, shapes: null },
    });
    const { data } = await validateFiles(original, original, { latency: false, shapes: { x: [3, 2] } });
    expect(data.shapes).toEqual({ x: [3, 2] });
  });

  test('the same seed gives the same drift, and another seed another drift', async () => {
    const run = async (seed: number) => {
      const { providers, data } = await validateFiles(original, swapped, {
        seed,
        dims: { N: 8 },
        latency: false,
      });
      return { drift: providers[0]?.drift, hash: data.sha256 };
    };
    expect(await run(1)).toEqual(await run(1));
    expect((await run(1)).hash).not.toBe((await run(2)).hash);
  });
});

describe('an original and an unrelated model', async () => {
  const relu = (input: string, output: string, op = 'Relu') =>
    bytesCandidate(
      model({
        nodes: [node(op, [input], [output])],
        inputs: [value(input, 1, [2])],
        outputs: [value(output, 1, [2])],
      }),
      `${input} to ${output}`,
    );

  test('are refused if their inputs differ', async () => {
    await expect(validateFiles(await relu('x', 'y'), await relu('q', 'y'))).rejects.toThrow(
      /swapped model are 'q' \(f32\).*original 'x' \(f32\)/,
    );
  });

  test('do not pass if their outputs differ', async () => {
    const report = await validateFiles(await relu('x', 'y'), await relu('x', 'z'), { latency: false });
    expect(report.providers[0]?.drift[0]?.problem).toMatch(/lacks this output/);
    expect(report.passed).toBe(false);
  });

  test('do not pass if every output is NaN', async () => {
    const log = await relu('x', 'y', 'Log'); // of noise, half of which is negative
    const report = await validateFiles(log, log, { runs: 20, latency: false, thresholds: { maxAbs: 1 } });
    expect(report.verdicts.map(({ threshold, passed }) => [threshold, passed])).toEqual([
      ['maxBroken', false],
      ['maxAbs', false],
    ]);
    expect(report.passed).toBe(false);
  });

  test('the error of a model that ONNX Runtime refuses names the model', async () => {
    const bad = await relu('x', 'y', 'NoSuchOperator');
    await expect(validateFiles(await relu('x', 'y'), bad)).rejects.toThrow(
      expect.objectContaining({ code: 'run-failed', where: 'x to y' }),
    );
  });

  test('a threshold that is not a finite number is refused before a model runs', async () => {
    const thresholds = { maxAbs: Number.POSITIVE_INFINITY };
    await expect(validateFiles('missing', 'missing', { thresholds })).rejects.toThrow();
    const x = await relu('x', 'y');
    await expect(validateFiles(x, x, { thresholds })).rejects.toThrow(
      expect.objectContaining({ code: 'bad-usage' }),
    );
  });
});

describe('other providers', async () => {
  const x = await bytesCandidate(classifier, 'x');
  const cpu = nodeProvider('cpu');
  const inputs: Parameters<typeof validate>[0]['data'] = (infos) => seededFeeds(infos, { dims: { N: 2 } });
  const run = (providers: Provider[], signal?: AbortSignal) =>
    validate({
      original: x,
      swapped: x,
      providers,
      cpu,
      data: inputs,
      host: host(),
      latency: { minPairs: 1, minSeconds: 0 },
      signal,
    });
  /** A provider that adds an offset to all it gives. */
  const off = (offset: number): Provider => ({
    ...cpu,
    name: 'cuda',
    open: async (bytes, options) => {
      const session = await cpu.open(bytes, options);
      return {
        ...session,
        run: async (feeds) => {
          const { y } = await session.run(feeds);
          const data = Float32Array.from(y?.data as Float32Array, (number) => number + offset);
          return { y: { elemType: 'f32', dims: y?.dims ?? [], data } };
        },
      };
    },
  });

  test('are compared with the CPU', async () => {
    const { providers } = await run([off(0.5), cpu]);
    expect(providers.map(({ provider, status }) => [provider, status])).toEqual([
      ['cuda', 'ran'],
      ['cpu', 'ran'],
    ]);
    const [{ drift, parity } = { drift: [], parity: null }] = providers;
    expect(drift[0]?.maxAbs).toBe(0); // both are off by as much
    for (const one of [parity?.original[0], parity?.swapped[0]]) {
      expect(one?.maxAbs).toBeCloseTo(0.5, 6);
      expect(one?.meanAbs).toBeCloseTo(0.5, 6);
    }
    expect(providers[1]?.parity).toBeNull();
  });

  test('that fail have rows with the reason, and do not stop the others', async () => {
    const breaks = (error: Error): Provider => ({ ...cpu, name: 'cuda', open: () => Promise.reject(error) });
    const { providers, passed } = await run([breaks(new TypeError('no such thing')), cpu]);
    expect(providers).toMatchObject([
      { provider: 'cuda', status: 'failed', reason: 'no such thing' },
      { provider: 'cpu', status: 'ran' },
    ]);
    expect(passed).toBe(false);
    const known = new OnnxMishError('run-failed', 'what', { fix: 'do this' });
    expect((await run([breaks(known), cpu])).providers[0]).toMatchObject({ reason: 'what', fix: 'do this' });
  });

  test('stop at an abort', async () => {
    for (const provider of [cpu, off(0)]) {
      await expect(run([provider], AbortSignal.abort())).rejects.toThrow(
        expect.objectContaining({ code: 'aborted' }),
      );
    }
  });
});

test('a real model: every form gives the same outputs', async () => {
  const bytes = bytesOf(REAL_MODELS.embedding);
  const dims = { unk__314: 1 };
  const results = [];
  for (const form of ['softplus', 'exp'] as const) {
    const { output } = await swap(bytes, { form });
    results.push(await bytesCandidate(await output.bytes(), form));
  }
  const [softplus, exp] = results;
  if (softplus === undefined || exp === undefined) throw new Error('no results');
  const { providers } = await validateFiles(softplus, exp, { dims, runs: 2, latency: false });
  expect(providers[0]?.drift[0]?.sqnr).toBeGreaterThan(90);
  const swapped = await validateFiles(REAL_MODELS.embedding, exp, { dims, runs: 2, latency: false });
  expect(swapped.providers[0]?.drift[0]?.sqnr).toBeLessThan(30); // and the swap itself is far from nothing
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])(
  'a LeakyRelu of slope %d gives a valid report',
  async (f) => {
    const bytes = model({ nodes: [node('LeakyRelu', ['x'], ['y'], { alpha: { f } })] });
    const [original, after] = [bytes, await (await swap(bytes)).output.bytes()];
    const report = await validateFiles(
      await bytesCandidate(original, 'original'),
      await bytesCandidate(after, 'swapped'),
      { latency: false },
    );
    expect(report.models.original.kinds).toMatchObject([{ kind: 'leakyrelu', alpha: null }]);
  },
);

test('models whose inputs have other ranks are refused, with their shapes', async () => {
  const inputs = [value('x', 1, ['N', 1, 1])];
  const other = model({
    nodes: [node('Identity', ['x'], ['y'])],
    inputs,
    outputs: [value('y', 1, ['N', 1, 1])],
  });
  const models = [await bytesCandidate(classifier, 'a'), await bytesCandidate(other, 'b')] as const;
  const message = "swapped model are 'x' (f32 [N, 1, 1]), and those of the original 'x' (f32 [N, 1])";
  await expect(validateFiles(...models, { latency: false })).rejects.toThrow(message);
});
