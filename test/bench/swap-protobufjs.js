// What one would write first: decode the whole model, replace each Relu, encode it again. For bench:swap.
import { readFileSync, writeFileSync } from 'node:fs';
import { onnx } from '../../proto/onnx.js';

const [input, output] = process.argv.slice(2);
const model = onnx.ModelProto.decode(readFileSync(input));
model.graph.node = model.graph.node.flatMap((node) => {
  if (node.opType !== 'Relu') return [node];
  const [x, y] = [node.input[0], node.output[0]];
  return [
    { opType: 'Softplus', input: [x], output: [`${y}/softplus`] },
    { opType: 'Tanh', input: [`${y}/softplus`], output: [`${y}/tanh`] },
    { opType: 'Mul', input: [x, `${y}/tanh`], output: [y] },
  ];
});
writeFileSync(output, onnx.ModelProto.encode(model).finish());
