import { expect, test } from 'vitest';
import { quantizationOf } from '../../src/mish/quantization.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { scan } from '../../src/onnx/scan.js';
import { DataType } from '../../src/onnx/types.js';
import { floats, model, node } from '../support/model.js';

test.each([
  [undefined, DataType.UINT8],
  [0, DataType.UINT8],
  [DataType.INT16, DataType.INT16],
])('without a zero point, output_dtype %s quantises to %s', async (dtype, elemType) => {
  const document = await scan(
    model({
      opset: 21,
      nodes: [node('QuantizeLinear', ['x', 's'], ['q'], dtype === undefined ? {} : { output_dtype: dtype })],
      initializers: [floats('s', [], [0.5])],
    }),
  );
  const { graph } = document;
  const [quantizer] = graph.nodes;
  if (quantizer === undefined) throw new Error('the model has no node');
  const wanted = { scale: 0.5, zeroPoint: 0, elemType, type: 'f32' };
  expect(quantizationOf(indexGraphs(document), graph, quantizer)).toEqual(wanted);
});
