import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import type { FormName } from '../../src/mish/forms.js';
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
      expect(await verdicts(bytes, ['softplus', 'native'], 2)).toEqual([
        'type-not-in-form',
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

  test('with float64 among others is told that ONNX Runtime has no Softplus for it', async () => {
    const { report } = await swapped(calls([FLOAT, DOUBLE]));
    expect(report.notes).toContainEqual(expect.stringMatching(/^cpu and wasm: .* no Softplus for float64/));
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
    const { onnx } = await import('../../proto/onnx.js');
    const source = Uint8Array.from(onnx.ModelProto.encode({ ...proto, opsetImport }).finish());
    const { bytes } = await swapped(source, { form, beta: 2 });
    expect(decode(bytes).opsetImport).toHaveLength(1);
    const data = POINTS.slice(0, 4);
    const { y } = await run(bytes, { x: { type: 'f32', dims: [1, 4], data } });
    expectMish(y, data, 2, 'f32');
  },
);
