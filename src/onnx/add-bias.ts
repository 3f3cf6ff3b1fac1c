import { onnx } from '../../proto/onnx.js';
import type { Node, OnnxDocument, Scope } from './document.js';
import { concat, messageField, nodeField } from './encode.js';
import { createReader, walk } from './reader.js';
import { type Edit, replacing } from './splice.js';
import { FLOAT_TYPES, type FloatType } from './types.js';
import { floatBytes } from './weights.js';

// Fields of NodeProto; the schema is proto/onnx.proto3.
const NODE = { input: 1, output: 2 };

/**
 * Returns the edit that adds a bias to a Conv, ConvTranspose, Gemm or MatMul without one. `values` has an element per output
 * channel. The bias is a Constant node before the node, read by its third input; for MatMul, by an Add after it.
 * `fresh` returns unused names.
 */
export async function biasEdit(
  { source }: OnnxDocument,
  scope: Scope,
  node: Node,
  values: ArrayLike<number>,
  type: FloatType,
  fresh: (wanted: string) => string,
): Promise<Edit> {
  const y = node.outputs[0] ?? '';
  const name = fresh(`${node.name || y}/bias`);
  const isMatMul = node.opType === 'MatMul';
  const product = isMatMul ? fresh(`${y}/product`) : '';
  const reader = createReader(source);
  const { number, body, end } = await reader.field(node.span.start, node.span.end);
  const put = (part: number, text: string) => messageField(part, new TextEncoder().encode(text));
  const fields: Promise<Uint8Array>[] = [];
  let inputs = 0;
  await walk(reader, body, end, (field) => {
    const isThird = field.number === NODE.input && ++inputs === 3; // an empty name marks an absent input
    const isOutput = field.number === NODE.output && isMatMul;
    if (isThird) fields.push(Promise.resolve(put(NODE.input, name)));
    else if (isOutput) fields.push(Promise.resolve(put(NODE.output, product)));
    else fields.push(source.read(field.start, field.end - field.start));
    return undefined;
  });
  if (!isMatMul && inputs < 3) fields.push(Promise.resolve(put(NODE.input, name)));
  const pieces = [
    nodeField(scope.kind, constant(name, values, type)),
    messageField(number, concat(await Promise.all(fields))),
  ];
  if (isMatMul) {
    const add = {
      opType: 'Add',
      name: fresh(`${node.name || y}/add_bias`),
      input: [product, name],
      output: [y],
    };
    pieces.push(nodeField(scope.kind, add));
  }
  return replacing(node, concat(pieces));
}

function constant(name: string, values: ArrayLike<number>, type: FloatType): onnx.INodeProto {
  const t = { dataType: FLOAT_TYPES[type], dims: [values.length], rawData: floatBytes(values, type) };
  const attribute = [{ name: 'value', type: onnx.AttributeProto.AttributeType.TENSOR, t }];
  return { opType: 'Constant', name, output: [name], attribute };
}
