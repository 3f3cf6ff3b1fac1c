import fc from 'fast-check';
import { expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { swap } from '../../src/mish/swap.js';
import { floatTensor } from '../../src/onnx/model-passes/float-tensor.js';
import { roundTo } from '../../src/onnx/scalar.js';
import { floatType } from '../../src/onnx/types.js';
import { model, node, value } from '../support/model.js';
import { run } from '../support/run.js';

const { DataType } = onnx.TensorProto;
const SIZE = 2;

const integers = (name: string, dims: readonly number[], data: readonly number[], dataType: number) => ({
  ...{ name, dims: [...dims], dataType, int32Data: [...data] },
});

/** A bias of the second Gemm: integers of these dimensions, with a scale, or one for each place on an axis. */
interface Bias {
  readonly elemType: number;
  readonly dims: readonly number[];
  readonly axis: number | undefined;
  readonly values: readonly number[];
  readonly scales: readonly number[];
  /** Scale of the last column of the weights; 0 where a column has no numbers. */
  readonly lastScale: number;
}

/** Gemm, Relu and Gemm on quantised tensors; the weights have scales as the bias has. */
function net({ elemType, dims, axis, values, scales, lastScale }: Bias, withBias: boolean): Uint8Array {
  const type = floatType(elemType) ?? 'f32';
  const made = (name: string, numbers: readonly number[]) => ({
    ...floatTensor(numbers, type, axis === undefined || numbers.length === 1 ? [] : [numbers.length]),
    name,
  });
  const pair = (from: string, to: string, scale: string) => [
    node('QuantizeLinear', [from, scale, 'zero'], [`${to}_q`]),
    node('DequantizeLinear', [`${to}_q`, scale, 'zero'], [to]),
  ];
  return model({
    opset: 19,
    ir: 9,
    nodes: [
      ...pair('x', 'xd', 'sx'),
      node('DequantizeLinear', ['w', 'sw'], ['wd'], axis === undefined ? {} : { axis: 1 }),
      node('Gemm', ['xd', 'wd'], ['g']),
      node('Relu', ['g'], ['r']),
      ...pair('r', 'rd', 'sr'),
      node('DequantizeLinear', ['b', 'sb'], ['bd'], axis === undefined ? {} : { axis }),
      node('Gemm', withBias ? ['rd', 'wd', 'bd'] : ['rd', 'wd'], ['y']),
    ],
    initializers: [
      integers('w', [SIZE, SIZE], [10, -127, 30, 7], DataType.INT8),
      made('sw', axis === undefined ? [0.02] : [0.02, lastScale]),
      made('sx', [0.05]),
      made('sr', [0.03]),
      integers('zero', [], [0], DataType.UINT8),
      integers('b', dims, values, DataType.INT32),
      made('sb', scales),
    ],
    inputs: [value('x', elemType, [SIZE, SIZE])],
    outputs: [value('y', elemType, [SIZE, SIZE])],
  });
}

const SHAPES = [
  { dims: [SIZE], axis: 0 },
  { dims: [SIZE], axis: -1 },
  { dims: [1, SIZE], axis: 1 },
  { dims: [SIZE, 1], axis: 0 },
  { dims: [SIZE, SIZE], axis: 0 },
  { dims: [SIZE, SIZE], axis: -2 },
  { dims: [SIZE, SIZE], axis: undefined },
  { dims: [SIZE, SIZE], axis: 1 },
];

const biases = fc
  .record({
    elemType: fc.constantFrom(DataType.FLOAT, DataType.FLOAT16),
    shape: fc.constantFrom(...SHAPES),
    lastScale: fc.constantFrom(0, 0.03),
    numbers: fc.array(fc.integer({ min: -2000, max: 2000 }), { minLength: 4, maxLength: 4 }),
    steps: fc.tuple(...[0, 1].map(() => fc.double({ min: 0.0005, max: 0.002, noNaN: true }))),
  })
  .map(({ elemType, shape, lastScale, numbers, steps }) => ({
    ...{ elemType, lastScale, ...shape },
    values: numbers.slice(
      0,
      shape.dims.reduce((a, b) => a * b, 1),
    ),
    scales: steps
      .slice(0, shape.axis === undefined ? 1 : SIZE)
      .map((one) => roundTo(one, floatType(elemType) ?? 'f32')),
  }));

/** Returns the number that the bias adds to an element of the result. */
function added({ dims, axis = 0, values, scales }: Bias, row: number, column: number): number {
  const places = [row, column].slice(2 - dims.length).map((at, slot) => (dims[slot] === 1 ? 0 : at));
  const at = places.reduce((sum, place, slot) => sum * (dims[slot] ?? 1) + place, 0);
  const channel = scales.length === 1 ? 0 : (places.at(axis) ?? 0);
  return (values[at] ?? Number.NaN) * (scales[channel] ?? Number.NaN);
}

test('a bias of any shape and type adds the same numbers with its new scales', async () => {
  await fc.assert(
    fc.asyncProperty(biases, async (bias) => {
      const results = [true, false].map(async (withBias) => {
        const { output, report } = await swap(net(bias, withBias), { int8: 'exact' });
        expect(report.sites).toHaveLength(1);
        const type = floatType(bias.elemType) === 'f16' ? 'f16' : 'f32';
        return run(await output.bytes(), { x: { type, dims: [SIZE, SIZE], data: [1, 0.5, 2, 3] } });
      });
      const [{ y: withBias = [] } = {}, { y: without = [] } = {}] = await Promise.all(results);
      for (const [at, one] of withBias.entries()) {
        const other = without[at] ?? Number.NaN;
        const wanted = added(bias, Math.floor(at / SIZE), at % SIZE);
        const rounding = bias.elemType === DataType.FLOAT16 ? 2 ** -10 : 2 ** -22;
        const most = 0.002 + rounding * (Math.abs(one) + Math.abs(other) + Math.abs(wanted));
        expect(Math.abs(one - other - wanted)).toBeLessThanOrEqual(most);
      }
    }),
    { seed: 21, numRuns: 30 },
  );
});
