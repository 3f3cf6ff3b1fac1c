import { describe, expect, test } from 'vitest';
import { globs } from '../../src/mish/sites.js';
import type { SwapOptions } from '../../src/mish/swap.js';
import { swap } from '../../src/mish/swap.js';
import { scan } from '../../src/onnx/scan.js';
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

  test('relu and leakyrelu unless told otherwise; of the rest only a Relu of another domain is told', async () => {
    expect(await found(parts)).toEqual({ sites: ['relu', 'leaky'], skipped: { foreign: 'fused' } });
  });

  test('only relu: the other is reported as left out', async () => {
    expect(await found(parts, { only: ['relu'] })).toEqual({
      sites: ['relu'],
      skipped: { leaky: 'excluded', foreign: 'fused' },
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
    await expect(found(parts, { only: ['selu'] })).rejects.toMatchObject({
      code: 'bad-usage',
      what: expect.stringContaining("'selu'"),
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
    expect(await sites({ include: ['layer1*'] })).toEqual([]);
    expect(await sites({ include: [] })).toEqual(['a', 'b', 'c[0]', 'y']);
    expect(await sites({ exclude: [] })).toEqual(['a', 'b', 'c[0]', 'y']);
  });

  test('what is left out is reported', async () => {
    expect((await found(parts, { exclude: ['y'] })).skipped).toEqual({ y: 'excluded' });
    const why = async (options: SwapOptions) =>
      (await swap(model(parts), options)).report.skipped.map((one) => JSON.stringify([one.why, one.option]));
    expect(await why({ exclude: ['y'] })).toEqual(['["left out by choice",{"exclude":null}]']);
    expect(new Set(await why({ include: ['y'] }))).toEqual(
      new Set(['["left out by choice",{"include":null}]']),
    );
    expect(new Set(await why({ only: ['leakyrelu'] }))).toEqual(
      new Set(['["left out by choice",{"only":null}]']),
    );
  });

  test('a name may hold anything, and one that is empty is matched by nothing', async () => {
    const odd = {
      nodes: [
        node('Relu', ['x'], ['a\nb'], {}, { name: '' }),
        node('Split', ['x'], ['p', 'q'], {}, { name: 's' }),
      ],
    };
    expect((await found(odd, { include: ['a*b'] })).sites).toEqual(['a\nb']);
    expect((await found(odd, { exclude: ['a?b'] })).sites).toEqual([]);
    const [relu] = (await scan(model(odd))).graph.nodes;
    const [, split] = (await scan(model(odd))).graph.nodes;
    if (relu === undefined || split === undefined) throw new Error('no nodes');
    expect(globs(['?', ''])?.(relu)).toBe(false);
    expect(globs(['q'])?.(split)).toBe(true); // any of the outputs will do
    expect([globs(undefined), globs([])]).toEqual([undefined, undefined]);
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

describe('what stays says why', () => {
  const why = async (parts: ModelParts, options: SwapOptions = {}) =>
    (await swap(model(parts), options)).report.skipped.map(({ reason, why: said }) => [reason, said]);
  const relu = node('Relu', ['x'], ['y']);

  test('for a node that is not as it should be', async () => {
    expect(await why({ nodes: [node('Relu', ['x'], ['b', 'c'])] })).toEqual([
      ['malformed', 'it has no input, no output or more than one output'],
    ]);
    const bytes = model({ nodes: [node('Relu', ['x'], ['y'], {}, { name: 'qqq' })] });
    bytes[Buffer.from(bytes).indexOf('qqq')] = 0xff;
    expect((await swap(bytes)).report.skipped).toMatchObject([
      { reason: 'malformed', why: 'its names are not valid UTF-8' },
    ]);
  });

  test('for one with a graph inside, whose own activations are still swapped', async () => {
    const body = { name: 'b', node: [node('Relu', ['x'], ['inner'])], output: [value('inner', 1)] };
    const { output, report } = await swap(
      model({ nodes: [node('Relu', ['x'], ['y'], { g: { graph: body } })] }),
    );
    expect(report.sites.map(({ output }) => output)).toEqual(['inner']);
    expect(report.skipped).toMatchObject([
      { reason: 'malformed', why: 'it has a graph inside', output: 'y' },
    ]);
    expect(
      (await scan(await output.bytes())).scopes.map(({ nodes }) => nodes.map(({ opType }) => opType)),
    ).toEqual([['Relu'], ['Softplus', 'Tanh', 'Mul']]);
  });

  test('for a type that is not known, with the form that needs none', async () => {
    const unknown = { nodes: [relu], inputs: [{ name: 'x' }], outputs: [{ name: 'y' }] };
    const [[reason, said] = []] = await why(unknown, { form: 'exp' });
    expect(reason).toBe('unknown-type');
    expect(said).toMatch(
      /^its element type is not known, and the exp form needs constants of it; run shape inference first, or use the softplus form$/,
    );
    // With a sharpness the softplus form needs one as well.
    expect((await why(unknown, { form: 'exp', beta: 2 }))[0]?.[1]).toMatch(
      /needs constants of it; run shape inference first$/,
    );
    expect((await why(unknown, { form: 'softplus', beta: 2 }))[0]?.[1]).toMatch(
      /softplus form needs constants of it; run shape inference first$/,
    );
    expect(await why(unknown, { form: 'softplus' })).toEqual([]);
  });

  test('for what its type cannot hold', async () => {
    const half = { nodes: [relu], inputs: [value('x', 10, ['N'])], outputs: [value('y', 10, ['N'])] };
    for (const beta of [1e5, 1e-5, 1e-9, 7e4])
      expect(await why(half, { beta })).toEqual([
        ['type-not-in-form', `f16 cannot hold the sharpness ${beta} or its reciprocal`],
      ]);
    for (const beta of [6e4, 1e-4]) expect(await why(half, { beta })).toEqual([]);
    const slope = { ...half, nodes: [node('LeakyRelu', ['x'], ['y'], { alpha: { f: 1e-9 } })] };
    expect(await why(slope, { leaky: 'mixture' })).toEqual([
      ['type-not-in-form', expect.stringMatching(/^f16 cannot hold the slope /)],
    ]);
    const brain = { nodes: [relu], inputs: [value('x', 16, ['N'])], outputs: [value('y', 16, ['N'])] };
    expect(await why(brain)).toEqual([
      ['type-not-in-form', 'the softplus form takes bf16 from opset 22 on, and the model has opset 18'],
    ]);
  });

  test('the type may come from either side, and integers on either side are integers', async () => {
    for (const ends of [
      { inputs: [value('x', 6, ['N'])], outputs: [{ name: 'y' }] },
      { inputs: [{ name: 'x' }], outputs: [value('y', 6, ['N'])] },
    ])
      expect(await why({ nodes: [relu], ...ends })).toEqual([
        ['integer', 'its elements are i32, and Mish is for floats'],
      ]);
  });
});

test('strict names the first of several, and says how many more there are', async () => {
  const integers = (count: number) =>
    model({
      nodes: Array.from({ length: count }, (_, at) => node('Relu', ['n'], [`y${at}`])),
      inputs: [value('n', 6, ['N'])],
      outputs: [value('y0', 6, ['N'])],
    });
  const said = (count: number) => swap(integers(count), { strict: true }).catch((error: unknown) => error);
  const what = 'Relu → y0 cannot be swapped: its elements are i32, and Mish is for floats';
  const fix = 'Leave it out, or drop strict';
  const rest = { code: 'skipped', where: 'model', fix, option: { exclude: null, strict: null } };
  expect(await said(1)).toMatchObject({ what, ...rest });
  expect(await said(2)).toMatchObject({ what: `${what}, and 1 more` });
  expect(await said(4)).toMatchObject({ what: `${what}, and 3 more` });
});

test('a fused operator of ONNX Runtime is skipped, also beside a function of its name, which ONNX Runtime does not call', async () => {
  const local = {
    name: 'FusedConv',
    domain: 'com.microsoft',
    input: ['a'],
    output: ['b'],
    node: [node('Neg', ['a'], ['b'])],
    opsetImport: [{ version: 18 }],
  };
  const nodes = [node('FusedConv', ['x'], ['y'], { activation: 'Relu' }, { domain: 'com.microsoft' })];
  const domains = { 'com.microsoft': 1 };
  expect((await found({ nodes, domains })).skipped).toEqual({ y: 'fused' });
  expect((await found({ nodes, domains, functions: [local] })).skipped).toEqual({ y: 'fused' });
});
