import { describe, expect, test } from 'vitest';
import type { FormName } from '../../src/mish/forms.js';
import { decode, ops, reluModel, swapped } from '../support/graph.js';
import { expectMish, POINTS } from '../support/mish.js';
import { floats, model, node, value } from '../support/model.js';
import { OPTIMISERS, run } from '../support/run.js';

const TYPES = { f16: 10, f32: 1, f64: 11, bf16: 16 } as const;
const FORMS: readonly FormName[] = ['softplus', 'exp', 'native'];
const relu = (type: keyof typeof TYPES, opset = 18) =>
  reluModel({
    opset,
    inputs: [value('x', TYPES[type], ['N'])],
    outputs: [value('y', TYPES[type], ['N'])],
  });

describe('f16', () => {
  const cases = FORMS.flatMap((form) =>
    [1, 2].flatMap((beta) => OPTIMISERS.map((optimiser) => ({ form, beta, optimiser }))),
  );
  test.each(cases)('$form, β = $beta, optimiser $optimiser', async ({ form, beta, optimiser }) => {
    const { bytes } = await swapped(relu('f16'), { form, beta });
    const data = [...POINTS, 1000, -1000, 30000, 65504];
    const { y } = await run(bytes, { x: { type: 'f16', dims: [data.length], data } }, optimiser);
    // 2 · 65504 is infinite in f16; the native form, which multiplies the result by 1/2 again, shows it.
    const fits = form === 'native' && beta === 2 ? data.length - 1 : data.length;
    expectMish(y?.slice(0, fits), data.slice(0, fits), beta, 'f16');
  });

  test('with the bounds as attributes', async () => {
    const { bytes } = await swapped(relu('f16', 10), { form: 'exp' });
    const feed = { type: 'f16', dims: [POINTS.length], data: POINTS } as const;
    expectMish((await run(bytes, { x: feed })).y, POINTS, 1, 'f16');
  });
});

describe('f64', () => {
  const feed = { type: 'f64', dims: [POINTS.length], data: POINTS } as const;

  test.each([12, 13, 18, 22].flatMap((opset) => OPTIMISERS.map((optimiser) => ({ opset, optimiser }))))(
    'the exp form runs, to float64’s precision: opset $opset, optimiser $optimiser',
    async ({ opset, optimiser }) => {
      const { bytes, report } = await swapped(relu('f64', opset), { form: 'exp', beta: 2 });
      expect(report.notes.join()).not.toContain('cpu');
      expectMish((await run(bytes, { x: feed }, optimiser)).y, POINTS, 2, 'f64');
    },
  );

  test.each([12, 17, 18, 22])('the exp form is written unless another is named: opset %i', async (opset) => {
    const { bytes, report } = await swapped(relu('f64', opset));
    expect(report).toMatchObject({ form: 'exp', sites: [{ elemType: 'f64' }] });
    expect(report.notes).toContainEqual(expect.stringMatching(/^a site is in the exp form: .* float64$/));
    expectMish((await run(bytes, { x: feed })).y, POINTS, 1, 'f64');
    for (const named of [{ form: 'softplus' }, { target: 'cuda' }] as const)
      expect((await swapped(relu('f64', opset), named)).report.form).toBe('softplus');
  });

  // Kernels for float64: Clip from opset 12 on, Softplus never, though at opset 18 the operator is expanded.
  test.each([
    ['exp', 7],
    ['exp', 11],
    ['softplus', 17],
    ['softplus', 22],
    ['native', 22],
  ] as const)(
    '%s at opset %i is written, with a note that ONNX Runtime cannot run it',
    async (form, opset) => {
      const { bytes, report } = await swapped(relu('f64', opset), { form });
      expect(report.sites).toMatchObject([{ elemType: 'f64' }]);
      expect(report.notes.join()).toMatch(
        form === 'exp'
          ? /cpu and wasm: .*no Clip for float64 before opset 12; raise it to opset 12 first/
          : /cpu and wasm: .*float64; the exp form does better/,
      );
      await expect(run(bytes, { x: feed })).rejects.toThrow(/find an implementation/);
    },
  );
});

describe('bf16, for which ONNX Runtime’s CPU has no kernels', () => {
  test.each([13, 18, 21])('the exp form takes it from opset 13 on: opset %i', async (opset) => {
    const { bytes } = await swapped(relu('bf16', opset), { form: 'exp' });
    const constants = decode(bytes).graph?.node?.flatMap(({ attribute }) => attribute?.[0]?.t ?? []);
    expect(constants?.map(({ dataType, rawData }) => [dataType, rawData?.length])).toEqual([
      [16, 2],
      [16, 2],
      [16, 2],
    ]);
  });

  test.each([
    ['softplus', 21, 22],
    ['native', 21, 22],
  ] as const)('%s is skipped at opset %i and written at %i', async (form, before, from) => {
    const skip = await swapped(relu('bf16', before), { form });
    expect(skip.report.sites).toEqual([]);
    expect(skip.report.skipped).toMatchObject([
      { reason: 'type-not-in-form', why: expect.stringContaining('bf16 from opset 22') },
    ]);
    expect((await swapped(relu('bf16', from), { form })).report.sites).toMatchObject([{ elemType: 'bf16' }]);
  });
});

describe('constants', () => {
  test('are made once for each element type', async () => {
    const source = model({
      nodes: ['x', 'h', 'd'].flatMap((name) => [
        node('Relu', [name], [`${name}1`]),
        node('Relu', [`${name}1`], [`${name}2`]),
      ]),
      inputs: [value('x', 1, ['N']), value('h', 10, ['N']), value('d', 11, ['N'])],
      outputs: [value('x2', 1, ['N']), value('h2', 10, ['N']), value('d2', 11, ['N'])],
    });
    const { bytes } = await swapped(source, { form: 'exp' });
    expect(ops(bytes).filter((op) => op === 'Constant')).toHaveLength(9);
    const n = POINTS.length;
    const outputs = await run(bytes, {
      x: { type: 'f32', dims: [n], data: POINTS },
      h: { type: 'f16', dims: [n], data: POINTS },
      d: { type: 'f64', dims: [n], data: POINTS },
    });
    expect(outputs.d2?.[POINTS.indexOf(0)]).toBe(0);
  });

  test.each([
    ['f16', 1e5],
    ['f16', 1e-9],
    ['f32', 1e39],
    ['f32', 1e-46],
  ] as const)('%s cannot hold β = %d, and the site says so instead of giving NaN', async (type, beta) => {
    const { report } = await swapped(relu(type), { form: 'exp', beta });
    expect(report.sites).toEqual([]);
    expect(report.skipped).toMatchObject([
      { reason: 'type-not-in-form', why: expect.stringContaining(type) },
    ]);
  });
});

describe('the element type is found', () => {
  const cases = {
    'by value_info only': { values: [value('h', 11)] },
    'from an initializer': {
      initializers: [{ ...floats('w', [1], [1]), dataType: 11, rawData: new Uint8Array(8) }],
    },
  };
  test.each(Object.entries(cases))('%s', async (_, parts) => {
    const source = model({
      nodes: [
        node('Mystery', ['x'], ['g'], {}, { domain: 'other' }),
        node('Mul', ['g', 'w'], ['h']),
        node('Relu', ['h'], ['r']),
        node('Mystery', ['r'], ['y'], {}, { domain: 'other' }),
      ],
      domains: { other: 1 },
      ...parts,
    });
    expect((await swapped(source, { form: 'exp' })).report.sites).toMatchObject([{ elemType: 'f64' }]);
  });

  test('backwards from an output', async () => {
    const source = model({
      nodes: [
        node('Mystery', ['x'], ['g'], {}, { domain: 'other' }),
        node('Relu', ['g'], ['r']),
        node('Transpose', ['r'], ['y']),
      ],
      domains: { other: 1 },
      outputs: [value('y', 10)],
    });
    expect((await swapped(source, { form: 'exp' })).report.sites).toMatchObject([{ elemType: 'f16' }]);
  });
});
