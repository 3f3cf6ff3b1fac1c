import { afterAll, describe, expect, test } from 'vitest';
import { browserProvider } from '../../../src/providers/browser/provider.js';
import { nodeProvider } from '../../../src/providers/node/provider.js';
import type { Tensors } from '../../../src/providers/tensor.js';
import { WEB_PROVIDERS, webFacts } from '../../../src/providers/web-providers.js';
import { sweep } from '../../../src/validate/kernel-sweep.js';
import { toleranceFor } from '../../../src/validate/tolerance.js';
import { container } from '../../support/containers.js';
import { BIAS, BIAS_BYTES, externalModel } from '../../support/external.js';
import { tempFolder } from '../../support/folder.js';
import { floats, model, node, value } from '../../support/model.js';
import { modelOf, feeds as negative, plain } from '../../support/padded-models.js';
import { descendants } from '../../support/processes.js';
import { run } from '../../support/run.js';

/** y = x · w, of fixed shape, so that every provider takes it. */
function product(size: number) {
  const weights = Array.from({ length: size * size }, (_, index) => Math.sin(index));
  return model({
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
    inputs: [value('x', 1, [1, size])],
    outputs: [value('y', 1, [1, size])],
    initializers: [floats('w', [size, size], weights)],
  });
}

const feeds = (size: number, at = 0): Tensors => {
  const data = Float32Array.from({ length: size }, (_, index) => Math.cos(index + at));
  return { x: { elemType: 'f32', dims: [1, size], data } };
};

describe.each(WEB_PROVIDERS)('%s', async (name) => {
  const provider = browserProvider(name);
  afterAll(() => provider.close?.());

  test('is there, in the browser of the package', async () => {
    expect(await provider.availability()).toEqual({ available: true });
    expect(provider.version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test('says what it runs on', async () => {
    const session = await provider.open(product(4));
    const { runtime } = session;
    await session.close();
    expect(runtime).toMatchObject({
      name: 'onnxruntime-web',
      version: provider.version,
      browser: expect.stringMatching(/^Chromium \d+\./),
      simd: true,
    });
    if (name === 'wasm') expect(runtime).toMatchObject({ renderer: null, software: null });
    else expect(runtime).toMatchObject({ renderer: expect.any(String), software: expect.any(Boolean) });
    if (name !== 'webgl') expect(runtime.threads).toBeGreaterThanOrEqual(1);
    if (!runtime.software || process.platform !== 'linux') return;
    for (const arg of webFacts(name).softwareArgs ?? [])
      expect(descendants(process.pid).filter(({ args }) => args.includes(arg))).not.toEqual([]);
  });

  test.each(['softplus', 'exp', 'native'] as const)('has the right Mish in the %s form', async (form) => {
    const result = await sweep(provider, { kind: 'mish', form, beta: 1 }, 'f32', 18);
    expect(result).toMatchObject({ problem: null, broken: 0, atInfinity: 'Infinity' });
    expect(result.maxScaled).toBeLessThan(toleranceFor(name, 'f32').kernel);
  });

  test('gives the tensors that a sequence is made of', async () => {
    const bytes = model({
      nodes: [
        node('Relu', ['x'], ['a']),
        node('Add', ['a', 'a'], ['b']),
        node('SequenceConstruct', ['a', 'b'], ['s']),
      ],
      inputs: [value('x', 1, [1, 4])],
      outputs: [container('s')],
    });
    const cpu = await nodeProvider('cpu').open(bytes);
    const want = await cpu.run(feeds(4));
    await cpu.close();
    expect(Object.keys(want)).toEqual(['a', 'b']);
    const shapes = { inputs: { x: [1, 4] }, outputs: { a: [1, 4], b: [1, 4] } };
    const session = await provider.open(bytes, { shapes });
    expect(await session.run(feeds(4))).toEqual(want);
    expect(session.notes).toContainEqual(expect.stringContaining("output 's' is not a tensor"));
    await session.close();
  });

  test('gives what the CPU gives, from run to run', async () => {
    const bytes = product(16);
    const cpu = await nodeProvider('cpu').open(bytes);
    const session = await provider.open(bytes);
    for (const at of [0, 1, 2]) {
      const [want, got] = [await cpu.run(feeds(16, at)), await session.run(feeds(16, at))];
      expect(got.y?.dims).toEqual([1, 16]);
      const difference = Array.from(want.y?.data as Float32Array, (x, i) => x - Number(got.y?.data[i]));
      expect(Math.max(...difference.map(Math.abs))).toBeLessThan(1e-4);
    }
    await Promise.all([cpu.close(), session.close()]);
  });

  test('keeps the zeros of a Pad that values below zero need', async () => {
    const bytes = modelOf({ ...plain, activation: 'LeakyRelu' });
    const { dims, data } = negative.x;
    const session = await provider.open(bytes, {
      shapes: { inputs: { x: dims }, outputs: { y0: [1, 2, 4, 4] } },
    });
    const { y0 } = await session.run({ x: { elemType: 'f32', dims, data: Float32Array.from(data) } });
    await session.close();
    const wanted = await run(bytes, negative);
    for (const [at, value] of wanted.y0?.entries() ?? []) expect(y0?.data[at]).toBeCloseTo(value, 5);
  });

  test('times runs and pairs of runs', async () => {
    const [a, b] = [await provider.open(product(4)), await provider.open(product(8))];
    expect(await a.time(feeds(4))).toBeGreaterThan(0);
    const pairs = await a.pairs?.(b, [feeds(4), feeds(8)], 6, 1);
    expect(pairs?.repeats).toBeGreaterThanOrEqual(1);
    expect(pairs?.times).toHaveLength(6);
    for (const pair of pairs?.times ?? []) for (const ms of pair) expect(ms).toBeGreaterThanOrEqual(0);
    await Promise.all([a.close(), b.close()]);
  });

  test('says what is wrong with a model, and goes on', async () => {
    const bad = model({
      nodes: [node('NoSuchOperator', ['x'], ['y'])],
      inputs: [value('x', 1, [1])],
      outputs: [value('y', 1, [1])],
    });
    await expect(provider.open(bad)).rejects.toThrow(/NoSuchOperator/);
    const session = await provider.open(product(4));
    await expect(session.run({})).rejects.toThrow(expect.objectContaining({ code: 'run-failed' }));
    expect((await session.run(feeds(4))).y?.dims).toEqual([1, 4]);
    await session.close();
  });

  test('finds external data beside the model', async () => {
    const folder = await tempFolder();
    const path = await folder.write('model.onnx', externalModel('weights.bin'));
    await folder.write('weights.bin', BIAS_BYTES);
    const shapes = { inputs: { x: [1, 4] }, outputs: { y: [1, 4] } };
    const session = await provider.open(path, { shapes });
    const [input, output] = [session.inputs[0]?.name ?? '', session.outputs[0]?.name ?? ''];
    const x = { elemType: 'f32', dims: [1, 4], data: new Float32Array(4) };
    const { [output]: got } = await session.run({ [input]: x });
    expect(got?.data).toEqual(BIAS.map((bias) => Math.max(0, bias)));
    await session.close();
  });
});
