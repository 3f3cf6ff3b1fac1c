import { expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { withInputs } from '../../src/mish/node-writer.js';
import { decodedNode } from '../../src/mish/webgl/rewrites.js';
import { scan } from '../../src/onnx/scan.js';
import { model, node } from '../support/model.js';

test('a node with other inputs keeps its name, its outputs and its attributes', async () => {
  const attributes = {
    number: { f: 0.25 },
    integer: -3,
    text: 'näme',
    integers: [1, 2, 3],
    numbers: { floats: [0.5, -2, 0] },
    texts: { strings: ['Sigmoid', 'Tänh', ''] },
  };
  const document = await scan(
    model({ nodes: [node('LSTM', ['x', 'w', 'r'], ['', 'h'], attributes, { name: 'one' })] }),
  );
  const [given] = document.graph.nodes;
  if (given === undefined) throw new Error('the model has no node');
  const written = onnx.NodeProto.encode(withInputs(given, ['x', 'copy', 'r'])).finish();
  expect(onnx.NodeProto.decode(written)).toEqual({
    ...(await decodedNode(document, given)),
    input: ['x', 'copy', 'r'],
  });
});
