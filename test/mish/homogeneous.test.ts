import { describe, expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import {
  isHomogeneous,
  isJointlyHomogeneous,
  readsShape,
  slotsAfter,
  slotsBefore,
} from '../../src/mish/homogeneous.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { scan } from '../../src/onnx/scan.js';
import { type AttributeValue, floats, ints, type ModelParts, model, node, value } from '../support/model.js';
import { run } from '../support/run.js';

/** The last node of a model, with what is asked about it. */
async function last(parts: ModelParts) {
  const document = await scan(model(parts));
  const { graph } = document;
  const found = graph.nodes.at(-1);
  if (found === undefined) throw new Error('no node');
  return { found, graph, index: indexGraphs(document) };
}

const says = async (parts: ModelParts) => {
  const { found, graph, index } = await last(parts);
  return isHomogeneous(found, graph, index);
};

const one = (op: string, inputs: string[] = ['x'], attributes: Record<string, AttributeValue> = {}) =>
  node(op, inputs, ['y'], attributes);
const pool = { kernel_shape: [2, 2] };
const axes = ints('i', [1], [1]);

describe('operators that preserve a scale', () => {
  const cases: [string, onnx.INodeProto, onnx.ITensorProto[]?][] = [
    ['Identity', one('Identity')],
    ['Flatten', one('Flatten')],
    ['Reshape', one('Reshape', ['x', 'i']), [ints('i', [1], [16])]],
    ['Transpose', one('Transpose')],
    ['Squeeze', one('Squeeze', ['x', 'i']), [ints('i', [1], [0])]],
    ['Unsqueeze', one('Unsqueeze', ['x', 'i']), [axes]],
    ['Expand', one('Expand', ['x', 'i']), [ints('i', [4], [1, 1, 4, 4])]],
    ['Tile', one('Tile', ['x', 'i']), [ints('i', [4], [1, 1, 2, 1])]],
    ['Slice', one('Slice', ['x', 'i', 'e']), [ints('i', [1], [0]), ints('e', [1], [1])]],
    ['MaxPool', one('MaxPool', ['x'], pool)],
    ['AveragePool', one('AveragePool', ['x'], pool)],
    ['GlobalMaxPool', one('GlobalMaxPool')],
    ['GlobalAveragePool', one('GlobalAveragePool')],
    ['DepthToSpace', one('DepthToSpace', ['x'], { blocksize: 1 })],
    ['SpaceToDepth', one('SpaceToDepth', ['x'], { blocksize: 2 })],
    ['ReduceMean', one('ReduceMean')],
    ['ReduceSum', one('ReduceSum')],
    ['ReduceMax', one('ReduceMax')],
    ['ReduceMin', one('ReduceMin')],
    ['Relu', one('Relu')],
    ['LeakyRelu', one('LeakyRelu')],
    ['PRelu', one('PRelu', ['x', 's']), [floats('s', [1], [0.5])]],
    ['Dropout', one('Dropout')],
    ['Pad with nothing', one('Pad', ['x', 'p']), [ints('p', [8], [0, 0, 1, 0, 0, 0, 0, 1])]],
    [
      'Pad with zero',
      one('Pad', ['x', 'p', 'v']),
      [ints('p', [8], [0, 0, 1, 0, 0, 0, 0, 1]), floats('v', [], [0])],
    ],
    [
      'Pad by reflection',
      one('Pad', ['x', 'p'], { mode: 'reflect' }),
      [ints('p', [8], [0, 0, 1, 0, 0, 0, 0, 1])],
    ],
    ['Pad by the edge', one('Pad', ['x', 'p'], { mode: 'edge' }), [ints('p', [8], [0, 0, 1, 0, 0, 0, 0, 1])]],
    ['Resize', one('Resize', ['x', '', 's']), [floats('s', [4], [1, 1, 2, 2])]],
  ];
  test.each(cases)('%s: the answer agrees with ONNX Runtime', async (_, single, initializers = []) => {
    const parts = {
      opset: 17,
      nodes: [single],
      initializers,
      inputs: [value('x', 1, [1, 1, 4, 4])],
      outputs: [value('y', 1)],
    };
    expect(await says(parts)).toBe(true);
    const data = Array.from({ length: 16 }, (_, at) => Math.fround(Math.sin(at)));
    const scaled = async (factor: number) =>
      (
        await run(model(parts), {
          x: { type: 'f32', dims: [1, 1, 4, 4], data: data.map((at) => factor * at) },
        })
      ).y ?? [];
    const [plain, quadruple] = [await scaled(1), await scaled(4)];
    expect(plain.length).toBeGreaterThan(0);
    expect(quadruple).toEqual(plain.map((at) => 4 * at)); // by a power of two, exactly
  });

  test('Upsample does, and a Resize that does not extrapolate', async () => {
    expect(await says({ opset: 9, nodes: [one('Upsample', ['x', 's'])] })).toBe(true);
    expect(
      await says({
        nodes: [one('Resize', ['x', '', 's'], { coordinate_transformation_mode: 'half_pixel' })],
      }),
    ).toBe(true);
    expect(
      await says({
        nodes: [one('Resize', ['x', '', 's'], { coordinate_transformation_mode: 'tf_crop_and_resize' })],
      }),
    ).toBe(false);
  });

  test.each(['Sigmoid', 'Exp', 'Softmax', 'Mul', 'Conv', 'LayerNormalization', 'Elu', 'Clip'])(
    '%s does not',
    async (op) => {
      expect(await says({ nodes: [one(op)] })).toBe(false);
    },
  );

  test('nor is one of another domain, with several outputs, or with nothing going in', async () => {
    for (const op of ['Relu', 'Dropout', 'Pad', 'Resize']) {
      expect(await says({ nodes: [one(op)] }), op).toBe(true);
      expect(await says({ nodes: [{ ...one(op), domain: 'com.example' }] }), op).toBe(false);
      expect(await says({ nodes: [{ ...one(op), output: ['y', 'z'] }] }), op).toBe(false);
      expect(await says({ nodes: [{ ...one(op), input: [] }] }), op).toBe(false);
    }
  });

  test('a Dropout does if it cannot be in training', async () => {
    const dropout = (opset: number, inputs: string[]) => says({ opset, nodes: [one('Dropout', inputs)] });
    expect(await dropout(6, ['x'])).toBe(false);
    expect(await dropout(7, ['x'])).toBe(true);
    expect(await dropout(13, ['x', 'ratio'])).toBe(true);
    expect(await dropout(13, ['x', 'ratio', ''])).toBe(true);
    expect(await dropout(13, ['x', '', 'training'])).toBe(false);
  });
});

describe('a Pad preserves a scale if it pads with zero', () => {
  const pad = (
    rest: Partial<ModelParts> & { attributes?: Record<string, AttributeValue>; before?: onnx.INodeProto[] },
  ) => says({ ...rest, nodes: [...(rest.before ?? []), one('Pad', ['x', 'p', 'v'], rest.attributes)] });
  const constant = (value: number, domain = '') => ({
    ...node('Constant', [], ['v'], { value: { tensor: floats('', [], [value]) } }),
    domain,
  });

  test('as an initializer or a Constant', async () => {
    expect(await pad({ initializers: [floats('v', [], [0])] })).toBe(true);
    expect(await pad({ initializers: [floats('v', [], [1])] })).toBe(false);
    expect(await pad({ before: [constant(0)] })).toBe(true);
    expect(await pad({ before: [constant(-1)] })).toBe(false);
  });

  test('as an attribute in old opsets', async () => {
    const old = (attributes: Record<string, AttributeValue>) =>
      says({ opset: 10, nodes: [one('Pad', ['x'], attributes)] });
    expect(await old({ pads: [0, 1], value: { f: 0 } })).toBe(true);
    expect(await old({ pads: [0, 1], value: { f: 0.5 } })).toBe(false);
    expect(await old({ pads: [0, 1] })).toBe(true);
    expect(await old({ mode: 'reflect', value: { f: 0.5 } })).toBe(true);
  });

  test('and not if that may change, is made, or is not what it seems', async () => {
    const inputs = [value('x', 1, [1]), value('v', 1, [])];
    expect(await pad({ inputs, initializers: [floats('v', [], [0])] })).toBe(false);
    expect(await pad({ before: [constant(0, 'com.example')] })).toBe(false);
    expect(
      await pad({ before: [node('Other', [], ['v'], { value: { tensor: floats('', [], [0]) } })] }),
    ).toBe(false);
    expect(
      await pad({ before: [node('Constant', [], ['v'], { other: { tensor: floats('', [], [0]) } })] }),
    ).toBe(false);
    expect(await pad({})).toBe(false);
    expect(await pad({ initializers: [floats('v', [2], [0, 0])] })).toBe(false);
    expect(await pad({ attributes: { mode: 'wrap' }, initializers: [floats('v', [], [0])] })).toBe(false);
    expect(await pad({ attributes: { mode: 'constant' }, initializers: [floats('v', [], [0])] })).toBe(true);
  });
});

test('Shape and Size read no values', async () => {
  for (const [op, wanted] of [
    ['Shape', true],
    ['Size', true],
    ['Reshape', false],
  ] as const) {
    expect(readsShape((await last({ nodes: [one(op)] })).found), op).toBe(wanted);
    expect(readsShape((await last({ nodes: [{ ...one(op), domain: 'com.example' }] })).found), op).toBe(
      false,
    );
  }
});

test('a sum, a difference, a maximum and a minimum of two scale if both do', async () => {
  for (const [op, wanted] of [
    ['Add', true],
    ['Sub', true],
    ['Max', true],
    ['Min', true],
    ['Mul', false],
    ['Div', false],
  ] as const) {
    const joint = async (single: onnx.INodeProto) =>
      isJointlyHomogeneous((await last({ nodes: [single] })).found);
    expect(await joint(one(op, ['x', 'z'])), op).toBe(wanted);
    expect(await joint(one(op, ['x'])), op).toBe(false);
    expect(await joint(one(op, ['x', 'z', 'w'])), op).toBe(false);
    expect(await joint({ ...one(op, ['x', 'z']), output: ['y', 'more'] }), op).toBe(false);
    expect(await joint({ ...one(op, ['x', 'z']), domain: 'com.example' }), op).toBe(false);
  }
});

describe('weights that take a scale', () => {
  const slots = async (
    op: string,
    {
      opset = 17,
      attributes = {},
      rest = {},
    }: { opset?: number; attributes?: Record<string, AttributeValue>; rest?: Partial<onnx.INodeProto> } = {},
  ) => {
    const { found, graph } = await last({
      opset,
      nodes: [{ ...one(op, ['x', 'w', 'b', 'm', 'v'], attributes), ...rest }],
    });
    return {
      before: slotsBefore(found, graph),
      after: [0, 1, 2, 3].map((slot) => slotsAfter(found, slot, graph)),
    };
  };
  const up = (...at: number[]) => ({ up: at, down: [] });
  const down = (...at: number[]) => ({ up: [], down: at });

  test.each([
    ['Conv', [up(1, 2)], [down(1), undefined, undefined, undefined]],
    ['ConvTranspose', [up(1, 2)], [down(1), undefined, undefined, undefined]],
    ['Gemm', [up(1, 2), up(0, 2)], [down(1), down(0), undefined, undefined]],
    ['BatchNormalization', [up(1, 2)], [{ up: [3], down: [1] }, undefined, undefined, undefined]],
    ['Sigmoid', [], [undefined, undefined, undefined, undefined]],
  ])('of %s', async (op, before, after) => {
    expect(await slots(op)).toEqual({ before, after });
    expect(await slots(op, { rest: { domain: 'com.example' } })).toEqual({
      before: [],
      after: [undefined, undefined, undefined, undefined],
    });
  });

  test.each(['MatMul', 'Mul'])('of %s', async (op) => {
    const { before, after } = await slots(op);
    expect([before, after.slice(0, 2)]).toEqual([
      [up(1), up(0)],
      [down(1), down(0)],
    ]);
  });

  test('of a BatchNormalization only where it is not in training', async () => {
    const none = { before: [], after: [undefined, undefined, undefined, undefined] };
    expect(await slots('BatchNormalization', { opset: 6 })).toEqual(none);
    expect((await slots('BatchNormalization', { opset: 7 })).before).toHaveLength(1);
    expect(await slots('BatchNormalization', { attributes: { training_mode: 1 } })).toEqual(none);
    expect((await slots('BatchNormalization', { attributes: { training_mode: 0 } })).before).toHaveLength(1);
    expect(await slots('BatchNormalization', { rest: { output: ['y', 'mean'] } })).toEqual(none);
  });
});
