import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { composedField, composeModel, floatInputField } from '../../src/onnx/compose.js';
import { run } from '../support/run.js';
import { parse } from '../support/wire.js';

test('a composed model runs, at any size: dimensions are free', async () => {
  const bytes = composeModel(
    [
      ['Constant', [], ['two'], { value: { dims: [1], data: Float32Array.of(2) } }],
      ['Constant', [], ['axes'], { value: { dims: [1], data: BigInt64Array.of(1n) } }],
      ['Mul', ['x', 'two'], ['doubled']],
      ['ReduceSum', ['doubled', 'axes'], ['y'], { keepdims: 0 }],
    ],
    { x: 2 },
    { y: 1 },
  );
  for (const rows of [1, 3]) {
    const data = Array.from({ length: 2 * rows }, (_, at) => at);
    const { y } = await run(bytes, { x: { type: 'f32', dims: [rows, 2], data } });
    expect(y).toEqual(Array.from({ length: rows }, (_, row) => 2 * (4 * row + 1)));
  }
  const { graph, producerName, opsetImport } = onnx.ModelProto.decode(bytes);
  expect(producerName).toBe('onnx-mish');
  expect(opsetImport).toMatchObject([{ domain: '', version: 13 }]);
  const dims = graph?.input?.[0]?.type?.tensorType?.shape?.dim?.map(({ dimParam }) => dimParam);
  expect(dims).toEqual(['x_0', 'x_1']);
  expect(graph?.output?.[0]?.type?.tensorType).toMatchObject({
    elemType: 1,
    shape: { dim: [{ dimParam: 'y_0' }] },
  });
});

test('attributes have the type of their value', () => {
  const view = new Float32Array([9, 1, 2, 9]).subarray(1, 3);
  const field = composedField([
    'Op',
    ['a', 'b'],
    ['c'],
    {
      i: 3,
      s: 'text',
      f: { f: 0.5 },
      is: [1, 2],
      t: { dims: [2], data: view },
      n: { dims: [], data: BigInt64Array.of(-1n) },
    },
  ]);
  const [{ number, body } = { number: 0, body: field }] = parse(field);
  expect(number).toBe(1);
  const { AttributeType } = onnx.AttributeProto;
  const { opType, input, output, attribute } = onnx.NodeProto.decode(body);
  expect([opType, input, output]).toEqual(['Op', ['a', 'b'], ['c']]);
  expect(attribute).toMatchObject([
    { name: 'i', type: AttributeType.INT, i: 3 },
    { name: 's', type: AttributeType.STRING, s: new TextEncoder().encode('text') },
    { name: 'f', type: AttributeType.FLOAT, f: 0.5 },
    { name: 'is', type: AttributeType.INTS, ints: [1, 2] },
    {
      name: 't',
      type: AttributeType.TENSOR,
      t: { dataType: 1, dims: [2], rawData: new Uint8Array(Float32Array.of(1, 2).buffer) },
    },
    {
      name: 'n',
      type: AttributeType.TENSOR,
      t: { dataType: 7, dims: [], rawData: new Uint8Array(8).fill(255) },
    },
  ]);
});

describe('a node without attributes', () => {
  test('has none', () => {
    const [{ body } = { body: new Uint8Array(0) }] = parse(composedField(['Neg', ['a'], ['b']]));
    expect(onnx.NodeProto.decode(body).attribute).toEqual([]);
  });
});

test('an input is a float32 tensor of a shape', () => {
  const [{ number, body } = { number: 0, body: new Uint8Array(0) }] = parse(floatInputField('x', [4, 5]));
  expect(number).toBe(11);
  expect(onnx.ValueInfoProto.decode(body)).toMatchObject({
    name: 'x',
    type: { tensorType: { elemType: 1, shape: { dim: [{ dimValue: 4 }, { dimValue: 5 }] } } },
  });
});
