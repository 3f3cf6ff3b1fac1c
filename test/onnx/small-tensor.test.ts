import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { scan } from '../../src/onnx/scan.js';
import { readNumbers } from '../../src/onnx/small-tensor.js';
import { model, node } from '../support/model.js';

const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const [FLOAT, INT32, INT64, DOUBLE] = [1, 6, 7, 11];

test.each<[string, onnx.ITensorProto, number[] | undefined]>([
  ['f32', { dataType: FLOAT, dims: [2], floatData: [0.5, -1] }, [0.5, -1]],
  ['raw f32', { dataType: FLOAT, dims: [2], rawData: bytesOf(Float32Array.of(0.5, -1)) }, [0.5, -1]],
  ['i64', { dataType: INT64, dims: [2], int64Data: [-3, 2 ** 40] }, [-3, 2 ** 40]],
  ['raw i64', { dataType: INT64, dims: [1], rawData: bytesOf(BigInt64Array.of(-3n)) }, [-3]],
  ['i32', { dataType: INT32, dims: [2], int32Data: [7, -7] }, [7, -7]],
  ['another type', { dataType: DOUBLE, dims: [1], doubleData: [1] }, undefined],
  [
    'external data',
    { dataType: FLOAT, dims: [1], dataLocation: 1, externalData: [{ key: 'location', value: 'w' }] },
    undefined,
  ],
])('reads %s', async (_, tensor, expected) => {
  const initializers = [{ name: 'w', ...tensor }];
  const document = await scan(model({ nodes: [node('Identity', ['w'], ['y'])], initializers }));
  expect(await readNumbers(document, document.graph.initializers.get('w'))).toEqual(expected);
  expect(await readNumbers(document, undefined)).toBeUndefined();
});
