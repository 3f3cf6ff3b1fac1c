import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { activationNames, activationOrder, architectureOf } from '../../src/experiment/architecture.js';
import { inspect } from '../../src/mish/inspect.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { classifier } from '../support/classified.js';
import { floats, model, node, value } from '../support/model.js';

/** A Relu, a Relu before a root, a LeakyRelu and an Elu. */
const NET = model({
  nodes: [
    node('Relu', ['x'], ['a'], {}, { name: 'plain' }),
    node('LeakyRelu', ['a'], ['b'], {}, { name: 'leaky' }),
    node('Elu', ['b'], ['c'], {}, { name: 'elu' }),
    node('Gemm', ['c', 'w'], ['h']),
    node('Relu', ['h'], ['d'], {}, { name: 'guard' }),
    node('Sqrt', ['d'], ['y']),
  ],
  initializers: [floats('w', [2, 2], [1, -1, 0.5, 2])],
  inputs: [value('x', 1, ['N', 2])],
  outputs: [value('y', 1, ['N', 2])],
});

const bytesOf = (file: string | Uint8Array) => file as Uint8Array;

test('every activation is at the same sites, and an activation that only some can replace stays', async () => {
  const loaded = await modelFromBytes(NET);
  const { models, sites, kept } = await architectureOf(loaded, ['relu', 'leakyrelu', 'mish'], {});
  expect(sites).toEqual([
    { label: 'leaky', input: 'a' },
    { label: 'plain', input: 'x' },
  ]);
  expect(kept).toEqual([{ label: 'guard', why: expect.stringContaining('Sqrt') }]);
  const kinds = async (name: 'relu' | 'leakyrelu' | 'mish') => {
    const report = await inspect(bytesOf(models.get(name)?.file ?? ''), { to: 'gelu' });
    return [...report.sites, ...report.skipped].map(({ kind }) => kind).toSorted();
  };
  expect(await kinds('relu')).toEqual(['relu', 'relu', 'relu']);
  expect(await kinds('leakyrelu')).toEqual(['leakyrelu', 'leakyrelu', 'relu']);
  expect(await kinds('mish')).toEqual(['mish', 'mish', 'relu']);
});

test('a model that has the activation already is used as it is', async () => {
  const bytes = classifier();
  const { models } = await architectureOf(await modelFromBytes(bytes), ['relu', 'mish'], {});
  expect(models.get('relu')?.file).toEqual(bytes);
  expect(models.get('mish')?.file).not.toEqual(bytes);
});

test('only chooses the kinds', async () => {
  const { sites } = await architectureOf(await modelFromBytes(NET), ['relu', 'swish'], { only: ['elu'] });
  expect(sites.map(({ label }) => label)).toEqual(['elu']);
  for (const only of [['gelu'], ['nonsense']]) {
    const refused = architectureOf(await modelFromBytes(NET), ['relu', 'mish'], { only });
    await expect(refused).rejects.toMatchObject({
      code: 'bad-usage',
      what: expect.stringContaining(only[0] ?? ''),
    });
  }
});

test('a quantised model is refused as such, also where its scales forbid every site', async () => {
  for (const name of ['u8', 'u8-with-relu', 'operators', 'operators-with-relu']) {
    const bytes = readFileSync(new URL(`../mish/int8/${name}.onnx`, import.meta.url));
    const refused = architectureOf(await modelFromBytes(Uint8Array.from(bytes)), ['relu', 'mish'], {});
    await expect(refused).rejects.toMatchObject({
      code: 'bad-usage',
      what: expect.stringMatching(/is quantised/),
      fix: 'Train the model before it is quantised',
    });
  }
});

test('names are known, different and without aliases', () => {
  expect(activationNames(['relu', 'silu'])).toEqual(['relu', 'swish']);
  for (const wrong of [[], ['relu', 'tanh'], ['swish', 'silu']])
    expect(() => activationNames(wrong)).toThrow(expect.objectContaining({ code: 'bad-usage' }));
});

test('the order of several lists does not depend on theirs', () => {
  expect(activationOrder([['mish', 'relu'], ['mish', 'relu']])).toEqual(['mish', 'relu']); // biome-ignore format: pairs
  for (const lists of [
    [['mish', 'relu'], ['elu']],
    [['elu'], ['mish', 'relu']],
  ])
    expect(activationOrder(lists)).toEqual(['relu', 'mish', 'elu']);
});

test('the name in a function is not that of a value in the main graph', async () => {
  for (const inside of ['x', 'h', 'other']) {
    const bytes = model({
      nodes: [node('Act', ['x'], ['h'], {}, { domain: 'my' }), node('Relu', ['h'], ['y'])],
      inputs: [value('x', 1, ['N', 2])],
      outputs: [value('y', 1, ['N', 2])],
      functions: [
        {
          ...{ name: 'Act', domain: 'my', opsetImport: [{ domain: '', version: 17 }] },
          ...{ input: [inside], output: ['z'], node: [node('Relu', [inside], ['z'])] },
        },
      ],
      ...{ opset: 17, ir: 8, domains: { my: 1 } },
    });
    const { sites } = await architectureOf(await modelFromBytes(bytes), ['relu', 'mish'], {});
    expect(sites.map(({ input }) => input).toSorted()).toEqual(['h', undefined]);
  }
});
