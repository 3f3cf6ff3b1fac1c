import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { INT8_WAYS } from '../../src/mish/int8-ways.js';
import { swap } from '../../src/mish/swap.js';
import { floats, model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';

const { DataType } = onnx.TensorProto;

/** How the nodes of a net tell the type of their integers: by a zero point of 0, by `output_dtype`, or by both. */
const SPELLINGS = ['zero point', 'output_dtype', 'both'] as const;
type Spelling = (typeof SPELLINGS)[number];

const integers = (name: string, dims: readonly number[], data: readonly number[], dataType: number) => ({
  ...{ name, dims: [...dims], dataType, int32Data: [...data] },
});

/** Gemm, Relu, a product with stored integers, and Gemm on quantised tensors. Before the Relu, integers may pass a Flatten. */
function net(elemType: number, spelling: Spelling, flattens: boolean): Uint8Array {
  const zero = (type = elemType) =>
    spelling === 'output_dtype' ? [] : [type === DataType.INT8 ? 'z8' : 'z'];
  const dtype = spelling === 'zero point' ? {} : { output_dtype: elemType };
  const moves = (to: string) => (flattens && to === 'gd' ? `${to}_moved` : `${to}_q`);
  const pair = (from: string, to: string) => [
    node('QuantizeLinear', [from, 's', ...zero()], [`${to}_q`], dtype),
    ...(moves(to) === `${to}_q` ? [] : [node('Flatten', [`${to}_q`], [moves(to)])]),
    node('DequantizeLinear', [moves(to), 's', ...zero()], [to]),
  ];
  return model({
    opset: 21,
    ir: 10,
    nodes: [
      ...pair('x', 'xd'),
      node('DequantizeLinear', ['w', 'sw', ...zero(DataType.INT8)], ['wd']),
      node('DequantizeLinear', ['f', 'sw', ...zero(DataType.INT8)], ['fd']),
      node('Gemm', ['xd', 'wd'], ['g']),
      ...pair('g', 'gd'),
      node('Relu', ['gd'], ['r']),
      ...pair('r', 'rd'),
      node('Mul', ['rd', 'fd'], ['m']),
      ...pair('m', 'md'),
      node('Gemm', ['md', 'wd'], ['y']),
    ],
    initializers: [
      integers('w', [2, 2], [10, -127, 30, 7], DataType.INT8),
      integers('f', [2], [-70, 90], DataType.INT8),
      floats('sw', [], [0.02]),
      floats('s', [], [0.05]),
      integers('z', [], [0], elemType),
      integers('z8', [], [0], DataType.INT8),
    ],
    inputs: [value('x', 1, [2, 2])],
    outputs: [value('y', 1, [2, 2])],
  });
}

describe.each(['INT8', 'UINT8', 'INT16', 'UINT16'] as const)('%s', (type) => {
  const cases = INT8_WAYS.flatMap((int8) => [false, true].map((flattens) => [int8, flattens] as const));
  test.each(cases)(
    '%s, with Flatten %s: the type of the integers is the same however it is told',
    async (int8, flattens) => {
      const results = SPELLINGS.map(async (spelling) => {
        const { output, report } = await swap(net(DataType[type], spelling, flattens), { int8 });
        const { y } = await run(await output.bytes(), { x: f32([1, 0.5, 2, -3], [2, 2]) });
        return { y, int8: report.int8 };
      });
      const [first, ...others] = await Promise.all(results);
      expect(first?.int8?.sites).toBeGreaterThan(0);
      for (const other of others) expect(other).toEqual(first);
    },
  );
});
