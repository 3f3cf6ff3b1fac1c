import { describe, expect, test } from 'vitest';
import type { SwapOptions } from '../../src/mish/swap.js';
import { swap } from '../../src/mish/swap.js';
import { reluModel, swapped } from '../support/graph.js';
import { expectMish, POINTS } from '../support/mish.js';
import { floats, type ModelParts, model, node, value } from '../support/model.js';
import { f32, OPTIMISERS, run } from '../support/run.js';

const F32 = 1;
const I32 = 6;

/** What a swap makes of a model: outputs of the sites, and of the skipped with their reasons. */
async function found(parts: ModelParts, options: SwapOptions = {}) {
  const { report } = await swapped(model(parts), options);
  return {
    sites: report.sites.map(({ output }) => output),
    skipped: Object.fromEntries(report.skipped.map(({ output, reason }) => [output, reason])),
  };
}

describe('integers', () => {
  test.each([
    [I32, 'i32'],
    [7, 'i64'],
    [3, 'i8'],
    [5, 'i16'],
  ])('a Relu on element type %i stays, and is reported', async (type, name) => {
    const source = reluModel({ inputs: [value('x', type, [4])], outputs: [value('y', type, [4])] });
    const { output, report } = await swap(source);
    expect(await output.bytes()).toEqual(source);
    expect(report.skipped).toMatchObject([{ reason: 'integer', why: expect.stringContaining(name) }]);
  });

  test('one float and one integer: the float is swapped, and the model runs', async () => {
    const source = model({
      nodes: [node('Relu', ['x'], ['y']), node('Relu', ['n'], ['m'])],
      inputs: [value('x', F32, ['N']), value('n', I32, [2])],
      outputs: [value('y', F32, ['N']), value('m', I32, [2])],
    });
    const { bytes } = await swapped(source);
    const { y, m } = await run(bytes, { x: f32(POINTS), n: { type: 'i32', dims: [2], data: [-3, 3] } });
    expectMish(y, POINTS);
    expect(m).toEqual([0, 3]);
  });
});

describe('an element type that nothing tells', () => {
  // NonMaxSuppression-like operators of other domains say nothing about their results.
  const parts: ModelParts = {
    nodes: [node('Mystery', ['x'], ['a'], {}, { domain: 'other' }), node('Relu', ['a'], ['b'])],
    outputs: [value('y', F32)],
    domains: { other: 1 },
  };

  test('is skipped by a form with constants, with the reason', async () => {
    for (const options of [{ form: 'exp' }, { form: 'softplus', beta: 2 }] as const) {
      expect((await found(parts, options)).skipped).toEqual({ b: 'unknown-type' });
    }
  });

  test('is swapped by a form without', async () => {
    expect((await found(parts)).sites).toEqual(['b']);
    expect((await found(parts, { form: 'native' })).sites).toEqual(['b']);
  });
});

describe('LeakyRelu', () => {
  const alphas = [0, 0.01, 0.1, -0.5, undefined];
  test.each(alphas.flatMap((alpha) => OPTIMISERS.map((optimiser) => ({ alpha, optimiser }))))(
    'with alpha $alpha becomes Mish, optimiser $optimiser',
    async ({ alpha, optimiser }) => {
      const attributes = alpha === undefined ? {} : { alpha: { f: alpha } };
      const source = model({
        nodes: [node('LeakyRelu', ['x'], ['y'], attributes)],
        inputs: [value('x', F32, ['N'])],
      });
      const { bytes, report } = await swapped(source, { form: 'exp' });
      expect(report.sites).toMatchObject([{ kind: 'leakyrelu', alpha: Math.fround(alpha ?? 0.01) }]);
      expectMish((await run(bytes, { x: f32(POINTS) }, optimiser)).y, POINTS);
    },
  );
});

describe('kinds', () => {
  const x = ['x'];
  const parts: ModelParts = {
    nodes: [
      node('Relu', x, ['relu']),
      node('LeakyRelu', x, ['leaky']),
      node('PRelu', ['x', 'slope'], ['prelu']),
      node('Elu', x, ['elu']),
      node('HardSwish', x, ['hard']),
      node('Sigmoid', x, ['sigmoid']),
      node('Relu', x, ['foreign'], {}, { domain: 'other' }),
    ],
    initializers: [floats('slope', [1], [0.2])],
    inputs: [value('x', F32, ['N'])],
    outputs: ['relu', 'leaky', 'prelu', 'elu', 'hard', 'sigmoid'].map((name) => value(name, F32, ['N'])),
    domains: { other: 1 },
  };

  test('relu and leakyrelu unless told otherwise; the rest is not even mentioned', async () => {
    expect(await found(parts)).toEqual({ sites: ['relu', 'leaky'], skipped: {} });
  });

  test('only relu: the other is reported as left out', async () => {
    expect(await found(parts, { only: ['relu'] })).toEqual({
      sites: ['relu'],
      skipped: { leaky: 'excluded' },
    });
  });

  test('the others opt in', async () => {
    const only = ['prelu', 'elu', 'hardswish'];
    expect((await found(parts, { only })).sites).toEqual(['prelu', 'elu', 'hard']);
  });

  test('each of them becomes Mish', async () => {
    const local = { ...parts, nodes: parts.nodes.slice(0, 6), domains: {} };
    const only = ['relu', 'leakyrelu', 'prelu', 'elu', 'hardswish'];
    const { bytes } = await swapped(model(local), { only });
    const outputs = await run(bytes, { x: f32(POINTS) });
    for (const name of ['relu', 'leaky', 'prelu', 'elu', 'hard']) expectMish(outputs[name], POINTS);
  });

  test('an unknown kind is refused with the known ones', async () => {
    await expect(found(parts, { only: ['gelu'] })).rejects.toMatchObject({
      code: 'bad-usage',
      what: expect.stringContaining("'gelu'"),
      fix: expect.stringContaining('relu, leakyrelu'),
    });
  });
});

describe('include and exclude', () => {
  const parts: ModelParts = {
    nodes: [
      node('Relu', ['x'], ['a'], {}, { name: '/layer1/act/Relu' }),
      node('Relu', ['a'], ['b'], {}, { name: '/layer2/act/Relu' }),
      node('Relu', ['b'], ['c[0]']),
      node('Relu', ['c[0]'], ['y'], {}, { name: '/head/Relu' }),
    ],
  };
  const sites = async (options: SwapOptions) => (await found(parts, options)).sites;

  test('a glob matches the node’s name or its output’s', async () => {
    expect(await sites({ include: ['/layer*'] })).toEqual(['a', 'b']);
    expect(await sites({ include: ['/layer?/act/Relu'] })).toEqual(['a', 'b']);
    expect(await sites({ include: ['y'] })).toEqual(['y']);
    expect(await sites({ exclude: ['/head/*', 'a'] })).toEqual(['b', 'c[0]']);
    expect(await sites({ include: ['/layer*'], exclude: ['*2*'] })).toEqual(['a']);
  });

  test('other characters stand for themselves', async () => {
    expect(await sites({ include: ['c[0]'] })).toEqual(['c[0]']);
    expect(await sites({ include: ['.*'] })).toEqual([]);
    expect(await sites({ include: ['/layer1'] })).toEqual([]);
  });

  test('what is left out is reported', async () => {
    expect((await found(parts, { exclude: ['y'] })).skipped).toEqual({ y: 'excluded' });
    expect((await found(parts, { include: ['y'] })).skipped).toEqual({
      a: 'excluded',
      b: 'excluded',
      'c[0]': 'excluded',
    });
  });
});

describe('strict', () => {
  const integer = reluModel({ inputs: [value('x', I32, [4])], outputs: [value('y', I32, [4])] });

  test('fails when something had to be skipped, and names it', async () => {
    await expect(swapped(integer, { strict: true })).rejects.toMatchObject({
      code: 'skipped',
      what: expect.stringContaining('act cannot be swapped: its elements are i32'),
    });
  });

  test('does not mind what the caller left out, as its message says', async () => {
    await expect(swapped(integer, { strict: true, exclude: ['act'] })).resolves.toBeDefined();
    await expect(swapped(reluModel(), { strict: true, only: ['leakyrelu'] })).resolves.toBeDefined();
    const fused = model({
      nodes: [
        node('FusedConv', ['x'], ['y'], { activation: 'Relu' }, { domain: 'com.microsoft', name: 'f' }),
      ],
    });
    await expect(swapped(fused, { strict: true })).rejects.toMatchObject({ code: 'skipped' });
    await expect(swapped(fused, { strict: true, exclude: ['f'] })).resolves.toBeDefined();
  });
});

describe('activations inside other operators are reported as fused', () => {
  const ms = { domain: 'com.microsoft', name: 'inside' };
  const list = (...names: string[]) => ({ strings: names });
  test.each([
    ['FusedConv', node('FusedConv', ['x', 'w'], ['y'], { activation: 'Relu' }, ms)],
    ['FusedGemm', node('FusedGemm', ['x', 'w'], ['y'], { activation: 'LeakyRelu' }, ms)],
    ['NhwcFusedConv', node('NhwcFusedConv', ['x', 'w'], ['y'], { activation: 'Relu' }, ms)],
    [
      'a blocked Conv',
      node('Conv', ['x', 'w'], ['y'], { activation: 'Relu' }, { ...ms, domain: 'com.microsoft.nchwc' }),
    ],
    ['MoE', node('MoE', ['x'], ['y'], { activation_type: 'relu' }, ms)],
    ['QLinearLeakyRelu', node('QLinearLeakyRelu', ['x'], ['y'], {}, ms)],
    ['RNN', node('RNN', ['x', 'w', 'r'], ['y'], { activations: list('Tanh', 'Relu') })],
    ['LSTM', node('LSTM', ['x', 'w', 'r'], ['y'], { activations: list('Sigmoid', 'LeakyRelu', 'Tanh') })],
  ])('%s', async (_, fused) => {
    const { sites, skipped } = await found({ nodes: [fused], domains: { 'com.microsoft': 1 } });
    expect(sites).toEqual([]);
    expect(skipped).toEqual({ y: 'fused' });
  });

  test.each([
    ['a FusedConv with another activation', node('FusedConv', ['x'], ['y'], { activation: 'Tanh' }, ms)],
    ['an LSTM with its own', node('LSTM', ['x', 'w', 'r'], ['y'])],
    ['QLinearConv', node('QLinearConv', ['x'], ['y'])],
  ])('%s is not', async (_, other) => {
    expect(await found({ nodes: [other] })).toEqual({ sites: [], skipped: {} });
  });
});

test.each(OPTIMISERS)("ONNX's own domain by its other name, ai.onnx; optimiser %s", async (optimiser) => {
  const source = model({
    nodes: [node('Relu', ['x'], ['y'], {}, { domain: 'ai.onnx' })],
    inputs: [value('x', F32, ['N'])],
    outputs: [value('y', F32, ['N'])],
  });
  const { bytes, report } = await swapped(source, { form: 'exp' });
  expect(report.sites).toHaveLength(1);
  expectMish((await run(bytes, { x: f32(POINTS) }, optimiser)).y, POINTS);
});

test('a node that is not as the specification has it is left alone', async () => {
  const bad = [node('Relu', [], ['a']), node('Relu', ['x'], []), node('Relu', ['x'], ['b', 'c'])];
  const { output, report } = await swap(model({ nodes: bad }));
  expect(report.sites).toEqual([]);
  expect(report.skipped.map(({ reason }) => reason)).toEqual(['malformed', 'malformed', 'malformed']);
  expect(await output.bytes()).toEqual(model({ nodes: bad }));
});
