import { onnx } from '../../proto/onnx.js';
import type { Frame, Node, OnnxDocument, Scope } from './document.js';
import { concat, messageField, nodeField } from './encode.js';
import { createReader, type Field, walk } from './reader.js';
import type { Edit } from './splice.js';
import { FLOAT_TYPES, type FloatType } from './types.js';
import { floatBytes } from './weights.js';

// Fields of NodeProto; the schema is proto/onnx.proto3.
const NODE = { input: 1, output: 2 };

/**
 * The edits that give a Conv, ConvTranspose, Gemm or MatMul of the main graph a bias that it did not have: a Constant node
 * before it, which every IR version takes, and the third input, or for MatMul an Add after it that makes its output.
 * `fresh` gives names that nothing else has.
 */
export async function biasEdits(
  { source }: OnnxDocument,
  scope: Scope,
  node: Node,
  values: ArrayLike<number>,
  type: FloatType,
  fresh: (wanted: string) => string,
): Promise<Edit[]> {
  const y = node.outputs[0] ?? '';
  const name = fresh(`${node.name || y}/bias`);
  const reader = createReader(source);
  const whole = await reader.field(node.span.start, node.span.end);
  const own: Frame = { lengthAt: whole.lengthAt, start: whole.body, end: whole.end, parent: node.frame };
  const inputs: Field[] = [];
  const outputs: Field[] = [];
  await walk(reader, own.start, own.end, (field) => {
    if (field.number === NODE.input) inputs.push(field);
    if (field.number === NODE.output) outputs.push(field);
    return undefined;
  });
  const before = nodeField(scope.kind, constant(name, values, type));
  const edits: Edit[] = [{ start: node.span.start, end: node.span.start, bytes: before, frame: node.frame }];
  const put = (number: number, text: string) => messageField(number, new TextEncoder().encode(text));
  if (node.opType !== 'MatMul') {
    const empty = inputs[2]; // an input that is left out by an empty name
    const place = empty ?? { start: own.end, end: own.end };
    edits.push({ start: place.start, end: place.end, bytes: put(NODE.input, name), frame: own });
    return edits;
  }
  const product = fresh(`${y}/product`);
  const [output] = outputs;
  if (output !== undefined)
    edits.push({ start: output.start, end: output.end, bytes: put(NODE.output, product), frame: own });
  const add = {
    opType: 'Add',
    name: fresh(`${node.name || y}/add_bias`),
    input: [product, name],
    output: [y],
  };
  edits.push({
    start: node.span.end,
    end: node.span.end,
    bytes: concat([nodeField(scope.kind, add)]),
    frame: node.frame,
  });
  return edits;
}

function constant(name: string, values: ArrayLike<number>, type: FloatType): onnx.INodeProto {
  const t = { dataType: FLOAT_TYPES[type], dims: [values.length], rawData: floatBytes(values, type) };
  const attribute = [{ name: 'value', type: onnx.AttributeProto.AttributeType.TENSOR, t }];
  return { opType: 'Constant', name, output: [name], attribute };
}
