import { describe, expect, test } from 'vitest';
import { seededFeeds } from '../../src/data/dataset.js';
import { momentsMeter } from '../../src/metrics/moments.js';
import { swap } from '../../src/mish/swap.js';
import { compareLayers, firstDivergence, type LayerRun } from '../../src/node/compare-layers.js';
import { bytesCandidate, validateFiles } from '../../src/node/validate-files.js';
import { browserProvider } from '../../src/providers/browser/provider.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { Provider } from '../../src/providers/provider.js';
import { BIAS_BYTES, externalModel } from '../support/external.js';
import { tempFolder } from '../support/folder.js';
import { floats, model, node, value } from '../support/model.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';
import { residualNet } from '../support/webgl-models.js';

const cpu = nodeProvider('cpu');
const run = (bytes: LayerRun['model'], which: LayerRun['which'] = 'original', provider = cpu): LayerRun => ({
  model: bytes,
  which,
  provider,
});

async function feedsFor(bytes: Uint8Array | string, count = 2) {
  const session = await cpu.open(bytes);
  await session.close();
  return seededFeeds(session.inputs, { count }).feeds;
}

describe('a real model against its swap', async () => {
  const bytes = bytesOf(REAL_MODELS.timer);
  const { output } = await swap(bytes, { form: 'exp' });
  const swapped = run(await output.bytes(), 'swapped');
  const feeds = await feedsFor(bytes);

  test('has a row for each tensor of both, in order, with the sites marked', async () => {
    const { a, b, rows } = await compareLayers({ a: run(bytes), b: swapped, feeds });
    expect([a, b]).toEqual([
      { model: 'original', provider: 'cpu' },
      { model: 'swapped', provider: 'cpu' },
    ]);
    expect(rows.map(({ op, site }) => (site ? `${op}*` : op))).toEqual([
      ...['Flatten', 'Gemm', 'Relu*', 'Gemm', 'Relu*', 'Gemm', 'Relu*', 'Softmax'],
    ]);
    const [flatten, gemm, relu] = rows;
    expect(flatten).toMatchObject({ maxAbs: 0, sqnr: null, problem: null });
    expect(gemm?.maxAbs).toBe(0); // before the first site nothing has changed
    expect(relu?.maxAbs).toBeGreaterThan(0.3); // Mish and ReLU are 0.30884 apart at the most
    expect(relu?.maxAbs).toBeLessThan(0.30885);
    expect(relu?.a?.min).toBe(0);
    expect(relu?.b?.min).toBeCloseTo(-0.3088, 3);
  });

  test('is the same in passes of one tensor, and of few bytes', async () => {
    const whole = await compareLayers({ a: run(bytes), b: swapped, feeds });
    expect(await compareLayers({ a: run(bytes), b: swapped, feeds, chunk: 1 })).toEqual(whole);
    expect(await compareLayers({ a: run(bytes), b: swapped, feeds, chunk: 3, bytes: 1000 })).toEqual(whole);
  });

  test('is the same whether tensors are outputs or copied out', async () => {
    const session = { optimisation: 'disabled' } as const;
    const direct = await compareLayers({ a: run(bytes), b: swapped, feeds, session });
    expect(await compareLayers({ a: run(bytes), b: swapped, feeds, session, copies: true })).toEqual(direct);
  });

  test('has the same inner tensors as itself', async () => {
    for (const row of (await compareLayers({ a: run(bytes), b: run(bytes), feeds })).rows) {
      expect(row).toMatchObject({ maxAbs: 0, problem: null, a: row.b });
      expect(row.cosine).toBeCloseTo(1, 12);
    }
  });

  test('has rows of sites only, where requested', async () => {
    const { rows } = await compareLayers({ a: run(bytes), b: swapped, feeds, sitesOnly: true });
    expect(rows.map(({ op }) => op)).toEqual(['Relu', 'Relu', 'Relu']);
  });

  test('is in the report where requested', async () => {
    const report = await validateFiles(
      await bytesCandidate(bytes, 'original'),
      await bytesCandidate(await output.bytes(), 'swapped'),
      { providers: ['cpu', 'wasm'], perLayer: true, latency: false, runs: 1 },
    );
    expect(report.layers.map(({ a, b }) => [a.model, a.provider, b.model, b.provider])).toEqual([
      ['original', 'cpu', 'swapped', 'cpu'],
      ['swapped', 'cpu', 'swapped', 'wasm'],
    ]);
    for (const { sqnr, problem } of report.layers[1]?.rows ?? []) {
      expect(problem).toBeNull();
      expect(sqnr ?? 200).toBeGreaterThan(100); // dB; null for identical tensors
    }
  });
});

test('moments are those of all elements, over runs', () => {
  const meter = momentsMeter();
  const values = Array.from({ length: 1000 }, (_, index) => 1e6 + Math.sin(index));
  for (const part of [values.slice(0, 300), values.slice(300)]) {
    meter.add({ elemType: 'f64', dims: [part.length], data: Float64Array.from(part) });
  }
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const std = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
  const result = meter.result();
  expect(result?.mean).toBeCloseTo(mean, 6);
  expect(result?.std).toBeCloseTo(std, 6);
  expect(result).toMatchObject({ min: Math.min(...values), max: Math.max(...values) });
  meter.add({ elemType: 'f64', dims: [1], data: Float64Array.of(Number.NaN) });
  expect(meter.result()).toBeNull();
  expect(momentsMeter().result()).toBeNull();
});

test('moments of huge, constant and infinite elements neither overflow nor hide', () => {
  const of = (...values: number[]) => {
    const meter = momentsMeter();
    meter.add({ elemType: 'f64', dims: [values.length], data: Float64Array.from(values) });
    return meter.result();
  };
  expect(of(1e308, 1e308, 1e308)).toEqual({ mean: 1e308, std: 0, min: 1e308, max: 1e308 });
  expect(of(1, Number.POSITIVE_INFINITY)).toBeNull();
  const many = Array.from({ length: 10_000 }, (_, index) => (index % 2 === 0 ? 1e9 : 1e9 + 2));
  expect(of(...many)).toEqual({ mean: 1e9 + 1, std: 1, min: 1e9, max: 1e9 + 2 });
});

test('a tensor that cannot be an output has a row with the reason', async () => {
  const sequence = model({
    nodes: [
      node('Relu', ['x'], ['r']),
      node('SequenceConstruct', ['r', 'r'], ['list']),
      node('SequenceAt', ['list', 'at'], ['z']),
      node('Relu', ['z'], ['y']),
    ],
    inputs: [value('x', 1, [2])],
    outputs: [value('y', 1, [2])],
    initializers: [{ name: 'at', dataType: 7, dims: [], rawData: new Uint8Array(8) }],
  });
  const { rows } = await compareLayers({
    a: run(sequence),
    b: run(sequence),
    feeds: await feedsFor(sequence),
  });
  expect(rows.map(({ output, problem }) => [output, problem === null])).toEqual([
    ['r', true],
    ['list', false],
    ['z', true],
    ['y', true],
  ]);
});

test('a model with external data leaves nothing beside it', async () => {
  const folder = await tempFolder();
  const path = await folder.write('model.onnx', externalModel('weights.bin'));
  await folder.write('weights.bin', BIAS_BYTES);
  const x = { elemType: 'f32', dims: [1, 4], data: new Float32Array(4) };
  const { rows } = await compareLayers({ a: run(path), b: run(path), feeds: [{ x }] });
  expect(rows.map(({ output, maxAbs }) => [output, maxAbs])).toEqual([
    ['z', 0],
    ['y', 0],
  ]);
  expect(await folder.list()).toEqual(['model.onnx', 'weights.bin']);
});

test('a data set without feeds is an error', async () => {
  const bytes = bytesOf(REAL_MODELS.timer);
  await expect(compareLayers({ a: run(bytes), b: run(bytes), feeds: [] })).rejects.toThrow(
    expect.objectContaining({ code: 'bad-data' }),
  );
});

test('WebGL’s bug on a residual net is located and explained, and the swapped model is right', async () => {
  const bytes = residualNet();
  const report = await validateFiles(
    await bytesCandidate(bytes, 'residual'),
    await bytesCandidate(await (await swap(bytes, { form: 'softplus' })).output.bytes(), 'swapped'),
    { providers: ['webgl'], latency: false, runs: 1 },
  );
  const [row] = report.providers;
  expect(report.verdicts).toMatchObject([
    { threshold: 'maxParity', passed: true },
    { threshold: 'maxOriginalParity', passed: false, binding: false },
    { threshold: 'maxKernelError', passed: true },
  ]);
  expect(report.passed).toBe(true);
  // The first Conv of the second kind that is run as one of the first is in the first block.
  expect(row?.parting).toMatchObject({ original: { op: 'Relu', output: 'out0' }, swapped: null });
  expect(row?.notes.join('\n')).toMatch(/Conv ‘b0’: WebGL may run it as a0/);
  // It is advised since it was tried.
  const advice = 'original: writing it for WebGL makes it right: tried on these samples';
  expect(row?.notes).toContain(advice);
  expect(row?.noteOptions).toEqual({ [advice]: { retarget: { target: 'webgl' } } });
});

test('a right provider has no divergence', async () => {
  const bytes = residualNet();
  const feeds = await feedsFor(bytes, 1);
  const wasm = browserProvider('wasm');
  try {
    expect(await firstDivergence({ a: run(bytes), b: run(bytes, 'original', wasm), feeds }, 1e-4)).toBeNull();
  } finally {
    await wasm.close?.();
  }
});

/** The CPU, but that it gives 0 for denormals, as GPUs may, and something else for tensors of these names. */
function flushing(wrong: readonly string[]): Provider {
  return {
    ...cpu,
    name: 'webgpu',
    async open(...args) {
      const session = await cpu.open(...args);
      const change = (name: string) => (value: number) =>
        Math.abs(value) < 2 ** -126 ? 0 : wrong.some((one) => name.startsWith(one)) ? value + 1 : value;
      return {
        ...session,
        async run(feeds) {
          const outputs = Object.entries(await session.run(feeds)).map(([name, tensor]) => {
            const data = Float32Array.from(tensor.data as Float32Array, change(name));
            return [name, { ...tensor, data }] as const;
          });
          return Object.fromEntries(outputs);
        },
      };
    },
  };
}

describe('denormals of a model', () => {
  const bytes = model({
    nodes: [
      node('Mul', ['x', 'tiny'], ['d'], {}, { name: 'small' }),
      node('Relu', ['d'], ['dr'], {}, { name: 'small_relu' }),
      node('Relu', ['x'], ['r'], {}, { name: 'relu' }),
      node('Sigmoid', ['r'], ['s'], {}, { name: 'sigmoid' }),
      node('Add', ['s', 'dr'], ['y'], {}, { name: 'sum' }),
    ],
    inputs: [value('x', 1, [1, 4])],
    outputs: [value('y', 1, [1, 4])],
    initializers: [floats('tiny', [], [1e-40])],
  });
  const first = async (...wrong: string[]) => {
    const feeds = await feedsFor(bytes, 1);
    return firstDivergence({ a: run(bytes), b: run(bytes, 'original', flushing(wrong)), feeds }, 1e-3);
  };

  test('are no divergence', async () => {
    expect(await first()).toBeNull();
  });

  test('hide no site that is wrong after them', async () => {
    expect(await first('r', 's', 'y')).toMatchObject({ node: 'relu', output: 'r' });
  });

  test('hide no other node that is wrong after them', async () => {
    expect(await first('s', 'y')).toMatchObject({ node: 'sigmoid', output: 's' });
  });
});

test('a value that is not a tensor has a row with the reason', async () => {
  const bytes = model({
    nodes: [
      node('Relu', ['x'], ['active']),
      node('SequenceConstruct', ['active', 'x'], ['list']),
      node('ConcatFromSequence', ['list'], ['y'], { axis: 1 }),
    ],
    inputs: [value('x', 1, ['N', 2])],
    outputs: [value('y', 1, ['N', 4])],
  });
  const { rows } = await compareLayers({ a: run(bytes), b: run(bytes), feeds: await feedsFor(bytes) });
  expect(rows.map(({ output, problem }) => [output, problem])).toEqual([
    ['active', null],
    ['list', 'neither model gave a tensor for it'],
    ['y', null],
  ]);
});
