import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import type { FormName } from '../../src/mish/forms.js';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import { DataType } from '../../src/onnx/types.js';
import { decode, swapped } from '../support/graph.js';
import { expectMish, POINTS } from '../support/mish.js';
import { model, modelProto, node, value } from '../support/model.js';
import { run } from '../support/run.js';

const { FLOAT, DOUBLE, FLOAT16, BFLOAT16, INT64 } = DataType;
const FORMS: readonly FormName[] = ['softplus', 'exp', 'native'];

const local = (name: string, nodes: onnx.INodeProto[], opset: number): onnx.IFunctionProto => ({
  ...{ name, domain: 'l', input: ['a'], output: ['b'], node: nodes },
  opsetImport: [
    { domain: '', version: opset },
    { domain: 'l', version: 1 },
  ],
});
const call = (name: string, from: string, to: string) => node(name, [from], [to], {}, { domain: 'l' });

/** A model that calls a function with a Relu once for each type: input x0 gives y0. */
function calls(
  types: readonly number[],
  { opset = 22, inside, deep = false }: { opset?: number; inside?: number; deep?: boolean } = {},
) {
  const own = inside ?? opset;
  return model({
    ...{ opset, ir: 10, domains: { l: 1 } },
    nodes: types.map((_, at) => call(deep && at > 0 ? 'Outer' : 'Act', `x${at}`, `y${at}`)),
    inputs: types.map((type, at) => value(`x${at}`, type, ['N'])),
    outputs: types.map((type, at) => value(`y${at}`, type, ['N'])),
    functions: [
      local('Act', [node('Relu', ['a'], ['b'])], own),
      ...(deep ? [local('Outer', [call('Act', 'a', 'b')], own)] : []),
    ],
  });
}

/** What became of the Relu in each form: `swapped`, or the reason. */
const verdicts = async (bytes: Uint8Array, forms = FORMS, beta = 1) => {
  const found: string[] = [];
  for (const form of forms) {
    const { report } = await swapped(bytes, { form, beta });
    found.push(report.skipped[0]?.reason ?? 'swapped');
  }
  return found;
};

describe('a function that is called', () => {
  test.each([false, true])('with floats and integers is left alone (through another: %s)', async (deep) => {
    for (const types of [
      [FLOAT, INT64],
      [INT64, FLOAT],
      [INT64, INT64],
    ])
      expect(await verdicts(calls(types, { deep }))).toEqual(['integer', 'integer', 'integer']);
  });

  test.each([false, true])(
    'with two float types is swapped without constants, and right (through another: %s)',
    async (deep) => {
      const bytes = calls([FLOAT, FLOAT16], { deep });
      expect(await verdicts(bytes)).toEqual(['swapped', 'type-not-in-form', 'swapped']);
      // The bound of exp differs; a sharpness is the same number for both, cast where it is used, from opset 15 on.
      expect(await verdicts(bytes, ['softplus', 'native'], 2)).toEqual(['swapped', 'swapped']);
      expect(await verdicts(calls([FLOAT, FLOAT16], { opset: 14, deep }), ['softplus'], 2)).toEqual([
        'type-not-in-form',
      ]);
      const { bytes: output } = await swapped(bytes, { form: 'softplus' });
      const dims = [POINTS.length];
      const { y0, y1 } = await run(output, {
        x0: { type: 'f32', dims, data: POINTS },
        x1: { type: 'f16', dims, data: POINTS },
      });
      expectMish(y0, POINTS, 1, 'f32');
      expectMish(y1, POINTS, 1, 'f16');
    },
  );

  const floats = { [FLOAT]: 'f32', [DOUBLE]: 'f64', [FLOAT16]: 'f16' } as const;
  test.each([
    [[FLOAT, FLOAT16], 'softplus', 2],
    [[FLOAT, FLOAT16], undefined, 1],
    [[FLOAT, DOUBLE], 'exp', 1],
    [[DOUBLE, FLOAT], 'exp', 1.1],
    [[FLOAT, DOUBLE], undefined, 1],
    [[DOUBLE, FLOAT], undefined, 2.5],
  ] as const)(
    'with the types %j runs on the CPU for each of them (form %s, β = %s)',
    async (types, form, beta) => {
      for (const [deep, opset] of [
        [false, 15],
        [true, 22],
      ] as const) {
        const { bytes, report } = await swapped(calls(types, { deep, opset }), { form, beta });
        expect(report.sites).toHaveLength(1);
        const dims = [POINTS.length];
        const feeds = types.map(
          (type, at) => [`x${at}`, { type: floats[type], dims, data: POINTS }] as const,
        );
        const outputs = await run(bytes, Object.fromEntries(feeds));
        for (const [at, type] of types.entries()) expectMish(outputs[`y${at}`], POINTS, beta, floats[type]);
      }
    },
  );

  test('with float64 among others gets a form that the CPU has for all, or is left alone with the reason', async () => {
    const { report } = await swapped(calls([FLOAT, DOUBLE]));
    expect(report.notes).toContainEqual(expect.stringMatching(/^a site .* in the exp form: .* no Softplus/));
    for (const [types, opset, reason, note] of [
      [
        [FLOAT, DOUBLE],
        14,
        /before opset 15; convert the model to opset 15$/,
        '; convert the model to opset 15 for the exp form',
      ],
      [
        [FLOAT16, DOUBLE],
        22,
        /one type; use the softplus form$/,
        '; no other form takes all types of the function',
      ],
    ] as const) {
      const bytes = calls(types, { opset });
      const { report } = await swapped(bytes);
      expect(report.sites).toEqual([]);
      expect(report.skipped[0]).toMatchObject({
        reason: 'type-not-in-form',
        why: expect.stringMatching(
          /^its element type is f\d+ or f\d+, as the function is called, and the exp form /,
        ),
      });
      expect(report.skipped[0]?.why).toMatch(reason);
      // Who names the form gets it, and is told what helps, which is not a form that is left alone.
      const asked = await swapped(bytes, { form: 'softplus' });
      expect(asked.report.sites).toHaveLength(1);
      expect(asked.report.notes).toContain(`cpu and wasm: ONNX Runtime has no Softplus for float64${note}`);
    }
  });

  test('with a type that is not known beside others gets no constants', async () => {
    const proto = decode(calls([FLOAT, DOUBLE, FLOAT]));
    const unknown = node('What', ['x2'], ['u'], {}, { domain: 'l' });
    const nodes = (proto.graph?.node ?? []).map((one) => ({
      ...one,
      input: one.output?.[0] === 'y2' ? ['u'] : [...(one.input ?? [])],
    }));
    const bytes = onnx.ModelProto.encode({
      ...proto,
      graph: { ...proto.graph, node: [unknown, ...nodes] },
    }).finish();
    expect(await verdicts(Uint8Array.from(bytes), ['softplus', 'exp'])).toEqual(['swapped', 'unknown-type']);
  });

  test('constants that are cast are taken for constants: the Mish is recognised, and undone', async () => {
    const source = calls([FLOAT, DOUBLE]);
    const { bytes } = await swapped(source);
    expect((await inspect(bytes)).mish).toHaveLength(1);
    expect((await swapped(bytes)).bytes).toEqual(bytes);
    expect(await (await undo(bytes)).bytes()).toEqual(source);
  });

  test('with a type that the form takes in a later opset is left alone before it', async () => {
    expect(await verdicts(calls([FLOAT, BFLOAT16], { opset: 21 }), ['softplus'])).toEqual([
      'type-not-in-form',
    ]);
    expect(await verdicts(calls([FLOAT, BFLOAT16], { opset: 22 }), ['softplus'])).toEqual(['swapped']);
  });
});

describe('a function of another opset than the model', () => {
  // What onnx.checker with full_check, and ONNX Runtime, took of 2,280 such models, is what these are a sample of.
  test.each([
    [22, 18, ['opset-mismatch', 'opset-mismatch', 'opset-mismatch']],
    [23, 21, ['opset-mismatch', 'opset-mismatch', 'opset-mismatch']],
    [23, 22, ['swapped', 'opset-mismatch', 'swapped']],
    [20, 18, ['swapped', 'opset-mismatch', 'swapped']],
    [18, 18, ['swapped', 'swapped', 'swapped']],
    [17, 18, ['swapped', 'swapped', 'opset-mismatch']],
  ] as const)('model %s, function %s', async (opset, inside, wanted) => {
    expect(await verdicts(calls([FLOAT], { opset, inside }))).toEqual(wanted);
  });

  test('that the checker refuses as it is gets nodes that ONNX Runtime takes', async () => {
    // ONNX Runtime reads the function's nodes by the model's opset, so the bounds of Clip would be attributes.
    expect(await verdicts(calls([FLOAT], { opset: 10, inside: 14 }), ['softplus', 'exp'])).toEqual([
      'swapped',
      'opset-mismatch',
    ]);
    const { bytes } = await swapped(calls([FLOAT], { opset: 13, inside: 14 }), { form: 'exp' });
    const { y0 } = await run(bytes, { x0: { type: 'f32', dims: [POINTS.length], data: POINTS } });
    expectMish(y0, POINTS, 1, 'f32');
  });
});

test.each(['softplus', 'exp'] as const)(
  'a model that imports another domain only runs after it: %s',
  async (form) => {
    const proto = modelProto({ nodes: [node('Relu', ['x'], ['y'])], domains: { 'ai.onnx.ml': 2 } });
    const opsetImport = proto.opsetImport?.filter(({ domain }) => domain !== '') ?? [];
    const source = Uint8Array.from(onnx.ModelProto.encode({ ...proto, opsetImport }).finish());
    const { bytes } = await swapped(source, { form, beta: 2 });
    expect(decode(bytes).opsetImport).toHaveLength(1);
    const data = POINTS.slice(0, 4);
    const { y } = await run(bytes, { x: { type: 'f32', dims: [1, 4], data } });
    expectMish(y, data, 2, 'f32');
  },
);
