import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { geometryOf, rowsOf } from '../../../src/calibrate/repair/layer-rows.js';
import { linearMaps } from '../../../src/calibrate/repair/layer-weights.js';
import { linearLayers } from '../../../src/calibrate/repair/linear-layers.js';
import { getProvider } from '../../../src/node/provider-by-name.js';
import { indexGraphs } from '../../../src/onnx/graph-index.js';
import { scan } from '../../../src/onnx/scan.js';
import { casesOf } from '../../support/heavy.js';
import { type LinearCase, layerModel, weightsOf } from '../../support/linear-ops.js';
import type { AttributeValue } from '../../support/model.js';

/** The largest difference between a layer's outputs in ONNX Runtime and its map applied to its rows; undefined where it does not run. */
async function difference(one: LinearCase, seed: number): Promise<number | undefined> {
  const bytes = layerModel(one, seed);
  const document = await scan(bytes);
  const { layers, leftAlone } = linearLayers(document, indexGraphs(document), new Set(['x']));
  const [layer] = layers;
  if (layer === undefined) throw new Error(leftAlone[0]?.why ?? 'no layer');
  const values = Float32Array.from(weightsOf(one.x, seed + 9));
  const session = await getProvider('cpu')
    .open(bytes, { optimisation: 'disabled' })
    .catch(() => undefined);
  const given = { x: { elemType: 'f32', dims: one.x, data: values } };
  const result = await session?.run(given).catch(() => undefined);
  await session?.close();
  const y = result?.y;
  if (y === undefined || y.data.length === 0) return undefined;
  const { groups, depth, outputs } = geometryOf(layer);
  const maps = await linearMaps(document, layer, undefined);
  const rows = rowsOf(layer, { dims: one.x, values }, { dims: y.dims, values: y.data as Float32Array });
  expect(rows.positions * groups * outputs).toBe(y.data.length);
  const row = new Float32Array(depth + outputs + 2);
  let worst = 0;
  for (const [group, { weights, bias }] of maps.entries()) {
    for (let position = 0; position < rows.positions; position++) {
      rows.fill(position, group, row, 1);
      for (let output = 0; output < outputs; output++) {
        let sum = bias[output] ?? 0;
        for (let index = 0; index < depth; index++) sum += weights.get(output, index) * (row[1 + index] ?? 0);
        worst = Math.max(worst, Math.abs(sum - (row[1 + depth + output] ?? Number.NaN)));
      }
    }
  }
  return worst;
}

const SLACK = 2e-5;

/** Attributes of windows over one to three spatial axes. */
const windows = fc.integer({ min: 1, max: 3 }).chain((axes) => {
  const each = (min: number, max: number) =>
    fc.array(fc.integer({ min, max }), { minLength: axes, maxLength: axes });
  return fc.record({
    kernel: each(1, 3),
    size: each(3, axes === 3 ? 4 : 6),
    strides: fc.option(each(1, 3), { nil: undefined }),
    dilations: fc.option(each(1, 2), { nil: undefined }),
    begins: each(0, 2),
    ends: each(0, 2),
    auto: fc.constantFrom('NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER', undefined),
    extra: each(0, 1),
    groups: fc.integer({ min: 1, max: 3 }),
    inGroup: fc.integer({ min: 1, max: 2 }),
    outGroup: fc.integer({ min: 1, max: 3 }),
    bias: fc.boolean(),
    batch: fc.integer({ min: 1, max: 2 }),
  });
});

type WindowCase = typeof windows extends fc.Arbitrary<infer T> ? T : never;

function attributesOf({ strides, dilations, begins, ends, auto, groups }: WindowCase) {
  const attributes: Record<string, AttributeValue> = { group: groups };
  if (strides !== undefined) attributes.strides = strides;
  if (dilations !== undefined) attributes.dilations = dilations;
  if (auto !== undefined) attributes.auto_pad = auto;
  if (auto === undefined || auto === 'NOTSET') attributes.pads = [...begins, ...ends];
  return attributes;
}

describe('the rows of a layer, times its map, are what ONNX Runtime makes of it', () => {
  test('Conv', async () => {
    await fc.assert(
      fc.asyncProperty(windows, fc.nat(1000), async (one, seed) => {
        // ONNX Runtime refuses automatic padding with dilations.
        const automatic = one.auto?.startsWith('SAME') === true;
        const { kernel, size, groups, inGroup, outGroup, batch, bias } = one;
        const found = await difference(
          {
            op: 'Conv',
            x: [batch, groups * inGroup, ...size],
            weight: [groups * outGroup, inGroup, ...kernel],
            bias: bias ? groups * outGroup : 0,
            attributes: attributesOf(automatic ? { ...one, dilations: undefined } : one),
          },
          seed,
        );
        fc.pre(found !== undefined);
        expect(found).toBeLessThan(SLACK);
      }),
      { numRuns: casesOf(120) },
    );
  });

  test('ConvTranspose', async () => {
    await fc.assert(
      fc.asyncProperty(windows, fc.nat(1000), async (one, seed) => {
        const { kernel, size, groups, inGroup, outGroup, batch, bias, extra, strides } = one;
        const attributes = attributesOf(one);
        // It has to be smaller than the stride.
        if (strides !== undefined)
          attributes.output_padding = extra.map((pad, axis) => ((strides[axis] ?? 1) > 1 ? pad : 0));
        const found = await difference(
          {
            op: 'ConvTranspose',
            x: [batch, groups * inGroup, ...size],
            weight: [groups * inGroup, outGroup, ...kernel],
            bias: bias ? groups * outGroup : 0,
            attributes,
          },
          seed,
        );
        fc.pre(found !== undefined);
        expect(found).toBeLessThan(SLACK);
      }),
      { numRuns: casesOf(120) },
    );
  });

  test('Gemm', async () => {
    const scale = fc.constantFrom(undefined, 0.5, -2);
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(
          fc.integer({ min: 1, max: 4 }),
          fc.integer({ min: 1, max: 5 }),
          fc.integer({ min: 1, max: 5 }),
        ),
        fc.record({ transposed: fc.boolean(), bias: fc.boolean(), alpha: scale, beta: scale }),
        fc.nat(1000),
        async ([rows, depth, outputs], { transposed, bias, alpha, beta }, seed) => {
          const found = await difference(
            {
              op: 'Gemm',
              x: [rows, depth],
              weight: transposed ? [outputs, depth] : [depth, outputs],
              bias: bias ? outputs : 0,
              attributes: {
                ...(transposed ? { transB: 1 } : {}),
                ...(alpha === undefined ? {} : { alpha: { f: alpha } }),
                ...(beta === undefined ? {} : { beta: { f: beta } }),
              },
            },
            seed,
          );
          expect(found).toBeLessThan(SLACK);
        },
      ),
      { numRuns: casesOf(60) },
    );
  });

  test.each([
    ['MatMul', { op: 'MatMul', x: [3, 4], weight: [4, 5], bias: 0 }],
    ['MatMul of rank 4', { op: 'MatMul', x: [2, 3, 2, 4], weight: [4, 5], bias: 0 }],
    ['MatMul and Add', { op: 'MatMul', x: [2, 3, 4], weight: [4, 5], bias: 5 }],
    ['BatchNormalization', { op: 'BatchNormalization', x: [2, 3, 4, 5], weight: [3], bias: 3 }],
    [
      'BatchNormalization with an epsilon, rank 2',
      { op: 'BatchNormalization', x: [4, 3], weight: [3], bias: 3, attributes: { epsilon: { f: 0.1 } } },
    ],
  ] as const)('%s', async (_, one) => {
    expect(await difference(one, 5)).toBeLessThan(SLACK);
  });

  test('ConvTranspose with the shape of its output', async () => {
    const one = { op: 'ConvTranspose', x: [1, 2, 4, 5], weight: [2, 3, 3, 3], bias: 3 } as const;
    for (const auto_pad of [undefined, 'SAME_UPPER', 'SAME_LOWER']) {
      const attributes = {
        ...{ strides: [2, 2], output_shape: [8, 10] },
        ...(auto_pad === undefined ? {} : { auto_pad }),
      };
      expect(await difference({ ...one, attributes }, 3)).toBeLessThan(SLACK);
    }
  });
});

test('tensors of other shapes are refused', async () => {
  const one = { op: 'Conv', x: [1, 2, 4], weight: [3, 2, 3], bias: 0 } as const;
  const document = await scan(layerModel(one));
  const [layer] = linearLayers(document, indexGraphs(document), new Set(['x'])).layers;
  if (layer === undefined) throw new Error('no layer');
  const values = new Float32Array(99);
  expect(() => rowsOf(layer, { dims: [1, 5, 4], values }, { dims: [1, 3, 2], values })).toThrow(
    'the input [1,5,4] and output [1,3,2] do not fit the layer',
  );
});
