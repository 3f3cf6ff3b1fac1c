import { closeSync, openSync, writeSync } from 'node:fs';
import { createRandom } from '../../dist/base/random.js';
import { concat, varint } from '../../dist/onnx/encode.js';
import { onnx } from '../../proto/onnx.js';

/** A model of `layers` times MatMul and Relu with square weights from a seed, written piece by piece. */
export function writeModel(path, layers, width) {
  const random = createRandom(1);
  const block = new Float32Array(width * width);
  for (let index = 0; index < block.length; index++) block[index] = (random() - 0.5) / width;
  const raw = new Uint8Array(block.buffer);
  const value = (name) => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: [{ dimValue: 1 }, { dimValue: width }] } } },
  });
  const nodes = [];
  const heads = [];
  for (let layer = 0; layer < layers; layer++) {
    const [from, to] = [layer === 0 ? 'x' : `a${layer - 1}`, layer === layers - 1 ? 'y' : `a${layer}`];
    nodes.push({
      opType: 'MatMul',
      name: `matmul${layer}`,
      input: [from, `w${layer}`],
      output: [`h${layer}`],
    });
    nodes.push({ opType: 'Relu', name: `relu${layer}`, input: [`h${layer}`], output: [to] });
    const tensor = onnx.TensorProto.encode({ dims: [width, width], dataType: 1, name: `w${layer}` }).finish();
    const inner = concat([tensor, Uint8Array.of(0x4a), varint(raw.length)]); // field 9, raw_data
    heads.push(concat([Uint8Array.of(0x2a), varint(inner.length + raw.length), inner])); // field 5, initializer
  }
  const graph = onnx.GraphProto.encode({
    name: 'bench',
    node: nodes,
    input: [value('x')],
    output: [value('y')],
  }).finish();
  const size = graph.length + heads.reduce((sum, head) => sum + head.length + raw.length, 0);
  const model = onnx.ModelProto.encode({ irVersion: 8, opsetImport: [{ domain: '', version: 18 }] }).finish();
  const file = openSync(path, 'w');
  for (const bytes of [model, Uint8Array.of(0x3a), varint(size), graph]) writeSync(file, bytes); // field 7, graph
  for (const head of heads) {
    writeSync(file, head);
    writeSync(file, raw);
  }
  closeSync(file);
}
