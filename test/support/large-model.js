// Models of any size, written straight to a file in a few blocks of memory: for what is measured or tested at scale.
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { onnx } from '../../proto/onnx.js';

const FLOAT = 1;
const INPUT = 11;
const OUTPUT = 12;
/** What is written at once. */
const BLOCK = 2 ** 20;

const length = (value) => {
  const bytes = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
};
const head = (number, size) => Buffer.concat([length(number * 8 + 2), length(size)]);
const field = (number, message) => Buffer.concat([head(number, message.length), message]);

const Type = onnx.AttributeProto.AttributeType;
const float = (...values) => new Uint8Array(new Float32Array(values).buffer);
const nodeField = (opType, name, input, output, attribute = []) =>
  field(1, onnx.NodeProto.encode({ opType, name, input, output: [output], attribute }).finish());
const value = (name, dims) => ({
  name,
  type: { tensorType: { elemType: FLOAT, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
});

const AXES = [
  { name: 'axes', type: Type.INTS, ints: [-1] },
  { name: 'keepdims', type: Type.INT, i: 1 },
];
const TWO = [{ name: 'value', type: Type.TENSOR, t: { dataType: FLOAT, dims: [], rawData: float(2) } }];

/** Ten nodes as PyTorch names them, one of them a Relu, from x to y. */
function* block(at, x, y) {
  const path = `/blocks.${at}`;
  const tensor = (part) => `${path}/${part}_output_0`;
  yield nodeField('MatMul', `${path}/fc/MatMul`, [x, `blocks.${at}.fc.weight`], tensor('fc/MatMul'));
  yield nodeField('Add', `${path}/fc/Add`, [`blocks.${at}.fc.bias`, tensor('fc/MatMul')], tensor('fc/Add'));
  yield nodeField('Relu', `${path}/act/Relu`, [tensor('fc/Add')], tensor('act/Relu'));
  yield nodeField('ReduceMean', `${path}/norm/ReduceMean`, [tensor('act/Relu')], tensor('norm/Mean'), AXES);
  yield nodeField('Sub', `${path}/norm/Sub`, [tensor('act/Relu'), tensor('norm/Mean')], tensor('norm/Sub'));
  yield nodeField('Constant', `${path}/norm/Constant`, [], tensor('norm/Constant'), TWO);
  yield nodeField('Pow', `${path}/norm/Pow`, [tensor('norm/Sub'), tensor('norm/Constant')], tensor('Pow'));
  yield nodeField('Sigmoid', `${path}/Sigmoid`, [tensor('Pow')], tensor('Sigmoid'));
  yield nodeField('Mul', `${path}/Mul`, [tensor('Sigmoid'), tensor('Pow')], tensor('Mul'));
  yield nodeField('Add', `${path}/Add`, [tensor('Mul'), x], y);
}

function* initializers(blocks) {
  const identity = Array.from({ length: 16 }, (_, at) => (at % 5 === 0 ? 1 : 0));
  for (let at = 0; at < blocks; at++) {
    const tensors = [
      { name: `blocks.${at}.fc.weight`, dims: [4, 4], rawData: float(...identity) },
      { name: `blocks.${at}.fc.bias`, dims: [4], rawData: float(0, -0.1, 0.1, 0.2) },
    ];
    for (const tensor of tensors)
      yield field(5, onnx.TensorProto.encode({ ...tensor, dataType: FLOAT }).finish());
  }
}

/** A tensor's head, as a field of the graph, and the bytes that its data takes, which follow. */
function bulk(name, dims, size) {
  const tensor = onnx.TensorProto.encode({ name, dims, dataType: FLOAT }).finish();
  const inner = Buffer.concat([tensor, head(9, size)]);
  return { head: Buffer.concat([head(5, inner.length + size), inner]), size };
}

/** The parts of the graph, in order: bytes, or a number of weights' bytes. */
function* parts(blocks, weights) {
  yield field(2, Buffer.from('large'));
  let x = 'x';
  if (weights > 0) {
    // Two products through a wide layer: nothing of it needs a tensor past 2 GiB.
    yield nodeField('MatMul', 'wide', ['x', 'wide.weight'], 'wide');
    yield nodeField('MatMul', 'narrow', ['wide', 'narrow.weight'], 'narrow');
    x = 'narrow';
  }
  for (let at = 0; at < blocks; at++) {
    const y = at === blocks - 1 ? 'y' : `/blocks.${at}/Add_output_0`;
    yield* block(at, x, y);
    x = y;
  }
  yield* initializers(blocks);
  const width = Math.ceil(weights / 32);
  for (const [name, dims] of [
    ['wide.weight', [4, width]],
    ['narrow.weight', [width, 4]],
  ]) {
    if (width === 0) continue;
    const tensor = bulk(name, dims, 16 * width);
    yield tensor.head;
    yield tensor.size;
  }
  yield field(INPUT, onnx.ValueInfoProto.encode(value('x', [1, 4])).finish());
  yield field(OUTPUT, onnx.ValueInfoProto.encode(value('y', [1, 4])).finish());
}

const size = (part) => (typeof part === 'number' ? part : part.length);

/**
 * Writes a model of `nodes` nodes (a multiple of ten; every tenth a Relu) that ONNX Runtime runs, from x to y of [1, 4],
 * with `weights` bytes more of weights: of zeros in a hole of the file, or, with `dense`, of numbers on the disk.
 */
export function writeLargeModel(path, { nodes, weights = 0, dense = false }) {
  const blocks = nodes / 10;
  let graph = 0;
  for (const part of parts(blocks, weights)) graph += size(part);
  const model = onnx.ModelProto.encode({
    irVersion: 8,
    producerName: 'onnx-mish tests',
    opsetImport: [{ domain: '', version: 13 }],
  }).finish();
  const file = openSync(path, 'w');
  let at = 0;
  let pending = [];
  let held = 0;
  const flush = () => {
    if (held > 0) at += writeSync(file, Buffer.concat(pending), 0, held, at);
    [pending, held] = [[], 0];
  };
  const put = (bytes) => {
    pending.push(bytes);
    held += bytes.length;
    if (held >= BLOCK) flush();
  };
  const numbers = Buffer.from(
    Float32Array.from({ length: BLOCK / 4 }, (_, at) => ((at % 7) - 3) / 1e6).buffer,
  );
  put(model);
  put(head(7, graph));
  for (const part of parts(blocks, weights)) {
    if (typeof part !== 'number') put(part);
    else {
      flush();
      if (!dense) at += part;
      else for (let left = part; left > 0; left -= BLOCK) put(numbers.subarray(0, Math.min(left, BLOCK)));
    }
  }
  flush();
  ftruncateSync(file, at);
  closeSync(file);
}
